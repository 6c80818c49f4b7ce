"""Confidentiality agreements: their numbered texts, and who signed which version until when (R59)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.people import Person


class AgreementText(Base):
    """One version of the text in both languages, as it was issued; kept for ever.

    Up to ``counts_from`` signatures under ``replaces`` are valid beside its own.
    """

    __tablename__ = "agreement_texts"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    version: Mapped[str] = mapped_column(unique=True)
    text_zh: Mapped[str]
    text_en: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[str]
    replaces: Mapped[str | None]  # the version that was to be signed before; unknown of older releases
    counts_from: Mapped[datetime | None]  # None: it counted at once


class Agreement(Base):
    """One person's signature under one version, valid until ``expires_at`` or ``ended_at``."""

    __tablename__ = "agreements"
    __table_args__ = (Index("ix_agreements_expires_at", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    version: Mapped[str]
    signed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    expiry_reminded_at: Mapped[datetime | None]  # that it expires soon
    replacement_reminded_at: Mapped[datetime | None]  # that a new text ends it soon
    statement_sha256: Mapped[str | None]  # of those signed before this was stored, the audit trail has it
    signature: Mapped[dict[str, Any] | None]

    person: Mapped[Person] = reference()
