"""Confidentiality levels and their handling rules: values, the floor in code, and the stricter of several (R5, R56).

A case has every level that applies to it: ``ordinary`` always, ``important`` by its class, ``sensitive-area`` by its
cameras, and one for each kind of sensitive content that is declared. What holds for it is the strictest of each.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from services.database.tables.applications import WAYS_OF_USE

ORDINARY, IMPORTANT, SENSITIVE_AREA = "ordinary", "important", "sensitive-area"
LEVELS = (ORDINARY, IMPORTANT, SENSITIVE_AREA, "trade-secret", "privacy", "minors", "medical")
MOST_DAYS = 3650
FIELDS = ("wayOfUse", "redactedOutside", "twoPeople", "maxUseDays", "checkInDays")  # that can be more or less strict


@dataclass(frozen=True)
class Handling:
    """What is allowed of one level.

    ``way_of_use``: the most that may be granted. ``redacted_outside``: people outside who are no authority get redacted
    copies alone. ``two_people``: the storage office releases it by two people. ``check_in_days``: how long a copy opens
    after its custodian has entered in the custody log that it is kept safe. The texts are shown and printed with the
    hand-over; ``rule_title`` and ``rule_link`` name the organisation's own rule.
    """

    way_of_use: str = WAYS_OF_USE[-1]
    redacted_outside: bool = False
    two_people: bool = False
    max_use_days: int | None = None
    check_in_days: int | None = None
    instructions_zh: str = ""
    instructions_en: str = ""
    rule_title: str = ""
    rule_link: str = ""

    def at_least(self, other: "Handling") -> "Handling":
        """Return these rules, in each respect as strict as ``other`` at least; the texts stay."""
        return replace(
            self,
            way_of_use=min(self.way_of_use, other.way_of_use, key=WAYS_OF_USE.index),
            redacted_outside=self.redacted_outside or other.redacted_outside,
            two_people=self.two_people or other.two_people,
            max_use_days=_fewer(self.max_use_days, other.max_use_days),
            check_in_days=_fewer(self.check_in_days, other.check_in_days),
        )

    def looser_than(self, floor: "Handling") -> list[str]:
        """List the fields in which these rules allow more than ``floor``."""
        raised, own = self.at_least(floor).as_json(), self.as_json()
        return [name for name in FIELDS if raised[name] != own[name]]

    def as_json(self) -> dict[str, Any]:
        return {_camel(name): value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Handling":
        """Read what ``as_json`` has returned; of an older release fields may lack."""
        known = asdict(Handling())
        return Handling(**{name: stored.get(_camel(name), value) for name, value in known.items()})


# What no table relaxes. Important footage was always released by two people, and lent for 15 days at the most.
_IMPORTANT = Handling(two_people=True, max_use_days=15)
FLOOR: Mapping[str, Handling] = {
    **dict.fromkeys(LEVELS, Handling()),
    IMPORTANT: _IMPORTANT,
    SENSITIVE_AREA: _IMPORTANT,
}
INSTRUCTIONS_FILE = Path(__file__).with_name("shipped_instructions.json")
_TEXTS: Mapping[str, Mapping[str, str]] = json.loads(INSTRUCTIONS_FILE.read_text(encoding="utf-8"))
# What holds until an organisation changes it.
_SHIPPED: Mapping[str, Handling] = {
    **FLOOR,
    "trade-secret": Handling(check_in_days=7),
    **dict.fromkeys(("privacy", "minors", "medical"), Handling(redacted_outside=True)),
}
SHIPPED: Mapping[str, Handling] = {
    level: replace(
        rules,
        instructions_zh=_TEXTS.get(level, {}).get("zh", ""),
        instructions_en=_TEXTS.get(level, {}).get("en", ""),
    )
    for level, rules in _SHIPPED.items()
}


def strictest(several: Iterable[Handling]) -> Handling:
    """Return what holds where all of these do; without texts, which are each level's own."""
    found = Handling()
    for one in several:
        found = found.at_least(one)
    return found


def _fewer(days: int | None, other: int | None) -> int | None:
    return min((one for one in (days, other) if one is not None), default=None)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)
