"""Serve the pages of matters: the list, one of them, and the forms by which they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.keyset import Page
from services.database.tables.applications import Application
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import directory
from services.domain.applications.directory import FoundPeople
from services.domain.applications.outsiders import FILMED
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import KINDS as KINDS_OF_FILES
from services.domain.matters import queries, service, urgents
from services.domain.matters.kinds import KINDS, custody_transfer, disclosure
from services.domain.matters.kinds.appeal import Appeal
from services.domain.matters.kinds.base import NOT_LENT, Kind, get_submitted
from services.domain.matters.kinds.problem import PROBLEMS
from services.domain.matters.kinds.urgent import GROUNDS, UrgentRetrieval
from services.domain.matters.kinds.violation import ViolationKind
from services.domain.matters.schemas import (
    AppealBody,
    MatterLine,
    MatterSort,
    ReferralBody,
    ReplyBody,
    SettlementBody,
    TransferBody,
    UrgentBody,
    ViolationBody,
)
from services.domain.matters.violations import acts as violation_acts
from services.domain.matters.violations import by_number
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.retrieval import preservations
from services.domain.rules import agreed_limits
from services.runtime import local_times
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import word
from services.runtime.translations import Message
from services.web import lists
from services.web.csv import csv_answer
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/matters")


def _(message: str) -> str:
    """Mark a label for translation."""
    return message


NAME, SYSTEM = _("Matters"), _("the system")
COLUMNS = (_("Number"), _("Kind"), _("Case number"), _("Asked by"), _("Asked"), _("Status"))
DAYS = (3, 7, 14, 30)  # by which an extension is offered
USUAL_DAYS = 7
NOBODY = FoundPeople()
NOT_ASKED = ("csrf_token", "personSearch", "password", "code", "prepare")
TRANSFER = custody_transfer.CustodyTransfer.code  # which is signed
LISTS = ("outsiderIds",)  # fields with several values


class ListQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(MatterSort)
    FALLING: ClassVar = frozenset({"opened", "number"})

    state: SearchText = ""
    kind: SearchText = ""
    mine: SearchText = ""


@dataclass(frozen=True)
class NewDate:
    """A date that an extension offers: so many days later, or the latest that the rules allow."""

    due_at: datetime
    days: int | None
    usual: bool


@dataclass(frozen=True)
class NewMatter:
    """What the form of a new matter shows: the case, the loan as it is, and what there is to choose."""

    kind: Kind
    application_id: str
    number: str
    title: str | None
    before: dict[str, Any]
    custodian: str = ""
    hand_over_id: str | None = None  # where the visitor holds the copies
    dates: Sequence[NewDate] = ()
    people: FoundPeople = NOBODY
    signs_with: Sequence[str] = ()
    cameras: int = 0
    hours: int = 0
    filmed: bool = False  # a disclosure to a person who was filmed
    redacted: int = 0  # of its files have an approved redacted copy


@router.get("")
async def list_matters(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show the matters that the visitor may see."""
    mine = wanted.mine == "true"

    def read(uow: UnitOfWork) -> tuple[Page[MatterLine], bool]:
        listing = wanted.listing(visitor.language)
        found = queries.read(uow, listing, state=wanted.state, kind=wanted.kind, mine=mine)
        return found, by_number.may_record(uow)

    found, records = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return csv_answer(visitor.translated(NAME), [visitor.translated(one) for one in COLUMNS], _rows(visitor, found))
    return visitor.page("matters/list.html", kinds=KINDS.values(), records=records, **wanted.shown_page(found))


@router.get("/new/{kind}")
async def new_matter(
    kind: str,
    visitor: Visiting,
    database: GivenDatabase,
    case: Identifier,
    person: SearchText = "",
) -> Response:
    """Show the form of a new matter."""
    return await _form(visitor, database, kind, case, person=person)


@router.post("/new/{kind}")
async def open_matter(
    kind: str, visitor: Visiting, typed: Typed, database: GivenDatabase, case: Identifier
) -> Response:
    """Ask for the matter; a refusal shows the form again with what was typed."""
    asked: dict[str, Any] = {
        name: [one for one in typed.all(name) if one] if name in LISTS else typed.text(name)
        for name in typed.fields
        if name not in NOT_ASKED and not name.startswith("passkey")
    }
    try:
        if kind == UrgentRetrieval.code:
            wish = typed.body(UrgentBody)
            matter_id = await database.run(visitor.actor, _call, case, wish)
        else:
            proof = typed.body(TransferBody).proof() if kind == TRANSFER else None
            given = {name: value for name, value in asked.items() if value}
            matter_id = await database.run(visitor.actor, _open, kind, case, given, proof)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _form(visitor, database, kind, case, refusal=refusal, typed=typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("Requested: you will be notified of the decision."))


@router.get("/violations/new")
async def new_violation(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form by which a violation of a case is recorded that the visitor may not see."""
    await database.read(visitor.actor, by_number.require_recorder)
    return visitor.page("matters/by_number.html")


@router.post("/violations/new")
async def record_violation(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record a violation by the number of a case or document; a refusal shows the form again with what was typed."""
    try:
        body = typed.body(ViolationBody)
        matter_id = await database.run(visitor.actor, _record, body)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return visitor.page("matters/by_number.html", refusal.status, refusal=refusal, typed=typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("The violation is recorded."))


@router.get("/{matter_id}")
async def read_matter(matter_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one matter."""
    return visitor.page("matters/matter.html", **await _shown(visitor, database, matter_id))


@router.post("/{matter_id}/reply")
async def reply(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Reply to a violation; a refusal shows the page again with what was typed."""
    try:
        await database.run(visitor.actor, violation_acts.reply, matter_id, typed.body(ReplyBody).text)
    except Refused as refusal:
        return await _again(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("Your reply is recorded; the decision is signed over it."))


@router.post("/{matter_id}/appeal")
async def appeal(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Appeal against the decision of a violation; a refusal shows the page again with what was typed."""
    try:
        appeal_id = await database.run(visitor.actor, _appeal, matter_id, typed.body(AppealBody).reason)
    except Refused as refusal:
        return await _again(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/matters/{appeal_id}", Message("The appeal is sent: management decides it."))


@router.post("/{matter_id}/referral")
async def record_referral(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record that the evidence was handed to the authority."""
    try:
        zone = await database.read(visitor.actor, _zone)
        handed_at = local_times.moment(typed.text("handedAt"), zone)
        body = typed.body(ReferralBody, handedAt=handed_at.isoformat())
        await database.run(
            visitor.actor,
            violation_acts.record_referral,
            matter_id,
            authority=body.authority,
            handed_at=body.handed_at,
            receipt=body.receipt,
            package_sha256=body.package_sha256,
            unknown_package_because=body.unknown_package_because,
        )
    except Refused as refusal:
        return await _again(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("The referral is recorded."))


@router.post("/{matter_id}/settlement")
async def settle(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record that the loss is made good."""
    try:
        body = typed.body(SettlementBody)
        await database.run(visitor.actor, violation_acts.settle, matter_id, account=body.account, amount=body.amount)
    except Refused as refusal:
        return await _again(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("The settlement is recorded."))


@router.post("/violations/{violation_id}/start")
async def start_violation(violation_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Start the handling of a violation that an older release has recorded."""
    matter_id = await database.run(visitor.actor, _start, violation_id)
    return visitor.redirect(f"/matters/{matter_id}", Message("The handling of the violation has started."))


def _record(uow: UnitOfWork, body: ViolationBody) -> str:
    return by_number.record(uow, body.number, body.asked()).id


def _start(uow: UnitOfWork, violation_id: str) -> str:
    return violation_acts.start(uow, violation_id).id


def _appeal(uow: UnitOfWork, matter_id: str, reason: str) -> str:
    view = queries.get(uow, matter_id)
    if view.violation is None:
        raise NotFound(Message("matter"), matter_id)
    asked = {"violationId": matter_id, "reason": reason}
    return service.open_matter(uow, Appeal.code, view.application_id, asked).id


def _zone(uow: UnitOfWork) -> str:
    return uow.rules.zone


async def _again(visitor: Visitor, database: Database, matter_id: str, refusal: Refused, typed: TypedForm) -> Response:
    if refusal.status == 404:
        raise refusal
    shown = await _shown(visitor, database, matter_id)
    return visitor.page("matters/matter.html", refusal.status, **shown, refusal=refusal, typed=typed)


async def _shown(visitor: Visitor, database: Database, matter_id: str) -> dict[str, Any]:
    """Read what the page of a matter shows."""

    def read(uow: UnitOfWork) -> dict[str, Any]:
        view = queries.get(uow, matter_id)
        return {"view": view, "attached": attachment_queries.get_list(uow, "matter", matter_id)}

    more = {"attachment_kinds": KINDS_OF_FILES, "attach_to": f"/matters/{matter_id}"}
    return {**await database.read(visitor.actor, read), **more}


def _rows(visitor: Visitor, found: Page[MatterLine]) -> list[tuple[str, ...]]:
    return [
        (
            line.number,
            word(visitor.language, f"matter-{line.kind}"),
            line.application_number or "",
            line.opened_by or ("" if line.kind == ViolationKind.code else visitor.translated(SYSTEM)),
            lists.written(visitor, line.opened_at),
            word(visitor.language, f"matter-{line.state}"),
        )
        for line in found.lines
    ]


def _open(uow: UnitOfWork, kind: str, application_id: str, asked: dict[str, Any], proof: Proof | None) -> str:
    return service.open_matter(uow, kind, application_id, asked, proof).id


def _call(uow: UnitOfWork, application_id: str, wish: UrgentBody) -> str:
    return urgents.call(uow, application_id, {"ground": wish.ground, "reason": wish.reason}, wish.proof()).id


async def _form(
    visitor: Visitor,
    database: Database,
    kind: str,
    application_id: str,
    *,
    person: str = "",
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    view = await database.read(visitor.actor, _read_new, kind, application_id, person)
    status = refusal.status if refusal else 200
    return visitor.page(
        "matters/new.html",
        status,
        view=view,
        refusal=refusal,
        typed=typed,
        person=person,
        problems=PROBLEMS,
        grounds=GROUNDS,
    )


def _read_new(uow: UnitOfWork, kind_code: str, application_id: str, person: str) -> NewMatter:
    kind = service.find_kind(kind_code)
    if kind.code == Appeal.code:  # its form is on the page of the violation
        raise NotFound(Message("kind of matter"), kind_code)
    if kind.signed:
        return _read_urgent(uow, kind, visibility.get_visible(uow, application_id))
    application = get_submitted(uow, application_id)
    state = permissions.read(uow, application_id)
    hand_over = kind.loan_of(uow, application, state.hand_over)
    obstacle = kind.unavailable(hand_over)
    if obstacle is not None or hand_over is None:
        raise Refused("not-now", obstacle or NOT_LENT)
    before = kind.before(uow, state)
    return NewMatter(
        kind=kind,
        application_id=application_id,
        number=application.number or "",
        title=application.title,
        before=before,
        custodian=access_queries.get_names(uow, [hand_over.custodian_id])[hand_over.custodian_id],
        hand_over_id=hand_over.id if hand_over.custodian_id == uow.actor.id else None,
        dates=_dates(hand_over.due_at, agreed_limits.latest_due(uow, hand_over)) if kind.code == "extension" else (),
        people=_people(uow, state, kind, hand_over.custodian_id, person),
        signs_with=list(signature_signing.methods(uow, "password")) if kind.code == TRANSFER else (),
        filmed=application.on_behalf == FILMED,
        redacted=disclosure.count_redacted(uow, before["files"]) if kind.code == "disclosure" else 0,
    )


def _read_urgent(uow: UnitOfWork, kind: Kind, application: Application) -> NewMatter:
    """Read the form of a call; of a draft it shows what is saved, which is submitted in the same act."""
    items = preservations.items_in_scope(uow, application.id)
    signs_with = list(signature_signing.methods(uow, "password+totp"))
    return NewMatter(
        kind=kind,
        application_id=application.id,
        number=application.number or "",
        title=application.title,
        before={"items": items, "draft": application.submitted_at is None},
        signs_with=signs_with,
        cameras=uow.rules.urgent_cameras,
        hours=uow.rules.urgent_span // timedelta(hours=1),
    )


def _people(uow: UnitOfWork, state: CaseState, kind: Kind, custodian_id: str, search: str) -> FoundPeople:
    """Find whom the form offers: new custodians, or who may be accused beside the custodian."""
    if kind.code == TRANSFER:
        return directory.find_people(uow, search, custody_transfer.unfit_people(uow, state), custodians=True)
    if kind.code == ViolationKind.code:
        unfit = {custodian_id, str(uow.actor.id), *state.application.subject_ids}
        return directory.find_people(uow, search, unfit)
    return NOBODY


def _dates(due_at: datetime | None, latest: datetime) -> list[NewDate]:
    """Return the dates that are offered, the latest possible one last."""
    if due_at is None or latest <= due_at:
        return []
    later = [(due_at + timedelta(days=days), days) for days in DAYS]
    possible = [(moment, days) for moment, days in later if moment < latest]
    usual = max((days for _, days in possible if days <= USUAL_DAYS), default=None)
    return [
        *(NewDate(moment, days, days == usual) for moment, days in possible),
        NewDate(latest, None, usual is None),
    ]
