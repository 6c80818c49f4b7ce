"""Who saw a stretch of a camera's footage: viewings, downloads, and pictures that were shown (F20).

Times are the recorder's own, as every span of an application is. What was read is known to the byte; which moments
those bytes hold, the list of fragments says that was made when the copy was sealed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Viewing
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.emergency_views import EmergencyCopy, EmergencyViewing
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.spans import Span


@dataclass(frozen=True)
class FootageViewer:
    """One person saw some of it. ``at``: when the viewing was opened, the download asked for, the picture shown."""

    how: Literal["viewing", "download", "picture"]
    at: datetime
    person_id: str
    name: str
    application: str
    purpose: str
    address: str | None


def list_viewers(uow: UnitOfWork, camera_id: str, span: Span) -> list[FootageViewer]:
    """Return everybody who saw anything of the span, in the order of time. To ask is an event too."""
    audit_trail.record(uow, "viewers-read", "camera", camera_id, start=span.start.isoformat(), end=span.end.isoformat())
    viewers = [
        *_of_copies(uow, camera_id, span),
        *_of_emergency_copies(uow, camera_id, span),
        *_of_redacted_copies(uow, camera_id, span),
        *_pictures(uow, camera_id, span),
    ]
    return sorted(viewers, key=lambda viewer: viewer.at)


def _of_copies(uow: UnitOfWork, camera_id: str, span: Span) -> Iterator[FootageViewer]:
    query = (
        select(Copy, Application)
        .join(Item, Item.id == Copy.item_id)
        .join(Application, Application.id == Copy.application_id)
        .where(Item.camera_id == camera_id)
    )
    for copy, application in uow.session.execute(query):
        part = _bytes(copy.sealed, span)
        if part is None:
            continue
        looks = uow.session.scalars(select(Viewing).where(Viewing.copy_id == copy.id))
        yield from _looks(uow, looks, part, application)
        for download in _list_downloads(uow, copy.id):
            yield _viewer(uow, "download", download.asked_at, download.person_id, application, download.address)


def _looks(
    uow: UnitOfWork,
    looks: Iterable[Viewing | EmergencyViewing | DerivativeViewing],
    part: tuple[int, int],
    application: Application,
) -> Iterator[FootageViewer]:
    """Yield those who read some of ``part``, a stretch of the plaintext in bytes."""
    for row in looks:
        if any(start < part[1] and end > part[0] for start, end in row.ranges):
            yield _viewer(uow, "viewing", row.opened_at, row.person_id, application, row.address)


def _list_downloads(uow: UnitOfWork, copy_id: str) -> list[Download | DisclosureDownload]:
    """List what was fetched of a copy: for use outside, and to be handed to people outside."""
    own = select(Download).where(Download.copy_id == copy_id, Download.reads > 0)
    provided = select(DisclosureDownload).where(DisclosureDownload.copy_id == copy_id, DisclosureDownload.reads > 0)
    return [*uow.session.scalars(own), *uow.session.scalars(provided)]


def _of_emergency_copies(uow: UnitOfWork, camera_id: str, span: Span) -> Iterator[FootageViewer]:
    """Yield who saw footage of an urgent retrieval before its approval."""
    query = (
        select(EmergencyCopy, Application)
        .join(Item, Item.id == EmergencyCopy.item_id)
        .join(Application, Application.id == EmergencyCopy.application_id)
        .where(Item.camera_id == camera_id)
    )
    for copy, application in uow.session.execute(query):
        part = _bytes(copy.sealed, span)
        if part is None:
            continue
        looks = uow.session.scalars(select(EmergencyViewing).where(EmergencyViewing.copy_id == copy.id))
        yield from _looks(uow, looks, part, application)


def _of_redacted_copies(uow: UnitOfWork, camera_id: str, span: Span) -> Iterator[FootageViewer]:
    """Yield who watched a redacted copy, as far as it shows something."""
    query = (
        select(Derivative, Application)
        .join(Item, Item.id == Derivative.item_id)
        .join(Application, Application.id == Derivative.application_id)
        .where(Item.camera_id == camera_id, Derivative.made_at.is_not(None))
    )
    for row, application in uow.session.execute(query):
        part = _bytes(row.sealed, span) if row.sealed is not None else None
        if part is not None:
            looks = uow.session.scalars(select(DerivativeViewing).where(DerivativeViewing.derivative_id == row.id))
            yield from _looks(uow, looks, part, application)


def _bytes(sealed: dict[str, Any], span: Span) -> tuple[int, int] | None:
    """Return the stretch of the plaintext that holds the span; all of it where no fragments are known; None outside."""
    coverage = sealed["coverage"]
    first, last = datetime.fromisoformat(coverage["firstFrame"]), datetime.fromisoformat(coverage["lastFrame"])
    if span.end <= first or span.start > last:
        return None
    fragments = sealed["fragments"]
    if not fragments:
        return 0, sealed["plainSize"]
    begins = [first + timedelta(milliseconds=time_ms) for time_ms, _, _ in fragments]
    held = [
        (offset, offset + length)
        for (_, offset, length), begin, end in zip(fragments, begins, [*begins[1:], last], strict=True)
        if begin < span.end and max(end, begin + timedelta(milliseconds=1)) > span.start
    ]
    return (held[0][0], held[-1][1]) if held else None


def _pictures(uow: UnitOfWork, camera_id: str, span: Span) -> Iterator[FootageViewer]:
    query = (
        select(AuditEvent, Application)
        .join(Item, Item.id == AuditEvent.subject_id)
        .join(Application, Application.id == AuditEvent.application_id)
        .where(AuditEvent.action == "picture-read", Item.camera_id == camera_id)
    )
    for event, application in uow.session.execute(query):
        if span.start <= datetime.fromisoformat(json.loads(event.entry)["detail"]["moment"]) < span.end:
            yield _viewer(uow, "picture", event.at, event.actor_id, application, None)


def _viewer(  # noqa: PLR0917 - one value for each field
    uow: UnitOfWork,
    how: Literal["viewing", "download", "picture"],
    at: datetime,
    person_id: str,
    application: Application,
    address: str | None,
) -> FootageViewer:
    person = uow.session.get(Person, person_id)
    return FootageViewer(
        how,
        at,
        person_id,
        person.name if person is not None else person_id,
        application.number or application.id,
        application.purpose,
        address,
    )
