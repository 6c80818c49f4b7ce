"""Watching redacted copies: who may, each read, and how much of one a person has watched (R6, R41, R58, T5).

A stretch counts as watched when the player has read its pictures under a viewing of this person and says that it has
played them, at no more than ``FASTEST`` times their own speed. What was read for stills and thumbnails is not among it.
The time that may be reported grows with the clock up to ``MOST_SAVED_MS``, so that nobody opens a viewing, leaves it,
and reports an hour at once. A second person has to have watched all of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import grants, playlist, suspensions, viewings
from services.domain.custody.derivatives import SUBJECT
from services.domain.custody.grants import ADMINISTRATOR, SUSPENDED
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.vault.coverage import Coverage, fragments_from_json

STAGE = "redaction-check"
FASTEST = 2  # times the footage's own speed
GRACE_MS = 3000  # by which a player's report may be ahead of the clock
MOST_SAVED_MS = 60_000 + GRACE_MS  # that can be reported at once, however long nothing was: one longest report
EDGE_MS = 100  # of the end of a run of pictures, which players count differently
MOST_NAMED = 3  # stretches that a refusal names
DISCLOSURE = "disclosure"
CONCERNED = ("concerned", Message("The case concerns you, so that you do not see its footage."))
NOT_MADE = ("not-made", Message("The redacted copy is not made yet: wait until it is."))
GONE = ("copy-gone", Message("The redacted copy is kept no longer: ask for a new one."))
DAMAGED = ("copy-damaged", Message("The redacted copy is damaged: ask for a new one, which its recipe makes."))
OVER = ("loan-ended", Message("The loan has ended, and the redacted copy is no longer shown."))
TOO_FAST = (
    "watched-too-fast",
    Message("Watch at double speed at most: what was played faster does not count as watched."),
)

Stretch = tuple[int, int]
"""From and to, in milliseconds after the first picture; ``to`` is not part of it."""


@dataclass(frozen=True)
class OpenedDerivative:
    """A redacted copy that the actor may watch now; ``key_id`` names the key that opens it.

    ``copy_id`` and ``hand_over_id`` are of the copy that it was derived of, and its loan. ``sitting_id`` is of the open
    sitting, where that copy is viewed on site alone by the actor.
    """

    derivative_id: str
    matter_id: str
    application_id: str
    copy_id: str
    hand_over_id: str
    purpose: str
    key_id: str
    until: datetime
    sealed: dict[str, Any]
    sitting_id: str | None = None


@dataclass(frozen=True)
class Opened:
    """A viewing that has begun; ``size`` is the plaintext's, in bytes."""

    viewing_id: str
    derivative: OpenedDerivative

    @property
    def size(self) -> int:
        return int(self.derivative.sealed["plainSize"])


@dataclass(frozen=True)
class Part:
    """What the actor has to do with a redacted copy, and the rows that say so.

    ``own``: has asked for it, or holds its copy. ``decides``: decides or has decided about it or its disclosure.
    """

    application: Application
    hand_over: HandOver | None
    own: bool
    decides: bool


def part_of(uow: UnitOfWork, row: Derivative) -> Part:
    """Return what the actor has to do with it; NotFound for strangers."""
    me = uow.actor.id
    query = (
        select(Application, HandOver, Matter.opened_by)
        .select_from(Matter)
        .join(Application, Application.id == Matter.application_id)
        .join(Copy, Copy.id == row.copy_id)
        .outerjoin(HandOver, HandOver.id == Copy.hand_over_id)
        .where(Matter.id == row.matter_id)
    )
    application, hand_over, opened_by = uow.session.execute(query).one()
    own = opened_by == me or (hand_over is not None and hand_over.custodian_id == me)
    part = Part(application, hand_over, own, _decides(uow, row))
    if uow.actor.kind != "person" or not (part.own or part.decides):
        raise NotFound(Message("redacted copy"), row.id)
    return part


def check(uow: UnitOfWork, derivative_id: str, *, address: str | None = None) -> OpenedDerivative:
    """Return the redacted copy, when the actor may watch it now. Refused with the reason, NotFound for strangers.

    Who decides about it or its disclosure watches it for that. Everybody else watches it only while the copy itself
    opens for them, at this ``address`` where it is viewed on site: a recipe can leave nearly all of it visible.
    """
    row = uow.session.get(Derivative, derivative_id)
    if row is None:
        raise NotFound(Message("redacted copy"), derivative_id)
    return open_for(uow, row, part_of(uow, row), address=address)


def open_for(uow: UnitOfWork, row: Derivative, part: Part, *, address: str | None = None) -> OpenedDerivative:
    """Return the same for who has a part in it."""
    if access_queries.load_directory(uow).holds(uow.actor.id, "administrator"):
        raise _refused(*ADMINISTRATOR)
    access_queries.require_agreement(uow, uow.actor.id)
    if uow.actor.id in part.application.subject_ids:
        raise _refused(*CONCERNED)
    cause = suspensions.first_cause(one.cause for one in suspensions.of_person(uow, uow.actor.id))
    if cause is not None:
        raise _refused(*SUSPENDED[cause])
    if row.made_at is None or row.sealed is None or row.attempt_id is None:
        raise _refused(*NOT_MADE)
    if row.damaged_at is not None:
        raise _refused(*DAMAGED)
    if row.key_destroyed_at is not None or row.discarded_at is not None:
        raise _refused(*GONE)
    hand_over = part.hand_over
    if hand_over is None or not suspensions.is_held(hand_over):
        raise _refused(*OVER)
    sitting_id = None if part.decides else _require_copy(uow, row.copy_id, address).sitting_id
    until = hand_over.due_at or uow.now
    return OpenedDerivative(
        row.id,
        row.matter_id,
        row.application_id,
        row.copy_id,
        hand_over.id,
        hand_over.purpose or part.application.purpose,
        row.attempt_id,
        until,
        dict(row.sealed),
        sitting_id,
    )


def _decides(uow: UnitOfWork, row: Derivative) -> bool:
    """Whether the actor decides or has decided about it, or about its disclosure."""
    me = uow.actor.id
    about = select(Matter.id).where(Matter.application_id == row.application_id, Matter.kind == DISCLOSURE)
    of_it = Review.matter_id == row.matter_id
    of_either = or_(of_it, Review.matter_id.in_(about)) if row.approved_at is not None else of_it
    by_me = select(Decision.id).where(Decision.review_id == Review.id, Decision.decided_by == me).exists()
    found = uow.session.execute(select(Review, by_me).where(of_either, or_(Review.closed_at.is_(None), by_me))).all()
    if any(decided for _, decided in found):
        return True
    if not found:
        return False
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, row.application_id)
    refusals = (access_policy.refusal_for(directory, facts, review, me) for review, _ in found)
    # who lacks nothing but the agreement is told so, and not that there is nothing
    return any(refusal is None or refusal.code == "agreement-missing" for refusal in refusals)


def _require_copy(uow: UnitOfWork, copy_id: str, address: str | None) -> grants.OpenedCopy:
    """Return the copy itself; Refused unless it opens for the actor now."""
    try:
        return grants.check(uow, copy_id, "view", address=address)
    except NotFound as stranger:  # whose right has ended with the custody, or never was of this copy
        raise _refused(*grants.VIEW_ENDED) from stranger


def open_viewing(uow: UnitOfWork, derivative_id: str, *, purpose_confirmed: bool, address: str) -> Opened:
    """Begin a viewing: the purpose is shown, and confirmed anew each time (R41)."""
    opened = check(uow, derivative_id, address=address)
    viewings.require_confirmed(purpose_confirmed)
    viewing = DerivativeViewing(
        id=new_id(),
        derivative_id=derivative_id,
        person_id=uow.actor.id,
        opened_at=uow.now,
        address=address,
        reads=0,
        bytes_read=0,
        ranges=[],
        streamed=[],
        played=[],
        credited_ms=0,
    )
    uow.session.add(viewing)
    audit_trail.record(
        uow,
        "redaction-viewed",
        SUBJECT,
        derivative_id,
        application_id=opened.application_id,
        viewing=viewing.id,
        address=address,
    )
    return Opened(viewing.id, opened)


def get_mine(uow: UnitOfWork, derivative_id: str, viewing_id: str, *, lock: bool = False) -> DerivativeViewing:
    """Return a viewing of this redacted copy that the actor has begun, locked if asked for; NotFound otherwise."""
    viewing = uow.session.get(DerivativeViewing, viewing_id, with_for_update=lock or None, populate_existing=True)
    if viewing is None or viewing.derivative_id != derivative_id or viewing.person_id != uow.actor.id:
        raise NotFound(Message("viewing"), viewing_id)
    return viewing


def record_read(
    uow: UnitOfWork, derivative_id: str, viewing_id: str, offset: int, length: int, *, address: str | None = None
) -> OpenedDerivative:
    """Check, and count one read of the player: ``length`` bytes at ``offset`` of the plaintext."""
    opened = check(uow, derivative_id, address=address)
    viewing = get_mine(uow, derivative_id, viewing_id, lock=True)
    viewings.count_read(uow, viewing, offset, length, subject=SUBJECT, application_id=opened.application_id)
    viewing.streamed = viewings.add_range(viewing.streamed, offset, length)
    return opened


def record_played(
    uow: UnitOfWork, derivative_id: str, viewing_id: str, start_ms: int, end_ms: int, *, address: str | None = None
) -> list[Stretch]:
    """Record that the player has played a stretch, as far as its pictures were read; return what is still unwatched.

    Refused where more was played than the clock allows, in all viewings of the person together: a person has two eyes,
    in however many windows. Time in which nothing was reported is saved up to ``MOST_SAVED_MS`` alone.
    """
    opened = check(uow, derivative_id, address=address)
    viewing = get_mine(uow, derivative_id, viewing_id, lock=True)
    allowed = _allowed_now(uow, viewing)
    own = FASTEST * ((uow.now - viewing.opened_at) // timedelta(milliseconds=1)) + GRACE_MS
    length_ms = end_ms - start_ms
    if length_ms <= 0 or length_ms > allowed or viewing.credited_ms + length_ms > own:
        raise Refused(*TOO_FAST)
    fresh = [list(one) for one in _read_stretches(opened.sealed, viewing.streamed, (start_ms, end_ms))]
    viewing.credited_ms += length_ms
    viewing.credit_left_ms, viewing.credited_at = allowed - length_ms, uow.now
    viewing.played = viewings.merge_ranges([*viewing.played, *fresh])
    uow.session.flush()
    return unwatched(uow, uow.session.get_one(Derivative, derivative_id), uow.actor.id)


def _allowed_now(uow: UnitOfWork, viewing: DerivativeViewing) -> int:
    """Return how many milliseconds the person can report of this redacted copy now, in all viewings of it.

    Locked, so that two reports of two windows count one after the other.
    """
    query = (
        select(DerivativeViewing)
        .where(DerivativeViewing.derivative_id == viewing.derivative_id, DerivativeViewing.person_id == uow.actor.id)
        .order_by(DerivativeViewing.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = uow.session.scalars(query).all()
    reported = [(row.credited_at, row.credit_left_ms or 0) for row in rows if row.credited_at is not None]
    # of several reports of one moment the last one has the least left
    since, left = max(
        reported, key=lambda one: (one[0], -one[1]), default=(min(row.opened_at for row in rows), GRACE_MS)
    )
    return min(MOST_SAVED_MS, left + FASTEST * ((uow.now - since) // timedelta(milliseconds=1)))


def unwatched(uow: UnitOfWork, row: Derivative, person_id: str) -> list[Stretch]:
    """List what a person has not watched of a redacted copy that is made, in the order of the footage."""
    if row.sealed is None:
        return []
    query = select(DerivativeViewing.played).where(
        DerivativeViewing.derivative_id == row.id, DerivativeViewing.person_id == person_id
    )
    watched = viewings.merge_ranges([list(one) for played in uow.session.scalars(query) for one in played])
    return [left for run in _runs(row.sealed) for left in _without(run, watched)]


def watched_share(row: Derivative, left: Sequence[Stretch]) -> float:
    """Return the share of the footage that is not among ``left``, 0 to 1."""
    whole = sum(end - start for start, end in _runs(row.sealed or {})) if row.sealed else 0
    return 1.0 - sum(end - start for start, end in left) / whole if whole else 0.0


def require_ready(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """Raise Refused unless whoever decides has watched all of the redacted copy; it says what is left.

    Where no copy could be made there is nothing to watch, and nothing to approve: it can be sent back.
    """
    row = uow.session.scalar(select(Derivative).where(Derivative.matter_id == review.matter_id))
    if row is None or (row.failed_at is not None and outcome != STAGES[review.stage].favourable):
        return
    if row.failed_at is not None:
        raise Refused("not-made", "No redacted copy could be made: send it back, so that a new one is asked for.")
    if row.made_at is None:
        raise Refused("not-made", "The redacted copy is not made yet: wait until it is, then watch all of it.")
    left = unwatched(uow, row, uow.actor.id)
    if left:
        raise Refused(
            "not-watched",
            "Watch all of the redacted copy first. Still unwatched: {left}.",
            left=name_stretches(left),
        )


def name_stretches(left: Sequence[Stretch]) -> str:
    """Return stretches as people read them, such as ``00:01:05–00:01:20``, the first ones of many."""
    named = [f"{_clock(start)}–{_clock(end, up=True)}" for start, end in left[:MOST_NAMED]]
    return ", ".join(named) + (f" (+{len(left) - MOST_NAMED})" if len(left) > MOST_NAMED else "")


def _clock(milliseconds: int, *, up: bool = False) -> str:
    seconds = -(-milliseconds // 1000) if up else milliseconds // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _pieces(sealed: Mapping[str, Any]) -> Iterator[tuple[int, int, int, int]]:
    """Yield each fragment as a player plays it: from and to in milliseconds, byte offset and end."""
    coverage = Coverage.from_json(sealed["coverage"])
    for one in playlist.list_segments(coverage, fragments_from_json(sealed["fragments"])):
        start = one.fragment.time_ms
        end = start + max(1, one.duration // timedelta(milliseconds=1))
        yield start, end, one.fragment.offset, one.fragment.offset + one.fragment.length


def _runs(sealed: Mapping[str, Any]) -> list[Stretch]:
    """Return what is to be watched: the pictures without the gaps between them."""
    merged = viewings.merge_ranges([[start, end] for start, end, *_ in _pieces(sealed)])
    return [(start, max(start + 1, end - EDGE_MS)) for start, end in merged]


def _read_stretches(sealed: Mapping[str, Any], read: Sequence[Sequence[int]], played: Stretch) -> list[Stretch]:
    """Return the parts of ``played`` whose fragments were read whole."""
    found = []
    for start, end, offset, stop in _pieces(sealed):
        low, high = max(start, played[0]), min(end, played[1])
        if low < high and any(first <= offset and stop <= last for first, last in read):
            found.append((low, high))
    return found


def _without(run: Stretch, watched: Sequence[Sequence[int]]) -> Iterator[Stretch]:
    at = run[0]
    for start, end in watched:
        if end <= at or start >= run[1]:
            continue
        if start > at:
            yield at, start
        at = max(at, end)
    if at < run[1]:
        yield at, run[1]


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
