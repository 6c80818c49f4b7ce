"""Serve reconciliations, their findings and damaged versions as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import damages, findings, reconciliation_queries
from services.domain.storage.reconciliation_schemas import (
    DamageLine,
    ExaminationBody,
    ExplanationBody,
    FindingLine,
    FindingsQuestion,
    ReconciliationsAnswer,
)
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api/storage", tags=["storage"])


@router.get("/reconciliations", responses=problems(401, 403, 422))
async def list_reconciliations(
    actor: Acting, database: GivenDatabase, asked: Annotated[FindingsQuestion, Query()]
) -> ReconciliationsAnswer:
    """List the newest reconciliations, a page of their findings, and damaged versions that nobody has examined."""
    listing = Listing(sort="found", descending=True, limit=asked.limit, place=asked.place)

    def read(uow: UnitOfWork) -> ReconciliationsAnswer:
        page = reconciliation_queries.read_findings(uow, listing, state=asked.state, kind=asked.kind)
        return ReconciliationsAnswer(
            reports=reconciliation_queries.list_reports(uow),
            findings=page.lines,
            damages=reconciliation_queries.list_damages(uow),
            may_explain=reconciliation_queries.may_explain(uow),
            next=page.next,
            previous=page.previous,
        )

    return await database.read(actor, read)


@router.post("/findings/{finding_id}/explanation", responses=problems(401, 403, 404, 409, 422))
async def explain_finding(
    finding_id: Identifier, body: ExplanationBody, actor: Acting, database: GivenDatabase
) -> FindingLine:
    """Explain a finding in a sentence: it is not open any more."""

    def run(uow: UnitOfWork) -> FindingLine:
        findings.explain(uow, finding_id, body.explanation)
        uow.session.flush()
        return reconciliation_queries.get_finding(uow, finding_id)

    return await database.run(actor, run)


@router.post("/damages/{damage_id}/examination", responses=problems(401, 403, 404, 409, 422))
async def examine_damage(
    damage_id: Identifier, body: ExaminationBody, actor: Acting, database: GivenDatabase
) -> DamageLine:
    """Record what the examination of a damaged version has found: it holds its case no longer."""

    def run(uow: UnitOfWork) -> DamageLine:
        damages.examine(uow, damage_id, body.found)
        uow.session.flush()
        return reconciliation_queries.get_damage(uow, damage_id)

    return await database.run(actor, run)
