"""One person: details, posts, absences, and what becomes of the account."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import absences, posts, staff, staff_queries
from services.domain.accounts.api.people import PersonBody
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.staff import InitialPassword
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web import days
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/people/{person_id}")

ACTS = {
    "deactivate": (
        staff.deactivate,
        Message("The account is deactivated, and its sessions ended."),
    ),
    "activate": (staff.activate, Message("The account is active again.")),
    "unlock": (staff.unlock, Message("The account is unlocked.")),
    "reset-second-factor": (
        staff.reset_second_factor,
        Message("The second factor is reset, and the sessions are ended."),
    ),
    "end-passkeys": (
        staff.end_passkeys,
        Message("The passkeys sign no more, and the sessions are ended."),
    ),
    "unbind-identity": (
        staff.unbind_identity,
        Message("The account of the provider is unbound, and the sessions are ended."),
    ),
}


@router.get("")
async def read_person(person_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Everything of one person's account."""
    return await _page(visitor, database, person_id)


@router.post("")
async def change_person(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change what is known of a person."""
    try:
        await database.run(visitor.actor, staff.change_person, person_id, typed.body(PersonBody).details())
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _back(visitor, person_id, Message("Saved."))


@router.post("/initial-password")
async def new_password(person_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """A fresh first password, shown once."""
    try:
        initial = await staff.reset_password(database, visitor.actor, person_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return first_password(visitor, initial, new=False)


@router.post("/posts")
async def give_post(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Give a post, from the first day to the last."""
    try:
        asked = PostRequest(
            typed.text("kind"),
            typed.text("postDepartment"),
            days.optional(typed.text("since"), visitor.zone, "since"),
            days.optional(typed.text("until"), visitor.zone, "until", last=True),
        )
        await database.run(visitor.actor, posts.assign, person_id, asked)
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _back(visitor, person_id, Message("The post is given."))


@router.post("/posts/{post_id}/end")
async def end_post(person_id: str, post_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """End a post now."""
    try:
        await database.run(visitor.actor, posts.end, post_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _back(visitor, person_id, Message("The post is ended."))


@router.post("/absences")
async def enter_absence(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Have the person away for some days."""
    try:
        since, until = days.span(typed.text("absence-since"), typed.text("absence-until"), visitor.zone)
        await database.run(visitor.actor, absences.add, person_id, since=since, until=until)
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _back(visitor, person_id, Message("The absence is entered."))


@router.post("/absences/{absence_id}/end")
async def end_absence(person_id: str, absence_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """The person is back."""
    try:
        await database.run(visitor.actor, absences.end, absence_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _back(visitor, person_id, Message("The absence is ended."))


@router.post("/{act}")
async def act_on_account(person_id: str, act: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Deactivate, activate, unlock, reset the second factor, end the passkeys, or unbind the provider's account."""
    if act not in ACTS:
        raise NotFound(Message("act"), act)
    do, message = ACTS[act]
    try:
        await database.run(visitor.actor, do, person_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _back(visitor, person_id, message)


def first_password(visitor: Visitor, initial: InitialPassword, *, new: bool) -> Response:
    """The page that tells a first password, once."""
    kept = {"Cache-Control": "no-store"}
    return visitor.page("accounts/first_password.html", headers=kept, initial=initial, new=new)


def _back(visitor: Visitor, person_id: str, message: Text) -> Response:
    return visitor.redirect(f"/admin/people/{person_id}", message)


async def _page(
    visitor: Visitor,
    database: Database,
    person_id: str,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    """The person's page. Whoever may not read it is refused here, whatever was refused before."""

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {"view": staff_queries.get_person(uow, person_id), "departments": staff.list_departments(uow)}

    facts = await database.run(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "accounts/person.html", status=status, kinds=STAGES.posts, typed=typed, refusal=refusal, **facts
    )
