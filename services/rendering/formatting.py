"""Format the data of documents: moments in a named zone, codes as labels, missing values as a dash.

Data of an older release lack fields that were added later, so no field is required.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.rendering.sheet import NOTHING, Line, Signature
from services.runtime import local_times
from services.runtime.labels import document_language, word, words


def moment(timestamp: str, zone: str, *, exact: bool = False) -> str:
    """Format an ISO 8601 moment in ``zone`` (an IANA name), to the second, or to the millisecond if ``exact``.

    In the hour that a zone repeats when its clocks are set back, the offset is shown (F4).
    """
    local = datetime.fromisoformat(timestamp).astimezone(ZoneInfo(zone))
    text = local.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds" if exact else "seconds")
    ambiguous = len(local_times.candidates(local.replace(tzinfo=None, fold=0), zone)) > 1
    return f"{text} ({local.isoformat()[-6:]})" if ambiguous else text


def line(text: str, zone: str) -> str:
    """Translate a line of a record into the document's language, its moments in ``zone``."""
    return word(document_language(), text, lambda timestamp: moment(timestamp, zone, exact=True))


def _in_language(path: str) -> tuple[str, ...]:
    """Return where a value is, before all where the data have it in the language of a translation."""
    ending = next((ending for ending in ("zh", "Zh") if path.endswith(ending)), None)
    language = document_language()
    if ending is None or language == "zh":
        return (path,)
    own = language.capitalize() if ending == "Zh" else language
    return f"{path.removesuffix(ending)}{own}", path


class JsonView:
    """A document's data or a part of them, with formatted values; a missing value reads as a dash."""

    def __init__(self, data: Any, zone: str) -> None:
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        self.zone = zone

    def get(self, path: str, otherwise: Any = None) -> Any:
        """Return the value at a path such as ``source.camera.nameZh``."""
        for written in _in_language(path):
            value: Any = self.data
            for name in written.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return otherwise

    def has(self, path: str) -> bool:
        return self.get(path) is not None

    def part(self, path: str) -> "JsonView":
        return JsonView(self.get(path), self.zone)

    def each(self, path: str) -> list["JsonView"]:
        return [JsonView(part, self.zone) for part in self.get(path, ())]

    def text(self, path: str) -> str:
        value = self.get(path)
        return NOTHING if value in (None, "") else str(value)

    def translated(self, path: str) -> str:
        """Return a Chinese text that has no ending, or its translation, which stands beside it as ``departmentEn``."""
        own = f"{path}{document_language().capitalize()}"
        return self.text(own if self.has(own) else path)

    def word(self, path: str) -> str:
        return words(self.get(path))

    def when(self, path: str, zone: str | None = None) -> str:
        timestamp = self.get(path)
        return moment(timestamp, zone or self.zone) if timestamp else NOTHING

    def names(self, path: str, name: str = "name") -> list[str]:
        """Return the names in a list of people or departments."""
        return [part.text(name) for part in self.each(path)]

    def span(self, span: Any) -> str:
        """Format a span that is written as ``[from, to]`` or with ``start`` and ``end``."""
        start, end = (span["start"], span["end"]) if isinstance(span, Mapping) else span
        return f"{moment(start, self.zone, exact=True)} 至 {moment(end, self.zone, exact=True)}"

    def spans(self, path: str) -> list[str]:
        return [self.span(span) for span in self.get(path, ())]

    def hash(self, path: str) -> Line:
        """Return a hash in full."""
        return Line(self.text(path), "hash")

    def signature(self, role: str, *, at: str, statement: str, note: str = "") -> Signature:
        """Return the signature of a part that names its person in ``by``; ``at`` and ``statement`` are paths."""
        method = self.word("signature.method")
        return Signature(role, self.text("by.name"), method, self.when(at), self.text(statement), note)
