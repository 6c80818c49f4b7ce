"""The rules that apply to an application: those in force that bear on it, and which of them are its basis (R3)."""

from collections.abc import Sequence
from typing import Any

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.applicable_rules import service as applicable_rules
from services.domain.applicable_rules.service import Registered
from services.domain.handling import cases as handling_of_cases
from services.domain.handling.cases import CaseHandling
from services.domain.retrieval import preservations


def list_of(uow: UnitOfWork, application: Application) -> list[Registered]:
    """Return the rules in force today that bear on the application, and those that it names besides."""
    items = preservations.items_in_scope(uow, application.id)
    return list_bearing(uow, application, handling_of_cases.compute(uow, application, items))


def list_bearing(uow: UnitOfWork, application: Application, handling: CaseHandling) -> list[Registered]:
    """Return the same of an application that is handled so; the row need not be stored."""
    named = set(application.rule_ids or ())
    return [
        one
        for one in applicable_rules.list_in_force(uow)
        if one.rule_id in named or one.entry.bears_on(application.on_behalf, handling.of_levels)
    ]


def to_json(uow: UnitOfWork, application: Application) -> dict[str, Any]:
    """Return what the form keeps of them, each by its version; nothing where none applies."""
    return as_json(list_of(uow, application), application)


def as_json(rules: Sequence[Registered], application: Application) -> dict[str, Any]:
    """Return what a form keeps of these rules; nothing where there are none."""
    named = set(application.rule_ids or ())
    found = [
        {
            "id": one.rule_id,
            "version": one.version,
            "kind": one.entry.kind,
            "title": one.entry.title,
            "titleEn": one.entry.title_en,
            "number": one.entry.number,
            "issuer": one.entry.issuer,
            "since": one.entry.since,
            "until": one.entry.until,
            "toCheck": one.entry.to_check,
            "basis": one.rule_id in named,
        }
        for one in rules
    ]
    return {"applicableRules": found} if found else {}
