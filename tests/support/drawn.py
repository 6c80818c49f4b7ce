"""The recordings of the demo's cameras, drawn once and linked into each installation that would draw them."""

import os
from datetime import UTC, datetime
from pathlib import Path

from services.demo.recordings import Recordings, yesterday


def draw(folder: Path) -> Path:
    """Draw what a demo begins with."""
    Recordings(folder).record_evening(yesterday(datetime.now(UTC)))
    return folder


def link(drawn: Path, data: Path) -> None:
    """Lay out what was drawn in a data folder, open to nobody else as the product leaves it."""
    for path in drawn.rglob("*.mp4"):
        place = data / path.relative_to(drawn)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o600)
        os.link(path, place)
    for folder in (data, *(path for path in data.rglob("*") if path.is_dir())):
        folder.chmod(0o700)
