"""Rule changes: the latest change of a rule overrides the environment in every process."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class RuleChange(Base):
    """Who set a rule to what, when and why; rows are only added.

    Values are written as in the environment; ``new`` is None to return to the environment's.
    """

    __tablename__ = "rule_changes"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    rule: Mapped[str] = mapped_column(index=True)
    old: Mapped[str | None]
    new: Mapped[str | None]
    reason: Mapped[str]
