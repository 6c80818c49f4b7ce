"""Redacted copies as pages and API show them: how far they have come, and what is left to watch (R6, R58)."""

from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivative_viewings, derivatives
from services.domain.custody.derivative_viewings import Part
from services.domain.custody.schemas import DerivativeView, WatchedAnswer, WatchedStretch
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

SHOWN = ("asked", "covered", "gaps", "codecs", "firstFrame", "lastFrame")  # of a coverage, what a player needs


def get(uow: UnitOfWork, derivative_id: str) -> DerivativeView:
    """Return a redacted copy, for who has a part in it; NotFound for everybody else."""
    row = _get(uow, derivative_id)
    part = derivative_viewings.part_of(uow, row)
    return _view(uow, row, opens=_opens(uow, row, part))


def get_opening(uow: UnitOfWork, derivative_id: str, *, address: str) -> tuple[DerivativeView, Refused | None]:
    """Return the same, and why the actor may not watch it now at this address; None where they may."""
    row = _get(uow, derivative_id)
    part = derivative_viewings.part_of(uow, row)
    try:
        derivative_viewings.open_for(uow, row, part, address=address)
    except Refused as refusal:
        return _view(uow, row, opens=False), refusal
    return _view(uow, row, opens=True), None


def get_closed(uow: UnitOfWork, derivative_id: str) -> DerivativeView:
    """Return one that does not open for the actor now, who has a part in it."""
    row = _get(uow, derivative_id)
    derivative_viewings.part_of(uow, row)
    return _view(uow, row, opens=False)


def of_matter(uow: UnitOfWork, matter_id: str) -> DerivativeView | None:
    """Return the redacted copy of a matter that the caller has let the actor see."""
    row = derivatives.of_matter(uow, matter_id)
    if row is None:
        return None
    try:
        opens = _opens(uow, row, derivative_viewings.part_of(uow, row))
    except NotFound:  # who sees its case, and has no part in it
        opens = False
    return _view(uow, row, opens=opens)


def _get(uow: UnitOfWork, derivative_id: str) -> Derivative:
    row = uow.session.get(Derivative, derivative_id)
    if row is None:
        raise NotFound(Message("redacted copy"), derivative_id)
    return row


def get_watched(uow: UnitOfWork, derivative_id: str) -> WatchedAnswer:
    """Return how much the actor has watched, and what is left."""
    return _watched(uow, uow.session.get_one(Derivative, derivative_id))


def _watched(uow: UnitOfWork, row: Derivative) -> WatchedAnswer:
    left = derivative_viewings.unwatched(uow, row, uow.actor.id)
    return WatchedAnswer(
        watched_share=derivative_viewings.watched_share(row, left),
        unwatched=[WatchedStretch(start_ms=start, end_ms=end) for start, end in left],
    )


def _view(uow: UnitOfWork, row: Derivative, *, opens: bool) -> DerivativeView:
    query = (
        select(Camera, Item, Matter.number)
        .join(Item, Item.camera_id == Camera.id)
        .join(Matter, Matter.id == row.matter_id)
        .where(Item.id == row.item_id)
    )
    camera, item, number = uow.session.execute(query).one()
    attempt = derivatives.newest_attempt(uow, row.id) if row.made_at is None else None
    length = derivatives.length_ms(row.sealed) if row.sealed is not None else _copy_length(uow, row)
    watched = _watched(uow, row)
    coverage = (row.sealed or {}).get("coverage", {})
    return DerivativeView(
        id=row.id,
        matter_id=row.matter_id,
        copy_id=row.copy_id,
        number=number,
        state=_state(row),
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        zone=item.zone,
        recipe=row.recipe,
        recipe_sha256=row.recipe_sha256,
        queued_at=row.queued_at,
        started_at=attempt.started_at if attempt is not None else None,
        pictures=(row.facts or {}).get("pictures") or (attempt.pictures if attempt is not None else 0),
        progress=1.0 if row.made_at else min(1.0, attempt.reached_ms / length) if attempt and length else 0.0,
        made_at=row.made_at,
        failed_because=row.failed_because,
        sha256=(row.sealed or {}).get("sha256Plain"),
        size=(row.sealed or {}).get("plainSize"),
        retain_until=row.retain_until,
        opens=opens,
        coverage={name: coverage[name] for name in SHOWN if name in coverage},
        watched_share=watched.watched_share,
        unwatched=watched.unwatched,
    )


def _copy_length(uow: UnitOfWork, row: Derivative) -> int:
    return derivatives.length_ms(uow.session.get_one(Copy, row.copy_id).sealed)


def _state(row: Derivative) -> str:
    reached = (
        (row.discarded_at, "discarded"),
        (row.approved_at, "approved"),
        (row.made_at, "made"),
        (row.failed_at, "failed"),
        (row.ended_at, "ended"),
    )
    return next((name for moment, name in reached if moment is not None), "queued")


def _opens(uow: UnitOfWork, row: Derivative, part: Part) -> bool:
    try:
        derivative_viewings.open_for(uow, row, part)
    except Refused:
        return False
    return True
