"""Checks of what a case has in the vault, run beside the portal's other work: a few at once, with their progress."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import anyio

from services.database.tables.integrity_checks import IntegrityCheck
from services.database.unit_of_work import Actor, Database
from services.domain.custody import integrity
from services.domain.custody.integrity import ExpectedObject
from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import Backoff
from services.runtime.logs import get_logger
from services.vault.examination import REMARKS, Expected, examine
from services.vault.keys.signer import TrustedSigners
from services.vault.store.protocol import Store

log = get_logger(__name__)

AT_ONCE = 2  # cases; the objects of one are read one after the other, so that viewers keep their bandwidth
TELL_SECONDS = 1.0
PAUSES = Backoff(factor=2, longest=timedelta(seconds=30))
NOT_READ = "unread"


@dataclass
class _Progress:
    read: int = 0
    objects: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, count: int) -> None:
        self.read += count


class Verifier:
    """Runs the checks that people ask for; their findings are stored in the database.

    ``trusted`` says whose signatures on labels are ours; it raises Retryable where that is not known yet. ``pauses``
    are between two tries to store what was found; ``report`` is told of damage in the same unit of work.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        trusted: Callable[[], TrustedSigners] | None = None,
        *,
        pauses: Backoff = PAUSES,
        report: integrity.Report | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._trusted = trusted
        self._pauses = pauses
        self._report_damage = report
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    async def begin(self, actor: Actor, application_id: str) -> IntegrityCheck:
        """Begin a check and say which; raises Refused and NotFound."""
        check, due = await self._database.run(actor, integrity.start, application_id)
        task = asyncio.create_task(self._run(actor, check.id, due), name=f"integrity check {check.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return check

    async def idle(self) -> None:
        """Wait until no check runs."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self, actor: Actor, check_id: str, due: list[ExpectedObject]) -> None:
        progress, unfinished, stopping = _Progress(), True, False
        reporting = asyncio.create_task(self._report(actor, check_id, progress))
        try:
            async with self._limit:
                for value in due:
                    progress.objects.append(await self._examined(value, progress))
            unfinished = any(row[NOT_READ] for row in progress.objects)
            metrics.VERIFICATION_FAILURES.inc(sum(bool(entry["faults"]) for entry in progress.objects))
        except Exception:  # nobody else would hear of it
            log.exception("an integrity check broke off", check=check_id)
        except asyncio.CancelledError:
            stopping = True
            raise
        finally:
            reporting.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({reporting})
                await self._finish(actor, check_id, progress.objects, unfinished=unfinished, once=stopping)

    async def _finish(
        self, actor: Actor, check_id: str, objects: list[dict[str, Any]], *, unfinished: bool, once: bool
    ) -> None:
        """Store the findings, again and again while the database is away; ``once``: the process is stopping."""
        for number in itertools.count():
            try:
                await self._database.run(
                    actor, integrity.finish, check_id, objects, unfinished=unfinished, report=self._report_damage
                )
            except Retryable as error:
                log.warning("the findings of a check were not stored", check=check_id, cause=str(error))
            else:
                return
            if once:
                return
            await asyncio.sleep(self._pauses.delay(number).total_seconds())

    async def _report(self, actor: Actor, check_id: str, progress: _Progress) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            try:
                await self._database.run(actor, integrity.update, check_id, progress.read, progress.objects)
            except Retryable as error:
                log.warning("the progress of a check was not written", check=check_id, cause=str(error))

    async def _examined(self, due: ExpectedObject, progress: _Progress) -> dict[str, Any]:
        """Return one line of the result; a store that does not answer is no damage."""
        unread = False
        try:
            found = await self._found(due, progress)
        except Retryable as error:
            log.warning("an object could not be examined", key=due.key, cause=str(error))
            found, unread = [], True
        return {
            "kind": due.kind,
            "id": due.id,
            "of": due.of,
            "size": due.size,
            "sha256": due.sha256,
            "faults": [row for row in found if row not in REMARKS],
            "remarks": [finding for finding in found if finding in REMARKS],
            NOT_READ: unread,
        }

    async def _found(self, due: ExpectedObject, progress: _Progress) -> list[str]:
        if due.bucket is None or due.key is None:
            content = (due.text or "").encode()
            progress.hear(len(content))
            return [] if hashlib.sha256(content).hexdigest() == due.sha256 else ["bytes"]
        expected = Expected(
            bucket=due.bucket,
            key=due.key,
            version_id=due.version_id,
            size=due.size,
            sha256=due.sha256,
            labelled=due.sha256_plain,
            document=due.of if due.kind == "document" else None,
            trusted=self._trusted() if self._trusted is not None else None,
            hold=due.hold,
            retain_until=due.retain_until,
        )
        return await examine(self._store, expected, progress.hear)
