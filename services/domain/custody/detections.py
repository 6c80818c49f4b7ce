"""Detections: boxes that the detector proposes for a copy, by one run at a time, and what became of them (R58).

Nothing is hidden by a detection: a person accepts, corrects or removes each box in the editor, and the recipe that is
sent is that person's. What the proposals were, and what was made of them, is recorded beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update

from services.database.base import new_id
from services.database.tables.applications import Item
from services.database.tables.copies import Copy
from services.database.tables.detections import Detection
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody import derivatives, grants
from services.domain.custody.schemas import DetectionView
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.vault.redaction import detector

SUBJECT = "detection"  # in the audit trail
QUEUED = "detection-queued"  # wakes the process that looks for faces
MOST_RUNS = 5
DIED = "its process ended again and again"
NO_DETECTOR = Message("The detector is not installed: draw the boxes by hand, or ask the administrator to install it.")
SHIFT = 1  # pixels by which a position may differ that was scaled to the player's size and not changed


@dataclass(frozen=True)
class Order:
    """One run: the copy as it was sealed."""

    detection_id: str
    run: int
    copy_id: str
    channel: str
    copy: dict[str, Any]


def ask(uow: UnitOfWork, copy_id: str, *, address: str | None = None) -> DetectionView:
    """Queue a search of a copy that the actor may view now; what was found before by the same tool is given again."""
    opened = grants.check(uow, copy_id, "view", address=address)
    if not detector.is_installed():
        raise Refused("no-detector", NO_DETECTOR, status=409)
    tool = {**detector.tool(), "parameters": detector.parameters()}
    # one at a time asks for this copy, so that nobody queues it twice
    uow.session.get(Copy, copy_id, with_for_update=True, populate_existing=True)
    row = newest(uow, copy_id)
    if row is None or row.failed_at is not None or row.ended_at is not None or row.tool != tool:
        row = Detection(
            id=new_id(),
            application_id=opened.application_id,
            copy_id=copy_id,
            asked_by=uow.actor.id,
            tool=tool,
            queued_at=uow.now,
            runs=0,
            excused=0,
            pictures=0,
            reached_ms=0,
        )
        uow.session.add(row)
        uow.session.flush()
        audit_trail.record(
            uow,
            "detection-queued",
            SUBJECT,
            row.id,
            application_id=row.application_id,
            copy=copy_id,
            model=tool["modelSha256"],
        )
        uow.after_commit.add(QUEUED)
    return _view(uow, row)


def get(uow: UnitOfWork, copy_id: str, detection_id: str, *, address: str | None = None) -> DetectionView:
    """Return a detection, for who may view its copy now; NotFound for strangers."""
    grants.check(uow, copy_id, "view", address=address)
    row = uow.session.get(Detection, detection_id)
    if row is None or row.copy_id != copy_id:
        raise NotFound(Message("detection"), detection_id)
    return _view(uow, row)


def newest(uow: UnitOfWork, copy_id: str) -> Detection | None:
    """Return the detection of a copy that was asked for last."""
    query = select(Detection).where(Detection.copy_id == copy_id)
    return uow.session.scalar(query.order_by(Detection.queued_at.desc(), Detection.id.desc()).limit(1))


def running(uow: UnitOfWork, copy_id: str) -> str | None:
    """Return the detection of a copy that somebody has asked for and that is not made yet."""
    row = newest(uow, copy_id)
    return row.id if row is not None and _waits(row) else None


def begin(uow: UnitOfWork) -> Order | None:
    """Begin a run for the detection that waits longest, of those that were excused least; None where none waits.

    So one whose part is away, which is tried again for ever, holds up no other. The caller alone looks for faces now: a
    run that was begun and not ended is of a process that has ended.
    """
    query = (
        select(Detection.id)
        .where(Detection.made_at.is_(None), Detection.failed_at.is_(None), Detection.ended_at.is_(None))
        .order_by(Detection.excused, Detection.queued_at, Detection.id)
        .limit(1)
    )
    while (detection_id := uow.session.scalar(query)) is not None:
        row = _lock(uow, detection_id)
        copy = uow.session.get_one(Copy, row.copy_id)
        if not _opens(copy):
            row.ended_at = uow.now
        elif row.runs - row.excused >= MOST_RUNS:
            _fail(uow, row, row.failed_because or DIED)
        else:
            row.runs, row.pictures, row.reached_ms = row.runs + 1, 0, 0
            channel = measurements.source_of(uow, uow.session.get_one(Item, copy.item_id)).channel
            return Order(row.id, row.runs, copy.id, channel, dict(copy.sealed))
        uow.session.flush()
    return None


def record_progress(uow: UnitOfWork, order: Order, pictures: int, reached_ms: int) -> bool:
    """Say how far a run has come; False where it is wanted no more, so that it ends."""
    row = _lock(uow, order.detection_id)
    if row.runs != order.run or not _waits(row):
        return False
    row.pictures, row.reached_ms = pictures, reached_ms
    return _opens(uow.session.get_one(Copy, row.copy_id))


def finish(uow: UnitOfWork, order: Order, proposals: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Record what was found; False where another run has taken over, or the copy opens no more."""
    row = _lock(uow, order.detection_id)
    if row.runs != order.run or not _waits(row):
        return False
    if not _opens(uow.session.get_one(Copy, row.copy_id)):
        row.ended_at = uow.now
        return False
    row.made_at, row.proposals, row.facts = uow.now, proposals, facts
    row.pictures = facts["pictures"]
    audit_trail.record(
        uow,
        "detection-made",
        SUBJECT,
        row.id,
        application_id=row.application_id,
        copy=row.copy_id,
        model=row.tool["modelSha256"],
        boxes=len(proposals["boxes"]),
    )
    return True


def fail(uow: UnitOfWork, order: Order, because: str) -> None:
    """Record that nothing can be proposed for this copy, whoever tries again."""
    row = _lock(uow, order.detection_id)
    if row.runs == order.run and _waits(row):
        _fail(uow, row, because)


def give_up(uow: UnitOfWork, order: Order, because: str | None) -> None:
    """End a run that another follows; ``because``: why it has failed, None where it is not to blame."""
    row = _lock(uow, order.detection_id)
    if row.runs != order.run or not _waits(row):
        return
    if because is None:
        row.excused += 1
    else:
        row.failed_because = because


def forget(uow: UnitOfWork) -> None:
    """Empty the proposals of copies that open no more: they say where people were to be seen."""
    # looked up for each detection: of the copies of ended loans, which are most, hardly any has one
    gone = select(Copy.id).where(
        Copy.id == Detection.copy_id, or_(Copy.key_destroyed_at.is_not(None), Copy.discarded_at.is_not(None))
    )
    uow.session.execute(
        update(Detection)
        .where(gone.exists(), Detection.proposals.is_not(None), Detection.ended_at.is_(None))
        .values(proposals=None, ended_at=uow.now)
    )


def recorded(uow: UnitOfWork, copy: Copy, recipe: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what proposed boxes for a recipe and what the person made of them; None where all were drawn by hand.

    Refused where the recipe names a detection that is not of this copy, or a proposal that there is not.
    """
    detection_id = recipe.get("detection")
    if detection_id is None:
        return None
    row = uow.session.get(Detection, detection_id)
    named = {one["proposed"]: one for one in recipe["regions"] if "proposed" in one}
    boxes = (row.proposals or {}).get("boxes") if row is not None and row.copy_id == copy.id else None
    if row is None or row.proposals is None or boxes is None or any(number >= len(boxes) for number in named):
        raise Refused(
            "recipe",
            Message("The proposals are not of this footage: open the footage, and draw the boxes there again."),
            status=422,
            field="recipe",
        )
    sizes = row.proposals["picture"], recipe["picture"]
    kept = sum(_is_unchanged(region, boxes[number], *sizes) for number, region in named.items())
    return {
        "detection": row.id,
        "by": row.tool,
        "correctedBy": "a person",
        "proposed": len(boxes),
        "kept": kept,
        "corrected": len(named) - kept,
        "removed": len(boxes) - len(named),
        "drawn": len(recipe["regions"]) - len(named),
        "untilMs": row.proposals["untilMs"],
    }


def _is_unchanged(
    region: Mapping[str, Any], box: Mapping[str, Any], given: Mapping[str, int], shown: Mapping[str, int]
) -> bool:
    """Whether a region is the box that was proposed, in pixels of the player's picture."""
    if (region["start"], region["end"]) != (box["start"], box["end"]):
        return False
    if [one["at"] for one in region["keyframes"]] != [one["at"] for one in box["keyframes"]]:
        return False
    across, down = shown["width"] / given["width"], shown["height"] / given["height"]
    scales = {"x": across, "width": across, "y": down, "height": down}
    return all(
        abs(one[name] - other[name] * scale) <= SHIFT
        for one, other in zip(region["keyframes"], box["keyframes"], strict=True)
        for name, scale in scales.items()
    )


def _view(uow: UnitOfWork, row: Detection) -> DetectionView:
    length = derivatives.length_ms(uow.session.get_one(Copy, row.copy_id).sealed)
    proposals = row.proposals or {}
    return DetectionView(
        id=row.id,
        copy_id=row.copy_id,
        state=_state(row),
        progress=1.0 if row.made_at else min(1.0, row.reached_ms / length) if length else 0.0,
        pictures=row.pictures,
        tool=f"{row.tool['name']} ({row.tool['model']})",
        picture=proposals.get("picture"),
        boxes=proposals.get("boxes", []),
        until_ms=proposals.get("untilMs"),
    )


def _state(row: Detection) -> str:
    reached = ((row.ended_at, "ended"), (row.made_at, "made"), (row.failed_at, "failed"))
    return next((name for moment, name in reached if moment is not None), "queued")


def _waits(row: Detection) -> bool:
    return row.made_at is None and row.failed_at is None and row.ended_at is None


def _opens(copy: Copy) -> bool:
    return copy.key_destroyed_at is None and copy.discarded_at is None


def _fail(uow: UnitOfWork, row: Detection, because: str) -> None:
    row.failed_at, row.failed_because = uow.now, because
    audit_trail.record(uow, "detection-failed", SUBJECT, row.id, application_id=row.application_id, copy=row.copy_id)


def _lock(uow: UnitOfWork, detection_id: str) -> Detection:
    return uow.session.get_one(Detection, detection_id, with_for_update=True, populate_existing=True)
