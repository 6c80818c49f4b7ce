"""Probe each recorder regularly to find silent ones early (F3, F33).

Portals share the work by leases in the database. Cameras are not checked, so no footage is seen (R2). A recorder that
answers is sent its due releases as well, because portals reach the recorders and workers need not.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from sqlalchemy import or_, select

from services.database.tables.cameras import UPLOADED, Recorder
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import device_health, measurements, protections
from services.domain.cameras.protections import DueRelease
from services.domain.cameras.recorder_probe import DOWN_FINDING, TIMEOUT_SECONDS, ProbeResult, probe
from services.domain.cameras.recorders import Finding, record_error
from services.recorders.protocol import RecorderDown, WrongChannel
from services.recorders.registry import disks_of
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.web.dependencies import OpenRecorder

log = get_logger(__name__)
ACTOR = Actor("system", "recorder-monitor")
POLL_INTERVAL = timedelta(seconds=15)
CAPACITY = 4  # probes at a time


class RecorderMonitor:
    """The monitor of one process.

    A recorder without an answer after ``timeout_seconds`` is silent. A mount that hangs holds one of ``CAPACITY``
    probes until it returns, so it never takes all threads of the portal.
    """

    name = "recorders"

    def __init__(
        self, database: Database, recorders: OpenRecorder, every: timedelta, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._database = database
        self._recorders = recorders
        self._every = every
        self._timeout_seconds = timeout_seconds
        self._probing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._periodic = Periodic("recorders", POLL_INTERVAL, self._probe_due)

    async def run(self) -> None:
        """Probe due recorders until cancelled."""
        try:
            await self._periodic.run()
        finally:
            for task in self._tasks:
                task.cancel()

    def wake(self) -> None:
        """Probe now: the clock was turned, or a probe has ended."""
        self._periodic.wake()

    async def _probe_due(self) -> None:
        await self.probe_due()

    async def probe_due(self) -> list[asyncio.Task[None]]:
        """Start probes of due recorders, within capacity.

        Returns their tasks, which end when the results are stored.
        """
        tasks = []
        while len(self._probing) < CAPACITY:
            row = await self._database.run(ACTOR, claim_next, self._every)
            if row is None:
                break
            if row.id in self._probing:
                await self._record_silence(row, DOWN_FINDING)
                continue
            task = asyncio.create_task(self._probe(row), name=f"probe recorder {row.id}")
            self._probing.add(row.id)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            tasks.append(task)
        return tasks

    async def _probe(self, row: Recorder) -> None:
        probing = asyncio.create_task(probe(self._recorders, row, (), self._database.clock.now()))
        answered = False
        try:
            in_time, _ = await asyncio.wait({probing}, timeout=self._timeout_seconds)
            if not in_time:
                await self._record_silence(row, DOWN_FINDING)
            answered = await self._record_result(row, await probing)
        except Retryable as error:
            log.warning(
                "a recorder's result was not stored; it is probed again later", recorder=row.id, cause=str(error)
            )
        except Exception as error:  # noqa: BLE001  # one recorder's error must not stop the others
            log.error(  # noqa: TRY400  # the messages of a traceback may hold the recorder's secrets
                "a recorder could not be asked", recorder=row.id, stack=stack(error)
            )
            with suppress(Retryable):
                await self._record_silence(row, DOWN_FINDING)
        finally:
            probing.cancel()
            self._probing.remove(row.id)
            self.wake()
        if answered:  # these are outside the capacity and delay no probe
            await self._read_disks(row)
            await self._release(row)

    async def _record_result(self, row: Recorder, result: ProbeResult) -> bool:
        """Store a probe's result; return whether the recorder answered."""
        if result.facts is None or not result.facts.reachable:
            await self._record_silence(row, result.findings[0])
            return False
        await self._database.run(ACTOR, measurements.record_measured, row.id, result.facts)
        return True

    async def _read_disks(self, row: Recorder) -> None:
        """Keep what the recorder tells of its disks; one whose driver does not ask is left out (R10)."""
        with _log_failure(row, "the disks of a recorder could not be read"):
            configuration = {name: str(value) for name, value in row.configuration.items()}
            client = disks_of(self._recorders(row.kind, configuration))
            if client is None:
                return
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    disks = await client.list_disks()
            except (RecorderDown, TimeoutError) as error:
                code = error.code if isinstance(error, RecorderDown) else "silent"
                await self._database.run(ACTOR, device_health.keep_untold, row.id, code)
            else:
                await self._database.run(ACTOR, device_health.keep_disks, row.id, disks)

    async def _release(self, row: Recorder) -> None:
        """Release spans that no case needs; failed ones are retried next time."""
        with _log_failure(row):
            due = await self._database.run(ACTOR, protections.list_due, row.id)
            async with asyncio.timeout(self._timeout_seconds):
                for release in due:
                    with _log_failure(row):
                        await self._release_one(row, release)

    async def _release_one(self, row: Recorder, release: DueRelease) -> None:
        client = self._recorders(row.kind, {name: str(value) for name, value in row.configuration.items()})
        with suppress(WrongChannel):  # then there is nothing to release
            await client.release(release.channel, release.span)
        await self._database.run(ACTOR, protections.record_release, [release])

    async def _record_silence(self, row: Recorder, error: Finding) -> None:
        log.warning("a recorder does not answer", recorder=row.id, cause=error.code)
        await self._database.run(ACTOR, record_silence, row.id, error)


def claim_next(uow: UnitOfWork, interval: timedelta) -> Recorder | None:
    """Lease the recorder that was probed longest ago, if due.

    ``polled_at`` is the lease: other portals skip the recorder until ``interval`` has passed. One that lies ahead was
    written while the clock was wrong, and keeps nobody off. A retired recorder is probed as long as it locks footage
    for a closed case.
    """
    query = (
        select(Recorder)
        .where(
            or_(Recorder.active, Recorder.id.in_(protections.select_due_recorders())),
            Recorder.kind != UPLOADED,
            or_(
                Recorder.polled_at.is_(None),
                Recorder.polled_at <= uow.now - interval,
                Recorder.polled_at > uow.now + interval,
            ),
        )
        .order_by(Recorder.polled_at.asc().nulls_first(), Recorder.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = uow.session.scalar(query)
    if row is not None:
        row.polled_at = uow.now
    return row


def record_silence(uow: UnitOfWork, recorder_id: str, error: Finding) -> None:
    """Record that the recorder did not answer, or could not be asked."""
    record_error(uow, uow.session.get_one(Recorder, recorder_id), error)


@contextmanager
def _log_failure(row: Recorder, what: str = "a protection could not be released") -> Iterator[None]:
    """Log what failed and continue: the recorder has answered."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # see above
        log.warning(what, recorder=row.id, cause=type(error).__name__)
