"""Fill an engine's data folder with many open and ended instances, as after months of work."""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, insert, update

from services.bench.engine_clients import PROCESS, VARIABLES
from services.engine.clock import SystemClock
from services.engine.errors import Rejection
from services.engine.processing import deployments, instances, jobs
from services.engine.processing.command_processor import Command, CommandProcessor
from services.engine.processing.execution import Execution
from services.engine.state.instances import ProcessInstance
from services.engine.state.records import Record
from services.engine.state.statements import Statement
from services.engine.state.store import FILE_NAME, Store
from services.engine.state.tables import counters, records

_NAME = "bench-filled"
_AT_ONCE = 1000
_JOB_MS = 60_000
_BUDGET = 1_000_000
_KEY = re.compile(r"\b\d{16}\b")
_ADD = Statement(insert(records))
_COUNT = Statement(update(counters).where(counters.c.name == bindparam("counter")).values(value=bindparam("reached")))


def fill(folder: Path, *, opened: int, ended: int) -> None:
    """Write an engine's file with ``opened`` instances at a service task and records of ``ended`` ones."""
    store = Store(folder)
    try:
        core = CommandProcessor(store, SystemClock())
        resources = [deployments.Resource("bench.bpmn", PROCESS.format(name=_NAME).encode())]
        _do(core, [lambda execution: deployments.deploy(execution, resources)])
        [record] = _do(core, [_create])
        [[activated]] = _do(core, [_fetch])
        _do(core, [lambda execution: jobs.complete_job(execution, activated.job.key, {"outcome": "done"})])
        pattern = store.records.of_instance(record.key)
        for start in range(0, opened, _AT_ONCE):
            _do(core, [_create] * min(_AT_ONCE, opened - start))
    finally:
        store.close()
    _repeat(folder / FILE_NAME, pattern, ended)


def _do(core: CommandProcessor, commands: Sequence[Command]) -> list[Any]:
    responses = core.apply(commands).responses
    for response in responses:
        if isinstance(response, Rejection):
            raise response
    return responses


def _create(execution: Execution) -> ProcessInstance:
    return instances.create(execution, instances.find_definition(execution, 0, _NAME, -1), json.loads(VARIABLES))


def _fetch(execution: Execution) -> list[jobs.ActivatedJob]:
    return jobs.activate_jobs(
        execution, _NAME, worker="bench", timeout=_JOB_MS, max_jobs=1, fetch_variables=[], max_bytes=_BUDGET
    )


def _repeat(file: Path, pattern: Sequence[Record], times: int) -> None:
    """Write the records of an instance again and again, each time with keys and positions of their own."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # it has not begun to count yet
        reached = dict(connection.execute("SELECT name, value FROM counters"))
        templates = [_RecordTemplate(record, pattern[0].key) for record in pattern]
        keys = max(template.highest for template in templates) + 1
        for start in range(0, times, _AT_ONCE):
            connection.execute("BEGIN")
            rows = _rows(templates, reached, keys, min(_AT_ONCE, times - start))
            _ADD.run_each(connection, rows)
            for counter, value in reached.items():
                _COUNT.run(connection, counter=counter, reached=value)
            connection.execute("COMMIT")


def _rows(
    templates: Iterable["_RecordTemplate"], reached: dict[str, int], keys: int, times: int
) -> Iterator[tuple[Any, ...]]:
    for _ in range(times):
        first = reached["key"] + 1
        for template in templates:
            reached["position"] += 1
            yield template.row(reached["position"], first)
        reached["key"] += keys


class _RecordTemplate:
    """A record of an instance, to be repeated with other keys."""

    def __init__(self, record: Record, first: int) -> None:
        value = json.dumps(record.value, ensure_ascii=False, separators=(",", ":")).replace("%", "%%")
        self._offsets: list[int] = []
        self._first = first
        self._value = _KEY.sub(self._place, value)
        self._record = record
        self._own = record.key - first

    @property
    def highest(self) -> int:
        return max(self._own, *self._offsets)

    def row(self, position: int, first: int) -> tuple[Any, ...]:
        """Return the columns in the order of the table."""
        value = self._value % tuple(first + offset for offset in self._offsets)
        record = self._record
        return position, record.timestamp, first + self._own, record.value_type, record.intent, first, value

    def _place(self, match: re.Match[str]) -> str:
        offset = int(match[0]) - self._first
        if offset < 0:  # the definition's
            return match[0]
        self._offsets.append(offset)
        return "%d"
