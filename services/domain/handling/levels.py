"""Confidentiality levels and their handling rules: values, the floor in code, and the stricter of several (R5, R56).

A case has every level that applies to it: ``ordinary`` always, ``important`` by its class, ``sensitive-area`` by its
cameras, and one for each kind of sensitive content that is declared. What holds for it is the strictest of each.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
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
# What holds until an organisation changes it.
SHIPPED: Mapping[str, Handling] = {
    **FLOOR,
    IMPORTANT: replace(
        _IMPORTANT,
        instructions_zh="只在办公场所使用，离开时锁屏；不得在公共网络或个人设备上打开。",
        instructions_en="Use it at the workplace alone and lock the screen when you leave; never open it on a public "
        "network or an own device.",
    ),
    SENSITIVE_AREA: replace(
        _IMPORTANT,
        instructions_zh="不得透露摄像头位置、覆盖范围和安防布置。",
        instructions_en="Disclose neither places and views of cameras nor security arrangements.",
    ),
    "trade-secret": Handling(
        check_in_days=7,
        instructions_zh="画面中的设备、工艺、屏幕和文件不得记录、描述或截图外传。",
        instructions_en="Do not record, describe or pass on equipment, processes, screens and documents that it shows.",
    ),
    "privacy": Handling(
        redacted_outside=True,
        instructions_zh="只查看与用途有关的片段；无关人员的情况不得谈论或记录。",
        instructions_en="View only the parts that the purpose needs; neither discuss nor note what others do in it.",
    ),
    "minors": Handling(
        redacted_outside=True,
        instructions_zh="不得让无关人员看到或辨认未成年人；需要出示时先脱敏。",
        instructions_en="Let nobody without a part in it see or recognise a minor; redact it before it is shown.",
    ),
    "medical": Handling(
        redacted_outside=True,
        instructions_zh="涉及伤病和救治的画面只由经办人员查看。",
        instructions_en="Footage of injuries and treatment is viewed only by those who handle the case.",
    ),
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
