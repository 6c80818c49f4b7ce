"""The daily maintenance on the engine: each day begins once, and what fails is entered as a defect (P8, P9)."""

from dataclasses import replace
from typing import Any

import pytest
from case_people import OpenDesk
from engine_harness import EngineHarness
from engine_trace import Trace

from services.database.tables.work_orders import WorkOrder
from services.engine.processing import jobs
from services.runtime.errors import Outcome
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

MODEL = (BPMN / "maintenance.bpmn").read_bytes()
PARTS = ("reverify-footage", "reconcile", "open-due-work-orders", "list-disposals")


def handed_out(desk: EngineHarness) -> dict[str, jobs.ActivatedJob]:
    """The jobs of one day, by type."""
    found = {}
    for job_type in PARTS:
        (found[job_type],) = desk.fetch(job_type)
    return found


def ended(desk: EngineHarness, key: int) -> bool:
    """Whether the instance has come to its end; what it visited counts as seen."""
    desk.store.begin()
    records = desk.store.records.of_instance(key)
    desk.store.rollback()
    trace = Trace(lambda: None)
    trace(records)
    return key in trace.ended


@pytest.mark.requirement("R13", "R53")
def test_p8_a_day_begins_once_however_often_the_models_are_deployed() -> None:
    desk = EngineHarness()
    days = []
    for number in range(3):
        # a comment makes another version, deployed an hour before the timer of the one before would have been due
        desk.deploy(MODEL.replace(b"<bpmn:process ", b"<!-- %d --><bpmn:process " % number, 1))
        desk.turn(hours=23)
        for job in handed_out(desk).values():
            days.append(job.job.process_instance_key)
            desk.complete(job.job.key, opened=0)
    assert len(set(days)) == 3
    assert all(ended(desk, key) for key in days)
    assert desk.open_incidents() == []


@pytest.mark.requirement("R53")
def test_p9_what_fails_becomes_a_work_order_and_stops_nothing() -> None:
    desk = EngineHarness()
    desk.deploy(MODEL)
    desk.turn(days=1)
    given = handed_out(desk)
    key = given["reconcile"].job.process_instance_key
    for job in given.values():
        desk.do(lambda execution, job=job: jobs.throw_job_error(execution, job.job.key, "CARE_FAILED", "away", {}))

    defects = desk.fetch("open-work-orders")
    assert sorted(job.variables["defect"] for job in defects) == sorted(PARTS)
    for job in defects:
        desk.complete(job.job.key)
    assert ended(desk, key)
    assert desk.open_incidents() == []


@pytest.mark.slow
@pytest.mark.zeebe
@pytest.mark.requirement("R53")
async def test_each_part_that_fails_opens_the_work_order_of_its_defect(a_desk: OpenDesk) -> None:
    async def fail(_command: Any) -> None:
        raise Outcome("CARE_FAILED", "the store is away")

    workers = [replace(one, handle=fail) if one.job_type in PARTS else one for one in discover()]
    async with a_desk(workers=workers) as desk:
        await desk.turn(days=1)

        await desk.until(lambda _: {one.subject_id for one in desk.rows(WorkOrder)} == set(PARTS), "the work orders")
        await desk.quiet()
        assert not desk.trace.incidents
