"""Serve the page of the legal holds: the list, and what is done with one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.tables.holds import CAUSES
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.bodies import Signing
from services.domain.holds import queries, service
from services.domain.holds.schemas import HoldBody, HoldsAnswer, LiftBody, ReviewBody
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web import days
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/holds")


class _PlaceForm(HoldBody):
    """As the body of the API, with the day on which the hold is to be reviewed."""

    review_day: str = ""


@dataclass(frozen=True)
class _Shown:
    view: HoldsAnswer
    lifted: HoldsAnswer
    people: list[tuple[str, str]]
    with_code: bool
    longest: int


@router.get("")
async def list_holds(
    visitor: Visiting, database: GivenDatabase, number: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Show the holds; ``number`` is that of a case to hold."""
    return await _page(visitor, database, number=number)


@router.post("")
async def place_hold(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Hold a case."""
    try:
        body = typed.body(_PlaceForm)
        named = body.model_dump(exclude={"number", "review_day"})
        until = days.optional(body.review_day, visitor.zone, "reviewDay")
        await database.run(visitor.actor, service.place, body.number, **{**named, "review_at": until})
    except Refused as refusal:
        return await _page(visitor, database, refusal, typed)
    return visitor.redirect("/holds", Message("The case is held: nothing of it is discarded or disposed of."))


@router.post("/{legal_hold_id}/{act}")
async def act_on_hold(
    legal_hold_id: str, act: str, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Review a hold, ask to lift it, keep it, or lift it as the second person."""
    if act not in ACTS:
        raise NotFound(Message("action"), act)
    carry_out, message = ACTS[act]
    try:
        await database.run(visitor.actor, carry_out(typed), legal_hold_id)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, refusal)
    return visitor.redirect("/holds", message)


Act = Callable[[UnitOfWork, str], object]


def _review(typed: TypedForm) -> Act:
    body = typed.body(ReviewBody)
    return lambda uow, hold_id: service.review(uow, hold_id, body.owner_id)


def _ask(typed: TypedForm) -> Act:
    body = typed.body(LiftBody)
    return lambda uow, hold_id: service.ask_lift(uow, hold_id, body.because)


def _keep(_typed: TypedForm) -> Act:
    return service.withdraw_lift


def _confirm(typed: TypedForm) -> Act:
    proof = typed.body(Signing).proof()
    return lambda uow, hold_id: service.confirm_lift(uow, hold_id, proof)


ACTS: dict[str, tuple[Callable[[TypedForm], Act], Text]] = {
    "review": (_review, Message("The hold stays, and is reviewed again later.")),
    "ask-lift": (_ask, Message("Requested: another head or deputy of Legal or Security has to confirm it.")),
    "keep": (_keep, Message("The hold stays.")),
    "confirm-lift": (_confirm, Message("The hold was lifted.")),
}


async def _page(
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    number: str = "",
) -> Response:
    def read(uow: UnitOfWork) -> _Shown | None:
        if not queries.may_read(uow):
            return None
        return _Shown(
            queries.list_open(uow),
            queries.list_open(uow, lifted=True),
            queries.list_people(uow),
            "totp" in signing.methods(uow, service.LEVEL),
            uow.rules.hold_review.days,
        )

    shown = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "holds/holds.html", status=status, shown=shown, refusal=refusal, typed=typed, number=number, causes=CAUSES
    )
