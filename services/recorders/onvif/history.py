"""The history of an ONVIF recording: its tracks, and when they held data."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from services.recorders import untrusted_xml
from services.recorders.untrusted_xml import Node
from services.runtime.spans import Span

TRACK_STATE = "RecordingHistory/Track/State"
NO_TIME = "has a time that is none"
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:\d{2})?", re.ASCII)


@dataclass(frozen=True)
class Times:
    """How the recorder's times are meant. ONVIF asks for UTC with a Z; ``local`` says that its Z is not to be believed.

    A time without a zone is one of ``zone``.
    """

    zone: ZoneInfo
    local: bool = False

    def read(self, text: str, *, later: bool = False) -> datetime:
        """The moment; in an hour that a clock repeats the first, or the ``later``. Raises ValueError."""
        match = _TIME.fullmatch(text)
        if match is None:
            raise ValueError(NO_TIME)
        try:
            moment = datetime.fromisoformat(match[1] + (match[2] or "Z").replace("Z", "+00:00"))
        except ValueError as error:
            raise ValueError(NO_TIME) from error
        if match[2] is None or (self.local and match[2] == "Z"):
            moment = moment.replace(tzinfo=self.zone, fold=int(later))
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError(NO_TIME) from error

    def write(self, moment: datetime) -> str:
        """As the recorder reads it, to the millisecond."""
        shown = moment.astimezone(self.zone if self.local else UTC)
        return f"{shown.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


@dataclass(frozen=True)
class Recording:
    """A recording: ``held`` from its oldest to its newest picture, None where it has none.

    ``tracks`` are those of video; an empty name means all, where the recorder names none.
    """

    token: str
    source: str
    held: Span | None
    tracks: frozenset[str]
    running: bool


@dataclass(frozen=True)
class Change:
    """Data came to a track or went from it."""

    recording: str
    track: str
    at: datetime
    present: bool


def recording(node: Node, times: Times) -> Recording:
    """From a RecordingInformation; raises ValueError with what it lacks."""
    token = untrusted_xml.text(node, "RecordingToken")
    if not token:
        raise ValueError("has a recording without a token")
    nodes = list(untrusted_xml.children(node, "Track"))
    video = [track for track in nodes if untrusted_xml.text(track, "TrackType").lower() == "video"] if nodes else [node]
    spans: list[Span] = []
    tracks: set[str] = set()
    for track in video:
        first = untrusted_xml.text(track, "DataFrom") or untrusted_xml.text(node, "EarliestRecording")
        last = untrusted_xml.text(track, "DataTo") or untrusted_xml.text(node, "LatestRecording") or first
        if first:
            start = times.read(first)
            spans.append(Span(start, max(start, times.read(last, later=True))))
            tracks.add(untrusted_xml.text(track, "TrackToken"))
    held = Span(min(span.start for span in spans), max(span.end for span in spans)) if spans else None
    running = untrusted_xml.text(node, "RecordingStatus").lower() == "recording"
    return Recording(token, untrusted_xml.text(node, "Source", "SourceId"), held, frozenset(tracks), running)


def change(node: Node, times: Times) -> Change | None:
    """From a FindEventResult; None where it is no change of a track's data. Raises ValueError with what is wrong."""
    if untrusted_xml.text(node, "Event", "Topic").partition(":")[2] != TRACK_STATE:
        return None
    items = {
        item.get("Name", ""): item.get("Value", "")
        for item in untrusted_xml.children(node, "Event", "Message", "Message", "Data", "SimpleItem")
    }
    state = items.get("IsDataPresent", "").lower()
    if state not in ("true", "false", "1", "0"):
        raise ValueError("does not say whether there is data")
    present = state in ("true", "1")
    at = times.read(untrusted_xml.text(node, "Time"), later=not present)
    return Change(untrusted_xml.text(node, "RecordingToken"), untrusted_xml.text(node, "TrackToken"), at, present)


def recorded(changes: Iterable[Change], asked: Span, held: Span) -> list[Span]:
    """What a track holds of ``asked``, where it holds nothing outside ``held``.

    Changes count once and in order of time, however they were reported. Before the first the track was in the other
    state. Without any it is assumed to hold all from its oldest to its newest picture, for no more is known.
    """
    spans: list[Span] = []
    since: datetime | None = held.start
    for number, one in enumerate(sorted(set(changes), key=lambda item: (item.at, item.present))):
        if one.present:
            since = one.at if number == 0 or since is None else since
        elif since is not None:
            spans.append(Span(since, max(since, one.at)))
            since = None
    if since is not None:
        spans.append(Span(since, max(since, held.end)))
    parts = (part for one in spans if (part := one.intersect(held)) is not None)
    return [part for one in parts if (part := one.intersect(asked)) is not None]
