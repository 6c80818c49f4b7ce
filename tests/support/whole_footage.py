"""A recorder with footage of known truth for whole cases, made once and laid out anew for each desk's time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from footage_maker import NAME, Camera, Written

from services.runtime.spans import Span

AGO = timedelta(hours=3)
LENGTH = timedelta(seconds=12)
LONG_AGO = timedelta(days=20)
GAP = (timedelta(seconds=4), timedelta(seconds=8))
ASKED = (timedelta(seconds=2), timedelta(seconds=10))
MADE_FOR = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)

# channel: (class, what is on it)
CHANNELS = {
    "cam1": ("ordinary", "all"),
    "cam2": ("sensitive", "all"),
    "gate": ("ordinary", "all"),
    "yard": ("ordinary", "a gap from second 4 to 8"),
    "dark": ("ordinary", "nothing of the span"),
    "torn": ("ordinary", "a file that is no footage"),
}


@dataclass(frozen=True)
class Footage:
    """``start`` is when the recordings of today begin; ``truth`` says for each channel what was written."""

    root: Path
    start: datetime
    truth: Mapping[str, tuple[Written, ...]]

    @property
    def asked(self) -> Span:
        """What the tests ask for unless they say otherwise."""
        return Span(self.start + ASKED[0], self.start + ASKED[1])

    @property
    def gap(self) -> Span:
        """What channel yard lacks."""
        return Span(self.start + GAP[0], self.start + GAP[1])


def make(root: Path) -> Footage:
    """Record every channel, as of ``MADE_FOR``; each has a second of long ago, so that nothing is at risk by age."""
    start = MADE_FOR - AGO
    seconds = LENGTH // timedelta(seconds=1)
    truth: dict[str, tuple[Written, ...]] = {}
    for tint, (channel, (_, contents)) in enumerate(CHANNELS.items()):
        camera = Camera(root, channel, tint=tint)
        camera.record(start - LONG_AGO, 1, segment=1)
        if contents == "all":
            truth[channel] = tuple(camera.record(start, seconds))
        elif channel == "yard":
            truth[channel] = (*camera.record(start, 4), *camera.record(start + GAP[1], 4))
        elif channel == "torn":
            (root / channel / f"{(start).strftime(NAME)}.mp4").write_bytes(b"<html>sign in</html>" * 2000)
            truth[channel] = ()
    return Footage(root, start, truth)


def lay_out(made: Footage, root: Path, now: datetime) -> Footage:
    """The same footage as if it were recorded three hours before ``now``; files are linked, not copied."""
    shift = now.replace(microsecond=0) - MADE_FOR

    def moved(path: Path) -> Path:
        moment = datetime.strptime(path.stem, NAME).replace(tzinfo=UTC) + shift
        return root / path.parent.name / f"{moment.strftime(NAME)}.mp4"

    for path in made.root.glob("*/*.mp4"):
        target = moved(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    truth = {
        channel: tuple(
            replace(
                one,
                path=moved(one.path),
                start=one.start + shift,
                end=one.end + shift,
                pictures=tuple(replace(picture, at=picture.at + shift) for picture in one.pictures),
            )
            for one in written
        )
        for channel, written in made.truth.items()
    }
    return Footage(root, made.start + shift, truth)
