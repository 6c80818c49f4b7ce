"""How documents tell what their data hold: moments in a zone that is named, codes in words, what is missing as a dash.

The data of an older release lack what was added since, so nothing is taken for granted of them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.rendering.sheet import NOTHING, Line, Signature
from services.runtime import local_times
from services.runtime.labels import word, words


def moment(told: str, zone: str, *, exact: bool = False) -> str:
    """An ISO 8601 moment as people read it in ``zone`` (an IANA name), to the second, or to the millisecond.

    In an hour that the zone shows twice the offset says which of the two it is (F4).
    """
    local = datetime.fromisoformat(told).astimezone(ZoneInfo(zone))
    text = local.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds" if exact else "seconds")
    twice = len(local_times.candidates(local.replace(tzinfo=None, fold=0), zone)) > 1
    return f"{text} ({local.isoformat()[-6:]})" if twice else text


def line(text: str, zone: str) -> str:
    """A line of a record, its moments as people read them in ``zone``."""
    return word("zh", text, lambda told: moment(told, zone, exact=True))


class Told:
    """The data of a document, or a part of them: what is not there reads as nothing."""

    def __init__(self, data: Any, zone: str) -> None:
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        self.zone = zone

    def get(self, path: str, otherwise: Any = None) -> Any:
        """The value at a path such as ``source.camera.nameZh``."""
        found: Any = self.data
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return otherwise if found is None else found

    def has(self, path: str) -> bool:
        return self.get(path) is not None

    def part(self, path: str) -> "Told":
        return Told(self.get(path), self.zone)

    def each(self, path: str) -> list["Told"]:
        return [Told(one, self.zone) for one in self.get(path, ())]

    def text(self, path: str) -> str:
        found = self.get(path)
        return NOTHING if found in (None, "") else str(found)

    def word(self, path: str) -> str:
        return words(self.get(path))

    def when(self, path: str, zone: str | None = None) -> str:
        found = self.get(path)
        return moment(found, zone or self.zone) if found else NOTHING

    def names(self, path: str, name: str = "name") -> list[str]:
        """The people's or departments' names of a list."""
        return [one.text(name) for one in self.each(path)]

    def span(self, told: Any) -> str:
        """A span that is written as ``[from, to]`` or with ``start`` and ``end``."""
        start, end = (told["start"], told["end"]) if isinstance(told, Mapping) else told
        return f"{moment(start, self.zone, exact=True)} 至 {moment(end, self.zone, exact=True)}"

    def spans(self, path: str) -> list[str]:
        return [self.span(one) for one in self.get(path, ())]

    def hash(self, path: str) -> Line:
        """A hash in full."""
        return Line(self.text(path), "hash")

    def signature(self, role: str, *, at: str, statement: str, note: str = "") -> Signature:
        """The signature of a part that names its person in ``by``; ``at`` and ``statement`` are paths."""
        method = self.word("signature.method")
        return Signature(role, self.text("by.name"), method, self.when(at), self.text(statement), note)
