"""Serve the page of one person: details, posts, absences, account."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import absences, posts, staff, staff_queries
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.schemas import PersonBody
from services.domain.accounts.staff import InitialPassword
from services.domain.staffing import leaving
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
        Message("The account was deactivated, and its sessions were ended."),
    ),
    "leave": (leaving.leave, Message("Recorded: the account ends when the last copies are transferred or returned.")),
    "stay": (leaving.stay, Message("Withdrawn: the person stays. Posts have to be assigned again.")),
    "activate": (staff.activate, Message("The account was activated.")),
    "unlock": (staff.unlock, Message("The account was unlocked.")),
    "reset-second-factor": (
        staff.reset_second_factor,
        Message("The second factor was reset, and the sessions were ended."),
    ),
    "end-passkeys": (
        staff.end_passkeys,
        Message("The passkeys were revoked, and the sessions were ended."),
    ),
    "unbind-identity": (
        staff.unbind_identity,
        Message("The identity provider account was unlinked, and the sessions were ended."),
    ),
}


@router.get("")
async def read_person(person_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one person's account."""
    return await _page(visitor, database, person_id)


@router.post("")
async def change_person(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a person's details."""
    try:
        await database.run(visitor.actor, staff.change_person, person_id, typed.body(PersonBody).details())
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _redirect(visitor, person_id, Message("Saved."))


@router.post("/initial-password")
async def new_password(person_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Set an initial password and show it once."""
    try:
        initial = await staff.reset_password(database, visitor.actor, person_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return first_password(visitor, initial, new=False)


@router.post("/posts")
async def assign_post(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Assign a post, from the first day to the last."""
    try:
        request = PostRequest(
            typed.text("kind"),
            typed.text("postDepartment"),
            days.optional(typed.text("since"), visitor.zone, "since"),
            days.optional(typed.text("until"), visitor.zone, "until", last=True),
        )
        await database.run(visitor.actor, posts.assign, person_id, request)
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _redirect(visitor, person_id, Message("The post was assigned."))


@router.post("/posts/{post_id}/end")
async def end_post(person_id: str, post_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """End a post now."""
    try:
        await database.run(visitor.actor, posts.end, post_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _redirect(visitor, person_id, Message("The post was ended."))


@router.post("/absences")
async def add_absence(person_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add an absence of some days."""
    try:
        since, until = days.span(typed.text("absence-since"), typed.text("absence-until"), visitor.zone)
        await database.run(visitor.actor, absences.add, person_id, since=since, until=until)
    except Refused as refusal:
        return await _page(visitor, database, person_id, typed, refusal)
    return _redirect(visitor, person_id, Message("The absence was added."))


@router.post("/absences/{absence_id}/confirm")
async def confirm_absence(person_id: str, absence_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Confirm an absence, so that others stand in at once."""
    try:
        await database.run(visitor.actor, absences.confirm, absence_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _redirect(visitor, person_id, Message("The absence was confirmed."))


@router.post("/absences/{absence_id}/end")
async def end_absence(person_id: str, absence_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """End an absence."""
    try:
        await database.run(visitor.actor, absences.end, absence_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _redirect(visitor, person_id, Message("The absence was ended."))


@router.post("/{act}")
async def act_on_account(person_id: str, act: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Carry out one of ``ACTS`` on the account."""
    if act not in ACTS:
        raise NotFound(Message("action"), act)
    change, message = ACTS[act]
    try:
        await database.run(visitor.actor, change, person_id)
    except Refused as refusal:
        return await _page(visitor, database, person_id, None, refusal)
    return _redirect(visitor, person_id, message)


def first_password(visitor: Visitor, initial: InitialPassword, *, new: bool) -> Response:
    """Show an initial password once."""
    headers = {"Cache-Control": "no-store"}
    return visitor.page("accounts/first_password.html", headers=headers, initial=initial, new=new)


def _redirect(visitor: Visitor, person_id: str, message: Text) -> Response:
    return visitor.redirect(f"/admin/people/{person_id}", message)


async def _page(
    visitor: Visitor,
    database: Database,
    person_id: str,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    """Show the person's page.

    People who may not read it are refused here, even after another refusal.
    """

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {"view": staff_queries.get_person(uow, person_id), "departments": staff.list_departments(uow)}

    facts = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "accounts/person.html", status=status, kinds=STAGES.posts, typed=typed, refusal=refusal, **facts
    )
