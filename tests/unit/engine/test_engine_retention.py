"""Records are deleted when they are old enough, in slices, and the disk space they leave is used again."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_harness import EngineHarness, ManualClock, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine import writer as engine_writer
from services.engine.clock import to_millis
from services.engine.processing import command_processor
from services.engine.state.store import FILE_NAME
from services.engine.writer import Retention

AT_ONCE = diagram(start() + end(), "s>e", process_id="at-once")


def test_a_slice_takes_the_oldest_records_and_leaves_what_is_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    harness = EngineHarness()
    harness.deploy(AT_ONCE)
    old = harness.create("at-once")
    harness.turn(days=2)
    young = harness.create("at-once")
    kept = harness.history(young)
    before = to_millis(harness.clock.now() - timedelta(days=1))

    assert harness.core.prune_records(before)
    assert len(harness.history(old)) > 0
    while harness.core.prune_records(before):
        pass

    assert harness.history(old) == []
    assert harness.history(young) == kept


def test_commands_are_processed_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    monkeypatch.setattr(engine_writer, "_PRUNE_PAUSE_SECONDS", 3600)
    harness = EngineHarness()
    harness.deploy(AT_ONCE)
    old = harness.create("at-once")
    harness.turn(days=2)
    there = len(harness.store.records.of_instance(old.key))
    keeping = Retention(timedelta(days=1))
    now = to_millis(harness.clock.now())

    keeping.prune(harness.core, now)
    left = len(harness.store.records.of_instance(old.key))
    keeping.prune(harness.core, now)

    assert 0 < left < there
    assert len(harness.store.records.of_instance(old.key)) == left
    assert keeping.busy
    assert keeping.pause() > 0


async def test_an_engine_forgets_what_is_older_than_it_is_told_to_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_writer, "_PRUNE_PAUSE_SECONDS", 0)
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    clock = ManualClock()
    async with running_engine(tmp_path, clock) as engine:
        await engine.deploy(AT_ONCE, ONE_JOB)
        request = pb.CreateProcessInstanceRequest(bpmnProcessId="at-once", version=-1)
        ended = await engine.stub.CreateProcessInstance(request)
        engine.turn(days=31)
        while engine.server.writer._retention.busy or await engine.server.inspector.instances(state="ended"):
            await engine.server.writer.read(lambda _: None)
        working = await engine.stub.CreateProcessInstance(
            pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1)
        )
        assert await engine.server.inspector.instances(state="ended") == []
        assert [job.processInstanceKey for job in await engine.fetch("work")] == [working.processInstanceKey]
        assert ended.processInstanceKey < working.processInstanceKey


def test_records_that_cannot_be_deleted_hold_nothing_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    harness = EngineHarness()
    harness.deploy(AT_ONCE)

    def fail(_before: int, _most: int) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(harness.store.records, "prune", fail)

    assert not harness.core.prune_records(to_millis(harness.clock.now()))
    assert "old records could not be deleted" in caplog.text
    assert harness.history(harness.create("at-once"))[-1] == ("at-once", "COMPLETED")


def test_a_file_whose_old_records_go_does_not_grow(tmp_path: Path) -> None:
    harness = EngineHarness(tmp_path)
    harness.deploy(AT_ONCE)
    sizes = []
    for _ in range(6):
        for _ in range(30):
            harness.create("at-once")
        harness.turn(days=1)
        while harness.core.prune_records(to_millis(harness.clock.now())):
            pass
        harness.store._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append((tmp_path / FILE_NAME).stat().st_size)

    harness.store.close()
    assert sizes[-1] == sizes[1]


def test_a_query_without_changes_writes_nothing(tmp_path: Path) -> None:
    harness = EngineHarness(tmp_path)
    harness.deploy(ONE_JOB)
    log = tmp_path / f"{FILE_NAME}-wal"
    written = log.read_bytes()

    assert harness.fetch("work") == []

    assert log.read_bytes() == written
    harness.create("one-job")
    assert log.read_bytes() != written
    harness.store.close()
