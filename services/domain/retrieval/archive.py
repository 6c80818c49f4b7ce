"""The archive as a source: masters of loans that have ended, for another application that was approved (R1, R40).

Such a master is taken whole, as ciphertext: who retrieves cannot open it, and so cannot cut it. It serves where it
holds no more than is wanted, and is of what the camera is today: the same channel of the same recorder. What a case has
that concerns anybody serves no other one: nobody there may learn that it exists (T8). Nor does what a problem was
reported of, what was recalled, and, for a case that is not important, what was retrieved for one that is.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, and_, cast, func, or_, select
from sqlalchemy.orm import aliased, joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.documents import Document
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.cameras import clocks
from services.domain.cameras.clocks import Clock
from services.runtime.spans import Span, covered_share

IMPORTANT = "important"
ORIGIN = "archive"  # of a master that was taken from there
# beside the tables of the query that a condition is in
KEPT, ASKED, ASKING = aliased(Item), aliased(Item), aliased(Application)
KEPT_FOR = aliased(Application)


@dataclass(frozen=True)
class Wanted:
    """A span of a camera, by the item that asks for it."""

    item_id: str
    camera_id: str
    span: Span


def wanted_of(item: Item) -> Wanted:
    """Return what an item asks for."""
    return Wanted(item.id, item.camera_id, Span(item.asked_start, item.asked_end))


@dataclass(frozen=True)
class KeptMaster:
    """A master of another case, or of an issue before: as it was sealed, and what its retrieval record says."""

    id: str
    sealed: dict[str, Any]
    record: dict[str, Any]

    @property
    def clock(self) -> Clock:
        """The recorder's clock as it was measured for that retrieval."""
        said = self.record["recorderClock"]
        measured = said.get("measuredAt")
        return Clock(
            said["offsetMs"],
            said["method"],
            said.get("uncertaintyMs"),
            None if measured is None else datetime.fromisoformat(measured),
        )

    def fits(self, wanted: Span) -> bool:
        """Return whether it holds no more than is searched for the wanted span."""
        window = clocks.search_span(wanted, self.clock).widen(clocks.MEASURED_APART)
        held = _span(self.sealed["coverage"]["asked"])
        return window.start <= held.start and held.end <= window.end

    def share_of(self, wanted: Span) -> float:
        """Return how much of the wanted span it holds, 0 to 1."""
        return covered_share(wanted, map(_span, self.sealed["coverage"].get("covered", ())))


def list_of(uow: UnitOfWork, application: Application, *wanted: Wanted) -> dict[str, list[KeptMaster]]:
    """List what the archive has of the wanted spans and may serve the case, by item, the first retrieved first.

    Not the footage that the case had before: it was replaced.
    """
    rows = uow.session.execute(_select(application, wanted)).all() if wanted else []
    important = application.importance == IMPORTANT
    rows = [row for row in rows if not row.subject_ids and (important or row.importance != IMPORTANT)]
    if not rows:
        return {one.item_id: [] for one in wanted}
    own = select(Master.sealed["sha256Cipher"].as_string()).where(Master.application_id == application.id)
    had = set(uow.session.scalars(own))
    cameras = (
        select(Camera).where(Camera.id.in_({one.camera_id for one in wanted})).options(joinedload(Camera.recorder))
    )
    today = {camera.id: camera for camera in uow.session.scalars(cameras)}
    return _by_item([row for row in rows if row.Master.sealed["sha256Cipher"] not in had], wanted, today)


def _select(application: Application, wanted: Sequence[Wanted]) -> Select[*tuple[Any, ...]]:
    """Select masters that touch a wanted span, with record, item's camera and what is asked of their case."""
    touching = (
        and_(Item.camera_id == one.camera_id, Item.asked_start < one.span.end, Item.asked_end > one.span.start)
        for one in wanted
    )
    damaged = select(Damage.id).where(
        Damage.master_id == Master.id, Damage.place == "primary", Damage.repaired_at.is_(None)
    )
    return (
        select(Master, Document.content, Item.camera_id, Application.subject_ids, Application.importance)
        .join(Item, Item.id == Master.item_id)
        .join(Application, Application.id == Master.application_id)
        .join(Document, and_(Document.item_id == Item.id, Document.kind == "retrieval-record"))
        .where(
            or_(*touching),
            Item.dropped_in_round.is_(None),
            Master.application_id != application.id,
            Master.archived_at.is_not(None),
            Master.discarded_at.is_(None),
            Master.unneeded_at.is_(None),
            Master.superseded_at.is_(None),
            Master.suspect_since.is_(None),
            ~damaged.exists(),
            ~_questioned(Master.application_id.expression).exists(),
        )
        .order_by(Master.retrieved_at, Master.id)
    )


def _questioned(application_id: ColumnElement[str]) -> Select[str]:
    """Select what was reported of a case's footage, or that it was recalled.

    ``application_id``: a column of the query that directly encloses this one, to which alone it is correlated.
    """
    return select(Matter.id).where(Matter.application_id == application_id, Matter.kind.in_(("problem", "recall")))


def _by_item(
    rows: Iterable[Row[Any]], wanted: Sequence[Wanted], today: Mapping[str, Camera]
) -> dict[str, list[KeptMaster]]:
    found: dict[str, list[KeptMaster]] = {one.item_id: [] for one in wanted}
    for row in rows:
        archived = KeptMaster(row.Master.id, dict(row.Master.sealed), json.loads(row.content))
        # a demonstration lays out its past on paper, without a source
        if "source" not in archived.record or not _is_of(today[row.camera_id], archived.record["source"]):
            continue
        for one in wanted:
            if one.camera_id == row.camera_id and archived.share_of(one.span):
                found[one.item_id].append(archived)
    return found


def _is_of(camera: Camera, source: Mapping[str, Any]) -> bool:
    """Return whether a record's source is what the camera's entry leads to today: an entry can be led elsewhere."""
    recorder: Mapping[str, Any] = source["recorder"]
    if source["camera"]["channel"] != camera.channel or recorder.get("kind") != camera.recorder.kind:
        return False
    identity = recorder.get("identity")
    if identity and camera.recorder.identity:
        return bool(identity == camera.recorder.identity)
    return bool(recorder.get("name") == camera.recorder.name)


def share_of(found: Iterable[KeptMaster], wanted: Span) -> float:
    """Return how much of the wanted span one of these holds that serves it, 0 to 1."""
    return max((one.share_of(wanted) for one in found if one.fits(wanted)), default=0.0)


def percent(share: float) -> int:
    """Return a share in whole percent; 100 only where nothing is missing but what a recorder's times leave open."""
    return floor(share * 100 + 0.1)


def is_asked_for() -> ColumnElement[bool]:
    """Build the condition on ``Master`` that an open application asks for its footage, has none yet, and may get it.

    What could never serve it (``list_of``) is not kept for it. A case that is not classified yet may become important.
    """
    return (
        select(ASKED.id)
        .join(KEPT, KEPT.camera_id == ASKED.camera_id)
        .join(KEPT_FOR, KEPT_FOR.id == KEPT.application_id)
        .join(ASKING, ASKING.id == ASKED.application_id)
        .where(
            KEPT.id == Master.item_id,
            cast(KEPT_FOR.subject_ids, String) == "[]",
            or_(
                func.coalesce(KEPT_FOR.importance, "") != IMPORTANT,
                func.coalesce(ASKING.importance, IMPORTANT) == IMPORTANT,
            ),
            ~_questioned(KEPT.application_id.expression).exists(),
            ASKED.asked_start < KEPT.asked_end,
            ASKED.asked_end > KEPT.asked_start,
            ASKED.dropped_in_round.is_(None),
            ASKED.outcome.is_(None),
            ASKED.application_id != KEPT.application_id,
            ASKING.submitted_at.is_not(None),
            ASKING.withdrawn_at.is_(None),
            ASKING.closed_at.is_(None),
        )
        .exists()
    )


def list_records(uow: UnitOfWork, masters: Sequence[Master]) -> dict[str, str]:
    """Return the record of the case that a master was taken from, by its id, for those who may see that case.

    The bytes are the same, and so is their hash: what people see of the two cases says no more than that (T8).
    """
    hashes = {str(one.sealed["sha256Cipher"]): one.id for one in masters if one.origin == ORIGIN}
    if not hashes:
        return {}
    cameras = select(Item.camera_id).where(Item.id.in_([one.item_id for one in masters]))
    cipher = Master.sealed["sha256Cipher"].as_string()
    query = (
        select(cipher, Document.number)
        .join(Item, Item.id == Master.item_id)
        .join(Document, and_(Document.item_id == Item.id, Document.kind == "retrieval-record"))
        .where(
            Item.camera_id.in_(cameras),
            cipher.in_(hashes),
            Master.origin != ORIGIN,
            Master.application_id.not_in({one.application_id for one in masters}),
            visibility.is_of_visible(uow, Master.application_id),
        )
        .order_by(Master.retrieved_at.desc())  # the first one counts
    )
    return {hashes[sha256]: number for sha256, number in uow.session.execute(query)}


def _span(moments: Sequence[str]) -> Span:
    start, end = map(datetime.fromisoformat, moments)
    return Span(start, end)
