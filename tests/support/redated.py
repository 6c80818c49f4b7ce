"""Real segments of a MediaMTX recorder, laid out as if they were of another day."""

import shutil
from datetime import date, datetime
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
NAME = "%Y-%m-%d_%H-%M-%S-%f"


def redate(target: Path, day: date) -> list[Path]:
    """Copy the recordings so that their first day becomes ``day``; the time of day stays. Returns their paths."""
    files = {path: datetime.strptime(path.stem, NAME) for path in sorted(RECORDINGS.glob("*/*.mp4"))}  # noqa: DTZ007
    shift = day - min(files.values()).date()
    written = []
    for path, start in files.items():
        copy = target / path.parent.name / f"{(start + shift).strftime(NAME)}.mp4"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        written.append(copy)
    return written
