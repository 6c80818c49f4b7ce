"""Records go when they are old enough, a slice at a time, and what they leave on the disk is used again."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from bpmn_makers import ONE_JOB, diagram, end, start
from engine_desk import CoreDesk, HandClock, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine import writer as engine_writer
from services.engine.clock import to_millis
from services.engine.processing import command_processor
from services.engine.state.store import FILE_NAME
from services.engine.writer import Retention

AT_ONCE = diagram(start() + end(), "s>e", process_id="at-once")


def test_a_slice_takes_the_oldest_records_and_leaves_what_is_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    desk = CoreDesk()
    desk.deploy(AT_ONCE)
    old = desk.create("at-once")
    desk.turn(days=2)
    young = desk.create("at-once")
    kept = desk.history(young)
    before = to_millis(desk.clock.now() - timedelta(days=1))

    assert desk.core.prune_records(before)
    assert len(desk.history(old)) > 0
    while desk.core.prune_records(before):
        pass

    assert desk.history(old) == []
    assert desk.history(young) == kept


def test_slices_have_pauses_between_them_in_which_commands_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    monkeypatch.setattr(engine_writer, "_PRUNE_PAUSE_SECONDS", 3600)
    desk = CoreDesk()
    desk.deploy(AT_ONCE)
    old = desk.create("at-once")
    desk.turn(days=2)
    there = len(desk.store.records.of_instance(old.key))
    keeping = Retention(timedelta(days=1))
    now = to_millis(desk.clock.now())

    keeping.prune(desk.core, now)
    left = len(desk.store.records.of_instance(old.key))
    keeping.prune(desk.core, now)

    assert 0 < left < there
    assert len(desk.store.records.of_instance(old.key)) == left
    assert keeping.busy
    assert keeping.pause() > 0


async def test_an_engine_forgets_what_is_older_than_it_is_told_to_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_writer, "_PRUNE_PAUSE_SECONDS", 0)
    monkeypatch.setattr(command_processor, "_PRUNE_BATCH", 5)
    clock = HandClock()
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
    desk = CoreDesk()
    desk.deploy(AT_ONCE)

    def fail(_before: int, _most: int) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(desk.store.records, "prune", fail)

    assert not desk.core.prune_records(to_millis(desk.clock.now()))
    assert "old records could not be deleted" in caplog.text
    assert desk.history(desk.create("at-once"))[-1] == ("at-once", "COMPLETED")


def test_a_file_whose_old_records_go_does_not_grow(tmp_path: Path) -> None:
    desk = CoreDesk(tmp_path)
    desk.deploy(AT_ONCE)
    sizes = []
    for _ in range(6):
        for _ in range(30):
            desk.create("at-once")
        desk.turn(days=1)
        while desk.core.prune_records(to_millis(desk.clock.now())):
            pass
        desk.store._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append((tmp_path / FILE_NAME).stat().st_size)

    desk.store.close()
    assert sizes[-1] == sizes[1]


def test_a_look_that_finds_nothing_is_not_written(tmp_path: Path) -> None:
    desk = CoreDesk(tmp_path)
    desk.deploy(ONE_JOB)
    log = tmp_path / f"{FILE_NAME}-wal"
    written = log.read_bytes()

    assert desk.fetch("work") == []

    assert log.read_bytes() == written
    desk.create("one-job")
    assert log.read_bytes() != written
    desk.store.close()
