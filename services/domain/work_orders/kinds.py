"""The kinds of work orders, their usual checklists and the shipped schedules, from ``work_orders.json``."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from services.domain.work_orders.roles import Role
from services.runtime.translations import Bilingual

ANSWERS = ("yes", "no", "not-applicable")
ACTED_ON = {"check-in": ("in-hand", "not-passed-on"), "hold-review": ("still-needed",)}
"""By kind, the questions whose answers the system acts on: a schedule keeps them as they are."""


@dataclass(frozen=True)
class Item:
    """One question of a checklist. No needs a sentence, yes and not applicable none."""

    code: str
    zh: str
    en: str

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "zh": self.zh, "en": self.en}


@dataclass(frozen=True)
class Kind:
    """A kind of work order. ``days``: until it is due. ``sheet``: the title of its document, in Chinese."""

    code: str
    zh: str
    en: str
    sheet: str
    days: int
    verifier: Role | None
    checklist: tuple[Item, ...]


@dataclass(frozen=True)
class Shipped:
    """A schedule as it is shipped. ``doer``: None where the subject names who does it."""

    code: str
    kind: Kind
    subject: str
    every: str
    doer: Role | None

    @property
    def verifier(self) -> Role | None:
        return self.kind.verifier

    @property
    def checklist(self) -> tuple[Item, ...]:
        return self.kind.checklist


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        resources.files("services.domain.work_orders").joinpath("work_orders.json").read_text(encoding="utf-8")
    )
    return loaded


def _role(stored: dict[str, Any] | None) -> Role | None:
    return None if stored is None else Role.from_json(stored)


def items_of(stored: list[dict[str, str]]) -> tuple[Item, ...]:
    """Read the items of a checklist from JSON."""
    return tuple(Item(item["code"], item["zh"], item["en"]) for item in stored)


def get_label(subject_kind: str) -> Bilingual:
    """Return what a subject is called that there is only one of."""
    named = _data()["labels"][subject_kind]
    return Bilingual(named["zh"], named["en"])


def name_subject(subject_id: str, label: str, title: Bilingual | None = None) -> Bilingual:
    """Return a subject's label in each language: one that no person has named is kept in both, side by side.

    ``title``: of the work order, whose subject may be called as it is.
    """
    labels = _data()["labels"]
    known = [get_label(subject_id)] if subject_id in labels else []
    for named in (*known, *([title] if title is not None else [])):
        if label == f"{named.zh} {named.en}":
            return named
    return Bilingual(label, label)


KINDS: dict[str, Kind] = {
    code: Kind(
        code,
        given["zh"],
        given["en"],
        given["sheet"],
        given["days"],
        _role(given["verifier"]),
        items_of(_data()["checklists"][code]),
    )
    for code, given in _data()["kinds"].items()
}
SCHEDULES: dict[str, Shipped] = {
    code: Shipped(code, KINDS[given["kind"]], given["subject"], given["every"], _role(given["doer"]))
    for code, given in _data()["schedules"].items()
}
