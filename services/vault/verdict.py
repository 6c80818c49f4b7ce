"""The verdict on a clip: asked against promised against counted. Nothing wrong is ever called complete."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.runtime.spans import Span, covered_share, gaps, merge
from services.vault.clip.client import ClipReport, SegmentLike, SegmentResult
from services.vault.coverage import (
    LEAST_SHARE,
    Coverage,
    FootageMissing,
    FootageUnreadable,
    OutcomeWord,
    Pictures,
    SourceSegment,
    WrongFootage,
    span_to_json,
)

KEYS_ONLY = "key frames are all there is: how many pictures lay between them is not known"


@dataclass(frozen=True)
class FootageSource:
    """Footage of one channel: the segments that are clipped, and what they are measured against.

    ``asked`` is the span to be stored; ``requested`` is what the recorder was asked for, where that is more.
    ``promised`` is what the recorder said it has. ``expected_fingerprint`` is that of the camera's earlier footage,
    where known. ``least_share`` of the expected pictures has to be there. ``whole``: all that the segments hold is
    asked for, and ``asked`` is a span that no true time leaves.
    """

    segments: AsyncIterator[SegmentLike]
    asked: Span
    channel: str
    promised: Sequence[Span] = ()
    requested: Span | None = None
    expected_fingerprint: str | None = None
    least_share: float = LEAST_SHARE
    whole: bool = False


def judge(
    report: ClipReport, results: Sequence[SegmentResult], source: FootageSource, *, tolerance: timedelta
) -> tuple[OutcomeWord, Coverage]:
    """Return the outcome and the measured coverage.

    ``tolerance`` is the largest hole that does not count as a gap.
    Raises FootageMissing, FootageUnreadable and WrongFootage.
    """
    asked, channel = source.asked, source.channel
    seen = [span for span in report.covered if span.intersect(asked)]
    if not seen or report.zero is None or report.first_frame is None or report.last_frame is None or report.end is None:
        raise _failure_of(asked, channel, source.promised, results)
    _check_fingerprint(report, channel, source.expected_fingerprint)
    broken = _broken(asked, results, tolerance)
    unplayable = [span for _, span in broken if span.duration]
    covered = _without(report.covered, unplayable)
    holes = gaps(asked, covered, tolerance=tolerance) + unplayable
    pictures = replace(report.pictures, least_share=source.least_share)
    lost = [hole for span in source.promised if (part := span.intersect(asked)) for hole in gaps(part, covered)]
    coverage = Coverage(
        asked=asked,
        covered=covered,
        gaps=tuple(merge(holes)),
        lost=tuple(span for span in merge(lost) if span.duration > tolerance),
        share=share_of(asked, covered, pictures),
        lead_in_ms=_milliseconds(asked.start - report.first_frame),
        tail_ms=_milliseconds(report.end - asked.end),
        packets=report.packets,
        dropped_packets=report.dropped,
        codecs=tuple(dict.fromkeys(codec for part in report.parts for codec in part.codecs)),
        sources=tuple(
            SourceSegment(result.name, result.sha256, result.size, result.span, result.problem) for result in results
        ),
        parts=report.parts,
        first_frame=report.first_frame,
        last_frame=report.last_frame,
        zero=report.zero,
        drift_ms=_milliseconds(report.drift),
        fingerprint=report.parts[0].fingerprint,
        left_out=tuple(dict.fromkeys(stream for result in results for stream in result.left_out)),
        problems=tuple(f"{result.name}: {result.problem}" for result, _ in broken)
        + ((KEYS_ONLY,) if pictures.keys_only else ()),
        requested=source.requested or asked,
        trimmed_before_ms=_milliseconds(
            report.first_frame - min(result.span.start for result in results if result.size)
        ),
        trimmed_after_ms=_milliseconds(max(result.span.end for result in results if result.size) - report.end),
        pictures=pictures,
    )
    return ("partial" if coverage.gaps or broken or not pictures.enough else "complete"), coverage


def share_of(asked: Span, covered: Iterable[Span], pictures: Pictures | None) -> float:
    """Return how much of the pictures to be expected in the asked span is there, 0 to 1."""
    return round(covered_share(asked, covered) * (1.0 if pictures is None else pictures.share), 6)


def _milliseconds(length: timedelta) -> int:
    return max(0, round(length / timedelta(milliseconds=1)))


def _failure_of(
    asked: Span, channel: str, promised: Sequence[Span], results: Sequence[SegmentResult]
) -> FootageMissing | FootageUnreadable:
    words = f"channel {channel} from {asked.start.isoformat()} to {asked.end.isoformat()}"
    # What lies beside the asked span only was asked for to be sure of its edges.
    faults = {result.name: result.problem for result in results if result.problem and _touches(result.span, asked)}
    facts: dict[str, object] = {
        "channel": channel,
        "asked": span_to_json(asked),
        "promised": [span_to_json(span) for span in promised],
        "segments": len(results),
        "bytes": sum(result.size for result in results),
        "faults": faults,
    }
    if faults:
        name, fault = next(iter(faults.items()))
        return FootageUnreadable(
            f"Nothing of {words} can be played: {fault} ({name}, {len(results)} segments came). "
            "Look at the recorder's disk and its answer, then ask again.",
            facts,
        )
    return FootageMissing(
        f"The recorder gave no footage of {words}. Look whether it was recording then, and whether it has been "
        "overwritten.",
        facts,
    )


def _touches(span: Span, asked: Span) -> bool:
    return span.start < asked.end and (span.end > asked.start or span.start >= asked.start)


def _check_fingerprint(report: ClipReport, channel: str, expected: str | None) -> None:
    for part in report.parts:
        if expected is not None and part.fingerprint != expected:
            raise WrongFootage(
                f"The footage of channel {channel} at {part.span.start.isoformat()} is not from the camera that is "
                f"known there: its picture has the fingerprint {part.fingerprint[:12]}, known is {expected[:12]}. "
                "Nothing was stored; check the recorder's channels, or clear the camera's fingerprint if its settings "
                "were changed, then retry."
            )


def _broken(asked: Span, results: Sequence[SegmentResult], tolerance: timedelta) -> list[tuple[SegmentResult, Span]]:
    """Segments with a fault inside the asked span, each with what was lost by it (which may be no time at all)."""
    broken = []
    for number, result in enumerate(results, 1):
        if result.problem is None or result.lost_from is None:
            continue
        until = _next_picture(result.lost_from, results, asked)
        if until <= result.lost_from and any(
            (result.name, result.span) == (later.name, later.span) for later in results[number:]
        ):
            continue  # it was fetched again, and the rest came then
        # What a segment lacks before the asked start only, the clip does not lack; time stamps are rough.
        if result.lost_from < asked.end and (until - asked.start > tolerance or result.lost_from >= asked.start):
            broken.append((result, Span(max(result.lost_from, asked.start), max(until, result.lost_from, asked.start))))
    return broken


def _next_picture(after: datetime, results: Sequence[SegmentResult], asked: Span) -> datetime:
    starts = [max(span.start, after) for result in results for span in result.pictures if span.end > after]
    return min(starts, default=max(asked.end, after))


def _without(spans: Sequence[Span], holes: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(rest for span in spans for rest in gaps(span, holes))
