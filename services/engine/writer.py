"""The one writer: commands that wait are applied and committed together, and what is due happens by itself."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Rejection
from services.engine.processing.core import Batch, Command, Core
from services.engine.retention import Retention
from services.engine.state.instances import Instance
from services.engine.state.records import Record
from services.engine.state.store import Store
from services.engine.waiting import JobWaiters

_MOST_AT_ONCE = 256
_LONGEST_SLEEP = 30.0
_log = logging.getLogger(__name__)


class Writer:
    """Owns the store. Database work runs in a thread of its own; everything else on the event loop.

    A command's answer is given when it is on disk, never before.
    """

    def __init__(self, data: Path | None, clock: EngineClock, records: Path | None, retention: timedelta) -> None:
        self._data = data
        self._clock = clock
        self._records_path = records
        self._retention = Retention(retention)
        self._queue: list[tuple[Command, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._job_waiters = JobWaiters()
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._expecting = 0
        self._file: IO[str] | None = None
        self._listeners: list[Callable[[list[Record]], None]] = []
        self.failures = 0
        """How often something could not be written."""
        self.stopping = False

    async def start(self) -> None:
        """Raises CannotOpen."""
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine-writer")
        try:
            self._store = await self._loop.run_in_executor(self._thread, Store, self._data)
        except BaseException:
            self._thread.shutdown()
            raise
        self._core = Core(self._store, self._clock)
        if self._records_path is not None:
            self._file = self._records_path.open("a", encoding="utf-8")
        self._task = asyncio.create_task(self._run(), name="engine-writer")

    def stop_waiting(self) -> None:
        """End the long polls."""
        self.stopping = True
        self._job_waiters.wake_all()

    async def stop(self) -> None:
        """Apply what was accepted, then close the file."""
        self.stop_waiting()
        self._wake.set()
        await self._task
        await self._loop.run_in_executor(self._thread, self._store.close)
        if self._file is not None:
            with suppress(OSError):  # logged when it was written
                self._file.close()
        self._thread.shutdown()

    def wake(self) -> None:
        """Look at the clock again."""
        self._wake.set()

    async def submit(self, command: Command) -> Any:
        """Returns the command's answer once it is on disk; raises Rejection."""
        return await self.tell(command)

    def tell(self, command: Command) -> asyncio.Future[Any]:
        """As ``submit``, for who goes on meanwhile; the command is applied even if nobody waits for the answer."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.append((command, future))
        self._wake.set()
        return future

    async def read(self, look: Callable[[Store], Any]) -> Any:
        """Look at what is on disk, between two batches."""
        return await self.submit(lambda work: look(work.store))

    def listen(self, listener: Callable[[list[Record]], None]) -> None:
        """Call ``listener`` on the event loop with the records of each batch, once they are on disk."""
        self._listeners.append(listener)

    def watch_jobs(self, job_type: str) -> asyncio.Event:
        """An event that is set when a job of the type may be fetched, for who watches longest first.

        Give it back with ``unwatch_jobs``.
        """
        return self._job_waiters.watch(job_type)

    def unwatch_jobs(self, job_type: str, event: asyncio.Event) -> None:
        self._job_waiters.leave(job_type, event)

    def pass_over(self, job_type: str, event: asyncio.Event) -> None:
        """Who watches has jobs to deliver, and then gives the event back; jobs that come meanwhile are for others."""
        self._job_waiters.pass_over(job_type, event)

    def is_shared(self, job_type: str) -> bool:
        """Whether more than one worker wants jobs of the type."""
        return self._job_waiters.number(job_type) > 1

    async def submit_awaited(self, create: Command) -> tuple[Instance, asyncio.Future[dict[str, Any]]]:
        """Create an instance; returns it with the variables it will end with. Give those up with ``forget_result``."""
        self._expecting += 1
        try:
            instance: Instance = await self.submit(create)
            return instance, self._results.setdefault(instance.key, self._loop.create_future())
        finally:
            self._expecting -= 1

    def forget_result(self, instance_key: int) -> None:
        self._results.pop(instance_key, None)

    async def _run(self) -> None:
        while not (self.stopping and not self._queue):
            self._wake.clear()
            taken, self._queue = self._queue[:_MOST_AT_ONCE], self._queue[_MOST_AT_ONCE:]
            commands = [command for command, _ in taken]
            try:
                due, batch, next_due = await self._loop.run_in_executor(self._thread, self._step, commands)
            except Exception as error:  # noqa: BLE001 - told to every waiting client, and logged
                self.failures += 1
                _log.exception("the engine cannot write its state")
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                await asyncio.sleep(1)  # a full disk heals or it does not; the log tells either way
                continue
            self._publish(due)
            self._publish(batch)
            self._answer(taken, batch)
            self.failures += due.unwritten + batch.unwritten
            if due.unwritten:
                await asyncio.sleep(1)  # it is due still, and would be tried at once
                continue
            if not self._queue and not self.stopping:
                await self._sleep(next_due)

    def _step(self, commands: list[Command]) -> tuple[Batch, Batch, int | None]:
        due = self._core.apply_due()
        batch = self._core.apply(commands) if commands else Batch()
        self._retention.prune(self._core, to_millis(self._clock.now()))
        self._write_records([*due.records, *batch.records])
        return due, batch, self._core.next_due()

    def _write_records(self, records: list[Record]) -> None:
        """What they tell of is committed and has to be answered, whether they find room or not."""
        if self._file is None or not records:
            return
        try:
            self._file.write("".join(record.line() + "\n" for record in records))
            self._file.flush()
        except OSError as error:
            self.failures += 1
            _log.error("records could not be appended to their file: %s", error)

    def _publish(self, batch: Batch) -> None:
        for job_type, number in batch.available.items():
            self._job_waiters.wake(job_type, number)
        for key, variables in batch.results.items():
            # an instance may end in the very batch that creates it, before its creator knows its key
            if key not in self._results and self._expecting:
                self._results[key] = self._loop.create_future()
            future = self._results.get(key)
            if future is not None and not future.done():
                future.set_result(variables)
        if batch.records:
            for listener in self._listeners:
                listener(batch.records)

    def _answer(self, taken: list[tuple[Command, asyncio.Future[Any]]], batch: Batch) -> None:
        for (_, future), answer in zip(taken, batch.answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Rejection):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _sleep(self, next_due: int | None) -> None:
        """Until something is due or a command comes."""
        seconds = _LONGEST_SLEEP
        if next_due is not None:
            seconds = min(seconds, (next_due - to_millis(self._clock.now())) / 1000)
        if self._retention.busy:
            seconds = min(seconds, self._retention.pause())
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
