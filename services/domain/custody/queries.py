"""Hand-overs, copies and the custody log as the people concerned see them; each reading is an event (R41, R47)."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, String, case, func, literal, select
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from services.database.keyset import Page, Section, page_of, sections_by
from services.database.listing import EVERYTHING, Listing
from services.database.moments import seconds_of
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes, visibility
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import recipients, ways
from services.domain.audit import trail as audit_trail
from services.domain.custody import check_ins, on_site, returns, sitting_views, suspensions
from services.domain.custody import log as custody_log
from services.domain.custody.holder_entries import EVENTS
from services.domain.custody.schemas import (
    HandOverView,
    HolderEntry,
    IssuedCopy,
    ListedDownload,
    LoanHandling,
    LoanLine,
    LogEntry,
    LogView,
    NamedRecipient,
    OpenSuspension,
    RecorderClock,
    ReportedLoss,
    ReturnReceipt,
    ShownLoan,
)
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound
from services.runtime.labels import word
from services.runtime.translations import Message

HELD = frozenset({"in-use", "frozen", "suspended", "overdue"})
OPEN = HELD | {"awaiting-receipt", "copy-lost"}
OPEN_STATE, OVERDUE = "open", "overdue"


def state_of(hand_over: HandOver, now: datetime, causes: Collection[str]) -> str:
    """Return the state of a loan; ``causes`` are those that keep its copies closed.

    awaiting-receipt, take-up-over, declined, in-use, frozen, suspended, overdue, copy-lost, copy-returned,
    copy-replaced or loan-ended. Frozen copies are not overdue: the clock stands.
    """
    reasons = (
        (hand_over.declined_at is not None, "declined"),
        (hand_over.replaced_at is not None, "copy-replaced"),
        (hand_over.ended_at is not None, "loan-ended"),
        (hand_over.returned_at is not None, "copy-returned"),
        (hand_over.lost_at is not None, "copy-lost"),
        (hand_over.accepted_at is None and now >= hand_over.take_up_until, "take-up-over"),
        (hand_over.accepted_at is None, "awaiting-receipt"),
        (suspensions.PROBLEM in causes, "frozen"),
        (hand_over.due_at is not None and now >= hand_over.due_at, "overdue"),
        (bool(causes), "suspended"),
    )
    return next((code for holds, code in reasons if holds), "in-use")


def read_mine(uow: UnitOfWork, listing: Listing = EVERYTHING, *, state: str = "") -> Page[HandOverView]:
    """Read a page of the actor's hand-overs, the most urgent first; searched in number and purpose.

    ``state`` is one that ``state_of`` returns, or ``open`` for those that still need an act, as ``open_loans`` lists.
    """
    query = (
        select(HandOver.id)
        .join(Application, Application.id == HandOver.application_id)
        .where(HandOver.custodian_id == uow.actor.id, listing.mentioned(Application.number, Application.purpose))
    )
    if state:
        code = _state(uow.now)
        query = query.where(code.in_(OPEN) if state == OPEN_STATE else code == state)
    page = page_of(uow.session, query, _sections(uow.now, listing.sort), listing)
    ids = [row[0] for row in page.lines]
    views = {view.id: view for view in _views(uow, select(HandOver).where(HandOver.id.in_(ids)))} if ids else {}
    return page.showing([views[hand_over_id] for hand_over_id in ids])


def _sections(now: datetime, sort: str) -> tuple[Section, ...]:
    """Return the parts of the list; by urgency first what needs an act, then what is over, the newest first."""
    by_id, state = HandOver.id.expression, _state(now)
    until = func.coalesce(HandOver.due_at, HandOver.take_up_until)
    if sort == "number":
        return (Section((func.coalesce(Application.number, ""), by_id)),)
    if sort == "state":
        return (Section((state, by_id)),)
    if sort == "until":
        return (Section((until, by_id)),)
    return (
        Section((until, by_id), state.in_(OPEN)),
        Section((-seconds_of(HandOver.offered_at), by_id), state.not_in(OPEN)),
    )


def _state(now: datetime) -> ColumnElement[str]:
    """Derive in SQL what ``state_of`` does."""
    return case(
        (HandOver.declined_at.is_not(None), literal("declined", String)),
        (HandOver.replaced_at.is_not(None), "copy-replaced"),
        (HandOver.ended_at.is_not(None), "loan-ended"),
        (HandOver.returned_at.is_not(None), "copy-returned"),
        (HandOver.lost_at.is_not(None), "copy-lost"),
        (
            HandOver.accepted_at.is_(None),
            case((HandOver.take_up_until <= now, "take-up-over"), else_="awaiting-receipt"),
        ),
        (suspensions.is_suspended(now, suspensions.PROBLEM), "frozen"),
        (HandOver.due_at <= now, "overdue"),
        (suspensions.is_suspended(now), "suspended"),
        else_="in-use",
    )


def open_loans(uow: UnitOfWork) -> list[LoanLine]:
    """Return the actor's hand-overs that still need an act, the nearest end first; one statement."""
    query = (
        select(HandOver, Application.number, _state(uow.now))
        .join(Application, Application.id == HandOver.application_id)
        .where(HandOver.custodian_id == uow.actor.id, HandOver.ended_at.is_(None), HandOver.returned_at.is_(None))
        .order_by(HandOver.offered_at.desc())
    )
    loans = [
        LoanLine(id=row.id, number=number or "", state=state, take_up_until=row.take_up_until, due_at=row.due_at)
        for row, number, state in uow.session.execute(query)
    ]
    return sorted((loan for loan in loans if loan.state in OPEN), key=_end)


def _end(loan: LoanLine) -> datetime:
    return loan.due_at or loan.take_up_until


def get_mine(uow: UnitOfWork, hand_over_id: str) -> HandOverView:
    """Return one of the actor's hand-overs; reading it is an event. NotFound for everybody else."""
    return _read(uow, custody_log.get_mine(uow, hand_over_id, for_change=False))


def get_returnable(uow: UnitOfWork, hand_over_id: str) -> tuple[HandOverView, str | None]:
    """Return a hand-over that the actor returns, and the name of the custodian in whose place; as ``get_mine``."""
    hand_over = returns.get_returnable(uow, hand_over_id, for_change=False)
    if hand_over.custodian_id == uow.actor.id:
        return _read(uow, hand_over), None
    return _read(uow, hand_over), uow.session.get_one(Person, hand_over.custodian_id).name


def _read(uow: UnitOfWork, hand_over: HandOver) -> HandOverView:
    audit_trail.record(uow, "hand-over-read", "hand-over", hand_over.id, application_id=hand_over.application_id)
    [view] = _views(uow, select(HandOver).where(HandOver.id == hand_over.id))
    return view


def get_copy(uow: UnitOfWork, copy_id: str) -> tuple[HandOverView, IssuedCopy]:
    """Return a copy that the actor is custodian of, with its hand-over; NotFound for everybody else."""
    hand_over = uow.session.scalar(select(HandOver).join(HandOver.copies).where(Copy.id == copy_id))
    if hand_over is None or hand_over.custodian_id != uow.actor.id:
        raise NotFound(Message("copy"), copy_id)
    view = _read(uow, hand_over)
    return view, next(copy for copy in view.copies if copy.id == copy_id)


@dataclass(frozen=True)
class NamedLoan:
    """Which loan it is."""

    id: str
    number: str


@dataclass(frozen=True)
class NamedCopy:
    """Which copy it is; ``size`` is of its plaintext, in bytes."""

    id: str
    camera_zh: str
    camera_en: str
    size: int


def get_barred_copy(uow: UnitOfWork, copy_id: str) -> tuple[NamedLoan, NamedCopy]:
    """Return which copy it is that does not open for its custodian now; as ``get_copy``, by one statement."""
    query = (
        select(Copy, HandOver, Application.number, Camera.name_zh, Camera.name_en)
        .join(HandOver, HandOver.id == Copy.hand_over_id)
        .join(Application, Application.id == HandOver.application_id)
        .join(Item, Item.id == Copy.item_id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Copy.id == copy_id)
    )
    found = uow.session.execute(query).one_or_none()
    if found is None or found[1].custodian_id != uow.actor.id:
        raise NotFound(Message("copy"), copy_id)
    copy, hand_over, number, name_zh, name_en = found
    audit_trail.record(uow, "hand-over-read", "hand-over", hand_over.id, application_id=hand_over.application_id)
    return NamedLoan(hand_over.id, number or ""), NamedCopy(copy.id, name_zh, name_en, copy.sealed["plainSize"])


def list_shown(uow: UnitOfWork) -> list[ShownLoan]:
    """List the loans whose copies the actor may view as a named recipient, the nearest end first (R57)."""
    return _shown(uow, Copy.id.is_not(None))


def get_shown_copy(uow: UnitOfWork, copy_id: str) -> tuple[ShownLoan, IssuedCopy]:
    """Return a copy that the actor may view as a named recipient; NotFound for everybody else."""
    for view in _shown(uow, Copy.id == copy_id):
        for copy in view.copies:
            if copy.id == copy_id:
                return view, copy
    raise NotFound(Message("copy"), copy_id)


def _shown(uow: UnitOfWork, which: ColumnElement[bool]) -> list[ShownLoan]:
    me = uow.actor.id
    given = (
        select(Copy.hand_over_id)
        .join(Grant, Grant.copy_id == Copy.id)
        .where(which, Grant.person_id == me, Grant.action == "view", Grant.ended_at.is_(None), Grant.until > uow.now)
    )
    query = (
        select(HandOver)
        .where(
            HandOver.id.in_(given),
            HandOver.custodian_id != me,
            HandOver.returned_at.is_(None),
            HandOver.lost_at.is_(None),
            HandOver.ended_at.is_(None),
        )
        .options(joinedload(HandOver.application), joinedload(HandOver.custodian), _of_copies())
        .order_by(HandOver.due_at, HandOver.id)
    )
    return [
        ShownLoan(
            id=hand_over.id,
            number=hand_over.application.number or "",
            purpose=hand_over.purpose or hand_over.application.purpose,
            place_of_use=hand_over.application.place_of_use or "",
            custodian=hand_over.custodian.name,
            due_at=hand_over.due_at,
            conditions_version=hand_over.conditions_version or uow.rules.policy_version,
            copies=[shown for copy in hand_over.copies if (shown := issued(copy, me)).actions],
        )
        for hand_over in uow.session.scalars(query)
    ]


@dataclass(frozen=True)
class LogPage:
    """A page of the custody log; ``found`` names the pages around it."""

    view: LogView
    found: Page[LogEntry]


def get_log(uow: UnitOfWork, hand_over_id: str, listing: Listing = EVERYTHING) -> LogPage:
    """Return a page of the custody log for everyone who may see the case; reading it is an event (R47).

    The chain is checked whole, entry by entry. Searched are events, as the reader's language calls them, and people.
    """
    hand_over = uow.session.get(HandOver, hand_over_id)
    if hand_over is None:
        raise NotFound(Message("hand-over"), hand_over_id)
    if hand_over.custodian_id != uow.actor.id:
        visibility.get_visible(uow, hand_over.application_id)
    audit_trail.record(uow, "custody-log-read", "hand-over", hand_over_id, application_id=hand_over.application_id)
    called = {code: word(listing.language, f"custody-{code}") for code in custody_log.EVENTS}
    wanted = listing.text.strip().casefold()
    query = (
        select(CustodyEntry, Person.name)
        .outerjoin(Person, Person.id == CustodyEntry.person_id)
        .where(
            CustodyEntry.hand_over_id == hand_over_id,
            listing.mentioned(
                Person.name,
                also=CustodyEntry.event.in_([code for code, name in called.items() if wanted in name.casefold()]),
            ),
        )
    )
    page = page_of(uow.session, query, _log_sections(listing.sort, called), listing)
    found = page.showing([LogEntry.model_validate(entry) for entry, *_ in page.lines])
    view = LogView(
        number=uow.session.get_one(Application, hand_over.application_id).number or "",
        entries=found.lines,
        names={entry.person_id: name for entry, name, *_ in page.lines if entry.person_id is not None},
        items=_positions(uow, {entry.copy_id for entry, *_ in page.lines if entry.copy_id is not None}),
        broken_at=custody_log.broken_at(custody_log.stream_entries(uow, hand_over_id)),
    )
    return LogPage(view, found)


def _positions(uow: UnitOfWork, copy_ids: Collection[str]) -> dict[str, int]:
    """Return the position of each copy's item."""
    query = select(Copy.id, Item.position).join(Copy.item).where(Copy.id.in_(copy_ids))
    return {row.id: row.position for row in uow.session.execute(query)}


def _log_sections(sort: str, called: Mapping[str, str]) -> tuple[Section, ...]:
    seq = CustodyEntry.seq.expression
    if sort == "event":
        places = {code: place for place, code in enumerate(sorted(called, key=called.__getitem__))}
        return (Section((case(places, value=CustodyEntry.event, else_=len(places)), seq)),)
    if sort == "person":
        return sections_by(Person.name.expression, seq)
    return (Section((seq,)),)


def _views(uow: UnitOfWork, query: Select[HandOver]) -> list[HandOverView]:
    """Return the actor's hand-overs of the query, in its order; as many statements for one as for a hundred."""
    newest_form = selectinload(Application.revisions).load_only(Revision.round, Revision.sha256)
    hand_overs = uow.session.scalars(
        query.options(
            joinedload(HandOver.application).options(newest_form),
            joinedload(HandOver.returned),
            _of_copies(),
            selectinload(HandOver.downloads),
        )
    ).all()
    stopped = suspensions.of_hand_overs(uow, hand_overs)
    sittings = sitting_views.list_of_all(uow, hand_overs)
    confirm_until = check_ins.list_due(uow, [(one.application, one) for one in hand_overs])
    office = sitting_views.office_of(uow) if any(map(_is_on_site, hand_overs)) else None
    written = _holder_entries(uow, [hand_over.id for hand_over in hand_overs])
    named = recipients.list_of_all(uow, [hand_over.application for hand_over in hand_overs])
    usernames = namesakes.get_usernames(uow, [one.id for people in named.values() for one in people])
    agreed = access_queries.get_valid_agreement(uow, uow.actor.id) is not None
    signs_with = list(signature_signing.methods(uow, STAGES["receipt"].level))
    return [
        HandOverView(
            id=hand_over.id,
            application_id=hand_over.application_id,
            number=(application := hand_over.application).number or "",
            issue=hand_over.issue,
            state=state_of(hand_over, uow.now, [row.cause for row in stopped[hand_over.id]]),
            purpose=hand_over.purpose or application.purpose,
            way_of_use=on_site.way_of(application, hand_over),
            place_of_use=application.place_of_use or "",
            recipients=_recipients(hand_over, named[application.id], usernames),
            agreed=agreed,
            signs_with=signs_with,
            conditions_version=hand_over.conditions_version or uow.rules.policy_version,
            form_sha256=application.revisions[-1].sha256 if application.revisions else "",
            use_days=hand_over.use_days,
            handling=_handling(application, confirm_until.get(hand_over.id)),
            offered_at=hand_over.offered_at,
            take_up_until=hand_over.take_up_until,
            accepted_at=hand_over.accepted_at,
            declined_at=hand_over.declined_at,
            due_at=hand_over.due_at,
            suspended_at=next((row.since for row in stopped[hand_over.id]), None),
            suspensions=[OpenSuspension.model_validate(row) for row in stopped[hand_over.id]],
            returned_at=hand_over.returned_at,
            lost_at=hand_over.lost_at,
            loss=ReportedLoss.model_validate(hand_over.loss) if hand_over.loss else None,
            ended_at=hand_over.ended_at,
            copies=[issued(copy, hand_over.custodian_id) for copy in hand_over.copies],
            downloads=[ListedDownload.model_validate(download) for download in hand_over.downloads],
            entries=written.get(hand_over.id, []),
            sittings=sittings.get(hand_over.id, []),
            return_office=office if _is_on_site(hand_over) else None,
            receipt=_receipt(hand_over.returned) if hand_over.returned is not None else None,
        )
        for hand_over in hand_overs
    ]


def _handling(application: Application, confirm_until: datetime | None) -> LoanHandling | None:
    if not application.handling:
        return None
    return LoanHandling.model_validate({**application.handling, "checkInDue": confirm_until})


def _is_on_site(hand_over: HandOver) -> bool:
    return on_site.way_of(hand_over.application, hand_over) == ways.ON_SITE


def holder_entry(entry: CustodyEntry, by: str) -> HolderEntry:
    """Return an entry that a custodian has written; ``by`` is the custodian's name."""
    detail = entry.detail
    to: Mapping[str, str] = detail.get("to") or {}
    return HolderEntry(
        seq=entry.seq,
        at=entry.at,
        event=entry.event,
        by=by,
        text=detail["text"],
        place=detail.get("place"),
        to=to.get("name"),
    )


def _holder_entries(uow: UnitOfWork, hand_over_ids: Collection[str]) -> Mapping[str, list[HolderEntry]]:
    """Return what custodians wrote into the custody logs, by hand-over; one statement for all of them."""
    query = (
        select(CustodyEntry, Person.name)
        .join(Person, Person.id == CustodyEntry.person_id)
        .where(CustodyEntry.hand_over_id.in_(hand_over_ids), CustodyEntry.event.in_(EVENTS))
        .order_by(CustodyEntry.seq)
    )
    found: dict[str, list[HolderEntry]] = defaultdict(list)
    for entry, name in uow.session.execute(query) if hand_over_ids else ():
        found[entry.hand_over_id].append(holder_entry(entry, name))
    return found


def _of_copies() -> ExecutableOption:
    """Return the option that loads a hand-over's copies with their items and grants."""
    of_item = joinedload(Copy.item).options(
        joinedload(Item.camera).joinedload(Camera.recorder), selectinload(Item.retrieval_record)
    )
    return selectinload(HandOver.copies).options(of_item, selectinload(Copy.grants))


def _recipients(
    hand_over: HandOver, named: Iterable[recipients.Recipient], usernames: Mapping[str, str]
) -> list[NamedRecipient]:
    """Return whom the form names beside the present custodian, and since when each views the copies."""
    since = {
        grant.person_id: grant.since for copy in hand_over.copies for grant in copy.grants if grant.ended_at is None
    }
    return [
        NamedRecipient(
            id=recipient.id,
            name=recipient.name,
            username=usernames.get(recipient.id),
            agreement=recipient.agreement,
            views_since=since.get(recipient.id),
        )
        for recipient in named
        if recipient.id != hand_over.custodian_id
    ]


def _receipt(row: Return) -> ReturnReceipt:
    return ReturnReceipt(
        returned_at=row.returned_at,
        return_to=row.return_to,
        downloads=row.attestation["downloads"],
        no_other_copies=row.attestation["noOtherCopies"],
        statement_sha256=row.statement_sha256,
    )


def issued(copy: Copy, person_id: str) -> IssuedCopy:
    """Return a copy as it is granted to this person."""
    item, camera, record = copy.item, copy.item.camera, copy.item.retrieval_record
    coverage = copy.sealed["coverage"]
    clock = json.loads(record.content).get("recorderClock") if record else None
    # The recorder's segments and their hashes are the record's business, not the custodian's.
    shown = ("asked", "covered", "gaps", "leadInMs", "tailMs", "codecs", "parts", "firstFrame", "lastFrame", "zero")
    rate = {"pictures": coverage["pictures"]} if coverage.get("pictures") else {}
    return IssuedCopy(
        id=copy.id,
        item_id=item.id,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        site=camera.recorder.site,
        recorder=camera.recorder.name,
        recorder_clock=RecorderClock.model_validate(clock) if clock else None,
        record_number=record.number if record else "",
        zone=item.zone,
        size=copy.sealed["plainSize"],
        sha256=copy.sealed["sha256Plain"],
        outcome=copy.sealed["outcome"],
        coverage={name: coverage[name] for name in shown} | rate,
        fragments=copy.sealed["fragments"],
        actions=[grant.action for grant in copy.grants if grant.ended_at is None and grant.person_id == person_id],
    )
