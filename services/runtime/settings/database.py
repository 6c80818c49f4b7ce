"""The connections of one process to the database; its address is a setting of its own."""

from typing import Self

from pydantic import Field

from services.runtime.settings.kinds import Part


class DatabaseSettings(Part):
    """The pool of one process, and how long anything may take (docs/operations.md, "Connections to PostgreSQL").

    What the address itself says, such as ``?connect_timeout=3``, wins.
    """

    pool_size: int = Field(
        default=15,
        ge=2,
        le=500,
        description="how many connections to the database this process may hold, beside the one of its readiness",
    )
    wait_seconds: float = Field(
        default=5, gt=0, le=60, description="seconds that a page, call or job waits for one of them, such as 5"
    )
    connect_seconds: int = Field(
        default=5, ge=2, le=60, description="whole seconds that PostgreSQL may take to accept a connection, such as 5"
    )
    statement_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="whole seconds after which PostgreSQL ends a statement, or 0 for never",
    )
    idle_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="whole seconds after which PostgreSQL ends a transaction that waits for this process, or 0 for "
        "never",
    )
    pooler: bool = Field(
        default=False,
        description="true where the address is that of a pooler, such as PgBouncer, or false",
    )

    @property
    def without_limits(self) -> Self:
        """The same for a command that an operator waits for: its statements may take as long as they need."""
        return self.model_copy(update={"statement_seconds": 0, "idle_seconds": 0})
