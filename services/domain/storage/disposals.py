"""Disposal: list what is past its retention in batches, show them, mark what the storage office leaves out (R52)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select

from services.database.base import new_id
from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application
from services.database.tables.disposals import LEFT_OUT, LISTED, DisposalItem
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.access.directory import LEADERS, Directory
from services.domain.audit import trail as audit_trail
from services.domain.custody import disposals
from services.domain.custody.disposals import Candidate
from services.domain.matters import queries as matter_queries
from services.domain.matters import service as matter_service
from services.domain.matters.kinds.disposal import Disposal
from services.domain.reviews import disposal_marks
from services.domain.storage import rights
from services.domain.storage.schemas import BatchLine, BatchView, DisposalAnswerResult, DisposalLine
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST = 2_000  # items of a batch: two people look through it
BATCHES = 20  # of one run
REASON = "retention ended"


def list_disposals(uow: UnitOfWork) -> int:
    """Open batches of what is past its retention, held by nothing and in no batch; return how many items.

    A case in which somebody of those who decide has a part gets a batch of its own, so that others decide it. A second
    run finds the batches of the first, and lists nothing twice.
    """
    listed = 0
    deciding = _deciders(access_queries.load_directory(uow))
    for batch in _batches(disposals.list_candidates(uow, MOST), deciding):
        if _open(uow, batch):
            listed += len(batch)
    return listed


def _batches(found: Sequence[Candidate], deciding: Collection[str]) -> Iterator[list[Candidate]]:
    """Yield what is listed together: a case with a part of a decider alone, all others in one batch."""
    together: list[Candidate] = []
    alone: dict[str, list[Candidate]] = defaultdict(list)
    for one in found:
        if one.parties & frozenset(deciding):
            alone[one.application.id].append(one)
        else:
            together.append(one)
    batches = [batch for batch in (together, *alone.values()) if batch]
    yield from batches[:BATCHES]


def _deciders(directory: Directory) -> set[str]:
    """Return who may be asked about a disposal: the storage office, and whoever may sign for Security."""
    leading = {
        person for kind in ("storage", "security", "administration") for person in directory.holders_in(kind, *LEADERS)
    }
    return {*leading, *directory.holders_in("legal", "head"), *directory.holders(None, "storage-operator")}


def _open(uow: UnitOfWork, batch: Sequence[Candidate]) -> Matter | None:
    facts = disposals.describe(uow, batch)
    ends = [one.master.dispose_after for one in batch if one.master.dispose_after is not None]
    asked: dict[str, Any] = {
        "reason": REASON,
        "items": len(batch),
        "itemsSha256": hash_of({"items": facts}),
        "size": sum(item["size"] for item in facts),
        "first": min(ends).isoformat(),
        "last": max(ends).isoformat(),
    }
    matter = matter_service.open_by_system(uow, Disposal.code, batch[0].application.id, asked)
    if matter is None:
        return None
    uow.session.add_all(
        DisposalItem(
            id=new_id(),
            matter_id=matter.id,
            position=position,
            master_id=one.master.id,
            application_id=one.application.id,
            facts=fact,
            state=LISTED,
        )
        for position, (one, fact) in enumerate(zip(batch, facts, strict=True), start=1)
    )
    uow.session.flush()
    return matter


def read(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[BatchLine]:
    """Read a page of the batches, the newest first; searched in numbers."""
    rights.require_disposal_reader(uow)
    query = select(Matter).where(
        Matter.kind == Disposal.code, listing.mentioned(Matter.number), Matter.application_id.not_in(_concerned(uow))
    )
    rows = uow.session.scalars(listing.part(query, {}, Matter.opened_at.desc(), Matter.id)).all()
    counts, documents = _counts(uow, [row.id for row in rows]), _documents(uow, [row.id for row in rows])
    return [_batch(row, counts[row.id], documents.get(row.id)) for row in rows]


def get(uow: UnitOfWork, matter_id: str) -> BatchView:
    """Return one batch; NotFound for those who read none and are not asked about it."""
    matter = _visible(uow, matter_id)
    review = _asked(uow, matter)
    line = _batch(matter, _counts(uow, [matter.id])[matter.id], _documents(uow, [matter.id]).get(matter.id))
    marks = review is not None and review.stage == disposal_marks.PROPOSING
    return BatchView(**line.model_dump(), may_mark=marks, review_id=review.id if review else None)


def read_items(
    uow: UnitOfWork, matter_id: str, listing: Listing = EVERYTHING, *, state: str = ""
) -> Page[DisposalLine]:
    """Read a page of the items of a batch by position, without those whose case concerns the reader (T8)."""
    _visible(uow, matter_id)
    query = (
        select(DisposalItem, Person.name)
        .outerjoin(Person, Person.id == DisposalItem.marked_by)
        .where(DisposalItem.matter_id == matter_id, DisposalItem.application_id.not_in(_concerned(uow)))
    )
    if state:
        query = query.where(DisposalItem.state == state)
    section = Section((DisposalItem.position.expression, DisposalItem.id.expression))
    page = page_of(uow.session, query, (section,), listing)
    return page.showing([_item(item, name) for item, name, *_ in page.lines])


def mark(uow: UnitOfWork, matter_id: str, item_id: str, because: str) -> None:
    """Leave an item out of a batch, with a reason; or list it again, where the reason is empty.

    Refused for everybody but those whom the first review asks now, and once somebody has decided it.
    """
    matter = uow.session.get(Matter, matter_id, with_for_update=True, populate_existing=True)
    if matter is None or matter.kind != Disposal.code or not matter_queries.is_visible(uow, matter):
        raise NotFound(Message("batch"), matter_id)
    review = _asked(uow, matter)
    if review is None or review.stage != disposal_marks.PROPOSING:
        raise Refused(
            "not-asked",
            "Only the storage office leaves recordings out, while its review of the batch is open.",
            status=403,
        )
    if review.claimed_by not in (None, uow.actor.id):
        raise Refused("claimed", "Another person has claimed this review: ask that person to unclaim it.")
    item = uow.session.get(DisposalItem, item_id, with_for_update=True)
    if item is None or item.matter_id != matter.id or item.application_id in set(uow.session.scalars(_concerned(uow))):
        raise NotFound(Message("item"), item_id)
    reason = because.strip()
    item.state, item.because = (LEFT_OUT, reason) if reason else (LISTED, None)
    item.marked_by = uow.actor.id if reason else None
    audit_trail.record(
        uow, "disposal-item-marked", "matter", matter.id, item=item.id, number=matter.number, left_out=bool(reason)
    )


def _concerned(uow: UnitOfWork) -> Select[str]:
    """Select the cases that concern the acting person, who learns nothing of them here either."""
    return select(Application.id).where(visibility.concerns(uow.actor.id))


def _visible(uow: UnitOfWork, matter_id: str) -> Matter:
    matter = uow.session.get(Matter, matter_id)
    if matter is None or matter.kind != Disposal.code or not matter_queries.is_visible(uow, matter):
        raise NotFound(Message("batch"), matter_id)
    return matter


def _asked(uow: UnitOfWork, matter: Matter) -> Review | None:
    """Return the open review of the batch that asks the acting person."""
    query = select(Review).where(Review.matter_id == matter.id, Review.closed_at.is_(None)).order_by(Review.opened_at)
    reviews = uow.session.scalars(query).all()
    if not reviews:
        return None
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, matter.application_id)
    me = uow.actor.id
    return next((one for one in reviews if access_policy.refusal_for(directory, facts, one, me) is None), None)


def _counts(uow: UnitOfWork, matter_ids: Collection[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    query = select(DisposalItem.matter_id, DisposalItem.state, func.count()).where(
        DisposalItem.matter_id.in_(matter_ids)
    )
    for matter_id, state, number in uow.session.execute(query.group_by(DisposalItem.matter_id, DisposalItem.state)):
        counts[matter_id][state] = number
    return counts


def _documents(uow: UnitOfWork, matter_ids: Collection[str]) -> dict[str, str]:
    query = select(Document.subject_id, Document.number).where(
        Document.kind == Disposal.code, Document.subject_id.in_(matter_ids)
    )
    return {str(subject): number for subject, number in uow.session.execute(query)}


def _batch(matter: Matter, counts: dict[str, int], document: str | None) -> BatchLine:
    return BatchLine(
        matter_id=matter.id,
        number=matter.number,
        state=matter_queries.state_of(matter),
        opened_at=matter.opened_at,
        closed_at=matter.closed_at,
        counts=dict(counts),
        document=document,
    )


def _item(item: DisposalItem, marked_by: str | None) -> DisposalLine:
    facts = item.facts
    return DisposalLine(
        id=item.id,
        position=item.position,
        number=f"{facts['application']}/{facts['position']}",
        camera_zh=facts["camera"]["zh"],
        camera_en=facts["camera"]["en"],
        start=facts["from"],
        end=facts["to"],
        zone=facts["zone"],
        importance=facts["importance"],
        size=facts["size"],
        sha256=facts["sha256"],
        retained_until=facts["retainedUntil"],
        places=len(facts["objects"]),
        state=item.state,
        because=item.because,
        marked_by=marked_by,
        ended_at=item.ended_at,
        results=[
            DisposalAnswerResult(**{name: one[name] for name in DisposalAnswerResult.model_fields})
            for one in item.results or ()
        ],
    )
