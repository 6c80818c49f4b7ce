"""The page of the policy's coverage, and of one requirement with the cases that broke it (R62)."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.keyset import Page
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import event_messages
from services.domain.supervision import breaches, coverage
from services.domain.supervision.api.audit import PAGE, GivenModels
from services.domain.supervision.audit_schemas import BreachLine, CoveredRequirement
from services.runtime.labels import word
from services.web.dependencies import GivenDatabase
from services.web.schemas import PlaceText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision")


@router.get("")
async def show_coverage(visitor: Visiting, database: GivenDatabase, models: GivenModels) -> Response:
    """Return all requirements: how each is met, by which elements, which tests show it, how many cases broke it."""
    found = await database.read(visitor.actor, coverage.read_coverage, models)
    return visitor.page("supervision/coverage.html", coverage=found)


@router.get("/requirements/{requirement}")
async def show_requirement(
    requirement: str,
    visitor: Visiting,
    database: GivenDatabase,
    models: GivenModels,
    place: Annotated[PlaceText, Query()] = "",
) -> Response:
    """Return one requirement with its elements and tests, and what broke it."""

    def read(uow: UnitOfWork) -> tuple[CoveredRequirement, Page[BreachLine]]:
        return (
            coverage.read_requirement(uow, models, requirement),
            breaches.read_page(uow, requirement, limit=PAGE, place=place),
        )

    covered, found = await database.read(visitor.actor, read)
    return visitor.page(
        "supervision/requirement.html", requirement=covered, found=found, words=lambda line: _words(visitor, line)
    )


def _words(visitor: Visitor, line: BreachLine) -> str:
    """Return what broke it, in the visitor's language."""
    if line.source == "event":
        said = event_messages.describe(visitor.language, line.code, {}, visitor.zone)
        return said.rstrip(":： ")  # before details, which are in the audit trail
    words = line.zh if visitor.language == "zh" else line.en
    return words or word(visitor.language, f"problem-{line.code}" if line.source == "problem" else line.code)
