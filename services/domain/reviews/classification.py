"""The class of a case, computed from its rows: no process gets below it (R5, R14, R26, R50, T8, T10).

The decision table that is deployed (``classification.dmn``) gives the class of a case; the engine sends it, and is not
trusted. What the table says counts where it is stricter than this floor, which is that of the shipped table.
"""

from dataclasses import dataclass

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import security_check
from services.domain.handling import cases as handling_of_cases
from services.domain.handling.cases import CaseHandling
from services.domain.retrieval import preservations
from services.domain.reviews.scopes import MARKS

IMPORTANT, ORDINARY = "important", "ordinary"
LONGEST_USE_OF_IMPORTANT = 15  # days


@dataclass(frozen=True)
class Classification:
    """What follows from the class; ``max_use_days`` is None where only the rules bound the use."""

    importance: str
    management_needed: bool
    second_person: bool
    backup_needed: bool
    max_use_days: int | None

    def at_least(self, floor: "Classification") -> "Classification":
        """Return the stricter of both in each respect."""
        days = [limit for limit in (self.max_use_days, floor.max_use_days) if limit is not None]
        return Classification(
            importance=IMPORTANT if IMPORTANT in (self.importance, floor.importance) else ORDINARY,
            management_needed=self.management_needed or floor.management_needed,
            second_person=self.second_person or floor.second_person,
            backup_needed=self.backup_needed or floor.backup_needed,
            max_use_days=min(days) if days else None,
        )


def compute_floor(uow: UnitOfWork, application: Application) -> Classification:
    """Return the least class: important by a mark or a sensitive camera; management where Security is concerned."""
    marked = any(getattr(application, mark) for mark in MARKS)
    items = preservations.items_in_scope(uow, application.id)
    cameras = security_check.camera_class(uow, items)
    important = marked or cameras == "sensitive"
    floor = Classification(
        importance=IMPORTANT if important else ORDINARY,
        management_needed=important or security_check.is_involved(uow, application.id, "security"),
        second_person=important,
        backup_needed=important,
        max_use_days=LONGEST_USE_OF_IMPORTANT if important else None,
    )
    return floor.at_least(of_levels(handling_of_cases.compute(uow, application, items)))


def of_levels(rules: CaseHandling) -> Classification:
    """Return what follows from the rules of the case's confidentiality levels (R56)."""
    return Classification(
        importance=ORDINARY,
        management_needed=False,
        second_person=rules.handling.two_people,
        backup_needed=False,
        max_use_days=rules.handling.max_use_days,
    )


def highest_decider(uow: UnitOfWork, application_id: str, decided_by: str) -> str:
    """Return who decides: other managers than those concerned, where management is concerned (T8)."""
    return "management-other" if security_check.is_involved(uow, application_id, "management") else decided_by
