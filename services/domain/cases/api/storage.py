"""The storage office: releases, footage on its way, recorders, quarantine; measuring a recorder (R30 to R34)."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import clocks
from services.domain.cases import storage_office
from services.domain.cases.schemas.storage import PreservedSort, StorageOffice, WatchedRecorder
from services.web.dependencies import GivenDatabase, GivenRecorders, OpenRecorder
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Body, ListParameters, Moment

MOST = 1000
router = APIRouter(prefix="/api/storage", tags=["storage"])


class PreservedQuestion(ListParameters):
    """``text`` is searched in numbers, cameras and places."""

    sort: PreservedSort = "preserved"
    order: Literal["asc", "desc"] = "desc"


class ClockBody(Body):
    """``shown`` is what the picture showed at the true time ``true``."""

    shown: Moment
    true: Moment
    uncertainty_ms: Annotated[int, Field(ge=1000, le=600_000)] = 2000


@router.get("", responses=problems(401, 403))
async def read_office(
    question: Annotated[PreservedQuestion, Query()], actor: Acting, database: GivenDatabase
) -> StorageOffice:
    """Return everything at a glance; the parameters are those of the quarantine.

    There are at most a thousand releases and recorders in it, those that are due and those in trouble first.
    """
    most = {"releases": MOST, "recorders": MOST}
    return await database.read(actor, storage_office.get_office, question.listing(), **most)


@router.post("/recorders/{recorder_id}/measure", responses=problems(*USUAL))
async def measure(
    recorder_id: str, actor: Acting, database: GivenDatabase, recorders: GivenRecorders
) -> WatchedRecorder:
    """Ask a recorder now for its clock and its oldest frames."""
    return await measure_now(recorder_id, actor, database, recorders)


@router.post("/recorders/{recorder_id}/clock", responses=problems(*USUAL))
async def compare_clock(recorder_id: str, body: ClockBody, actor: Acting, database: GivenDatabase) -> WatchedRecorder:
    """Store what the clock in a picture showed, against true time: for a recorder that does not report its own."""

    def act(uow: UnitOfWork) -> WatchedRecorder:
        uncertainty = timedelta(milliseconds=body.uncertainty_ms)
        clocks.record_comparison(uow, recorder_id, body.shown, body.true, uncertainty)
        return storage_office.get_recorder(uow, recorder_id)

    return await database.run(actor, act)


async def measure_now(recorder_id: str, actor: Actor, database: Database, recorders: OpenRecorder) -> WatchedRecorder:
    """Measure the recorder now; Refused where it does not answer, and to everybody but an operator."""
    source = await database.run(actor, storage_office.source_to_measure, recorder_id)
    configuration = {name: str(value) for name, value in source.configuration.items()}
    facts = await recorders(source.kind, configuration).probe()
    if not facts.reachable:
        raise await database.run(actor, storage_office.record_unreachable, recorder_id)
    return await database.run(actor, storage_office.record_measurement, recorder_id, facts)
