"""An audit trail of some events with signed heads, and hands that change it behind the register's back."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from new_database import lay_out
from sqlalchemy import select, text

from services.database.tables.audit import AuditAnchor
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules
from services.vault.keys.log_key import LogKey

NOON = datetime(2031, 3, 4, 12, 0, 0, 250_000, tzinfo=UTC)
ACTOR = Actor("system", "test")
TABLES = ("audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors")


def list_anchors(uow: UnitOfWork) -> list[AuditAnchor]:
    """All anchors, the smallest first."""
    return list(uow.session.scalars(select(AuditAnchor).order_by(AuditAnchor.size)))


@dataclass
class Trail:
    """Books at ``url`` with nothing in them but the trail."""

    url: str
    key: LogKey
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = open_database(self.url, FixedClock(NOON), Rules(max_use_days=30))
        lay_out(self.database)

    def grow(self, by: int, *, first: int = 0, action: str = "tried", case: str | None = None, **detail: Any) -> None:
        def record(uow: UnitOfWork, number: int) -> None:
            audit_trail.record(uow, action, "test", f"“{number}”", application_id=case, count=number, **detail)

        for number in range(first, first + by):
            self.database.run_now(ACTOR, record, number)

    def sign(self) -> str:
        row = self.database.run_now(ACTOR, checkpoints.sign, self.key.known, self.key.sign)
        assert row is not None
        return row.note

    def tamper(self, *statements: str, **values: object) -> None:
        """Take the triggers away, as whoever holds the database can, and do as one likes."""
        postgres = self.database.engine.dialect.name == "postgresql"
        with self.database.engine.begin() as connection:
            for table in TABLES:
                for verb in ("only_grows",) if postgres else ("no_update", "no_delete"):
                    connection.execute(
                        text(f"DROP TRIGGER IF EXISTS {table}_{verb}" + (f" ON {table}" if postgres else ""))
                    )
            for statement in statements:
                names = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), names)
