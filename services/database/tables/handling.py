"""Changes of the handling rules of a confidentiality level; rows are only added (R56)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class HandlingChange(Base):
    """Who set the rules of a level to what, when and why; the highest version of a level is in force."""

    __tablename__ = "handling_changes"

    level: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    handling: Mapped[dict[str, Any]]
    reason: Mapped[str]
