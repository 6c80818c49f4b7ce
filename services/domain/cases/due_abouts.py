"""What the cases of due dates are about, for the page alone: no calendar file tells a title."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Select, literal, or_, select, union_all
from sqlalchemy.orm import load_only

from services.database.tables.applications import Application
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.database.tables.evidence_packages import EvidencePackage
from services.database.tables.holds import Hold
from services.database.tables.inspections import InspectedCase
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications.schemas import CaseAbout
from services.domain.cases import footage as case_footage
from services.domain.cases.schemas.lists import DueDate

# whose row names the case; the id of the kinds that are not here is that of the case itself
TABLES: dict[str, Any] = {
    "review": Review,
    "consent": Consent,
    "receipt": HandOver,
    "use-period": HandOver,
    "work-order": WorkOrder,
    "work-order-verification": WorkOrder,
    "inspection": InspectedCase,
    "hearing": Matter,
    "hold-review": Hold,
    "package": EvidencePackage,
}
CASES = ("correction", "outside-letter", "outside-answer", "overwrite")
DECIDED = ("review", "consent")  # whoever decides reads the form, and what it is about in the inbox
BATCH = "disposal"  # a matter of footage of several cases


def list_abouts(uow: UnitOfWork, lines: Iterable[DueDate]) -> dict[tuple[str, str], CaseAbout]:
    """Read what the cases of these lines are about, by kind and id, of those that the actor may see.

    Three statements, however many lines there are.
    """
    ids = defaultdict[str, set[str]](set)
    for one in lines:
        ids[one.kind].add(one.id)
    cases = {(kind, case_id): case_id for kind in CASES for case_id in ids[kind]}
    queries = [_select(kind, ids[kind]) for kind in TABLES if ids[kind]]
    if queries:
        cases |= {(kind, of): case_id for kind, of, case_id in uow.session.execute(union_all(*queries)) if case_id}
    if not cases:
        return {}
    decided = {case_id for (kind, _), case_id in cases.items() if kind in DECIDED}
    seen = or_(Application.id.in_(decided), visibility.is_visible(uow, single=True))
    of_cases = select(Application).where(Application.id.in_(set(cases.values())), seen)
    rows = uow.session.scalars(of_cases.options(load_only(*case_footage.OF_CASE))).all()
    found = case_footage.read(uow, rows)
    return {key: found[case_id].about for key, case_id in cases.items() if case_id in found}


def _select(kind: str, ids: Collection[str]) -> Select[Any]:
    table = TABLES[kind]
    query = select(literal(kind), table.id, table.application_id).where(table.id.in_(ids))
    if kind != "review":
        return query
    batches = select(Matter.id).where(Matter.id == Review.matter_id, Matter.kind == BATCH)
    return query.where(~batches.exists())
