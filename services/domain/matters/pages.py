"""Serve the pages of matters: the list, one of them, and the forms by which they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.keyset import Page
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications.directory import FoundPeople
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import KINDS as KINDS_OF_FILES
from services.domain.matters import attached, queries, service
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.appeal import Appeal
from services.domain.matters.kinds.base import Kind
from services.domain.matters.schemas import (
    AppealBody,
    MatterLine,
    MatterSort,
    ReferralBody,
    ReplyBody,
    SettlementBody,
    ViolationBody,
)
from services.domain.matters.violations import acts as violation_acts
from services.domain.matters.violations import by_number
from services.runtime import local_times
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import word
from services.runtime.translations import Message
from services.web import lists
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
NOT_ASKED = ("csrf_token", "personSearch", "password", "code", "prepare")


class ListQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(MatterSort)
    FALLING: ClassVar = frozenset({"opened", "number"})

    state: SearchText = ""
    kind: SearchText = ""
    mine: SearchText = ""


@dataclass(frozen=True)
class NewMatter:
    """What the form of a new matter shows: the case, the loan as it is, and what there is to choose."""

    kind: Kind
    application_id: str
    number: str
    title: str | None
    before: dict[str, Any]
    custodian: str
    hand_over_id: str | None
    people: FoundPeople
    more: Mapping[str, Any]
    signs_with: Sequence[str]

    @property
    def template(self) -> str:
        """The template of the kind's fields."""
        return f"matters/new/{self.kind.code}.html"


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
        return lists.csv_answer(
            visitor, visitor.translated(NAME), [visitor.translated(one) for one in COLUMNS], _rows(visitor, found)
        )
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
    of_kind = service.find_kind(kind)
    asked: dict[str, Any] = {
        name: [one for one in typed.all(name) if one] if name in of_kind.lists else typed.text(name)
        for name in typed.fields
        if name not in NOT_ASKED and not name.startswith("passkey")
    }
    try:
        proof = typed.body(of_kind.form_body).proof() if of_kind.form_body is not None else None
        given = {name: value for name, value in asked.items() if value}
        matter_id = await database.run(visitor.actor, _ask, of_kind, case, given, proof)
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


@router.post("/{matter_id}/withdraw")
async def withdraw(matter_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Withdraw what was asked about a loan; a refusal shows the page with the reason."""
    try:
        await database.run(visitor.actor, _withdraw, matter_id)
    except Refused as refusal:
        return await _again(visitor, database, matter_id, refusal, typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("Withdrawn: it will not be decided."))


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


def _withdraw(uow: UnitOfWork, matter_id: str) -> None:
    service.withdraw(uow, matter_id)


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
        row, view = queries.get_row(uow, matter_id)
        reading = attached.reading_of(uow, row)
        return {"view": view, "attached": attachment_queries.list_for(uow, "matter", matter_id, reading)}

    more = {"attachment_kinds": KINDS_OF_FILES, "attach_to": f"/matters/{matter_id}"}
    return {**await database.read(visitor.actor, read), **more}


def _rows(visitor: Visitor, found: Page[MatterLine]) -> list[tuple[str, ...]]:
    return [
        (
            line.number,
            word(visitor.language, f"matter-{line.kind}"),
            line.application_number or "",
            line.opened_by or ("" if KINDS[line.kind].hides_opener else visitor.translated(SYSTEM)),
            lists.written(visitor, line.opened_at),
            word(visitor.language, f"matter-{line.state}"),
        )
        for line in found.lines
    ]


def _ask(uow: UnitOfWork, kind: Kind, application_id: str, asked: dict[str, Any], proof: Proof | None) -> str:
    return kind.ask(uow, application_id, asked, proof).id


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
    return visitor.page("matters/new.html", status, view=view, refusal=refusal, typed=typed, person=person)


def _read_new(uow: UnitOfWork, kind_code: str, application_id: str, person: str) -> NewMatter:
    kind = service.find_kind(kind_code)
    if not kind.has_form:
        raise NotFound(Message("kind of matter"), kind_code)
    form = kind.form(uow, application_id, person)
    return NewMatter(
        kind=kind,
        application_id=application_id,
        number=form.application.number or "",
        title=form.application.title,
        before=form.before,
        custodian=form.custodian,
        hand_over_id=form.hand_over_id,
        people=form.people,
        more=form.more,
        signs_with=list(signature_signing.methods(uow, kind.form_level)) if kind.form_body is not None else (),
    )
