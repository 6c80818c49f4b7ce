"""What exists of each item of a review: asked of its recorder, or known from the vault where it was retrieved."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.domain.cases.review_sheets import Place, SheetItem
from services.domain.retrieval import recorder_coverage
from services.recorders.protocol import RecorderDown, WrongChannel
from services.runtime.spans import Span, covered_share, gaps
from services.runtime.translations import Message, Text
from services.web.dependencies import OpenRecorder


@dataclass(frozen=True)
class ItemCoverage:
    """``share`` is 0 to 1 of ``searched``, as a retrieval is judged; ``asked_now`` is False where the vault answers.
    None of it is known where ``trouble`` says why."""

    item: SheetItem
    searched: Span
    covered: list[Span]
    gaps: list[Span]
    share: float
    asked_now: bool
    trouble: Text | None = None


async def look(places: Sequence[Place], recorders: OpenRecorder) -> list[ItemCoverage]:
    """All items at once; a recorder that is down leaves the others their answers."""
    return list(await asyncio.gather(*(_one(place, recorders) for place in places)))


async def _one(place: Place, recorders: OpenRecorder) -> ItemCoverage:
    asked = place.searched
    if place.covered is not None:
        return _measured(place, place.covered, asked_now=False)
    try:
        held = await recorder_coverage.look_at(
            recorder_coverage.Place(place.source, place.item.overwrite_at), recorders, asked
        )
    except RecorderDown:
        trouble = Message("The recorder cannot be reached at the moment: reload the page later.")
        return ItemCoverage(place.item, asked, [], [], 0.0, True, trouble)
    except WrongChannel:
        trouble = Message("The recorder has no such channel: have the administrator check the camera.")
        return ItemCoverage(place.item, asked, [], [], 0.0, True, trouble)
    return _measured(place, held.covered, asked_now=True)


def _measured(place: Place, held: Sequence[Span], *, asked_now: bool) -> ItemCoverage:
    asked = place.searched
    covered = [part for span in held if (part := span.intersect(asked)) is not None]
    return ItemCoverage(place.item, asked, covered, gaps(asked, covered), covered_share(asked, covered), asked_now)
