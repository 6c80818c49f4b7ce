"""Disposal: list what is past its retention in batches, show them, mark what the storage office leaves out (R52)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
from services.domain.access.directory import Directory
from services.domain.audit import trail as audit_trail
from services.domain.custody import disposals
from services.domain.custody.disposals import Candidate
from services.domain.matters import queries as matter_queries
from services.domain.matters import service as matter_service
from services.domain.matters.kinds.disposal import Disposal
from services.domain.reviews import disposal_marks
from services.domain.storage import disposal_batches, rights
from services.domain.storage.disposal_batches import Batch, Deciders
from services.domain.storage.schemas import BatchLine, BatchView, DisposalAnswerResult, DisposalLine
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.logs import get_logger
from services.runtime.translations import Message

MOST = 2_000  # items of a batch: two people look through it
AT_ONCE = 2_000  # cases whose facts are in memory
ITEMS = 40_000  # that one run looks at
BATCHES = 50  # that one run opens
REASON = "retention ended"
log = get_logger(__name__)


def plan_batches(uow: UnitOfWork) -> list[Batch]:
    """Group what is past its retention, held by nothing and in no batch, so that two people can decide each batch.

    ``ITEMS`` and ``BATCHES`` at most, the first due first; the rest is for the next run. What nobody could decide, as
    where all of the storage office have a part in the case, is left out, and said in the log.
    """
    ended = disposals.list_ended(uow, ITEMS)
    directory = access_queries.load_directory(uow)
    deciders = _load_deciders(uow, directory, list(dict.fromkeys(case_id for _, case_id in ended)))
    batches, left = disposal_batches.group(directory, [(one, deciders[case_id]) for one, case_id in ended], MOST)
    if left:
        log.warning(
            "nobody can decide the disposal of some masters: give another person of the storage office, or of those "
            "who sign for Security, the post",
            masters=len(left),
            first=left[0],
        )
    return batches[:BATCHES]


def open_batch(uow: UnitOfWork, batch: Batch) -> int:
    """Open a batch that was planned, without what is held or listed by now; return how many items it has.

    A second run finds the batches of the first, and lists nothing twice.
    """
    found = disposals.list_candidates(uow, batch.master_ids)
    return len(found) if found and _open(uow, found, batch.deciders.barred) is not None else 0


def list_disposals(uow: UnitOfWork) -> int:
    """Plan and open the batches of one run; return how many items they have."""
    return sum(open_batch(uow, batch) for batch in plan_batches(uow))


def _load_deciders(uow: UnitOfWork, directory: Directory, case_ids: Sequence[str]) -> dict[str, Deciders]:
    """Load who decides about each of these cases; some statements for each ``AT_ONCE`` cases."""
    found: dict[str, Deciders] = {}
    for start in range(0, len(case_ids), AT_ONCE):
        rows = uow.session.scalars(select(Application).where(Application.id.in_(case_ids[start : start + AT_ONCE])))
        applications = {row.id: row for row in rows}
        parties = disposals.list_parties(uow, applications)
        for case_id, facts in access_queries.load_all_facts(uow, applications.values()).items():
            found[case_id] = disposal_batches.deciders_of(directory, facts, parties[case_id])
        access_queries.discard_loaded(uow)
    return found


def _open(uow: UnitOfWork, batch: Sequence[Candidate], barred: Mapping[str, list[str]]) -> Matter | None:
    facts = disposals.describe(uow, batch)
    ends = [one.master.dispose_after for one in batch if one.master.dispose_after is not None]
    asked: dict[str, Any] = {
        "reason": REASON,
        "items": len(batch),
        "itemsSha256": hash_of({"items": facts}),
        "size": sum(item["size"] for item in facts),
        "first": min(ends).isoformat(),
        "last": max(ends).isoformat(),
        "barred": barred,
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
    rows = uow.session.scalars(
        listing.part(query, {"opened": Matter.opened_at}, Matter.opened_at.desc(), Matter.id)
    ).all()
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
