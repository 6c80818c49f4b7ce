"""Moving one case: nothing is moved that went on meanwhile, and what the engine rejects is on record (R2)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from review_desk import ReviewDesk

from services.app import case_migration, case_moves
from services.app.case_migration import Planned, Target
from services.app.case_moves import Moved, Mover, Order
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.designers import migration_words as words
from services.designers.policy_check.onward import ALLOWED, Verdict
from services.designers.policy_check.past import Record
from services.designers.policy_check.version_mapping import Difference
from services.domain.applications import opening
from services.domain.process import running_cases
from services.domain.process.deployed_models import ProcessVersion
from services.runtime.errors import Retryable
from services.runtime.migration import Rejected

pytestmark = pytest.mark.requirement("R2")
FIRST, SECOND = ProcessVersion("video-retrieval", 1, 100), ProcessVersion("video-retrieval", 2, 200)
TARGET = Target(Path("my-models"), {"video-retrieval.bpmn": "2" * 64}, "video-retrieval.bpmn")


class Engine:
    """What the engine is asked, and what it answers."""

    def __init__(self, *answers: Exception) -> None:
        self.asked: list[tuple[int, int]] = []
        self._answers = list(answers)

    async def migrate(self, _channel: Any, key: int, definition_key: int, _ids: Mapping[str, str]) -> None:
        self.asked.append((key, definition_key))
        if self._answers:
            raise self._answers.pop(0)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    desk.run(opening.open_case, desk.submitted(), 1000, FIRST)
    yield desk
    desk.close()


def _planned(desk: ReviewDesk) -> Planned:
    [case] = desk.run(running_cases.list_running)
    record = desk.run(lambda uow: case_migration.record_of(case, case_migration.list_sets(uow)))
    verdict = Verdict(ALLOWED, rules=104, states=7)
    return Planned(case, verdict, record, {"a": "b"}, Difference({"a": "b"}, ["c"]))


async def _move(desk: ReviewDesk, planned: Planned, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Moved:
    monkeypatch.setattr(case_moves, "migrate", engine.migrate)
    mover = Mover(desk.database, None, Order(TARGET, SECOND, "0" * 64, "lina", "a rule is new"))  # type: ignore[arg-type]  # not used
    return await mover.move(planned)


def _told(desk: ReviewDesk) -> list[tuple[str, dict[str, Any]]]:
    def read(uow: Any) -> list[tuple[str, dict[str, Any]]]:
        events = uow.session.query(AuditEvent).filter(AuditEvent.action.like("case-migra%")).order_by(AuditEvent.seq)
        return [(event.action, json.loads(event.entry)["detail"]) for event in events]

    return desk.run(read)


async def test_a_case_is_moved_and_every_fact_of_it_is_on_record(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    moved = await _move(desk, _planned(desk), engine, monkeypatch)

    assert (moved.is_moved, engine.asked) == (True, [(1000, 200)])
    (ordered, _), (migrated, detail) = _told(desk)
    assert (ordered, migrated) == (running_cases.ORDERED, running_cases.MIGRATED)
    assert (detail["by"], detail["reason"], detail["result"], detail["rules"]) == (
        "lina",
        "a rule is new",
        "allowed",
        104,
    )
    assert (detail["from_version"], detail["to_version"], detail["to_sha256"]) == (1, 2, "2" * 64)
    assert (detail["changed"], detail["without"]) == ({"a": "b"}, ["c"])
    assert desk.the(Application, process_instance_key=1000).process_version == 2


@pytest.mark.requirement("R2", refuses=True)
async def test_a_case_that_went_on_or_ended_since_it_was_looked_at_is_not_moved(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, engine = _planned(desk), Engine()
    stale = replace(planned, record=Record(1, ()))
    assert (await _move(desk, stale, engine, monkeypatch)).sentence == words.WENT_ON

    def close(uow: Any) -> None:
        uow.session.get_one(Application, planned.case.application.id).closed_at = uow.now

    desk.run(close)
    assert (await _move(desk, planned, engine, monkeypatch)).sentence == words.GONE
    assert engine.asked == []
    assert [action for action, _ in _told(desk)] == [running_cases.ORDERED]


async def test_what_the_engine_rejects_is_told_and_on_record(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Rejected("FAILED_PRECONDITION: no mapping instruction defined for active element with id 'x'"))
    moved = await _move(desk, _planned(desk), engine, monkeypatch)

    assert not moved.is_moved
    assert "no mapping instruction defined" in moved.sentence[1]
    action, detail = _told(desk)[-1]
    assert action == running_cases.REJECTED
    assert "no mapping instruction defined" in detail["sentence"]
    assert desk.the(Application, process_instance_key=1000).process_version == 1


async def test_an_engine_that_is_away_leaves_the_order_and_the_next_call_takes_it_up(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Retryable):
        await _move(desk, _planned(desk), Engine(Retryable("the engine is away")), monkeypatch)
    # this time it answers that the instance has been moved already: the first call reached it
    done = Rejected("INVALID_ARGUMENT: mapping instructions contain a non-existing source element id 'a'")
    moved = await _move(desk, _planned(desk), Engine(done), monkeypatch)

    assert moved.is_moved
    assert [action for action, _ in _told(desk)] == [running_cases.ORDERED, running_cases.MIGRATED]


@pytest.mark.parametrize(
    ("ended", "followed"),
    [({}, 2), ({"a": "completed", "b": "completed", "c": "completed"}, 2), ({"a": "completed", "b": "completed"}, 3)],
)
def test_items_are_followed_as_two_only_where_all_have_come_equally_far(ended: dict[str, str], followed: int) -> None:
    rows = [SimpleNamespace(item_id=item, element_id="Task", outcome=outcome) for item, outcome in ended.items()]
    case = SimpleNamespace(items=["a", "b", "c"], steps=rows)
    assert len(case_migration.items_of(case)) == followed  # type: ignore[arg-type]  # what is read of it
