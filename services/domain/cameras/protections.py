"""Protect spans on a recorder, and release them (T4, F1, F14).

The row is committed before the recorder is asked, so that a protection whose answer was lost is released too. A
protection ends in the database with its case; the recorder monitor sends the release and retries until it succeeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Select, and_, or_, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.cameras import Camera
from services.database.tables.protections import Protection
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Fatal
from services.runtime.spans import Span

Answer = Literal["protected", "unsupported", "failed"]
# Some recorders lock whole events, so a release reaches this far beyond its span. ZoneMinder's events last ten minutes
# by default.
MAX_EVENT_LENGTH = timedelta(hours=1)


@dataclass(frozen=True)
class DueRelease:
    """A span that its recorder has to release."""

    protection_id: str
    channel: str
    span: Span
    outcome: str | None  # of the protection, when the release was listed


def start(uow: UnitOfWork, application_id: str, item_id: str, camera_id: str, span: Span) -> str | None:
    """Create a protection and return its id.

    None when the recorder has already answered for this span, or the case has ended. Raises Fatal for an unknown
    application.
    """
    application = uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)
    if application is None:
        raise Fatal(
            f"could not protect footage | application {application_id} | it is not in the database | "
            "check the variables of the job, then resolve the incident"
        )
    if application.closed_at is not None or application.withdrawn_at is not None:
        return None
    camera = uow.session.get_one(Camera, camera_id)
    existing = select(Protection).where(
        Protection.item_id == item_id,
        Protection.recorder_id == camera.recorder_id,
        Protection.channel == camera.channel,
        Protection.ended_at.is_(None),
    )
    for row in uow.session.scalars(existing):
        if row.span_start <= span.start and span.end <= row.span_end:
            return None if row.outcome in ("protected", "unsupported") else row.id
    row = Protection(
        id=new_id(),
        application_id=application_id,
        item_id=item_id,
        recorder_id=camera.recorder_id,
        channel=camera.channel,
        span_start=span.start,
        span_end=span.end,
        requested_at=uow.now,
    )
    uow.session.add(row)
    return row.id


def record_answer(uow: UnitOfWork, protection_id: str, outcome: Answer) -> None:
    """Record the recorder's answer.

    A failed request may have locked the span all the same, so it is released like the others.
    """
    row = uow.session.get_one(Protection, protection_id, with_for_update=True)
    row.outcome = outcome
    if outcome != "unsupported":
        row.released_at = None  # a release that was sent before this answer came too early
    audit_trail.record(
        uow,
        "recorder-protection",
        "item",
        row.item_id,
        application_id=row.application_id,
        outcome=f"protection-{outcome}",
        start=row.span_start.isoformat(),
        end=row.span_end.isoformat(),
    )


def end(uow: UnitOfWork, application_id: str) -> None:
    """End the protections of a closed case."""
    for row in uow.session.scalars(
        select(Protection).where(Protection.application_id == application_id, Protection.ended_at.is_(None))
    ):
        row.ended_at = uow.now


def list_due(uow: UnitOfWork, recorder_id: str) -> list[DueRelease]:
    """List the spans a recorder has to release.

    A span that another case still protects is left out.
    """
    ended = (
        select(Protection)
        .where(Protection.recorder_id == recorder_id, _unreleased())
        .order_by(Protection.ended_at, Protection.id)
    )
    return [
        DueRelease(row.id, row.channel, Span(row.span_start, row.span_end), row.outcome)
        for row in uow.session.scalars(ended)
        if not _is_shared(uow, row)
    ]


def select_due_recorders() -> Select[str]:
    """Select ids of recorders with a due release, retired ones included."""
    return select(Protection.recorder_id).where(_unreleased())


def record_release(uow: UnitOfWork, releases: Sequence[DueRelease]) -> None:
    """Record that the recorder has released these spans.

    One whose outcome has changed meanwhile stays due: the recorder may have locked it after the release.
    """
    for release in releases:
        row = uow.session.get_one(Protection, release.protection_id, with_for_update=True)
        if row.released_at is None and row.outcome == release.outcome:
            row.released_at = uow.now
            audit_trail.record(
                uow, "recorder-protection-released", "item", row.item_id, application_id=row.application_id
            )


def list_of_item(uow: UnitOfWork, item_id: str) -> list[Protection]:
    """List an item's protections, oldest first."""
    query = select(Protection).where(Protection.item_id == item_id).order_by(Protection.requested_at, Protection.id)
    return list(uow.session.scalars(query))


def _unreleased() -> ColumnElement[bool]:
    return and_(Protection.ended_at.is_not(None), Protection.released_at.is_(None), _may_be_locked())


def _may_be_locked() -> ColumnElement[bool]:
    return or_(Protection.outcome.is_(None), Protection.outcome != "unsupported")


def _is_shared(uow: UnitOfWork, row: Protection) -> bool:
    query = select(Protection.id).where(
        Protection.recorder_id == row.recorder_id,
        Protection.channel == row.channel,
        Protection.ended_at.is_(None),
        Protection.span_start < row.span_end + MAX_EVENT_LENGTH,
        Protection.span_end > row.span_start - MAX_EVENT_LENGTH,
        _may_be_locked(),
    )
    return uow.session.scalar(query.limit(1)) is not None
