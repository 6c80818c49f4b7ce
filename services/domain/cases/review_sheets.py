"""What a reviewer reads beside the form: each item with its recorder, and what came back with a return (R34, R39)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, select

from services.database.tables.applications import Item
from services.database.tables.cameras import Camera, CameraPicture, Recorder
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.cameras import clocks, measurements, reference_pictures
from services.domain.cameras.retention import BROUGHT
from services.domain.cases import queries
from services.domain.custody import copies
from services.domain.retrieval import preservations
from services.domain.retrieval.records import granted_span, searched_span
from services.runtime.errors import NotFound
from services.runtime.spans import Span
from services.runtime.translations import Message

Look = Literal["first", "middle", "last"]
LOOKS: tuple[Look, ...] = ("first", "middle", "last")
LAST_PICTURE = timedelta(seconds=1)


@dataclass(frozen=True)
class SheetItem:
    """One item; ``granted`` is what the case stands at now, ``held`` where its footage is safe in the vault."""

    id: str
    position: int
    camera: Camera
    recorder: Recorder
    zone: str
    asked: Span
    granted: Span
    overwrite_at: datetime | None
    held: bool
    outcome: str | None
    coverage: float | None
    reference_picture: bool = False  # whether there is one to know the camera by

    @property
    def brought(self) -> bool:
        """Whether it is a file that a person brought, and no camera's (R8, R9)."""
        return self.recorder.kind == BROUGHT

    @property
    def searched(self) -> Span:
        """Where its footage is looked for, in the recorder's own time, as its clock is known now (R34)."""
        return self.granted if self.brought else clocks.searched(self.granted, clocks.of(self.recorder))

    @property
    def clock_too_far(self) -> bool:
        """Whether the recorder's clock is so far off that somebody has to say which time is meant."""
        return not self.brought and clocks.of(self.recorder).too_far

    @property
    def looks(self) -> dict[Look, datetime]:
        """The moments at which an operator looks at the camera first (R34)."""
        span = self.granted
        last = max(span.start, span.end - LAST_PICTURE)
        return {"first": span.start, "middle": span.start + span.duration / 2, "last": last}


@dataclass(frozen=True)
class Place:
    """Where an item's footage is on its recorder; ``covered`` is known already where the vault has it.

    ``searched`` is what has to be there: by its record where it was retrieved, else by the clock as it is known now.
    """

    item: SheetItem
    source: measurements.Source
    covered: list[Span] | None
    searched: Span


@dataclass(frozen=True)
class CopyBack:
    """One copy of the loan; ``matches``: its stored bytes are still what was sealed, None where not hashed."""

    id: str
    item: SheetItem
    size: int
    sha256: str
    matches: bool | None


@dataclass(frozen=True)
class DownloadBack:
    """One download of the loan with the custodian's word on it; ``fate`` is None where nothing was attested."""

    id: str
    copy_id: str
    medium: str
    asked_at: datetime
    finished_at: datetime | None
    fate: str | None
    note: str


@dataclass(frozen=True)
class ReturnSheet:
    """What was lent, what came back, and what the automatic inspection found."""

    custodian: str
    accepted_at: datetime | None
    due_at: datetime | None
    returned_at: datetime | None
    return_to: str
    statement_sha256: str
    copies: list[CopyBack]
    downloads: list[DownloadBack]
    inspected_at: datetime | None
    findings: list[dict[str, Any]]


def items_of(uow: UnitOfWork, application_id: str) -> list[SheetItem]:
    """The items in scope, by position. For those who were let in by ``inbox.view`` or its like."""
    return [_item(*row) for row in uow.session.execute(_in_scope(application_id))]


def places(uow: UnitOfWork, review_id: str) -> list[Place]:
    """Where to measure what exists of each item, for those who may read the review; NotFound for others."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound(Message("review"), review_id)
    visibility.readable(uow, review)
    rows = uow.session.execute(_in_scope(review.application_id)).all()
    items = [row[0].id for row in rows]
    recorded = select(Document).where(Document.item_id.in_(items), Document.kind == "retrieval-record")
    records = {one.item_id: one for one in uow.session.scalars(recorded)}
    sealed = uow.session.scalars(select(Master).where(Master.item_id.in_(items)))
    found = {one.item_id: one for one in sealed}
    return [_place(_item(*row), row[0], records.get(row[0].id), found.get(row[0].id)) for row in rows]


def return_of(uow: UnitOfWork, review_id: str) -> ReturnSheet:
    """What an inspector decides on, for those who may read the review; NotFound for others."""
    review = uow.session.get(Review, review_id)
    if review is None or review.stage != "return-inspection":
        raise NotFound(Message("return inspection"), review_id)
    visibility.readable(uow, review)
    hand_over = uow.session.scalar(select(HandOver).where(HandOver.application_id == review.application_id))
    if hand_over is None:
        raise NotFound(Message("hand-over"), review.application_id)
    back = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over.id))
    inspection = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over.id))
    hashes = inspection.hashes if inspection else {}
    fates = back.attestation["downloads"] if back else {}
    lent = select(Copy).where(Copy.hand_over_id == hand_over.id).order_by(Copy.made_at, Copy.id)
    held = uow.session.scalars(lent).all()
    items = _items().where(Item.id.in_([copy.item_id for copy in held]))
    shown = {row[0].id: _item(*row) for row in uow.session.execute(items)}
    return ReturnSheet(
        custodian=uow.session.get_one(Person, hand_over.custodian_id).name,
        accepted_at=hand_over.accepted_at,
        due_at=hand_over.due_at,
        returned_at=back.returned_at if back else None,
        return_to=back.return_to if back else "",
        statement_sha256=back.statement_sha256 if back else "",
        copies=[
            CopyBack(
                id=copy.id,
                item=shown[copy.item_id],
                size=copy.sealed["plainSize"],
                sha256=copy.sealed["sha256Cipher"],
                matches=hashes.get(copy.id),
            )
            for copy in held
        ],
        downloads=[
            DownloadBack(
                id=row.id,
                copy_id=row.copy_id,
                medium=row.medium,
                asked_at=row.asked_at,
                finished_at=row.finished_at,
                fate=fates.get(row.id, {}).get("fate"),
                note=fates.get(row.id, {}).get("note", ""),
            )
            for row in copies.downloads_of(uow, hand_over.id)
        ],
        inspected_at=inspection.inspected_at if inspection else None,
        findings=list(inspection.findings) if inspection else [],
    )


def _in_scope(application_id: str) -> Select[Item, Camera, Recorder, bool, bool]:
    """The items in scope by position, with what ``_item`` says of each."""
    scope = (Item.application_id == application_id) & Item.dropped_in_round.is_(None)
    return _items().where(scope).order_by(Item.position)


def _items() -> Select[Item, Camera, Recorder, bool, bool]:
    picture = select(CameraPicture.camera_id).where(CameraPicture.camera_id == Camera.id)
    return (
        select(Item, Camera, Recorder, queries.is_safe(), picture.exists())
        .join(Camera, Camera.id == Item.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
    )


def _item(item: Item, camera: Camera, recorder: Recorder, held: bool, pictured: bool) -> SheetItem:
    return SheetItem(
        id=item.id,
        position=item.position,
        camera=camera,
        recorder=recorder,
        zone=item.zone,
        asked=Span(item.asked_start, item.asked_end),
        granted=granted_span(item),
        overwrite_at=preservations.overwrite_moment(camera, item.asked_start),
        held=held,
        outcome=item.outcome,
        coverage=item.coverage,
        reference_picture=pictured and reference_pictures.shows(camera, recorder),
    )


def _place(shown: SheetItem, item: Item, record: Document | None, master: Master | None) -> Place:
    searched = shown.searched if record is None else searched_span(item, record)
    source = measurements.source(shown.camera, shown.recorder)
    return Place(shown, source, _in_vault(item, master), searched)


def _in_vault(item: Item, master: Master | None) -> list[Span] | None:
    """What the vault's master covers, where there is one: the recorder may have lost it since."""
    if master is None or not master.sealed.get("coverage"):
        return [] if item.outcome is not None else None
    covered = master.sealed["coverage"].get("covered") or []
    return [Span(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in covered]
