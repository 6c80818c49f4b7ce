"""Hand-overs, copies and the custody log as the people concerned see them; each look is on the trail (R41, R47)."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, selectinload

from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import recipients
from services.domain.applications.recipients import Recipient
from services.domain.audit import trail as audit_trail
from services.domain.custody import log as custody_log
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound
from services.runtime.translations import Message

Sort = Literal["urgency", "number", "state", "until"]
LogSort = Literal["seq", "event", "person"]
HELD = frozenset({"in-use", "suspended", "overdue"})
OPEN = HELD | {"awaiting-receipt", "copy-lost"}


@dataclass(frozen=True)
class CopyView:
    """One copy: which camera and span, what is covered, and where its fragments lie in the plaintext.

    ``recorder_clock`` is how the recorder's clock stood against true time at the retrieval: offsetMs, method,
    uncertaintyMs (R37). The pictures' own times are the recorder's, and are not corrected by it.
    """

    id: str
    item_id: str
    camera_zh: str
    camera_en: str
    place_zh: str
    place_en: str
    site: str
    recorder: str
    recorder_clock: dict[str, Any]
    record_number: str
    zone: str
    size: int
    sha256: str
    outcome: str
    coverage: dict[str, Any]
    fragments: list[list[int]]
    actions: list[str]


@dataclass(frozen=True)
class HandOverView:
    """A hand-over with everything that its custodian signs for and acts on.

    ``state`` is a code of ``state_of``; ``signs_with`` what a receipt is signed with, such as ``password``.
    ``recipients`` are those to whom the custodian may show the copies (R57).
    """

    hand_over: HandOver
    number: str
    state: str
    purpose: str
    way_of_use: str
    place_of_use: str
    recipients: list[Recipient]
    form_sha256: str
    conditions_version: str
    agreed: bool
    signs_with: tuple[str, ...]
    copies: list[CopyView]
    downloads: list[Download]
    given_back: Return | None


@dataclass(frozen=True)
class Loan:
    """A hand-over as one line: its case's number, and a code of ``state_of``."""

    hand_over: HandOver
    number: str
    state: str


@dataclass(frozen=True)
class LogView:
    """The custody log; ``names`` of the people in it by id, ``broken_at`` the first line whose hash is wrong."""

    number: str
    entries: list[CustodyEntry]
    names: dict[str, str]
    broken_at: int | None


def state_of(hand_over: HandOver, now: datetime) -> str:
    """Where a loan stands: awaiting-receipt, take-up-over, declined, in-use, suspended, overdue, copy-lost,
    copy-returned or loan-ended."""
    reasons = (
        (hand_over.declined_at is not None, "declined"),
        (hand_over.ended_at is not None, "loan-ended"),
        (hand_over.returned_at is not None, "copy-returned"),
        (hand_over.lost_at is not None, "copy-lost"),
        (hand_over.accepted_at is None and now >= hand_over.take_up_until, "take-up-over"),
        (hand_over.accepted_at is None, "awaiting-receipt"),
        (hand_over.due_at is not None and now >= hand_over.due_at, "overdue"),
        (hand_over.suspended_at is not None, "suspended"),
    )
    return next((code for holds, code in reasons if holds), "in-use")


def mine(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[HandOverView]:
    """The acting person's hand-overs, the most urgent first; searched in number and purpose."""
    query = select(HandOver).where(HandOver.custodian_id == uow.actor.id).order_by(HandOver.offered_at.desc())
    views = in_order(_views(uow, query))
    rank = {view.hand_over.id: place for place, view in enumerate(views)}
    columns: dict[str, Callable[[HandOverView], Any]] = {
        "urgency": lambda view: rank[view.hand_over.id],
        "number": lambda view: view.number,
        "state": lambda view: view.state,
        "until": lambda view: view.hand_over.due_at or view.hand_over.take_up_until,
    }
    return listing.of(views, columns, lambda view: (view.number, view.purpose))


def open_loans(uow: UnitOfWork) -> list[Loan]:
    """The acting person's hand-overs of which something is still asked, the nearest end first; one statement."""
    query = (
        select(HandOver, Application.number)
        .join(Application, Application.id == HandOver.application_id)
        .where(HandOver.custodian_id == uow.actor.id, HandOver.ended_at.is_(None), HandOver.returned_at.is_(None))
        .order_by(HandOver.offered_at.desc())
    )
    loans = [Loan(row, number or "", state_of(row, uow.now)) for row, number in uow.session.execute(query)]
    return sorted(
        (loan for loan in loans if loan.state in OPEN),
        key=lambda loan: loan.hand_over.due_at or loan.hand_over.take_up_until,
    )


def in_order(views: Iterable[HandOverView]) -> list[HandOverView]:
    """What is still asked of its custodian first, the nearest end before the others; then what is over, the newest
    first."""
    seen = list(views)
    asked = [view for view in seen if view.state in OPEN]
    asked.sort(key=lambda view: view.hand_over.due_at or view.hand_over.take_up_until)
    return asked + [view for view in seen if view.state not in OPEN]


def one(uow: UnitOfWork, hand_over_id: str) -> HandOverView:
    """One of the acting person's hand-overs; NotFound for everybody else."""
    hand_over = custody_log.mine(uow, hand_over_id)
    audit_trail.record(uow, "hand-over-read", "hand-over", hand_over_id, application_id=hand_over.application_id)
    [view] = _views(uow, select(HandOver).where(HandOver.id == hand_over_id))
    return view


def of_copy(uow: UnitOfWork, copy_id: str) -> tuple[HandOverView, CopyView]:
    """A copy that the acting person is custodian of, with its hand-over; NotFound for everybody else."""
    hand_over = uow.session.scalar(select(HandOver).join(HandOver.copies).where(Copy.id == copy_id))
    if hand_over is None or hand_over.custodian_id != uow.actor.id:
        raise NotFound(Message("copy"), copy_id)
    view = one(uow, hand_over.id)
    return view, next(shown for shown in view.copies if shown.id == copy_id)


def log(uow: UnitOfWork, hand_over_id: str) -> LogView:
    """The custody log for everyone who may see the case."""
    hand_over = uow.session.get(HandOver, hand_over_id)
    if hand_over is None:
        raise NotFound(Message("hand-over"), hand_over_id)
    if hand_over.custodian_id != uow.actor.id:
        visibility.visible(uow, hand_over.application_id)
    audit_trail.record(uow, "custody-log-read", "hand-over", hand_over_id, application_id=hand_over.application_id)
    entries = custody_log.log_of(uow, hand_over_id)
    people = {entry.person_id for entry in entries}
    return LogView(
        number=uow.session.get_one(Application, hand_over.application_id).number or "",
        entries=entries,
        names={row.id: row.name for row in uow.session.scalars(select(Person).where(Person.id.in_(people)))},
        broken_at=custody_log.broken_at(entries),
    )


def _views(uow: UnitOfWork, query: Select[HandOver]) -> list[HandOverView]:
    """The acting person's hand-overs of the query, in its order; as many statements for one as for a hundred."""
    newest_form = selectinload(Application.revisions).load_only(Revision.round, Revision.sha256)
    of_item = joinedload(Copy.item).options(
        joinedload(Item.camera).joinedload(Camera.recorder), selectinload(Item.retrieval_record)
    )
    hand_overs = uow.session.scalars(
        query.options(
            joinedload(HandOver.application).options(newest_form),
            joinedload(HandOver.given_back),
            selectinload(HandOver.copies).options(of_item, selectinload(Copy.grants)),
            selectinload(HandOver.downloads),
        )
    ).all()
    named = recipients.of_all(uow, [one.application for one in hand_overs])
    agreed = access_queries.valid_agreement(uow, uow.actor.id) is not None
    signs_with = signature_signing.methods(uow, STAGES["receipt"].level)
    return [
        HandOverView(
            hand_over=hand_over,
            number=(application := hand_over.application).number or "",
            state=state_of(hand_over, uow.now),
            purpose=application.purpose,
            way_of_use=application.granted_way_of_use or "view",
            place_of_use=application.place_of_use or "",
            recipients=named[application.id],
            form_sha256=application.revisions[-1].sha256 if application.revisions else "",
            conditions_version=hand_over.conditions_version or uow.rules.policy_version,
            agreed=agreed,
            signs_with=signs_with,
            copies=[_copy(copy) for copy in hand_over.copies],
            downloads=hand_over.downloads,
            given_back=hand_over.given_back,
        )
        for hand_over in hand_overs
    ]


def _copy(copy: Copy) -> CopyView:
    item, camera, record = copy.item, copy.item.camera, copy.item.retrieval_record
    coverage = copy.sealed["coverage"]
    # The recorder's segments and their hashes are the record's business, not the custodian's.
    shown = ("asked", "covered", "gaps", "leadInMs", "tailMs", "codecs", "parts", "firstFrame", "lastFrame", "zero")
    return CopyView(
        id=copy.id,
        item_id=item.id,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        site=camera.recorder.site,
        recorder=camera.recorder.name,
        recorder_clock=json.loads(record.content).get("recorderClock", {}) if record else {},
        record_number=record.number if record else "",
        zone=item.zone,
        size=copy.sealed["plainSize"],
        sha256=copy.sealed["sha256Plain"],
        outcome=copy.sealed["outcome"],
        coverage={name: coverage[name] for name in shown},
        fragments=copy.sealed["fragments"],
        actions=[grant.action for grant in copy.grants if grant.ended_at is None],
    )
