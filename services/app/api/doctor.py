"""Serve the results of the command ``doctor`` to administrators."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, cast

from fastapi import APIRouter, Request

from services.domain.access import administrators
from services.runtime.errors import Refused
from services.runtime.translations import Text
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer

router = APIRouter(prefix="/api/admin/doctor", tags=["administration"])


class Line(Protocol):
    """One part: whether it is well, and a sentence on its state or on what to do, in each language."""

    @property
    def part(self) -> str: ...
    @property
    def title(self) -> Text: ...
    @property
    def well(self) -> bool: ...
    @property
    def message(self) -> Text: ...
    @property
    def sentence(self) -> str: ...
    @property
    def zh(self) -> str: ...


Examine = Callable[[], Awaitable[Sequence[Line]]]


class LineAnswer(Answer):
    part: str
    well: bool
    sentence: str  # in English
    zh: str


def doctor(request: Request) -> Examine:
    """Return the process's examination; Refused (404) if it has none."""
    examine = request.app.state.dependencies.get("doctor")
    if examine is None:
        raise Refused(
            "no-doctor",
            "This process cannot run the checks itself: run footage-desk doctor on the server.",
            status=404,
        )
    return cast("Examine", examine)


@router.get("", responses=problems(401, 403, 404))
async def examine(actor: Acting, database: GivenDatabase, request: Request) -> list[LineAnswer]:
    """Every part of the set-up, looked at now. Administrators only; nothing secret is in it."""
    await database.read(actor, administrators.require_administrator)
    return [LineAnswer.model_validate(line) for line in await doctor(request)()]
