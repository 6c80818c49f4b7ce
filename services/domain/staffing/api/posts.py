"""Serve who holds each post, who stands in, and when nobody does."""

from fastapi import APIRouter

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.schemas import DepartmentAnswer
from services.domain.staffing import posts_overview
from services.domain.staffing.posts_overview import State
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Moment

router = APIRouter(prefix="/api/posts", tags=["people"])


class AwayAnswer(Answer):
    since: Moment
    until: Moment


class PostHolder(Answer):
    """Who holds the post now or within two weeks; ``agreed``: the confidentiality agreement is valid now."""

    person_id: str
    name: str
    since: Moment
    until: Moment | None
    away: list[AwayAnswer]
    agreed: bool


class PostTurn(Answer):
    """Whose turn it is; in state ``nobody`` nobody is there."""

    since: Moment
    until: Moment
    state: State
    names: list[str]


class PostLine(Answer):
    """A post; ``department`` is null for one of the whole organisation."""

    kind: str
    department: DepartmentAnswer | None
    holders: list[PostHolder]
    turns: list[PostTurn]


class PostsAnswer(Answer):
    since: Moment
    until: Moment
    gaps: int
    posts: list[PostLine]


@router.get("", responses=problems(401, 403))
async def read_posts(actor: Acting, database: GivenDatabase, only_gaps: bool = False) -> PostsAnswer:
    """List the posts with who holds them and who stands in, for two weeks; heads see their own departments."""

    def read(uow: UnitOfWork) -> PostsAnswer:
        return PostsAnswer.model_validate(posts_overview.get_overview(uow, only_gaps=only_gaps))

    return await database.read(actor, read)
