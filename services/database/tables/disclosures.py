"""Disclosures: footage that may be handed to outsiders, each file that left for them, and their receipt (R57, R58)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id
from services.database.tables.copies import Copy


class Disclosure(Base):
    """What a matter has allowed: to whom, on what, and whether the loan ends with the receipt.

    ``received`` says who has signed for it: names and ids of the outsiders, the moment, the scanned receipt if any.
    """

    __tablename__ = "disclosures"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    matter_id: Mapped[str] = mapped_column(ForeignKey("matters.id"), unique=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"), index=True)
    outsider_ids: Mapped[list[str]]
    copy_ids: Mapped[list[str]]
    ends_loan: Mapped[bool]
    allowed_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    received: Mapped[dict[str, Any] | None]
    recorded_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))


class DisclosureDownload(Base):
    """One copy fetched to be handed out; ``opens_with``: medium (in clear), browser, archiver."""

    __tablename__ = "disclosure_downloads"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    disclosure_id: Mapped[str] = mapped_column(ForeignKey("disclosures.id"), index=True)
    copy_id: Mapped[str] = mapped_column(ForeignKey(Copy.id), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    opens_with: Mapped[str]
    medium: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    asked_at: Mapped[datetime]
    reads: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
