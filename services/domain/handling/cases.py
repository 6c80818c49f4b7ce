"""The handling rules of one case: computed until its form is filed, kept with it from then on (R56)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import WAYS_OF_USE, Application, Item
from services.database.tables.cameras import Camera
from services.database.unit_of_work import UnitOfWork
from services.domain.handling import levels, service
from services.domain.handling.levels import Handling
from services.runtime.labels import Label
from services.runtime.translations import Joined, Text

MARKS = ("important_information", "sensitive_event", "high_impact")
SENSITIVE = "sensitive"  # the class of a camera


@dataclass(frozen=True)
class Instruction:
    """What people are told of one level, and the version of its rules."""

    level: str
    version: int
    zh: str
    en: str
    rule_title: str
    rule_link: str


@dataclass(frozen=True)
class CaseHandling:
    """What holds for a case: the strictest of its levels, and the texts of each."""

    handling: Handling
    instructions: tuple[Instruction, ...]
    of_levels: Mapping[str, Handling]

    def named(self, field: str) -> Text:
        """Name the levels that limit this field, such as ``way_of_use``."""
        value = getattr(self.handling, field)
        return Joined(
            ", ", [Label(f"level-{level}") for level, rules in self.of_levels.items() if getattr(rules, field) == value]
        )

    def as_json(self) -> dict[str, Any]:
        return {
            **self.handling.as_json(),
            "levels": [
                {
                    "level": one.level,
                    "version": one.version,
                    "zh": one.zh,
                    "en": one.en,
                    "ruleTitle": one.rule_title,
                    "ruleLink": one.rule_link,
                }
                for one in self.instructions
            ],
        }


def compute(
    uow: UnitOfWork, application: Application, items: Sequence[Item], *, important: bool = False
) -> CaseHandling:
    """Return the rules that hold for a case with these items now; the rows need not be stored.

    ``important``: the class that a decision table has given it.
    """
    marked = important or any(getattr(application, mark) for mark in MARKS)
    cameras = {item.camera_id for item in items}
    sensitive = select(Camera.id).where(Camera.id.in_(cameras), Camera.camera_class == SENSITIVE).limit(1)
    in_area = bool(cameras) and uow.session.scalar(sensitive) is not None
    declared = set(application.sensitivities or ())
    found = [
        level
        for level in levels.LEVELS
        if level == levels.ORDINARY
        or (level == levels.IMPORTANT and (marked or in_area))
        or (level == levels.SENSITIVE_AREA and in_area)
        or level in declared
    ]
    rules = service.read_in_force(uow)
    of_levels = {level: rules[level].handling for level in found}
    return CaseHandling(
        levels.strictest(of_levels.values()),
        tuple(_instruction(level, rules[level].handling, rules[level].version) for level in found),
        of_levels,
    )


def kept(application: Application) -> Handling:
    """Return the rules that were kept with the case when its form was filed; none of a case of before they were."""
    return Handling.from_json(application.handling or {})


def limited(application: Application, way: str) -> str:
    """Return the way of use, or the most that the rules of the case allow."""
    return min(way, kept(application).way_of_use, key=WAYS_OF_USE.index)


def _instruction(level: str, handling: Handling, version: int) -> Instruction:
    return Instruction(
        level=level,
        version=version,
        zh=handling.instructions_zh,
        en=handling.instructions_en,
        rule_title=handling.rule_title,
        rule_link=handling.rule_link,
    )
