"""Hand-overs and the custody log (R38, R45 to R48). What people and workers do with them is in sibling modules."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import func, select

from services.database.tables.custody import CustodyEntry, HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, NotPermitted, Refused
from services.runtime.labels import WORDS
from services.runtime.translations import Message

NOTHING_BEFORE = "0" * 64
AT_A_TIME = 500  # entries read at once
EVENTS = tuple(code.removeprefix("custody-") for code in WORDS if isinstance(code, str) and code.startswith("custody-"))


def lock(uow: UnitOfWork, hand_over_id: str, application_id: str) -> HandOver:
    """Return a hand-over for a worker, locked; NotPermitted when the job names one that is not the application's."""
    hand_over = uow.session.get(HandOver, hand_over_id, with_for_update=True, populate_existing=True)
    if hand_over is None or hand_over.application_id != application_id:
        raise NotPermitted(
            f"could not find the hand-over | {hand_over_id} of application {application_id} | "
            "the database does not have it | check the variables of the job, then resolve the incident"
        )
    return hand_over


def get_mine(uow: UnitOfWork, hand_over_id: str, *, for_change: bool = True) -> HandOver:
    """Return a hand-over that the actor is custodian of, locked ``for_change``; NotFound for everybody else."""
    hand_over = uow.session.get(HandOver, hand_over_id, with_for_update=for_change, populate_existing=True)
    if hand_over is None or uow.actor.kind != "person" or hand_over.custodian_id != uow.actor.id:
        raise NotFound(Message("hand-over"), hand_over_id)
    return hand_over


def append(
    uow: UnitOfWork,
    hand_over: HandOver,
    event: str,
    *,
    person_id: str | None = None,
    copy_id: str | None = None,
    **detail: Any,
) -> CustodyEntry:
    """Add a line to the custody log and an event to the audit trail (R47). Lock the hand-over before."""
    uow.session.flush()
    last = uow.session.scalar(
        select(CustodyEntry).where(CustodyEntry.hand_over_id == hand_over.id).order_by(CustodyEntry.seq.desc()).limit(1)
    )
    entry = CustodyEntry(
        hand_over_id=hand_over.id,
        seq=last.seq + 1 if last else 1,
        at=uow.now,
        event=event,
        person_id=person_id,
        copy_id=copy_id,
        detail=detail,
        previous_sha256=last.sha256 if last else NOTHING_BEFORE,
    )
    entry.sha256 = hash_of(line_of(entry))
    uow.session.add(entry)
    audit_trail.record(
        uow,
        f"custody-{event}",
        "hand-over",
        hand_over.id,
        application_id=hand_over.application_id,
        seq=entry.seq,
        copy=copy_id,
        sha256=entry.sha256,
    )
    return entry


def list_entries(uow: UnitOfWork, hand_over_id: str) -> list[CustodyEntry]:
    """Return the custody log, in order."""
    return list(
        uow.session.scalars(
            select(CustodyEntry).where(CustodyEntry.hand_over_id == hand_over_id).order_by(CustodyEntry.seq)
        )
    )


def require_fewer(uow: UnitOfWork, hand_over_id: str, events: Collection[str], most: int) -> None:
    """Raise Refused where the log has so many entries of these events: pages and the document show each."""
    query = select(func.count()).where(CustodyEntry.hand_over_id == hand_over_id, CustodyEntry.event.in_(events))
    if (uow.session.scalar(query) or 0) >= most:
        raise Refused(
            "entries-full",
            "You have made {most} such entries in the custody log already, which is the limit: inform Security.",
            most=most,
        )


def stream_entries(uow: UnitOfWork, hand_over_id: str) -> Iterator[CustodyEntry]:
    """Read the custody log in order, some hundred entries at a time: it may be long, and each is looked at once."""
    query = select(CustodyEntry).where(CustodyEntry.hand_over_id == hand_over_id).order_by(CustodyEntry.seq)
    yield from uow.session.scalars(query.execution_options(yield_per=AT_A_TIME))


def broken_at(entries: Iterable[CustodyEntry]) -> int | None:
    """Return the number of the first line whose chain does not hold, or None when the log is whole."""
    previous = NOTHING_BEFORE
    for number, entry in enumerate(entries, start=1):
        if entry.seq != number or entry.previous_sha256 != previous or entry.sha256 != hash_of(line_of(entry)):
            return number
        previous = entry.sha256
    return None


def line_of(entry: CustodyEntry) -> dict[str, Any]:
    """Return what is hashed of an entry."""
    return {
        "at": entry.at.isoformat(),
        "copy": entry.copy_id,
        "detail": entry.detail,
        "event": entry.event,
        "handOver": entry.hand_over_id,
        "person": entry.person_id,
        "previous": entry.previous_sha256,
        "seq": entry.seq,
    }
