"""A person's own saved searches of the register."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import saved_searches
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Moment, one_line

router = APIRouter(prefix="/api/register/searches", tags=["register"])

Name = Annotated[str, Field(min_length=1, max_length=saved_searches.LONGEST_NAME), AfterValidator(one_line)]


class SearchName(Body):
    name: Name


class NewSearch(SearchName):
    """``query`` is a query string of the page `/register`, such as `state=in-use&camera=…`."""

    query: Annotated[str, Field(max_length=saved_searches.LONGEST_QUERY), AfterValidator(one_line)]


class SavedSearchAnswer(Answer):
    id: str
    name: str
    query: str
    saved_at: Moment


@router.get("", responses=problems(401))
async def list_searches(actor: Acting, database: GivenDatabase) -> list[SavedSearchAnswer]:
    """Return my saved searches, by name."""

    def read(uow: UnitOfWork) -> list[SavedSearchAnswer]:
        return [SavedSearchAnswer.model_validate(row) for row in saved_searches.list_own(uow)]

    return await database.read(actor, read)


@router.post("", status_code=201, responses=problems(*USUAL))
async def save_search(body: NewSearch, actor: Acting, database: GivenDatabase) -> SavedSearchAnswer:
    """Save a search by a name that none of mine has; 30 at most."""
    row = await database.run(actor, saved_searches.save, name=body.name, query=body.query)
    return SavedSearchAnswer.model_validate(row)


@router.put("/{search_id}", responses=problems(*USUAL))
async def rename_search(search_id: str, body: SearchName, actor: Acting, database: GivenDatabase) -> SavedSearchAnswer:
    """Give one of my saved searches another name."""
    row = await database.run(actor, saved_searches.rename, search_id=search_id, name=body.name)
    return SavedSearchAnswer.model_validate(row)


@router.delete("/{search_id}", status_code=204, responses=problems(*USUAL))
async def delete_search(search_id: str, actor: Acting, database: GivenDatabase) -> None:
    """Delete one of my saved searches."""
    await database.run(actor, saved_searches.delete, search_id)
