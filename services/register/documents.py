"""Numbered documents: the filed form, the retrieval record (R28, R29, R35)."""

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import rfc8785
from sqlalchemy import ForeignKey, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from services.register import audit
from services.register.base import Base, new_id
from services.register.unit import Unit

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


def next_number(unit: Unit, kind: str) -> str:
    """The next number of a series, such as ``SQ-2026-000123``; a unit that fails gives it back."""
    prefix = SERIES[kind]
    year = unit.now.astimezone(ZoneInfo(unit.rules.zone)).year
    series = unit.session.get(NumberSeries, (prefix, year), with_for_update=True)
    if series is None:
        # two units that open a year at the same moment: one inserts, the other waits for it and counts on
        with suppress(IntegrityError), unit.session.begin_nested():
            unit.session.add(NumberSeries(prefix=prefix, year=year, last=0))
        series = unit.session.get_one(NumberSeries, (prefix, year), with_for_update=True, populate_existing=True)
    series.last += 1
    unit.session.flush()
    return f"{prefix}-{year}-{series.last:06d}"


def write(
    unit: Unit, kind: str, number: str, content: dict[str, Any], *, application_id: str, item_id: str | None = None
) -> Document:
    """Write a document once and for all; its bytes are canonical JSON (RFC 8785)."""
    data = rfc8785.dumps({**content, "demo": unit.demo})
    document = Document(
        number=number,
        kind=kind,
        application_id=application_id,
        item_id=item_id,
        content=data.decode(),
        sha256=hashlib.sha256(data).hexdigest(),
        made_at=unit.now,
        demo=unit.demo,
    )
    unit.session.add(document)
    unit.session.flush()
    audit.record(unit, f"{kind}-written", "document", number, application_id=application_id, sha256=document.sha256)
    return document


def of_application(unit: Unit, application_id: str) -> list[Document]:
    """A case's documents, oldest first."""
    query = (
        select(Document).where(Document.application_id == application_id).order_by(Document.made_at, Document.number)
    )
    return list(unit.session.scalars(query))


def by_number(unit: Unit, number: str) -> Document | None:
    return unit.session.scalar(select(Document).where(Document.number == number))
