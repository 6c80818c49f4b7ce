"""What belongs to a review beside its form: what exists of each item, and what came back with a return (R34, R39)."""

from typing import Any

from fastapi import APIRouter

from services.domain.cases import item_coverage, review_sheets
from services.domain.cases.review_sheets import ReturnSheet
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Moment, SpanAnswer

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


class CoverageTrouble(Answer):
    zh: str
    en: str


class ItemCoverageAnswer(Answer):
    """One item: its granted span, what exists of it, and its recorder's clock. ``asked_now``: the recorder said so.

    ``searched…`` is where it is looked for because of that clock: ``covered``, ``gaps`` and ``share`` are of that.
    ``clock_too_far``: the granted span alone, and somebody has to say which time is meant.
    """

    item_id: str
    position: int
    camera_zh: str
    camera_en: str
    start: Moment
    end: Moment
    covered: list[SpanAnswer]
    gaps: list[SpanAnswer]
    share: float
    asked_now: bool
    trouble: CoverageTrouble | None
    overwrite_at: Moment | None
    held: bool
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    measured_at: Moment | None
    searched_start: Moment
    searched_end: Moment
    clock_too_far: bool


class CopyBackAnswer(Answer):
    """A lent copy; ``matches`` tells whether its stored bytes are still what was sealed."""

    id: str
    item_id: str
    sha256: str
    size: int
    matches: bool | None


class DownloadBackAnswer(Answer):
    """A download and what the custodian attested of it."""

    id: str
    copy_id: str
    medium: str
    asked_at: Moment
    finished_at: Moment | None
    fate: str | None
    note: str


class ReturnSheetAnswer(Answer):
    """What was lent, what came back, and what the automatic inspection found."""

    custodian: str
    accepted_at: Moment | None
    due_at: Moment | None
    returned_at: Moment | None
    return_to: str
    statement_sha256: str
    copies: list[CopyBackAnswer]
    downloads: list[DownloadBackAnswer]
    inspected_at: Moment | None
    findings: list[dict[str, Any]]


@router.get("/{review_id}/coverage", responses=problems(401, 404))
async def read_coverage(
    review_id: str, actor: Acting, database: GivenDatabase, recorders: GivenRecorders
) -> list[ItemCoverageAnswer]:
    """What exists of each item now; of what was retrieved, what the vault holds."""
    places = await database.run(actor, review_sheets.places, review_id)
    return [_coverage(one) for one in await item_coverage.look(places, recorders)]


@router.get("/{review_id}/return", responses=problems(401, 404))
async def read_return(review_id: str, actor: Acting, database: GivenDatabase) -> ReturnSheetAnswer:
    """What a return inspection is about."""
    return _return(await database.run(actor, review_sheets.return_of, review_id))


def _coverage(one: item_coverage.ItemCoverage) -> ItemCoverageAnswer:
    item, recorder = one.item, one.item.recorder
    return ItemCoverageAnswer(
        item_id=item.id,
        position=item.position,
        camera_zh=item.camera.name_zh,
        camera_en=item.camera.name_en,
        start=item.granted.start,
        end=item.granted.end,
        covered=[SpanAnswer.model_validate(span) for span in one.covered],
        gaps=[SpanAnswer.model_validate(span) for span in one.gaps],
        share=one.share,
        asked_now=one.asked_now,
        trouble=CoverageTrouble(zh=one.trouble.zh, en=one.trouble.en) if one.trouble else None,
        overwrite_at=item.overwrite_at,
        held=item.held,
        clock_offset_ms=recorder.clock_offset_ms,
        clock_method=recorder.clock_method,
        clock_uncertainty_ms=recorder.clock_uncertainty_ms,
        measured_at=recorder.clock_measured_at,
        searched_start=one.searched.start,
        searched_end=one.searched.end,
        clock_too_far=item.clock_too_far,
    )


def _return(sheet: ReturnSheet) -> ReturnSheetAnswer:
    return ReturnSheetAnswer(
        custodian=sheet.custodian,
        accepted_at=sheet.accepted_at,
        due_at=sheet.due_at,
        returned_at=sheet.returned_at,
        return_to=sheet.return_to,
        statement_sha256=sheet.statement_sha256,
        copies=[
            CopyBackAnswer(id=copy.id, item_id=copy.item.id, sha256=copy.sha256, size=copy.size, matches=copy.matches)
            for copy in sheet.copies
        ],
        downloads=[DownloadBackAnswer.model_validate(row) for row in sheet.downloads],
        inspected_at=sheet.inspected_at,
        findings=sheet.findings,
    )
