"""Apply queued commands in batches, and trigger what is due."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from services.engine.clock import EngineClock, to_millis
from services.engine.errors import Rejection
from services.engine.job_notifications import JobNotifications
from services.engine.processing.command_processor import Batch, Command, CommandProcessor
from services.engine.state.instances import ProcessInstance
from services.engine.state.records import Record
from services.engine.state.store import Store

_MAX_BATCH = 256
_MAX_SLEEP_SECONDS = 30.0
_RETENTION_CHECK_MS = 3_600_000
_PRUNE_PAUSE_SECONDS = 0.05
_log = logging.getLogger(__name__)


class Retention:
    """Deletes expired records in slices between batches, so commands do not wait.

    Only the writer's thread uses it.
    """

    def __init__(self, max_age: timedelta) -> None:
        self._max_age_ms = max_age // timedelta(milliseconds=1)
        self._last_check_ms = 0
        self._next_slice = 0.0
        self.busy = False
        """There is more to delete."""

    def prune(self, core: CommandProcessor, now: int) -> None:
        """Delete a slice if one is due; ``now`` in ms."""
        if now - self._last_check_ms > _RETENTION_CHECK_MS:
            self._last_check_ms = now
            self.busy = True
        if self.busy and time.monotonic() >= self._next_slice:
            self.busy = core.prune_records(now - self._max_age_ms)
            self._next_slice = time.monotonic() + _PRUNE_PAUSE_SECONDS

    def pause(self) -> float:
        """Return the seconds until the next slice."""
        return self._next_slice - time.monotonic()


class Writer:
    """Owns the store.

    Database work runs in its own thread, the rest on the event loop.
    A command is acknowledged once it is on disk, never before.
    """

    def __init__(self, data: Path | None, clock: EngineClock, records: Path | None, retention: timedelta) -> None:
        self._data = data
        self._clock = clock
        self._records_path = records
        self._retention = Retention(retention)
        self._queue: list[tuple[Command, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._job_notifications = JobNotifications()
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pending_creations = 0
        self._record_file: IO[str] | None = None
        self._exporters: list[Callable[[list[Record]], None]] = []
        self.write_failures = 0
        """The number of failed writes."""
        self.stopping = False

    async def start(self) -> None:
        """Open the store and start processing; raises DataFileError."""
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine-writer")
        try:
            self._store = await self._loop.run_in_executor(self._thread, Store, self._data)
        except BaseException:
            self._thread.shutdown()
            raise
        self._core = CommandProcessor(self._store, self._clock)
        if self._records_path is not None:
            self._record_file = self._records_path.open("a", encoding="utf-8")
        self._task = asyncio.create_task(self._run(), name="engine-writer")

    def end_long_polls(self) -> None:
        """End all long polls."""
        self.stopping = True
        self._job_notifications.notify_all()

    async def stop(self) -> None:
        """Apply accepted commands, then close the file."""
        self.end_long_polls()
        self._wake.set()
        await self._task
        await self._loop.run_in_executor(self._thread, self._store.close)
        if self._record_file is not None:
            with suppress(OSError):  # logged when the write failed
                self._record_file.close()
        self._thread.shutdown()

    def wake(self) -> None:
        """Check for due timers, jobs and messages now."""
        self._wake.set()

    async def submit(self, command: Command) -> Any:
        """Return the command's response once it is on disk; raises Rejection."""
        return await self.enqueue(command)

    def enqueue(self, command: Command) -> asyncio.Future[Any]:
        """Queue a command; it is applied even if nothing awaits the future."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.append((command, future))
        self._wake.set()
        return future

    async def read(self, query: Callable[[Store], Any]) -> Any:
        """Run ``query`` on the committed state, between two batches."""
        return await self.submit(lambda _execution: query(self._store))

    def add_exporter(self, exporter: Callable[[list[Record]], None]) -> None:
        """Call ``exporter`` on the event loop with each batch's committed records."""
        self._exporters.append(exporter)

    def subscribe_to_jobs(self, job_type: str) -> asyncio.Event:
        """Return an event that is set when a job is activatable.

        The longest waiting subscriber is notified first; end it with ``unsubscribe_from_jobs``.
        """
        return self._job_notifications.subscribe(job_type)

    def unsubscribe_from_jobs(self, job_type: str, event: asyncio.Event) -> None:
        self._job_notifications.unsubscribe(job_type, event)

    def pause_notifications(self, job_type: str, event: asyncio.Event) -> None:
        """Stop notifying a subscriber that is delivering jobs, until it subscribes anew."""
        self._job_notifications.pause(job_type, event)

    def has_competing_subscribers(self, job_type: str) -> bool:
        """Return whether several workers wait for jobs of the type."""
        return self._job_notifications.count(job_type) > 1

    def is_asked_for(self, job_type: str) -> bool:
        """Return whether workers ask for jobs of the type, or did so until shortly before."""
        return self._job_notifications.was_asked(job_type)

    async def submit_with_result(self, create: Command) -> tuple[ProcessInstance, asyncio.Future[dict[str, Any]]]:
        """Create an instance; return it with a future of its final variables.

        End the wait with ``discard_result``.
        """
        self._pending_creations += 1
        try:
            instance: ProcessInstance = await self.submit(create)
            return instance, self._results.setdefault(instance.key, self._loop.create_future())
        finally:
            self._pending_creations -= 1

    def discard_result(self, process_instance_key: int) -> None:
        self._results.pop(process_instance_key, None)

    async def _run(self) -> None:
        while not (self.stopping and not self._queue):
            self._wake.clear()
            entries, self._queue = self._queue[:_MAX_BATCH], self._queue[_MAX_BATCH:]
            commands = [command for command, _ in entries]
            try:
                due, batch, next_due = await self._loop.run_in_executor(self._thread, self._process_batch, commands)
            except Exception as error:  # noqa: BLE001 - reported to every waiting client, and logged
                self.write_failures += 1
                _log.exception("the engine cannot write its state")
                for _, future in entries:
                    if not future.done():
                        future.set_exception(error)
                await asyncio.sleep(1)  # retry: a full disk may recover
                continue
            self._publish(due)
            self._publish(batch)
            self._respond(entries, batch)
            self.write_failures += due.write_failures + batch.write_failures
            if due.write_failures:
                await asyncio.sleep(1)  # still due: do not retry immediately
                continue
            if not self._queue and not self.stopping:
                await self._sleep(next_due)

    def _process_batch(self, commands: list[Command]) -> tuple[Batch, Batch, int | None]:
        due = self._core.apply_due()
        batch = self._core.apply(commands) if commands else Batch()
        self._retention.prune(self._core, to_millis(self._clock.now()))
        self._write_records([*due.records, *batch.records])
        return due, batch, self._core.next_due()

    def _write_records(self, records: list[Record]) -> None:
        """Append records to the file.

        A failure does not fail the committed commands.
        """
        if self._record_file is None or not records:
            return
        try:
            self._record_file.write("".join(record.line() + "\n" for record in records))
            self._record_file.flush()
        except OSError as error:
            self.write_failures += 1
            _log.error("records could not be appended to their file: %s", error)

    def _publish(self, batch: Batch) -> None:
        for job_type, count in batch.available_jobs.items():
            self._job_notifications.notify(job_type, count)
        for key, variables in batch.results.items():
            # an instance may end in the batch that creates it, before its client knows its key
            if key not in self._results and self._pending_creations:
                self._results[key] = self._loop.create_future()
            future = self._results.get(key)
            if future is not None and not future.done():
                future.set_result(variables)
        if batch.records:
            for exporter in self._exporters:
                exporter(batch.records)

    def _respond(self, entries: list[tuple[Command, asyncio.Future[Any]]], batch: Batch) -> None:
        for (_, future), response in zip(entries, batch.responses, strict=True):
            if future.done():
                continue
            if isinstance(response, Rejection):
                future.set_exception(response)
            else:
                future.set_result(response)

    async def _sleep(self, next_due: int | None) -> None:
        """Sleep until something is due or a command arrives."""
        seconds = _MAX_SLEEP_SECONDS
        if next_due is not None:
            seconds = min(seconds, (next_due - to_millis(self._clock.now())) / 1000)
        if self._retention.busy:
            seconds = min(seconds, self._retention.pause())
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
