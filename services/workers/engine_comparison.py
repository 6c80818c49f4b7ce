"""Compare what is open in the register with the process instances of an engine, in both directions (R53).

Any engine says whether an instance runs that it is asked for; the one of this process lists all, so that those are
found too which no row names.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from services.database.unit_of_work import Actor, Database
from services.domain.process.engine_view import EngineInspection
from services.domain.process.instances import REGISTERS, Register
from services.domain.storage import engine_comparisons, findings, reconciliation
from services.domain.storage.engine_comparisons import SETTLED, Led, stranger
from services.domain.storage.findings import Found
from services.runtime.engine_client import EngineClient

AT_ONCE = 500
# Of what was closed before the last reconciliation the engine was asked then.
OVERLAP = timedelta(days=1)
FIRST = timedelta(days=30)  # what the first reconciliation asks for


class EngineComparison:
    """One day's comparison. ``engine``: of this process, where it has one."""

    def __init__(
        self, database: Database, actor: Actor, day: str, client: EngineClient, engine: EngineInspection | None
    ) -> None:
        self._database, self._actor, self._day = database, actor, day
        self._client, self._engine = client, engine
        self._asked = 0
        self._running = set[int]()  # instances of open rows
        self._alive = set[str]()  # open matters that an instance names, and that do not name it

    async def compare(self) -> int:
        """Record what differs; return how many instances were asked for. Raises Retryable without an engine."""
        not_named = await self._read(engine_comparisons.list_not_named)
        for register in REGISTERS:
            await self._ask_for_open(register)
            await self._ask_for_closed(register)
            if self._engine is not None:
                await self._look_through(self._engine, register)
        await self._ask_for_not_named(not_named)
        return self._asked

    async def _ask_for_open(self, register: Register) -> None:
        async for page in self._pages(engine_comparisons.list_running, register):
            self._running |= {row.key for row in page if row.key is not None}
            await self._record([row.without_instance() for row in page if await self._is_lost(row)])

    async def _ask_for_closed(self, register: Register) -> None:
        """Ask for the instances of what was found before, and of what was closed lately where the engine lists none."""
        found = await self._read(engine_comparisons.list_found, register)
        await self._record([row.still_run() for row in found if await self._runs_still(row)])
        if self._engine is not None:
            return
        last = await self._read(reconciliation.get_last)
        since = (last or self._database.clock.now() - FIRST) - OVERLAP
        async for page in self._pages(engine_comparisons.list_ended, register, since):
            await self._record([row.still_run() for row in page if await self._runs_still(row)])

    async def _ask_for_not_named(self, rows: Iterable[Led]) -> None:
        """Look for the processes of matters that name no instance: by what the engine lists, and by who is asked."""
        lost = []
        for row in rows:
            if row.id in self._alive or (row.asking is None and self._engine is None):
                continue
            if row.asking is not None and await self._has(row.asking):
                continue
            if await self._read(engine_comparisons.still_differs, row):
                lost.append(row.without_instance())
        await self._record(lost)

    async def _look_through(self, engine: EngineInspection, register: Register) -> None:
        """Look through what the engine runs for what no open row of the register is led by."""
        before = self._database.clock.now() - SETTLED
        for process in register.processes:
            async for page in _list_own(engine, process):
                self._asked += len(page)
                unknown = [one for one in page if one.key not in self._running]
                rows = await self._rows_of(engine, register, [one.key for one in unknown])
                judged = [(one, self._judge(register, process, one.key, rows.get(one.key))) for one in unknown]
                await self._record(
                    [
                        found
                        for one, found in judged
                        if found is not None and (one.start_date is None or one.start_date < before)
                    ]
                )

    def _judge(self, register: Register, process: str, key: int, row: Led | None) -> Found | None:
        """Return how an instance differs from the row that it is of."""
        if row is None:
            return stranger(register, process, key)
        if row.key not in (None, key):
            return stranger(register, process, key, row.application_id)
        if row.closed_at is None:
            self._alive.add(row.id)
            return None
        return row.still_run() if row.closed_at <= self._database.clock.now() - SETTLED else None

    async def _rows_of(self, engine: EngineInspection, register: Register, keys: Sequence[int]) -> Mapping[int, Led]:
        """Return the row that each of the instances says it is of, or else the one that names it."""
        if not keys:
            return {}
        told = {key: await _told_by(engine, key, register.variable) for key in keys}
        ids = [row_id for row_id in told.values() if row_id is not None]
        named = await self._read(engine_comparisons.find_named, register, ids)
        rows = {key: named[row_id] for key, row_id in told.items() if row_id in named}
        left = [key for key in keys if key not in rows]
        if left:
            rows |= await self._read(engine_comparisons.find_of_instances, register, left)
        return rows

    async def _is_lost(self, row: Led) -> bool:
        return not await self._has(row.key) and await self._read(engine_comparisons.still_differs, row)

    async def _runs_still(self, row: Led) -> bool:
        return await self._has(row.key) and await self._read(engine_comparisons.still_differs, row)

    async def _has(self, key: int | None) -> bool:
        self._asked += 1
        return key is not None and await self._client.has_instance(key)

    async def _pages(self, read: Any, *arguments: Any) -> AsyncIterator[list[Led]]:
        after = None
        while page := await self._read(read, *arguments, after, AT_ONCE):
            yield page
            after = page[-1].place

    async def _read(self, read: Any, *arguments: Any) -> Any:
        return await self._database.read(self._actor, read, *arguments)

    async def _record(self, found: Sequence[Found]) -> None:
        if found:
            await self._database.run(self._actor, findings.record, self._day, found)


async def _list_own(engine: EngineInspection, process: str) -> AsyncIterator[list[Any]]:
    """List the running instances of a process, a page at a time, save those that another process has called.

    What is called is no row's: its caller is.
    """
    offset = 0
    while page := await engine.instances(process=process, limit=AT_ONCE, offset=offset, descending=False):
        offset += len(page)
        lines: Sequence[Any] = page
        yield [one for one in lines if one.bpmn_process_id == process and not one.parent_process_instance_key]


async def _told_by(engine: EngineInspection, key: int, variable: str) -> str | None:
    """Return the id that an instance was started with."""
    variables: Sequence[Any] = await engine.variables(key)
    told = next((one.value for one in variables if (one.scope_key, one.name) == (key, variable)), "null")
    value = json.loads(told)
    return value if isinstance(value, str) else None
