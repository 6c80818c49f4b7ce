"""Disposal of masters whose retention has ended: what can be listed, and how each is deleted (R52, T13).

A batch is listed by the system and agreed on by two people (``matters.kinds.disposal``). Then ``workers.disposals``
deletes item by item. ``begin`` asks again, right before each object is deleted and with the case locked, whether
anything holds it; the stores follow, and ``finish`` records what they have answered. What is held by then stays, and
what was gone before is on record. A run that dies is done again by the next one.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, defer, joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.disposals import DELETED, DUE, HELD, KEPT, LEFT_OUT, LISTED, DisposalItem
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.access import violations
from services.domain.audit import trail as audit_trail
from services.domain.custody import copies, locks
from services.domain.custody.locks import StoredObject, stored_object
from services.domain.holds import queries as holds
from services.domain.retrieval import archive
from services.domain.retrieval.records import granted_span

AGAIN = timedelta(days=30)  # what was left out is listed again after so long
COUNTED = 10_000  # that a metric counts at most
COPY, MASTER, REPLICA = "copy", "master", "replica"
LONGER = "retention"  # why an item is held: its retention has not ended any more
ASKED_FOR = "held"  # why: an open application asks for it. The list says no more, its readers may not know of that (T8)
DESCRIBED = ("bucket", "key", "versionId", "size", "sha256Plain", "sha256Cipher")  # of what is sealed
VAULT, SECOND = "vault", "replica"  # the places


@dataclass(frozen=True)
class Target:
    """One object that is to be deleted by its version, and what lies beside it as its label."""

    place: str  # VAULT or SECOND
    what: str  # COPY, MASTER or REPLICA
    stored: StoredObject
    label_version: str | None = None


@dataclass(frozen=True)
class Deletion:
    """What is to be deleted of one item, in this order; then the loan keys of its copies.

    ``held``: something holds the item since its deletion has begun, so that no target is left. ``copy_ids`` are the
    copies that were deleted before, whose keys are destroyed all the same.
    """

    item_id: str
    targets: tuple[Target, ...]
    copy_ids: tuple[str, ...]
    held: bool = False


@dataclass(frozen=True)
class Candidate:
    """A master that can be disposed of."""

    master: Master
    application: Application
    item: Item


def list_ended(uow: UnitOfWork, limit: int) -> list[tuple[str, str]]:
    """List masters past their retention that nothing holds or asks for and no batch has, the first ones first.

    Each by its id and that of its case; one statement.
    """
    query = select(Master.id, Master.application_id).where(*_ended(uow), ~_in_batch(uow))
    rows = uow.session.execute(query.order_by(Master.dispose_after, Master.id).limit(limit))
    return [(row.id, row.application_id) for row in rows]


def list_candidates(uow: UnitOfWork, master_ids: Collection[str]) -> list[Candidate]:
    """Load those of these masters that can be disposed of still, the first ones first."""
    query = (
        select(Master, Application, Item)
        .join(Application, Application.id == Master.application_id)
        .join(Item, Item.id == Master.item_id)
        .where(Master.id.in_(master_ids), *_ended(uow), ~_in_batch(uow))
        .options(joinedload(Item.camera), defer(Master.sealed))
        .order_by(Master.dispose_after, Master.id)
    )
    return [Candidate(*row) for row in uow.session.execute(query)]


def count_due(uow: UnitOfWork) -> tuple[int, datetime | None]:
    """Count the masters whose retention has ended and that nothing keeps, up to COUNTED; and since when the first."""
    due = select(Master.dispose_after).where(*_ended(uow)).order_by(Master.dispose_after).limit(COUNTED).subquery()
    number, first = uow.session.execute(select(func.count(), func.min(due.c.dispose_after))).one()
    return int(number), first


def _ended(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    """Build the conditions that a master was archived, its terms have ended, and nothing holds it or asks for it."""
    return (
        Master.discarded_at.is_(None),
        Master.archived_at.is_not(None),
        Master.unneeded_at.is_(None),
        Master.dispose_after <= uow.now,
        or_(Master.retain_until.is_(None), Master.retain_until <= uow.now),
        ~holds.holding(Master.application_id.expression),
        ~archive.is_asked_for(),
    )


def _in_batch(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that a batch under way has the master, or that it was left out of one lately."""
    lately = and_(DisposalItem.state == KEPT, DisposalItem.ended_at > uow.now - AGAIN)
    under_way = DisposalItem.state.in_((LISTED, LEFT_OUT, DUE))
    return select(DisposalItem.id).where(DisposalItem.master_id == Master.id, or_(under_way, lately)).exists()


def list_parties(uow: UnitOfWork, applications: Mapping[str, Application]) -> dict[str, frozenset[str]]:
    """Return who has a part in each of these cases, by its id; two statements.

    Whoever had its copies is one, before a transfer of custody too, and who is accused in a violation of it; who drafts
    on behalf of outsiders is none (T8).
    """
    handed = select(HandOver.application_id, HandOver.custodian_id).where(HandOver.application_id.in_(applications))
    received = (
        select(HandOver.application_id, CustodyEntry.person_id)
        .join(CustodyEntry, CustodyEntry.hand_over_id == HandOver.id)
        .where(HandOver.application_id.in_(applications), CustodyEntry.event == "received")
    )
    had: CompoundSelect[str, str | None] = union(handed, received)
    custodians: dict[str, set[str | None]] = defaultdict(set)
    for application_id, person_id in uow.session.execute(had):
        custodians[application_id].add(person_id)
    accused = violations.accused_by_case(uow, applications.keys())
    return {
        application_id: frozenset(
            filter(
                None,
                [*_named_parties(application), *custodians[application_id], *accused.get(application_id, ())],
            )
        )
        for application_id, application in applications.items()
    }


def _named_parties(application: Application) -> list[str | None]:
    drafter = [application.drafter_id] if application.on_behalf is None else []
    return [*drafter, application.custodian_id, application.named_custodian_id, *application.subject_ids]


def describe(uow: UnitOfWork, found: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return the facts of each, which are signed: what it is, its hashes, where it lies, until when it was retained."""
    issued: dict[str, list[dict[str, Any]]] = {}
    copies = _issued([one.item.id for one in found]).with_only_columns(Copy.item_id, *_described(Copy.sealed))
    for item_id, *values in uow.session.execute(copies):
        issued.setdefault(item_id, []).append(dict(zip(DESCRIBED, values, strict=True)))
    masters = select(Master.id, *_described(Master.sealed)).where(Master.id.in_([one.master.id for one in found]))
    sealed = {
        master_id: dict(zip(DESCRIBED, values, strict=True)) for master_id, *values in uow.session.execute(masters)
    }
    return [_facts(one, sealed[one.master.id], issued.get(one.item.id, [])) for one in found]


def _described(sealed: InstrumentedAttribute[dict[str, Any]]) -> tuple[ColumnElement[str], ...]:
    """Select what is described of sealed objects: all of thousands, with the place of each key frame, is too much."""
    return tuple(sealed[name].as_string() for name in DESCRIBED)


def _facts(one: Candidate, sealed: Mapping[str, Any], issued: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    master, span = one.master, granted_span(one.item)
    objects = [
        _object(VAULT, MASTER, sealed),
        *([_object(SECOND, REPLICA, master.replica)] if master.replica is not None else []),
        *(_object(VAULT, COPY, copy) for copy in issued),
    ]
    return {
        "master": master.id,
        "application": one.application.number,
        "position": one.item.position,
        "camera": {"zh": one.item.camera.name_zh, "en": one.item.camera.name_en},
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "zone": one.item.zone,
        "importance": one.application.importance or "ordinary",
        "size": int(sealed["size"]),
        "sha256": sealed["sha256Plain"],
        "retainedUntil": master.dispose_after.isoformat() if master.dispose_after else None,
        "objects": objects,
    }


def _object(place: str, what: str, sealed: Mapping[str, Any]) -> dict[str, Any]:
    stored = stored_object(sealed)
    return {
        "place": place,
        "what": what,
        "bucket": stored.bucket,
        "key": stored.key,
        "version": stored.version_id,
        "sha256Cipher": sealed["sha256Cipher"],
    }


def items_of(uow: UnitOfWork, matter_id: str) -> list[DisposalItem]:
    """Return the items of a batch by position."""
    query = select(DisposalItem).where(DisposalItem.matter_id == matter_id).order_by(DisposalItem.position)
    return list(uow.session.scalars(query))


def list_held(uow: UnitOfWork, application_ids: Collection[str]) -> set[str]:
    """Return those of the cases that something holds now; one statement."""
    query = select(Application.id).where(Application.id.in_(application_ids), holds.holding(Application.id.expression))
    return set(uow.session.scalars(query))


def list_due(uow: UnitOfWork, after: str, limit: int) -> list[str]:
    """List the items that two people have agreed to delete, by id, from ``after`` on."""
    query = select(DisposalItem.id).where(DisposalItem.state == DUE, DisposalItem.id > after)
    return list(uow.session.scalars(query.order_by(DisposalItem.id).limit(limit)))


def get_batch(uow: UnitOfWork, item_id: str) -> str:
    """Return the matter of an item's batch."""
    return uow.session.get_one(DisposalItem, item_id).matter_id


def begin(uow: UnitOfWork, item_id: str) -> Deletion | None:
    """Return what is still to be deleted of an item; None where it is held meanwhile, or done.

    The case is locked first, as placing a hold does: what is held by then is not deleted, and stays on record as held.
    Asked before each object, with the answers about those before it recorded: where a hold has come between, only the
    keys of copies that are gone remain to be destroyed.
    """
    found = uow.session.get_one(DisposalItem, item_id)
    uow.session.get_one(Application, found.application_id, with_for_update=True, populate_existing=True)
    item = uow.session.get_one(DisposalItem, item_id, with_for_update=True, populate_existing=True)
    if item.state != DUE:
        return None
    master = uow.session.get_one(Master, item.master_id, with_for_update=True, populate_existing=True)
    issued = list(uow.session.scalars(_issued([master.item_id])))
    targets = (
        *(Target(VAULT, COPY, stored_object(copy.sealed)) for copy in issued),
        *([Target(SECOND, REPLICA, stored_object(master.replica))] if master.replica is not None else []),
        Target(VAULT, MASTER, stored_object(master.sealed), master.label_version),
    )
    answered = {(one["place"], one["key"], one["version"]) for one in item.results or ()}
    left = tuple(target for target in targets if not _is_answered(target, answered))
    if not left:  # nothing is there that a hold could keep
        return Deletion(item.id, (), tuple(copy.id for copy in issued))
    causes = _list_causes(uow, item, master)
    if causes:
        gone = [copy.id for copy, target in zip(issued, targets, strict=False) if target not in left]
        if gone:
            return Deletion(item.id, (), tuple(gone), held=True)
        _hold(uow, item, causes)
        return None
    if master.discarded_at is not None:
        _end(uow, item, DELETED, because=master.discarded_because)
        return None
    return Deletion(item.id, left, tuple(copy.id for copy in issued))


def _list_causes(uow: UnitOfWork, item: DisposalItem, master: Master) -> list[str]:
    """List what keeps an item from being deleted now."""
    if holds.is_held(uow, item.application_id):
        return sorted({one.cause for one in holds.list_holdings(uow, item.application_id)})
    if master.discarded_at is not None:
        return []
    # its retention was made longer since it was listed, or is not what was signed
    if not _is_over(uow, master):
        return [LONGER]
    asked_for = select(Master.id).where(Master.id == master.id, archive.is_asked_for())
    return [] if uow.session.scalar(asked_for) is None else [ASKED_FOR]


def _is_answered(target: Target, answered: Collection[tuple[str, str, str]]) -> bool:
    """Whether a store has said of an object that it has it no longer."""
    return (target.place, target.stored.key, target.stored.version_id) in answered


def _hold(uow: UnitOfWork, item: DisposalItem, causes: Sequence[str]) -> None:
    """Keep what is left of an item, and record what was gone before that."""
    _end(uow, item, HELD, because=", ".join(causes))
    gone = [f"{one['place']}:{one['what']}" for one in item.results or ()]
    audit_trail.record(
        uow,
        "disposal-held",
        "master",
        item.master_id,
        application_id=item.application_id,
        batch=item.matter_id,
        causes=list(causes),
        **({"gone": gone} if gone else {}),
    )


def _is_over(uow: UnitOfWork, master: Master) -> bool:
    """Whether retention and lock of a master have ended now, and it still is what somebody archived."""
    ends = [moment for moment in (master.dispose_after, master.retain_until) if moment is not None]
    archived = master.archived_at is not None and master.dispose_after is not None
    return archived and all(moment <= uow.now for moment in ends)


def record(uow: UnitOfWork, item_id: str, answers: Sequence[Mapping[str, str]]) -> None:
    """Record what the stores have answered so far: a version that was deleted stays so, whatever a later run finds."""
    item = uow.session.get_one(DisposalItem, item_id, with_for_update=True, populate_existing=True)
    known = {_name(answer): answer for answer in item.results or ()}
    known |= {_name(answer): dict(answer) for answer in answers if _name(answer) not in known}
    item.results = list(known.values())


def finish(uow: UnitOfWork, deletion: Deletion, answers: Sequence[Mapping[str, str]]) -> str:
    """Record that the stores have nothing of an item any more, and no key opens its copies; return its batch."""
    record(uow, deletion.item_id, answers)
    item = uow.session.get_one(DisposalItem, deletion.item_id)
    _discard_copies(uow, deletion.copy_ids)
    locks.record_disposal(uow, [item.master_id])
    if item.state == DUE:
        _end(uow, item, DELETED)
    return item.matter_id


def stop(uow: UnitOfWork, deletion: Deletion) -> str:
    """Record that an item is held since its deletion has begun, and that no key opens its deleted copies; its batch.

    Where nothing holds it any more by now, the next run goes on with it.
    """
    found = uow.session.get_one(DisposalItem, deletion.item_id)
    uow.session.get_one(Application, found.application_id, with_for_update=True, populate_existing=True)
    _discard_copies(uow, deletion.copy_ids)
    uow.session.flush()
    begin(uow, deletion.item_id)
    return found.matter_id


def _discard_copies(uow: UnitOfWork, copy_ids: Collection[str]) -> None:
    """Record that copies are deleted and their keys destroyed."""
    for copy_id in copy_ids:
        copies.mark_key_destroyed(uow, copy_id)
        copy = uow.session.get_one(Copy, copy_id)
        if copy.discarded_at is None:
            copy.discarded_at, copy.discarded_because = uow.now, "disposal"
            audit_trail.record(
                uow,
                "copy-discarded",
                "object",
                copy.sealed["key"],
                application_id=copy.application_id,
                version=copy.sealed["versionId"],
            )


def is_finished(uow: UnitOfWork, matter_id: str) -> bool:
    """Return whether nothing of a batch waits for its deletion any more."""
    left = select(DisposalItem.id).where(DisposalItem.matter_id == matter_id, DisposalItem.state == DUE)
    return uow.session.scalar(left.limit(1)) is None


def _end(uow: UnitOfWork, item: DisposalItem, state: str, because: str | None = None) -> None:
    item.state, item.ended_at, item.because = state, uow.now, because or item.because


def _issued(item_ids: Collection[str]) -> Select[Copy]:
    """Select the copies of items that are still in the vault; a replaced item has a copy of its own."""
    query = select(Copy).where(Copy.item_id.in_(item_ids), Copy.discarded_at.is_(None))
    return query.order_by(Copy.made_at, Copy.id)


def _name(answer: Mapping[str, str]) -> tuple[str, str, str]:
    return answer["place"], answer["key"], answer["version"]
