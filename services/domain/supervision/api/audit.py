"""What supervisors read, as JSON: the policy's coverage, the audit trail, who saw a moment, statistics (R62, R63)."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.process.model_library import ModelLibrary
from services.domain.supervision import breaches, coverage, footage_viewers, refused_access, statistics, trail_reader
from services.domain.supervision.audit_schemas import (
    BreachLine,
    CoveredRequirement,
    FootageLook,
    PolicyCoverage,
    RefusalsView,
    Statistics,
    TrailEvent,
    TrailLine,
)
from services.domain.supervision.footage_viewers import Question
from services.domain.supervision.trail_reader import TrailSearch
from services.web.dependencies import GivenDatabase, given
from services.web.errors import problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Body, Code, Identifier, Moment, Note, PageParameters, PlaceText, SearchText

router = APIRouter(prefix="/api", tags=["supervision"])
PAGE = 50
Limit = Annotated[int, Field(ge=1, le=200)]
READS = problems(401, 403)


async def library(request: Request) -> ModelLibrary:
    return cast("ModelLibrary", given(request, "models"))


GivenModels = Annotated[ModelLibrary, Depends(library)]


class LooksQuestion(Body):
    """Which footage: a camera and a span in the recorder's time. ``purpose`` is why it is asked, kept in the trail."""

    camera_id: Identifier
    start: Moment
    end: Moment
    purpose: Note
    limit: Limit = PAGE
    place: PlaceText = ""


class TrailQuestion(Body):
    """``person``: a name, a login, or a part of the product; ``number``: of a case. Readings only with ``looks``."""

    person: SearchText = ""
    action: Code = ""
    number: Code = ""
    since: Moment | None = None
    until: Moment | None = None
    looks: bool = False
    limit: Limit = PAGE
    place: PlaceText = ""


@router.get("/policy/coverage", responses=READS)
async def read_coverage(actor: Acting, database: GivenDatabase, models: GivenModels) -> PolicyCoverage:
    """Return what is done about each requirement of the policy, what shows it, and how many cases broke it."""
    return await database.read(actor, coverage.read_coverage, models)


@router.get("/policy/coverage/{requirement}", responses=problems(401, 403, 404))
async def read_requirement(
    requirement: Identifier, actor: Acting, database: GivenDatabase, models: GivenModels
) -> CoveredRequirement:
    """Return one requirement of the policy, by its number such as R41."""
    return await database.read(actor, coverage.read_requirement, models, requirement)


@router.get("/policy/coverage/{requirement}/cases", responses=READS)
async def list_breaches(
    requirement: Identifier,
    question: Annotated[PageParameters, Query()],
    actor: Acting,
    database: GivenDatabase,
    *,
    paged: Paged,
) -> list[BreachLine]:
    """Return what broke the requirement, the newest first. `Link` has the pages around this one."""
    return paged.lines(
        await database.read(actor, breaches.read_page, requirement, limit=question.limit, place=question.place)
    )


@router.get("/audit/footage-viewers", responses=problems(401, 403, 404, 422))
async def list_footage_viewers(
    question: Annotated[LooksQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[FootageLook]:
    """Return who saw or got any footage of a camera and a span, the newest first; each page that is read is an event.

    `Link` has the pages around this one.
    """

    def read(uow: UnitOfWork) -> list[FootageLook]:
        span = footage_viewers.span_of(question.start, question.end)
        wanted = Question(question.camera_id, span, question.purpose)
        return paged.lines(footage_viewers.read_page(uow, wanted, limit=question.limit, place=question.place))

    return await database.read(actor, read)


@router.get("/audit/events", responses=READS)
async def list_events(
    question: Annotated[TrailQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[TrailLine]:
    """Return the audit trail, the newest first; each page that is read is an event. `Link` has the pages around."""
    wanted = TrailSearch(**question.model_dump(exclude={"limit", "place"}))

    def read(uow: UnitOfWork) -> list[TrailLine]:
        return paged.lines(trail_reader.read_page(uow, wanted, limit=question.limit, place=question.place))

    return await database.read(actor, read)


@router.get("/audit/events/{seq}", responses=problems(401, 403, 404))
async def read_event(seq: int, actor: Acting, database: GivenDatabase) -> TrailEvent:
    """Return one event with its details, its place in the tree of the trail and the proof of it."""
    return await database.read(actor, trail_reader.read_event, seq)


@router.get("/statistics", responses=READS)
async def read_statistics(
    actor: Acting,
    database: GivenDatabase,
    months: Annotated[int, Query(ge=statistics.FEWEST_MONTHS, le=statistics.MOST_MONTHS)] = 12,
    department_id: Annotated[str, Query(max_length=64)] = "",
) -> Statistics:
    """Return the figures of the last months, of all departments or one; lengths in seconds."""
    return await database.read(
        actor, lambda uow: statistics.read_statistics(uow, months=months, department_id=department_id)
    )


@router.get("/refusals/{person_id}", responses=problems(401, 403, 404))
async def read_refusals(person_id: Identifier, actor: Acting, database: GivenDatabase) -> RefusalsView:
    """Return what was refused to a person of late."""
    return await database.read(actor, refused_access.read, person_id)
