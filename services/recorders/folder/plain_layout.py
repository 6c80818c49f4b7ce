"""Plain files: any below ``<root>/<channel>/`` whose name holds the start, as a pattern of ``strptime`` says."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from services.recorders.folder.layout import (
    LONGEST,
    File,
    aligned,
    channel_folder,
    first_picture,
    in_reach,
    in_zone,
    leads_out,
    listed,
)
from services.runtime.spans import Span

# What cameras, recorders and FFmpeg's segment muxer are wont to write; the first that a name holds counts.
KNOWN = (
    *("%Y%m%dT%H%M%S%z", "%Y-%m-%dT%H-%M-%S%z", "%Y-%m-%dT%H:%M:%S%z"),
    *("%Y-%m-%d_%H-%M-%S-%f", "%Y%m%d_%H%M%S_%f", "%Y%m%d_%H%M%S.%f"),
    *("%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S"),
    *("%Y-%m-%d_%H-%M-%S", "%Y-%m-%dT%H-%M-%S", "%Y-%m-%d %H-%M-%S", "%Y-%m-%d_%H%M%S", "%Y_%m_%d_%H_%M_%S"),
)
_DIRECTIVES = {
    **dict.fromkeys("mdHMSy", r"\d{2}"),
    **{"Y": r"\d{4}", "j": r"\d{3}", "f": r"\d{1,6}", "z": r"(?:Z|[+-]\d{2}:?\d{2})", "%": "%"},
}
_DAYS = ({"Y", "m", "d"}, {"y", "m", "d"}, {"Y", "j"})


class PatternError(ValueError):
    """The pattern does not say when a file starts."""


@dataclass(frozen=True)
class Pattern:
    """A pattern of ``strptime``, found anywhere in a name; one with a slash is found in the path below the channel."""

    text: str
    expression: re.Pattern[str]

    @classmethod
    def of(cls, text: str) -> "Pattern":
        """Raises PatternError where it does not hold day, hour, minute and second, or more than is understood."""
        pieces, held = [], []
        for literal, directive in re.findall(r"([^%]+)|%(.?)", text, re.DOTALL):
            if not literal and directive not in _DIRECTIVES:
                raise PatternError(f"%{directive}")
            held += [directive] if directive not in ("", "%") else []
            pieces.append(re.escape(literal) if literal else _DIRECTIVES[directive])
        whole = any(day <= set(held) for day in _DAYS) and {"H", "M", "S"} <= set(held)
        if not whole or len(held) != len(set(held)):
            raise PatternError(text)
        return cls(text, re.compile(rf"(?<!\d){''.join(pieces)}(?!\d)", re.ASCII))

    @property
    def fractions(self) -> bool:
        """Whether its starts are finer than a second."""
        return "%f" in self.text

    def moment(self, path: Path, folder: Path) -> datetime | None:
        """The start that the file's name holds, aware where the name says a zone."""
        name = path.relative_to(folder).with_suffix("").as_posix() if "/" in self.text else path.stem
        held = self.expression.search(name)
        try:
            return datetime.strptime(held[0], self.text) if held else None  # noqa: DTZ007 - of the recorder's zone
        except ValueError:
            return None


class PlainLayout:
    """Files of any name that says their start, by ``pattern`` or by one of those known; times of ``zone``."""

    def __init__(self, zone: ZoneInfo, pattern: str = "") -> None:
        self._zone = zone
        self._patterns = [Pattern.of(text) for text in ((pattern,) if pattern else KNOWN)]

    def has(self, root: Path, channel: str) -> bool:
        return channel_folder(root, channel) is not None

    def files(self, root: Path, channel: str, span: Span) -> list[File]:
        folder = channel_folder(root, channel)
        read = list(self._read(folder)) if folder is not None else []
        exact = {path for _, path, fractions in read if fractions}
        # An event's file may lie beside the long one that was being written.
        files = in_reach(((start, path) for start, path, _ in read), span, overlap=LONGEST)
        return files if any(file.path in exact for file in files) else aligned(files)

    def channels(self, root: Path) -> list[str]:
        found = []
        for entry in listed(root):
            folder = channel_folder(root, entry.name)
            with suppress(PermissionError):  # such as lost+found
                if folder is not None and next(self._read(folder), None) is not None:
                    found.append(entry.name)
        return sorted(found)

    def oldest(self, root: Path) -> dict[str, datetime]:
        oldest = {}
        for entry in listed(root):
            folder = channel_folder(root, entry.name)
            with suppress(PermissionError):  # such as lost+found
                first = first_picture((start, path) for start, path, _ in self._read(folder)) if folder else None
                if first is not None:
                    oldest[entry.name] = first
        return oldest

    def _read(self, folder: Path) -> Iterator[tuple[datetime, Path, bool]]:
        for path in _files(folder, folder.resolve()):
            for pattern in self._patterns:
                moment = pattern.moment(path, folder)
                start = in_zone(moment, self._zone, path) if moment is not None else None
                if start is not None:
                    yield start, path, pattern.fractions
                    break


def _files(folder: Path, inside: Path) -> Iterator[Path]:
    for entry in listed(folder):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, inside)
        elif entry.is_file() and not leads_out(path, inside):
            yield path
