"""The supervision group and its inspections as JSON (R60 to R64)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.http import signed
from services.domain.supervision import case_reviews, groups, populations, queries, service, signing
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.groups import Appointment
from services.domain.supervision.schemas import (
    AnswersBody,
    BeginBody,
    CaseSheetView,
    GroupAnswer,
    InspectionLine,
    InspectionPopulation,
    InspectionView,
    ProposalBody,
    ReportBody,
)
from services.web import csv
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Identifier, PageParameters

router = APIRouter(prefix="/api", tags=["supervision"])
Position = Annotated[int, Field(ge=0, le=10_000_000)]


@router.get("/supervision-group", responses=problems(401, 403))
async def read_group(actor: Acting, database: GivenDatabase) -> GroupAnswer:
    """Return the supervision group in office, and the one that is proposed."""
    return await database.read(actor, queries.read_group)


@router.post("/supervision-group", status_code=201, responses=signed(*USUAL))
async def propose_group(body: ProposalBody, actor: Acting, database: GivenDatabase) -> GroupAnswer:
    """Propose a group, signed; another one of the management has to confirm it."""
    appointment = Appointment(body.leader_id, body.member_ids, body.until, body.basis)

    def act(uow: UnitOfWork) -> GroupAnswer:
        groups.propose(uow, appointment, body.proof())
        return queries.read_group(uow)

    return await database.run(actor, act)


@router.post("/supervision-group/{group_id}/confirm", responses=signed(*USUAL))
async def confirm_group(group_id: Identifier, body: Signing, actor: Acting, database: GivenDatabase) -> GroupAnswer:
    """Confirm the proposed group as the second person, signed: it is in office from now on."""

    def act(uow: UnitOfWork) -> GroupAnswer:
        groups.confirm(uow, group_id, body.proof())
        return queries.read_group(uow)

    return await database.run(actor, act)


@router.post("/supervision-group/{group_id}/withdraw", responses=problems(*USUAL))
async def withdraw_group(group_id: Identifier, actor: Acting, database: GivenDatabase) -> GroupAnswer:
    """Withdraw the proposed group, or refuse it as the second person."""

    def act(uow: UnitOfWork) -> GroupAnswer:
        groups.withdraw(uow, group_id)
        return queries.read_group(uow)

    return await database.run(actor, act)


@router.get("/inspections", responses=problems(401, 403))
async def list_inspections(
    question: Annotated[PageParameters, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[InspectionLine]:
    """Return the inspections, the newest first. `Link` has the pages around this one."""
    return paged.lines(
        await database.read(actor, queries.page_of_inspections, limit=question.limit, place=question.place)
    )


@router.post("/inspections", status_code=201, responses=problems(*USUAL))
async def begin_inspection(body: BeginBody, actor: Acting, database: GivenDatabase) -> InspectionView:
    """Begin the inspection of a period that is over, as the leader of the group."""

    def act(uow: UnitOfWork) -> InspectionView:
        return queries.read_inspection(uow, service.open_by_leader(uow, body.period).id)

    return await database.run(actor, act)


@router.get("/inspections/{inspection_id}", responses=problems(401, 403, 404))
async def read_inspection(
    inspection_id: Identifier, actor: Acting, database: GivenDatabase, after: Position = 0
) -> InspectionView:
    """Return an inspection; ``after``: the place in the sample behind which its cases begin."""
    return await database.read(actor, queries.read_inspection, inspection_id, after=after)


@router.get(
    "/inspections/{inspection_id}/population",
    response_model=InspectionPopulation,
    responses={200: {"content": {"text/csv": {}}}, **problems(401, 403, 404, 409)},
)
async def read_population(
    inspection_id: Identifier, actor: Acting, database: GivenDatabase, form: populations.Form = "json"
) -> Response:
    """Return the cases that the sample was drawn from, with seed and sample, as a file; each time is an event.

    `footage-desk inspection reproduce --population` draws the sample again from it, without the database. The CSV has
    the cases alone, with the columns number, because and sampled.
    """
    found = await database.read(actor, populations.read, inspection_id, form)
    if form == "csv":
        return csv.csv_answer(found.number, populations.COLUMNS, populations.rows_of(found))
    return Response(
        found.model_dump_json(indent=1),
        media_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{found.number}.json"',
            "Cache-Control": "no-store",
        },
    )


@router.post("/inspections/{inspection_id}/signature", responses=signed(*USUAL))
async def sign_report(
    inspection_id: Identifier, body: ReportBody, actor: Acting, database: GivenDatabase
) -> InspectionView:
    """Sign the report, or refuse to with a reason."""

    def act(uow: UnitOfWork) -> InspectionView:
        signing.sign(uow, inspection_id, body.outcome, body.report_sha256, proof=body.proof(), reason=body.reason)
        return queries.read_inspection(uow, inspection_id)

    return await database.run(actor, act)


@router.get("/inspected-cases/{inspected_case_id}", responses=problems(401, 403, 404))
async def read_case(inspected_case_id: Identifier, actor: Acting, database: GivenDatabase) -> CaseSheetView:
    """Return the checklists of one case of a sample, with the system's answers."""
    return await database.read(actor, queries.read_case, inspected_case_id)


@router.post("/inspected-cases/{inspected_case_id}/answers", responses=signed(*USUAL))
async def inspect_case(
    inspected_case_id: Identifier, body: AnswersBody, actor: Acting, database: GivenDatabase
) -> CaseSheetView:
    """Answer all questions about one case, signed; each "no" is a finding."""
    given = {code: Given(one.answer, one.word) for code, one in body.answers.items()}

    def act(uow: UnitOfWork) -> CaseSheetView:
        case_reviews.decide(uow, inspected_case_id, given, body.sheet_sha256, body.proof())
        return queries.read_case(uow, inspected_case_id)

    return await database.run(actor, act)
