"""The verdict on a clip: asked against promised against counted. Nothing wrong is ever called complete."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.runtime.spans import Span, covered_share, gaps, merge
from services.vault.clip.client import ClipReport, SegmentLike, Taken
from services.vault.coverage import (
    Coverage,
    FootageMissing,
    FootageUnreadable,
    OutcomeWord,
    SourceSegment,
    WrongFootage,
    span_to_json,
)


@dataclass(frozen=True)
class FootageSource:
    """Footage of one channel: the segments that are clipped, and what they are measured against.

    ``asked`` is the span to be kept; ``requested`` is what the recorder was asked for, where that is more. ``promised``
    is what the recorder said it has. ``expected_fingerprint`` is that of the camera's earlier footage, where known.
    """

    segments: AsyncIterator[SegmentLike]
    asked: Span
    channel: str
    promised: Sequence[Span] = ()
    requested: Span | None = None
    expected_fingerprint: str | None = None


def judge(
    report: ClipReport, taken: Sequence[Taken], source: FootageSource, *, tolerance: timedelta
) -> tuple[OutcomeWord, Coverage]:
    """Return the outcome and the measured coverage.

    ``tolerance`` is the largest hole that does not count as a gap.
    Raises FootageMissing, FootageUnreadable and WrongFootage.
    """
    asked, channel = source.asked, source.channel
    seen = [span for span in report.covered if span.intersect(asked)]
    if not seen or report.zero is None or report.first_frame is None or report.last_frame is None or report.end is None:
        raise _nothing(asked, channel, source.promised, taken)
    _check_fingerprint(report, channel, source.expected_fingerprint)
    broken = _broken(asked, taken, tolerance)
    torn = [span for _, span in broken if span.duration]
    covered = _without(report.covered, torn)
    holes = gaps(asked, covered, tolerance=tolerance) + torn
    lost = [hole for span in source.promised if (part := span.intersect(asked)) for hole in gaps(part, covered)]
    coverage = Coverage(
        asked=asked,
        covered=covered,
        gaps=tuple(merge(holes)),
        lost=tuple(span for span in merge(lost) if span.duration > tolerance),
        share=round(covered_share(asked, covered), 6),
        lead_in_ms=_milliseconds(asked.start - report.first_frame),
        tail_ms=_milliseconds(report.end - asked.end),
        packets=report.packets,
        dropped_packets=report.dropped,
        codecs=tuple(dict.fromkeys(codec for part in report.parts for codec in part.codecs)),
        sources=tuple(SourceSegment(one.name, one.sha256, one.size, one.span, one.problem) for one in taken),
        parts=report.parts,
        first_frame=report.first_frame,
        last_frame=report.last_frame,
        zero=report.zero,
        drift_ms=_milliseconds(report.drift),
        fingerprint=report.parts[0].fingerprint,
        left_out=tuple(dict.fromkeys(stream for one in taken for stream in one.left_out)),
        problems=tuple(f"{one.name}: {one.problem}" for one, _ in broken),
        requested=source.requested or asked,
        trimmed_before_ms=_milliseconds(report.first_frame - min(one.span.start for one in taken if one.size)),
        trimmed_after_ms=_milliseconds(max(one.span.end for one in taken if one.size) - report.end),
    )
    return ("partial" if coverage.gaps or broken else "complete"), coverage


def _milliseconds(length: timedelta) -> int:
    return max(0, round(length / timedelta(milliseconds=1)))


def _nothing(
    asked: Span, channel: str, promised: Sequence[Span], taken: Sequence[Taken]
) -> FootageMissing | FootageUnreadable:
    words = f"channel {channel} from {asked.start.isoformat()} to {asked.end.isoformat()}"
    # What lies beside the asked span only was asked for to be sure of its edges.
    faults = {one.name: one.problem for one in taken if one.problem and _touches(one.span, asked)}
    facts: dict[str, object] = {
        "channel": channel,
        "asked": span_to_json(asked),
        "promised": [span_to_json(span) for span in promised],
        "segments": len(taken),
        "bytes": sum(one.size for one in taken),
        "faults": faults,
    }
    if faults:
        name, fault = next(iter(faults.items()))
        return FootageUnreadable(
            f"Nothing of {words} can be played: {fault} ({name}, {len(taken)} segments came). "
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
                "Nothing was kept; check the recorder's channels, or clear the camera's fingerprint if its settings "
                "were changed, then retry."
            )


def _broken(asked: Span, taken: Sequence[Taken], tolerance: timedelta) -> list[tuple[Taken, Span]]:
    """Segments with a fault inside the asked span, each with what was lost by it (which may be no time at all)."""
    found = []
    for number, one in enumerate(taken, 1):
        if one.problem is None or one.lost_from is None:
            continue
        until = _next_picture(one.lost_from, taken, asked)
        if until <= one.lost_from and any((one.name, one.span) == (two.name, two.span) for two in taken[number:]):
            continue  # it was given again, and what it lacked came then
        # What a segment lacks before the asked start only, the clip does not lack; time stamps are rough.
        if one.lost_from < asked.end and (until - asked.start > tolerance or one.lost_from >= asked.start):
            found.append((one, Span(max(one.lost_from, asked.start), max(until, one.lost_from, asked.start))))
    return found


def _next_picture(after: datetime, taken: Sequence[Taken], asked: Span) -> datetime:
    starts = [max(span.start, after) for one in taken for span in one.pictures if span.end > after]
    return min(starts, default=max(asked.end, after))


def _without(spans: Sequence[Span], holes: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(rest for span in spans for rest in gaps(span, holes))
