"""The round of the recorders: each is asked now and then, so that one that fell silent is known before it is needed.

Several portals share one round: whose turn it is, is taken from the books. Nobody's cameras are looked at (R2). Whoever
answers is told what it need not protect any more: portals reach the recorders, those that end a case need not.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from services.database.tables.cameras import Recorder
from services.database.unit_of_work import Actor, Database
from services.domain.cameras import protections, rounds
from services.domain.cameras.protections import DueRelease
from services.domain.cameras.recorder_probe import DOWN_FINDING, TIMEOUT_SECONDS, ProbeResult, probe
from services.domain.cameras.recorders import Finding
from services.recorders.protocol import WrongChannel
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.web.dependencies import OpenRecorder

log = get_logger(__name__)
ACTOR = Actor("system", "recorder-monitor")
POLL_INTERVAL = timedelta(seconds=15)
CAPACITY = 4


class RecorderMonitor:
    """One for each process. A recorder that has not answered after ``patience`` seconds is silent.

    A mount that hangs holds one of ``CAPACITY`` places until it gives in, so that it never takes all the portal's
    threads.
    """

    def __init__(
        self, database: Database, recorders: OpenRecorder, every: timedelta, patience: float = TIMEOUT_SECONDS
    ) -> None:
        self._register = database
        self._recorders = recorders
        self._every = every
        self._patience = patience
        self._asking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._periodic = Periodic("recorders", POLL_INTERVAL, self._ask_due)

    async def run(self) -> None:
        """Ask until cancelled: whoever is due, every few seconds, and at once when the clock was turned."""
        try:
            await self._periodic.run()
        finally:
            for task in self._tasks:
                task.cancel()

    def wake(self) -> None:
        """Look now: the clock was turned, or a place is free."""
        self._periodic.wake()

    async def _ask_due(self) -> None:
        await self.ask_due()

    async def ask_due(self) -> list[asyncio.Task[None]]:
        """Begin to ask whoever is due, as far as there are places; done when their answers are in the books."""
        begun = []
        while len(self._asking) < CAPACITY:
            row = await self._register.run(ACTOR, rounds.claim_next, self._every)
            if row is None:
                break
            if row.id in self._asking:
                await self._silent(row, DOWN_FINDING)
                continue
            task = asyncio.create_task(self._ask(row), name=f"ask recorder {row.id}")
            self._asking.add(row.id)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            begun.append(task)
        return begun

    async def _ask(self, row: Recorder) -> None:
        answer = asyncio.create_task(probe(self._recorders, row, (), self._register.clock.now()))
        answers = False
        try:
            in_time, _ = await asyncio.wait({answer}, timeout=self._patience)
            if not in_time:
                await self._silent(row, DOWN_FINDING)
            answers = await self._book(row, await answer)
        except Retryable as error:
            log.warning("a recorder's answer waits for its next turn", recorder=row.id, cause=str(error))
        except Exception as error:  # noqa: BLE001  # whatever a recorder does, the others' turns go on
            log.error(  # noqa: TRY400  # the texts of a traceback may hold what the recorder was told
                "a recorder could not be asked", recorder=row.id, stack=stack(error)
            )
            with suppress(Retryable):
                await self._silent(row, DOWN_FINDING)
        finally:
            answer.cancel()
            self._asking.remove(row.id)
            self.wake()
        if answers:  # what it is told now holds no place, and keeps it from no turn
            await self._release(row)

    async def _book(self, row: Recorder, tested: ProbeResult) -> bool:
        """Write down what came of it; whether it answers."""
        if tested.facts is None or not tested.facts.reachable:
            await self._silent(row, tested.findings[0])
            return False
        await self._register.run(ACTOR, rounds.record_answer, row.id, tested.facts)
        return True

    async def _release(self, row: Recorder) -> None:
        """Let it overwrite again what no case needs any more; what it does not take now, it is told next time."""
        with _log_failure(row):
            due = await self._register.run(ACTOR, protections.list_due, row.id)
            async with asyncio.timeout(self._patience):
                for one in due:
                    with _log_failure(row):
                        await self._release_one(row, one)

    async def _release_one(self, row: Recorder, due: DueRelease) -> None:
        opened = self._recorders(row.kind, {name: str(value) for name, value in row.configuration.items()})
        with suppress(WrongChannel):  # there is nothing left to let go
            await opened.release(due.channel, due.span)
        await self._register.run(ACTOR, protections.record_release, [due])

    async def _silent(self, row: Recorder, wrong: Finding) -> None:
        log.warning("a recorder does not answer", recorder=row.id, cause=wrong.code)
        await self._register.run(ACTOR, rounds.record_silence, row.id, wrong)


@contextmanager
def _log_failure(row: Recorder) -> Iterator[None]:
    """Tell of a release that fails, whatever it fails with: the recorder has answered, and the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # see above
        log.warning("a protection could not be released", recorder=row.id, cause=type(error).__name__)
