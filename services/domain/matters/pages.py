"""Serve the pages of matters: the list, one of them, and the forms by which they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.keyset import Page
from services.database.tables.applications import Application
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import visibility
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.applications import directory
from services.domain.applications.directory import FoundPeople
from services.domain.matters import queries, service, urgents
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import Kind, lent, loan_obstacle
from services.domain.matters.kinds.problem import PROBLEMS
from services.domain.matters.kinds.urgent import GROUNDS, UrgentRetrieval
from services.domain.matters.schemas import MatterLine, MatterSort, UrgentBody
from services.domain.process import permissions
from services.domain.retrieval import preservations
from services.domain.rules import agreed_limits
from services.runtime.errors import Refused
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
    dates: Sequence[NewDate] = ()
    people: FoundPeople = NOBODY
    signs_with: Sequence[str] = ()
    cameras: int = 0
    hours: int = 0


@router.get("")
async def list_matters(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show the matters that the visitor may see."""
    found = await database.read(
        visitor.actor,
        queries.read,
        wanted.listing(visitor.language),
        state=wanted.state,
        kind=wanted.kind,
        mine=wanted.mine == "true",
    )
    if wanted.as_csv:
        return csv_answer(visitor.translated(NAME), [visitor.translated(one) for one in COLUMNS], _rows(visitor, found))
    return visitor.page("matters/list.html", kinds=KINDS.values(), **wanted.shown_page(found))


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
    asked = {name: typed.text(name) for name in typed.fields if name not in ("csrf_token", "personSearch")}
    try:
        if kind == UrgentRetrieval.code:
            wish = typed.body(UrgentBody)
            matter_id = await database.run(visitor.actor, _call, case, wish)
        else:
            matter_id = await database.run(visitor.actor, _open, kind, case, {k: v for k, v in asked.items() if v})
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _form(visitor, database, kind, case, refusal=refusal, typed=typed)
    return visitor.redirect(f"/matters/{matter_id}", Message("Requested: you will be notified of the decision."))


@router.get("/{matter_id}")
async def read_matter(matter_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one matter."""
    view = await database.read(visitor.actor, queries.get, matter_id)
    return visitor.page("matters/matter.html", view=view)


def _rows(visitor: Visitor, found: Page[MatterLine]) -> list[tuple[str, ...]]:
    return [
        (
            line.number,
            word(visitor.language, f"matter-{line.kind}"),
            line.application_number or "",
            line.opened_by or visitor.translated(SYSTEM),
            lists.written(visitor, line.opened_at),
            word(visitor.language, f"matter-{line.state}"),
        )
        for line in found.lines
    ]


def _open(uow: UnitOfWork, kind: str, application_id: str, asked: dict[str, Any]) -> str:
    return service.open_matter(uow, kind, application_id, asked).id


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
    application = visibility.get_visible(uow, application_id)
    if kind.signed:
        return _read_urgent(uow, kind, application)
    state = permissions.read(uow, application_id)
    obstacle = loan_obstacle(state.hand_over)
    if obstacle is not None:
        raise Refused("not-now", obstacle)
    hand_over = lent(state)
    return NewMatter(
        kind=kind,
        application_id=application_id,
        number=application.number or "",
        title=application.title,
        before=kind.before(uow, state),
        dates=_dates(hand_over.due_at, agreed_limits.latest_due(uow, hand_over)) if kind.code == "extension" else (),
        people=directory.find_people(uow, person, {hand_over.custodian_id}, custodians=True)
        if kind.code == "custody-transfer"
        else NOBODY,
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
