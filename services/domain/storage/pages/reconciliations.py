"""Serve the page of the reconciliations: the reports, their findings, and damaged versions."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.keyset import Page
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.storage import damages, differences, findings, reconciliation_queries, ways_back
from services.domain.storage.reconciliation_schemas import (
    DamageLine,
    ExaminationBody,
    ExplanationBody,
    FindingLine,
    FindingSort,
    ReconciliationLine,
)
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.schemas import SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage/reconciliations")
HERE = "/storage/reconciliations"


class ListQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(FindingSort)
    FALLING: ClassVar = frozenset({"found"})

    state: SearchText = ""
    kind: SearchText = ""


@dataclass(frozen=True)
class _Shown:
    reports: list[ReconciliationLine]
    found: Page[FindingLine]
    damages: list[DamageLine]
    may_explain: bool


@router.get("")
async def list_reconciliations(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]
) -> Response:
    """Show the reports of the last days, the findings, and what is damaged."""
    return await _page(visitor, database, wanted)


@router.post("/findings/{finding_id}")
async def explain_finding(finding_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Explain a finding."""
    try:
        body = typed.body(ExplanationBody)
        await database.run(visitor.actor, findings.explain, finding_id, body.explanation)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, ListQuery(), refusal)
    return visitor.redirect(HERE, Message("The finding is explained."))


@router.post("/damages/{damage_id}")
async def examine_damage(damage_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record what an examination has found."""
    try:
        body = typed.body(ExaminationBody)
        await database.run(visitor.actor, damages.examine, damage_id, body.found)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _page(visitor, database, ListQuery(), refusal)
    return visitor.redirect(HERE, Message("The check is recorded: the damage holds its case no longer."))


async def _page(visitor: Visitor, database: Database, wanted: ListQuery, refusal: Refused | None = None) -> Response:
    def read(uow: UnitOfWork) -> _Shown:
        listing = wanted.listing(visitor.language)
        found = reconciliation_queries.read_findings(uow, listing, state=wanted.state, kind=wanted.kind)
        return _Shown(
            reconciliation_queries.list_reports(uow),
            found,
            reconciliation_queries.list_damages(uow),
            reconciliation_queries.may_explain(uow),
        )

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        names = ("found", "kind", "place", "object", "case", "state", "explained by", "explained at", "explanation")
        rows = [
            (
                *(lists.written(visitor, line.found_at), line.kind, line.place, line.subject),
                *(line.application_number or "", line.state, line.explained_by or ""),
                *(lists.written(visitor, line.explained_at), line.explanation or ""),
            )
            for line in shown.found.lines
        ]
        return lists.csv_answer(visitor, "findings", names, rows)
    status = refusal.status if refusal else 200
    return visitor.page(
        "storage/reconciliations.html",
        status=status,
        shown=shown,
        refusal=refusal,
        kinds=differences.KINDS,
        sentence_of=lambda line: ways_back.sentence(line.kind, line.subject, line.detail),
        **wanted.shown_page(shown.found),
    )
