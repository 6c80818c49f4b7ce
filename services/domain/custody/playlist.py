"""A copy as an HLS media playlist (RFC 8216): each recorded fragment a byte range of the one sealed object."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.vault.coverage import Coverage, Fragment, Part

MEDIA_TYPE = "application/vnd.apple.mpegurl"
# A covered span that ends this much before the next fragment is followed by a gap; less is rounding at a join.
JOIN = timedelta(milliseconds=100)
SHORTEST = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Segment:
    """One fragment in play: ``at`` is the recorder's own time of its first picture, which is never corrected.

    ``part`` is the part whose first boxes it needs; ``broken`` says that it does not follow on the line before.
    """

    fragment: Fragment
    part: Part
    at: datetime
    duration: timedelta
    broken: bool


def list_segments(coverage: Coverage, fragments: Sequence[Fragment]) -> Iterator[Segment]:
    """Return the fragments in order; a gap in the footage and a change of the picture's parameters break the line."""
    before: Segment | None = None
    for fragment, following in zip(fragments, [*fragments, None][1:], strict=True):
        at = coverage.first_frame + timedelta(milliseconds=fragment.time_ms)
        part = next(part for part in coverage.parts if part.offset <= fragment.offset < part.offset + part.length)
        end = _end(coverage, at)
        if following is not None:
            end = min(end, coverage.first_frame + timedelta(milliseconds=following.time_ms))
        broken = before is not None and (before.part != part or at - before.at - before.duration > JOIN)
        before = Segment(fragment, part, at, max(end - at, SHORTEST), broken)
        yield before


def write(coverage: Coverage, fragments: Sequence[Fragment], uri: str) -> str:
    """Return the playlist of footage whose bytes are all at ``uri``; what must be read for one moment is one range.

    Times are the recorder's own, to the millisecond. A gap in the footage is a discontinuity: the player goes on with
    the next picture, and the dates say how much lies between.
    """
    played = list(list_segments(coverage, fragments))
    longest = max((line.duration for line in played), default=SHORTEST)
    text = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{math.ceil(longest.total_seconds())}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    part: Part | None = None
    for line in played:
        if line.broken:
            text.append("#EXT-X-DISCONTINUITY")
        if line.part != part:
            part = line.part
            text.append(f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{part.init}@{part.offset}"')
        text += (
            f"#EXT-X-PROGRAM-DATE-TIME:{line.at.isoformat(timespec='milliseconds')}",
            f"#EXTINF:{line.duration.total_seconds():.3f},",
            f"#EXT-X-BYTERANGE:{line.fragment.length}@{line.fragment.offset}",
            uri,
        )
    return "\n".join([*text, "#EXT-X-ENDLIST", ""])


def _end(coverage: Coverage, at: datetime) -> datetime:
    """Return where the footage that holds ``at`` ends; its last picture's end where the spans do not hold it."""
    # a fragment's time is cut to the millisecond, and may lie that little before its own first picture
    return next((span.end for span in coverage.covered if span.start - SHORTEST <= at < span.end), coverage.last_frame)
