"""preserve-footage: footage that may be overwritten before the decision goes into the quarantine (T4, F1)."""

from contextlib import suppress
from dataclasses import dataclass, field, replace

from services.database.unit_of_work import Actor, Database
from services.domain.cameras import clocks, protections
from services.domain.matters import urgents
from services.domain.retrieval import preservations
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.retrieval.preservations import Need
from services.recorders.job_places import JobPlaces
from services.recorders.protocol import NothingRecorded, Recorder, RecorderDown
from services.runtime import metrics
from services.runtime.errors import Fatal, NoPlace, Retryable
from services.runtime.spans import Span
from services.vault.coverage import FootageMissing, FootageUnreadable
from services.vault.keys.vault_keys import VaultKeys
from services.vault.store.protocol import Store, StoreDown
from services.workers import vault_actions
from services.workers.progress_reporter import ProgressReporter, report_progress
from services.workers.retrieve import Request, Retrieval
from services.workers.sources import NotAsked, Recorders, open_source, probe

JOB_TYPE = "preserve-footage"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)


class Incomplete(Retryable):
    """The recorder gave a part, of which it is kept what came, and may give more when it is asked again."""


@dataclass(frozen=True)
class Command:
    """``matter_id``: of an urgent retrieval, which preserves all items of its case as soon as it is released.

    ``process_instance_key``: 0 for a retry, which is no job's.
    """

    application_id: str
    job_key: int
    matter_id: str | None = None
    process_instance_key: int = 0


@dataclass(frozen=True)
class Result:
    """``items_not_preserved`` counts what needed it and could not be; what is not at risk is in neither."""

    items_preserved: int
    items_not_preserved: int


async def handle(
    command: Command,
    database: Database,
    store: Store,
    vault_keys: VaultKeys,
    *,
    recorders: Recorders,
    places: JobPlaces,
) -> Result:
    """Preserve what the present scope needs. Failures are counted and notified, and never stop the application.

    Raises NoPlace: what is preserved until then stays so.
    """
    if command.matter_id is not None:
        application_id = await database.run(
            ACTOR, urgents.begin_preserving, command.matter_id, command.process_instance_key
        )
        if application_id is None:
            return Result(0, 0)
        command = replace(command, application_id=application_id)
    work = _Work(command, database, store, vault_keys, recorders, places)
    if await database.run(ACTOR, preservations.begin, command.application_id):
        await work.measure()
    preserved, needs = await database.run(ACTOR, preservations.list_needs, command.application_id)
    failures = 0
    for need in needs:
        kept = await work.try_to_preserve(need)
        preserved += int(kept)
        failures += int(not kept)
    await work.ask()  # after what is at risk: a recorder that hangs takes its time for each item
    return Result(preserved, failures)


async def retry(
    item_id: str,
    database: Database,
    store: Store,
    vault_keys: VaultKeys,
    *,
    recorders: Recorders,
    places: JobPlaces,
) -> bool | None:
    """Try an item again that could not be preserved; None where it is needed no more.

    Its failures are recorded as those of the job.
    """
    due = await database.run(ACTOR, preservations.begin_retry, item_id)
    if due is None:
        return None
    work = _Work(Command(due.application_id, due.job_key), database, store, vault_keys, recorders, places)
    try:
        return await work.try_to_preserve(due.need, measured=False)
    except NoPlace:  # jobs and other tries use this recorder
        await database.run(ACTOR, preservations.postpone, item_id)
        return False


@dataclass(frozen=True)
class _Work:
    command: Command
    database: Database
    store: Store
    vault_keys: VaultKeys
    recorders: Recorders
    places: JobPlaces
    hung: set[str] = field(default_factory=set, init=False)
    """Recorders that have hung for this job: each further item would take its minutes, and is tried again anyway."""

    async def measure(self) -> None:
        """Measure the oldest frames anew: they tell what is at risk. A recorder that is down keeps its last ones."""
        for source in await self.database.run(ACTOR, preservations.recorders_in_scope, self.command.application_id):
            # What is wrong with a recorder is counted when an item of it is preserved.
            with suppress(RecorderDown, Fatal):
                await probe(self.database, ACTOR, open_source(self.recorders, source), source)

    async def try_to_preserve(self, need: Need, *, measured: bool = True) -> bool:
        """Preserve an item; False where that failed, which is recorded. ``measured``: its recorder was asked before.

        Raises NoPlace where others use its recorder.
        """
        with self.places.one(JOB_TYPE, need.source.recorder_id):
            return await self._try_to_preserve(need, measured=measured)

    async def _try_to_preserve(self, need: Need, *, measured: bool) -> bool:
        watch = report_progress(
            self.database,
            ACTOR,
            "quarantine",
            application_id=self.command.application_id,
            item_id=need.item_id,
            phase="probing",
        )
        try:
            async with watch as reporter:
                self._require_awake(need)
                if not measured:
                    await probe(self.database, ACTOR, open_source(self.recorders, need.source), need.source)
                kept = await self._preserve(need, reporter)
            metrics.PRESERVATIONS.labels("preserved").inc(kept)
            return kept
        except NoLongerWanted:
            return False
        except Incomplete:  # what came is kept, and the next try is planned
            metrics.PRESERVATIONS.labels("failed").inc()
            return False
        except NotAsked:  # nothing was tried: who asks the recorder now may find that it is back
            await self.database.run(ACTOR, preservations.postpone, need.item_id)
            return False
        except (Retryable, Fatal, NothingRecorded, FootageMissing, FootageUnreadable) as error:
            metrics.PRESERVATIONS.labels("failed").inc()
            if isinstance(error, RecorderDown) and error.hangs:
                self.hung.add(need.source.recorder_id)
            await self.database.run(
                ACTOR,
                preservations.record_failure,
                self.command.application_id,
                need.item_id,
                type(error).__name__,
                self.command.job_key,
                away=isinstance(error, Retryable) and error.away is not None,
            )
            return False
        finally:
            # what a store that is away keeps is swept later: it is neither the failure nor a reason to end the others
            with suppress(StoreDown):
                await self._clear(need)

    async def ask(self) -> None:
        """Keep what each recorder says it has: at the retrieval it is seen what has gone since."""
        for need in await self.database.run(ACTOR, preservations.list_unreported, self.command.application_id):
            with suppress(RecorderDown, Fatal):
                self._require_awake(need)
                held = await open_source(self.recorders, need.source).coverage(need.source.channel, need.asked)
                await self.database.run(ACTOR, preservations.record_report, need.item_id, need.asked, held)

    def _require_awake(self, need: Need) -> None:
        if need.source.recorder_id in self.hung:
            raise RecorderDown(f"recorder {need.source.recorder_id} has hung a moment ago", "silent")

    async def _preserve(self, need: Need, reporter: ProgressReporter) -> bool:
        await self._clear(need)
        recorder, channel = open_source(self.recorders, need.source), need.source.channel
        clock = await self.database.run(ACTOR, clocks.get_clock, need.source.recorder_id)
        window = clocks.search_span(need.asked, clock)
        await self._protect(need, recorder, window)
        promised = await recorder.coverage(channel, window)
        request = Request(
            *("quarantine", self.command.application_id, need.item_id, self.command.job_key, need.source, window),
            metadata={"item": need.item_id, "application": self.command.application_id},
            legal_hold=True,
        )
        retrieval = Retrieval(request, recorder, self.database, ACTOR, self.store, self.vault_keys, reporter)
        fetched = await retrieval.fetch(promised)
        sealed, attempt = fetched.sealed, fetched.attempt
        kept = await self.database.run(
            ACTOR, preservations.create, attempt.id, sealed.version_id, need.asked, sealed.to_json()
        )
        if kept == "unwanted":
            # A later job may have swept this key before the object was there.
            await vault_actions.discard(self.store, attempt.bucket, attempt.key)
        if kept == "incomplete":
            raise Incomplete(
                f"the recorder did not give all that it has | item {need.item_id} | what came is kept | wait: it is "
                "asked again"
            )
        return kept == "kept"

    async def _protect(self, need: Need, recorder: Recorder, window: Span) -> None:
        """Ask the recorder not to overwrite the span either. The result is noted, and stops nothing."""
        begun = await self.database.run(
            ACTOR, protections.start, self.command.application_id, need.item_id, need.source.camera_id, window
        )
        if begun is None:
            return
        outcome: protections.Answer = "failed"
        with suppress(Retryable, Fatal, NothingRecorded):
            outcome = "protected" if await recorder.protect(need.source.channel, window) else "unsupported"
        await self.database.run(ACTOR, protections.record_answer, begun, outcome)

    async def _clear(self, need: Need) -> None:
        """Remove objects without a row: of an earlier run, or made in vain by this one."""
        await vault_actions.clear_earlier_runs(
            self.database,
            ACTOR,
            self.store,
            purpose="quarantine",
            item_id=need.item_id,
            job_key=self.command.job_key,
        )
