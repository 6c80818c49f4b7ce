"""Saving a search of the register, and choosing its columns: each person's own."""

from urllib.parse import parse_qsl

from fastapi import APIRouter
from fastapi.responses import Response

from services.domain.cases import saved_searches
from services.domain.cases.pages.register_view import ListQuery, show
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting

router = APIRouter(prefix="/register")


@router.post("/searches")
async def save(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Save the search that the page shows."""
    try:
        row = await database.run(visitor.actor, saved_searches.save, name=typed.text("name"), query=typed.text("query"))
    except Refused as refusal:
        return await show(visitor, database, _wanted(typed), refusal=refusal, typed=typed)
    return visitor.redirect(f"/register?{row.query}", Message("The search “{name}” is saved.", name=row.name))


@router.post("/searches/{search_id}")
async def rename(search_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Give a saved search another name."""
    try:
        row = await database.run(visitor.actor, saved_searches.rename, search_id=search_id, name=typed.text("name"))
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await show(visitor, database, _wanted(typed), refusal=refusal)
    return visitor.redirect(_back(typed), Message("The search “{name}” is saved.", name=row.name))


@router.post("/searches/{search_id}/delete")
async def delete(search_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Delete a saved search."""
    await database.run(visitor.actor, saved_searches.delete, search_id)
    return visitor.redirect(_back(typed), Message("The search is deleted."))


@router.post("/columns")
async def choose_columns(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Choose the columns, or go back to the usual ones."""
    chosen = None if typed.text("act") == "usual" else typed.all("columns")
    await database.run(visitor.actor, saved_searches.choose_columns, chosen)
    return visitor.redirect(_back(typed))


def _wanted(typed: TypedForm) -> ListQuery:
    """Return the search that was shown; any list for a query that is none."""
    try:
        return ListQuery.model_validate(dict(parse_qsl(saved_searches.known_part(typed.text("query")))))
    except ValueError:
        return ListQuery.model_validate({})


def _back(typed: TypedForm) -> str:
    try:
        query = saved_searches.known_part(typed.text("query"))
    except Refused:
        query = ""
    return f"/register?{query}" if query else "/register"
