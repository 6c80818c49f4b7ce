"""Numbered documents: the filed form, the retrieval record (R28, R29, R35)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id

SERIES = {"application": "SQ", "retrieval-record": "DQ"}


class NumberSeries(Base):
    """The last number given, for each prefix and year; counted inside the transaction, so none is lost or doubled."""

    __tablename__ = "number_series"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class Document(Base):
    """Canonical JSON (RFC 8785) as text, never changed after it was written."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # application-form, retrieval-record
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str | None] = mapped_column(ForeignKey("items.id"))
    content: Mapped[str]
    sha256: Mapped[str]
    made_at: Mapped[datetime]
    demo: Mapped[bool]  # made under a turned clock
