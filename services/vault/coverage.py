"""What a sealed object holds of what was asked for: measured, never believed (docs/failures.md F2, F5, F9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.runtime.errors import Fatal
from services.runtime.spans import Span

OutcomeWord = Literal["complete", "partial"]


class FootageMissing(Exception):
    """The recorder gave nothing of the asked span. ``facts`` is flat and says what was asked and promised."""

    def __init__(self, sentence: str, facts: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.facts = facts


class FootageUnreadable(Exception):
    """No byte received is footage that can be played. ``facts`` names each segment's fault."""

    def __init__(self, sentence: str, facts: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.facts = facts


class WrongFootage(Fatal):
    """The footage is another camera's; nothing of it was stored."""

    runbook = "incidents-pending#footage"


@dataclass(frozen=True)
class Fragment:
    """One fragment that begins with a key frame: ``time_ms`` after the first picture, bytes ``offset`` (of the
    plaintext) and ``length``."""

    time_ms: int
    offset: int
    length: int


@dataclass(frozen=True)
class SourceSegment:
    """A segment as received: its hash and size; ``problem`` is None where it is sound."""

    name: str
    sha256: str
    size: int
    span: Span
    problem: str | None = None


@dataclass(frozen=True)
class Part:
    """A whole fragmented MP4 inside the object: plaintext bytes ``offset`` to ``offset + length``, of which the first
    ``init`` are ftyp and moov. Another part begins where parameter sets, picture size or sound change. ``container``
    is mov where the sound has no place in MP4."""

    offset: int
    length: int
    init: int
    span: Span
    codecs: tuple[str, ...]
    fingerprint: str
    container: str = "mp4"


LEAST_SHARE = 0.999  # of the pictures that the median rate lets expect; below, footage is not complete


@dataclass(frozen=True)
class Pictures:
    """How the pictures of the asked span follow one another.

    ``lost`` lack beside the gaps, at ``holes`` places with those; ``longest_ms`` lies at most between two; the rate is
    pictures a second, 0 where too few tell. ``least_share`` is what was asked for. Of ``keys_only`` footage it is not
    known how many pictures lay between its key frames.
    """

    there: int
    lost: int
    holes: int
    longest_ms: int
    median_rate: float
    least_share: float = LEAST_SHARE
    keys_only: bool = False

    @property
    def share(self) -> float:
        """Of those that were to be expected where something is covered, 0 to 1."""
        return self.there / (self.there + self.lost) if self.there else 1.0

    @property
    def enough(self) -> bool:
        return self.share >= self.least_share and not self.keys_only

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "there": self.there,
            "lost": self.lost,
            "holes": self.holes,
            "longestMs": self.longest_ms,
            "medianRate": self.median_rate,
            "leastShare": self.least_share,
            "keyFramesOnly": self.keys_only,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Pictures":
        """Reverse ``to_json``."""
        return cls(
            there=int(data["there"]),
            lost=int(data["lost"]),
            holes=int(data["holes"]),
            longest_ms=int(data["longestMs"]),
            median_rate=float(data["medianRate"]),
            least_share=float(data["leastShare"]),
            keys_only=bool(data["keyFramesOnly"]),
        )


@dataclass(frozen=True)
class Coverage:
    """The measured facts. ``lost`` is what the recorder promised and did not send; ``zero`` is the wall-clock time of
    media time 0; ``drift_ms`` how far segments were moved against the recorder's own times to join them.

    ``requested`` is what the recorder was asked for, to both sides more than ``asked``; ``trimmed_…_ms`` is what its
    segments reach, by their spans, beyond the first and the last picture that were stored. ``pictures`` is None where
    an earlier release sealed it, which did not count them."""

    asked: Span
    covered: tuple[Span, ...]
    gaps: tuple[Span, ...]
    lost: tuple[Span, ...]
    share: float
    lead_in_ms: int
    tail_ms: int
    packets: int
    dropped_packets: int
    codecs: tuple[str, ...]
    sources: tuple[SourceSegment, ...]
    parts: tuple[Part, ...]
    first_frame: datetime
    last_frame: datetime
    zero: datetime
    drift_ms: int
    fingerprint: str
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())
    requested: Span | None = None
    trimmed_before_ms: int = 0
    trimmed_after_ms: int = 0
    pictures: Pictures | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; moments in ISO 8601 with zone."""
        return {
            "asked": span_to_json(self.asked),
            "covered": [span_to_json(span) for span in self.covered],
            "gaps": [span_to_json(span) for span in self.gaps],
            "lost": [span_to_json(span) for span in self.lost],
            "share": self.share,
            "leadInMs": self.lead_in_ms,
            "tailMs": self.tail_ms,
            "packets": self.packets,
            "droppedPackets": self.dropped_packets,
            "codecs": list(self.codecs),
            "sources": [
                {
                    "name": source.name,
                    "sha256": source.sha256,
                    "size": source.size,
                    "span": span_to_json(source.span),
                    "problem": source.problem,
                }
                for source in self.sources
            ],
            "parts": [
                {
                    "offset": part.offset,
                    "length": part.length,
                    "init": part.init,
                    "span": span_to_json(part.span),
                    "codecs": list(part.codecs),
                    "fingerprint": part.fingerprint,
                    "container": part.container,
                }
                for part in self.parts
            ],
            "firstFrame": self.first_frame.isoformat(),
            "lastFrame": self.last_frame.isoformat(),
            "zero": self.zero.isoformat(),
            "driftMs": self.drift_ms,
            "fingerprint": self.fingerprint,
            "leftOut": list(self.left_out),
            "problems": list(self.problems),
            "requested": span_to_json(self.requested or self.asked),
            "trimmedBeforeMs": self.trimmed_before_ms,
            "trimmedAfterMs": self.trimmed_after_ms,
            **({} if self.pictures is None else {"pictures": self.pictures.to_json()}),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Coverage":
        """Reverse ``to_json``; raises KeyError and ValueError where it is not one."""
        return cls(
            asked=span_from_json(data["asked"]),
            covered=_spans(data["covered"]),
            gaps=_spans(data["gaps"]),
            lost=_spans(data["lost"]),
            share=float(data["share"]),
            lead_in_ms=int(data["leadInMs"]),
            tail_ms=int(data["tailMs"]),
            packets=int(data["packets"]),
            dropped_packets=int(data["droppedPackets"]),
            codecs=tuple(data["codecs"]),
            sources=tuple(
                SourceSegment(one["name"], one["sha256"], one["size"], span_from_json(one["span"]), one["problem"])
                for one in data["sources"]
            ),
            parts=tuple(
                Part(
                    one["offset"],
                    one["length"],
                    one["init"],
                    span_from_json(one["span"]),
                    tuple(one["codecs"]),
                    one["fingerprint"],
                    one["container"],
                )
                for one in data["parts"]
            ),
            first_frame=datetime.fromisoformat(data["firstFrame"]),
            last_frame=datetime.fromisoformat(data["lastFrame"]),
            zero=datetime.fromisoformat(data["zero"]),
            drift_ms=int(data["driftMs"]),
            fingerprint=data["fingerprint"],
            left_out=tuple(data["leftOut"]),
            problems=tuple(data["problems"]),
            requested=span_from_json(data["requested"]),
            trimmed_before_ms=int(data["trimmedBeforeMs"]),
            trimmed_after_ms=int(data["trimmedAfterMs"]),
            pictures=Pictures.from_json(data["pictures"]) if "pictures" in data else None,
        )


def span_to_json(span: Span) -> list[str]:
    """Return a span as two ISO 8601 moments."""
    return [span.start.isoformat(), span.end.isoformat()]


def span_from_json(data: Sequence[str]) -> Span:
    """Reverse ``span_to_json``."""
    return Span(datetime.fromisoformat(data[0]), datetime.fromisoformat(data[1]))


def _spans(data: Iterable[Sequence[str]]) -> tuple[Span, ...]:
    return tuple(span_from_json(one) for one in data)


def fragments_to_json(fragments: Iterable[Fragment]) -> list[list[int]]:
    """Return rows of time_ms, offset, length."""
    return [[one.time_ms, one.offset, one.length] for one in fragments]


def fragments_from_json(data: Iterable[Sequence[int]]) -> tuple[Fragment, ...]:
    """Reverse ``fragments_to_json``."""
    return tuple(Fragment(*row) for row in data)
