"""One rule of the register: what it is, since when, on which applications it bears; and what is shipped (R3)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

LAW, STANDARD, OWN = KINDS = ("law", "standard", "own")
INSIDE = "none"  # of ``on_behalf``: an application for the organisation itself
BEHALVES = (INSIDE, "authority", "filmed-person", "other")
SHIPPED_FILE = Path(__file__).with_name("shipped_rules.json")


@dataclass(frozen=True)
class Entry:
    """A law, standard or own rule as Legal has entered it.

    ``since`` and ``until`` are days such as 2025-04-01, the last one included; empty: not known, or without end.
    ``on_behalf`` and ``levels`` say on which applications it bears; empty: on all. ``to_check``: Legal has not checked
    it yet, which every page and document says.
    """

    kind: str
    title: str
    title_en: str = ""
    number: str = ""
    issuer: str = ""
    since: str = ""
    until: str = ""
    on_behalf: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    text: str = ""
    link: str = ""
    to_check: bool = False

    def is_in_force(self, day: str) -> bool:
        """Return whether it is in force on a day; without a first day it counts as in force."""
        return (not self.since or self.since <= day) and (not self.until or day <= self.until)

    def bears_on(self, on_behalf: str | None, levels: Collection[str]) -> bool:
        """Return whether it bears on an application for these people outside, of these confidentiality levels."""
        kinds = not self.on_behalf or (on_behalf or INSIDE) in self.on_behalf
        return kinds and (not self.levels or not set(self.levels).isdisjoint(levels))

    def as_json(self) -> dict[str, Any]:
        return {
            **{_camel(name): value for name, value in asdict(self).items()},
            "onBehalf": list(self.on_behalf),
            "levels": list(self.levels),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Entry":
        """Read what ``as_json`` has returned; of an older release fields may lack."""
        known = asdict(Entry("", ""))
        values = {name: stored.get(_camel(name), value) for name, value in known.items()}
        return Entry(**{**values, "on_behalf": tuple(values["on_behalf"]), "levels": tuple(values["levels"])})


@cache
def shipped() -> Mapping[str, Entry]:
    """Return the rules that the product brings, by id; each says that Legal has to check it."""
    stored = json.loads(SHIPPED_FILE.read_text(encoding="utf-8"))
    return {one["id"]: Entry.from_json({**one, "toCheck": True}) for one in stored}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)
