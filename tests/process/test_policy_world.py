"""What the policy check takes to come from outside is what workers and portal give."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from case_people import People
from demo_container import Places
from whole_desk import open_desk
from whole_footage import MADE_FOR

from services.database.tables.custody import HandOver
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.designers.policy_check.world import World
from services.domain.process.messages import SENT
from services.domain.stages import file as stage_file
from services.runtime.jobs.commands import result_variables
from services.runtime.jobs.worker import Worker, discover
from services.runtime.places import BPMN

Given = list[tuple[str, dict[str, Any]]]


def _told(worker: Worker, given: Given) -> Worker:
    """Return the worker, with what it answers kept in ``given``."""
    handle: Callable[..., Any] = worker.handle

    @functools.wraps(handle)
    async def handle_and_tell(*arguments: Any, **named: Any) -> Any:
        result = await handle(*arguments, **named)
        given.append((worker.job_type, result_variables(result)))
        return result

    return replace(worker, handle=handle_and_tell)


def _is_like(value: Any, expected: list[Any]) -> bool:
    """Return whether the world knows the value: the class itself, or for what has no classes, whether it is null."""
    classes = [one for one in expected if isinstance(one, bool) or one in ("ordinary", "sensitive")]
    return value in classes if classes else (value is None) in {one is None for one in expected}


@pytest.mark.slow
async def test_the_world_is_what_workers_and_portal_give(places: Places) -> None:
    world = World(BPMN, discover(), stage_file.read(BPMN / stage_file.NAME).stages, 2)
    given: Given = []
    async with open_desk(People, places, moment=MADE_FOR, workers=[_told(one, given) for one in discover()]) as desk:
        case = await desk.apply("cam1", "gate", important_information=True)
        await desk.accept(case)
        await desk.turn(days=8)
        await desk.turn(days=3)
        await desk.returned(case)
        reviews = {review.id for review in desk.rows(Review)}
        hand_overs = {hand_over.id for hand_over in desk.rows(HandOver)}
        sent = desk.rows(OutboxMessage)

    for job_type, values in given:
        outcomes = world.outcomes(job_type)
        assert {frozenset(values)} == {frozenset(outcome) for outcome in outcomes}, job_type
        for name, value in values.items():
            assert _is_like(value, [outcome[name] for outcome in outcomes]), (job_type, name, value)
    assert {name for name, _ in given} >= {"open-case", "security-review", "retrieve-footage", "re-archive"}
    for message in sent:
        parts = {"application": {message.application_id}, "review": reviews, "hand-over": hand_overs}
        [key] = SENT[message.name].key
        assert message.correlation_key in parts[key], message.name
    assert {message.name for message in sent} >= {"application-submitted", "review-decided", "copy-returned"}
