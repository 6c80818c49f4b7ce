"""What the recorder holds before one applies for it (R20)."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.domain.retrieval import recorder_coverage
from services.runtime.errors import Refused
from services.runtime.spans import Span
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Identifier, Moment, SpanAnswer

router = APIRouter(prefix="/api", tags=["applications"])


class CoverageQuestion(Body):
    camera_id: Identifier
    start: Moment
    end: Moment


class CoverageAnswer(Answer):
    """What the recorder holds of a span: ``share`` is 0 to 1, from ``overwrite_at`` on the first may be gone.

    Where it holds nothing, ``nearestBefore`` and ``nearestAfter`` are what it holds next to it, at most a day away.
    ``unread`` names files that may hold what lacks, and are damaged or of a kind that is not read.
    """

    covered: list[SpanAnswer]
    gaps: list[SpanAnswer]
    share: float
    overwrite_at: Moment | None
    zone: str
    nearest_before: SpanAnswer | None
    nearest_after: SpanAnswer | None
    unread: list[str]


@router.get("/coverage", responses=problems(401, 404))
async def read_coverage(
    question: Annotated[CoverageQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    recorders: GivenRecorders,
) -> CoverageAnswer:
    """Ask the recorder what exists of a span, before applying for it."""
    if question.end <= question.start:
        raise Refused("span-backwards", "The end of the time span must be after its start.", status=422, field="end")
    asked = Span(question.start, question.end)
    measured = await recorder_coverage.measure(database, actor, recorders, question.camera_id, asked)
    nearest = measured.nearest or recorder_coverage.Nearest()
    return CoverageAnswer(
        covered=[SpanAnswer.model_validate(span) for span in measured.covered],
        gaps=[SpanAnswer.model_validate(span) for span in measured.gaps],
        share=measured.share,
        overwrite_at=measured.overwrite_at,
        zone=measured.zone,
        nearest_before=SpanAnswer.of(nearest.before),
        nearest_after=SpanAnswer.of(nearest.after),
        unread=list(measured.unread),
    )
