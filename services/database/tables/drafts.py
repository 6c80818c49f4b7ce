"""Drafts: application forms and corrections while somebody types them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class Draft(Base):
    """What one application's drafter typed last, for the form's ``round``.

    ``typed`` holds the page's fields by name; empty where the draft came through the API. ``version`` counts the saves:
    a save over a version that is not the newest is refused.
    """

    __tablename__ = "drafts"

    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    round: Mapped[int]
    version: Mapped[int]
    saved_at: Mapped[datetime]
    typed: Mapped[dict[str, Any]]
