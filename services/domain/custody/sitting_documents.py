"""《录像查阅登记表》: written at the end of each sitting, from the database alone (R35, R41, R47, R56)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Viewing
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.custody import on_site, sitting_sheet
from services.domain.documents import service as document_service
from services.runtime.spans import Span
from services.vault.coverage import fragments_from_json

KIND = "sitting"
LOAN_ENDED, TRANSFERRED = "loan-ended", "custody-transferred"  # why a sitting was closed that nobody has signed
# Parts that lie closer together were watched in one go: a player reads whole fragments.
JOIN = timedelta(seconds=1)


def write(uow: UnitOfWork, sitting: Sitting) -> Document:
    """Write the sheet under the sitting's own number, once."""
    known = document_service.of_subject(uow, KIND, sitting.id)
    if known is not None:
        return known
    application = uow.session.get_one(Application, sitting.application_id)
    closed_itself = closed_itself_at(uow, sitting)
    content = {
        "number": sitting.number,
        "title": sitting_sheet.TITLE,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "application": application.number,
        "handOver": sitting.hand_over_id,
        "purpose": sitting.purpose,
        "station": sitting.station,
        "address": sitting.address,
        "companion": forms.person_to_json(uow, sitting.companion_id),
        "openedAt": sitting.opened_at.isoformat(),
        "closedAt": sitting.closed_at.isoformat() if sitting.closed_at else None,
        "closedAs": sitting.closed_as,
        "closedBy": forms.person_to_json(uow, sitting.closed_by),
        "closedItselfAt": closed_itself,
        "confirmedEvery": sitting.interval_seconds,
        "people": sitting.present["people"],
        "outsiders": sitting.present["outsiders"],
        "departure": sitting.departure,
        "shown": list_shown(uow, sitting),
        "statement": sitting.statement_sha256,
        "signature": sitting.signature,
    }
    return document_service.write(
        uow, KIND, sitting.number, content, application_id=application.id, subject_id=sitting.id
    )


def write_unsigned(uow: UnitOfWork, hand_over: HandOver, because: str) -> None:
    """Close the sitting whose end nobody has signed, and nobody can any more, and write its sheet, which says so."""
    sitting = on_site.find_unclosed(uow, hand_over.id)
    if sitting is not None:
        sitting.closed_at, sitting.closed_as = uow.now, because
        write(uow, sitting)


def closed_itself_at(uow: UnitOfWork, sitting: Sitting) -> str | None:
    """Return when it has closed by itself; None where its companion has confirmed being present in time."""
    ended = on_site.ends_at(sitting)
    return ended.isoformat() if (sitting.closed_at or uow.now) >= ended else None


def list_shown(uow: UnitOfWork, sitting: Sitting) -> list[dict[str, Any]]:
    """List what was shown of each copy: spans in the recorder's own time, from the bytes that were read."""
    query = (
        select(Viewing)
        .where(Viewing.sitting_id == sitting.id, Viewing.reads > 0)
        .order_by(Viewing.opened_at, Viewing.id)
    )
    read: dict[str, list[list[int]]] = {}
    for viewing in uow.session.scalars(query):
        read.setdefault(viewing.copy_id, []).extend(viewing.ranges)
    of_item = joinedload(Copy.item).options(joinedload(Item.camera), selectinload(Item.retrieval_record))
    copies = uow.session.scalars(select(Copy).where(Copy.id.in_(read)).options(of_item)).all() if read else ()
    return [_shown(copy, read[copy.id]) for copy in sorted(copies, key=lambda copy: copy.item.position)]


def _shown(copy: Copy, ranges: Iterable[list[int]]) -> dict[str, Any]:
    item, record = copy.item, copy.item.retrieval_record
    return {
        "copy": copy.id,
        "position": item.position,
        "camera": item.camera.name_zh,
        "place": item.camera.place_zh,
        "record": record.number if record else None,
        "zone": item.zone,
        "spans": [[span.start.isoformat(), span.end.isoformat()] for span in spans_of(copy.sealed, ranges)],
        "bytes": sum(end - start for start, end in _merged(ranges)),
        "sha256": copy.sealed["sha256Plain"],
    }


def spans_of(sealed: Mapping[str, Any], ranges: Iterable[list[int]]) -> list[Span]:
    """Return the times of the fragments of which bytes were read, joined where they follow each other."""
    first, last = (datetime.fromisoformat(sealed["coverage"][name]) for name in ("firstFrame", "lastFrame"))
    fragments, read = fragments_from_json(sealed["fragments"]), _merged(ranges)
    spans: list[Span] = []
    for fragment, following in zip(fragments, [*fragments, None][1:], strict=True):
        if not any(start < fragment.offset + fragment.length and fragment.offset < end for start, end in read):
            continue
        start = first + timedelta(milliseconds=fragment.time_ms)
        end = last if following is None else min(first + timedelta(milliseconds=following.time_ms), last)
        if spans and start - spans[-1].end <= JOIN:
            spans[-1] = Span(spans[-1].start, max(spans[-1].end, end))
        elif end > start:
            spans.append(Span(start, end))
    return spans


def _merged(ranges: Iterable[list[int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((one[0], one[1]) for one in ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
