"""reconcile: compare the register with stores, access logs, recorders and engine, and write the report (R13, R53)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process.engine_view import EngineInspection
from services.domain.storage import comparisons, findings, maintenance, reconciliation, recorder_exports, store_accesses
from services.domain.storage.findings import Found
from services.domain.storage.maintenance import RECONCILE
from services.domain.storage.reconciliation import NotTold
from services.recorders.registry import exports_of
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Fatal, Outcome, Retryable
from services.runtime.logs import get_logger
from services.runtime.settings import Settings
from services.vault.store.protocol import Store, StoreDown, StoreRefused
from services.web.dependencies import OpenRecorder
from services.workers import store_comparison
from services.workers.reverify_footage import CARE_FAILED, beating

log = get_logger(__name__)

JOB_TYPE = RECONCILE
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)
AT_ONCE = 500
MOST_FORGETTING = 100  # pages of old lines that one run deletes
ANSWER_SECONDS = 60.0
# Of cases that were closed before the last reconciliation the engine was asked then.
OVERLAP = timedelta(days=1)
MAIN = "video-retrieval"


@dataclass(frozen=True)
class Command:
    job_key: int


@dataclass(frozen=True)
class Result:
    findings_open: int


async def handle(
    command: Command,
    database: Database,
    store: Store,
    replica_store: Store,
    *,
    recorders: OpenRecorder,
    engine_client: EngineClient | None = None,
    engine: EngineInspection | None = None,
    settings: Settings | None = None,
) -> Result:
    """Do today's reconciliation; nothing where it is done.

    Raises Outcome CARE_FAILED where a store does not answer: there is no report then, and the next run begins anew.
    """
    day = await database.run(ACTOR, maintenance.begin, JOB_TYPE, f"job {command.job_key}")
    if day is None:
        return Result(await database.read(ACTOR, findings.count_open))
    run = _Run(database, day, own_requesters(settings))
    async with beating(database, day, JOB_TYPE):
        try:
            await run.compare_stores(store, replica_store)
        except (StoreDown, StoreRefused) as error:
            await database.run(ACTOR, maintenance.give_back, day, JOB_TYPE)
            raise Outcome(CARE_FAILED, f"the reconciliation of {day} was not made: {error}") from error
        await run.judge_accesses()
        await run.ask_recorders(recorders)
        await run.ask_engine(engine_client, engine)
    report = await database.run(ACTOR, reconciliation.finish, day, run.places, run.not_told)
    return Result(report.open)


def own_requesters(settings: Settings | None) -> frozenset[str]:
    """Return the names under which this program works in the stores."""
    if settings is None:
        return frozenset()
    names = {name.strip() for name in settings.maintenance.own_requesters.split(",")}
    places = (settings.store, settings.replica)
    names |= {place.access_key for place in places if place.access_key is not None}
    return frozenset(names - {""})


class _Run:
    """One day's reconciliation; ``places``: those that were compared whole."""

    def __init__(self, database: Database, day: str, own: frozenset[str]) -> None:
        self._database, self._day, self._own = database, day, own
        self.places: list[str] = []
        self.not_told: list[NotTold] = []

    async def compare_stores(self, store: Store, replica_store: Store) -> None:
        counts: dict[str, int] = {}
        for source in comparisons.SOURCES:
            of_place = replica_store if source.place == "replica" else store
            counts[source.name] = await store_comparison.compare(self._database, ACTOR, of_place, source, self._day)
        self.places += ["primary", "replica"]
        await self._set_counts(counts)

    async def judge_accesses(self) -> None:
        judged = 0
        while True:
            number = await self._database.run(ACTOR, self._judge_page)
            judged += number
            if number < AT_ONCE:
                break
        for _ in range(MOST_FORGETTING):
            if not await self._database.run(ACTOR, store_accesses.forget_own_reads, self._own):
                break
        if not judged and not await self._database.read(ACTOR, store_accesses.list_feeds):
            self.not_told.append(NotTold("access-log", "no-log"))
        if await self._database.read(ACTOR, store_accesses.list_silent):
            self.not_told.append(NotTold("access-log", "away"))
        await self._set_counts({"accesses": judged})

    def _judge_page(self, uow: UnitOfWork) -> int:
        number, found = store_accesses.judge_next(uow, self._own, AT_ONCE)
        findings.record(uow, self._day, found)
        return number

    async def ask_recorders(self, recorders: OpenRecorder) -> None:
        exports = 0
        for row in await self._database.read(ACTOR, recorder_exports.list_asked):
            try:
                teller = exports_of(recorders(row.kind, row.configuration))
                if teller is None:
                    self.not_told.append(NotTold(row.name, "unsupported"))
                    continue
                with anyio.fail_after(ANSWER_SECONDS):
                    told = await teller.list_exports()
            except (Retryable, Fatal, TimeoutError) as error:
                log.warning("a recorder did not tell its exports", recorder=row.id, cause=type(error).__name__)
                self.not_told.append(NotTold(row.name, "away"))
                continue
            exports += len(told)

            def record(uow: UnitOfWork, some: Any, row: Any = row) -> None:
                findings.record(uow, self._day, recorder_exports.judge(uow, row, some))

            for start in range(0, len(told), AT_ONCE):
                await self._database.run(ACTOR, record, told[start : start + AT_ONCE])
        await self._set_counts({"exports": exports})

    async def ask_engine(self, client: EngineClient | None, engine: EngineInspection | None) -> None:
        """Ask for the instances of open cases, of those that were closed lately, and for all where it tells them."""
        if client is None:
            self.not_told.append(NotTold("engine", "no-engine"))
            return
        try:
            asked = await self._ask_for_open(client) + await self._ask_for_closed(client)
            if engine is not None:
                asked += await self._ask_for_strangers(engine)
        except Retryable as error:
            log.warning("the engine did not answer", cause=str(error))
            self.not_told.append(NotTold("engine", "away"))
            return
        self.places.append("engine")
        await self._set_counts({"instances": asked})

    async def _ask_for_open(self, client: EngineClient) -> int:
        asked, after = 0, ""
        while page := await self._database.read(ACTOR, comparisons.list_running, after, AT_ONCE):
            after, asked = page[-1][0], asked + len(page)
            found = [
                Found("case-without-instance", "engine", number, "", case_id)
                for case_id, number, key in page
                if not await client.has_instance(key) and await self._still(case_id, closed=False)
            ]
            await self._database.run(ACTOR, findings.record, self._day, found)
        return asked

    async def _ask_for_closed(self, client: EngineClient) -> int:
        last = await self._database.read(ACTOR, reconciliation.get_last)
        since = (last or self._database.clock.now() - timedelta(days=30)) - OVERLAP
        left = await self._database.read(ACTOR, findings.list_open_cases, "instance-without-case")
        asked, after = 0, None
        found: list[Found] = []
        for case_id, number, key in left:  # of closed cases that were found before
            if await client.has_instance(key):
                found.append(Found("instance-without-case", "engine", number, "", case_id))
        while page := await self._database.read(ACTOR, comparisons.list_ended, since, after, AT_ONCE):
            after, asked = (page[-1][3], page[-1][0]), asked + len(page)
            for case_id, number, key, _ in page:
                if await client.has_instance(key) and await self._still(case_id, closed=True):
                    found.append(Found("instance-without-case", "engine", number, "", case_id))
        await self._database.run(ACTOR, findings.record, self._day, found)
        return asked

    async def _ask_for_strangers(self, engine: EngineInspection) -> int:
        """Look for instances of the main process that no application has, where the engine runs in this process."""
        asked, offset = 0, 0
        before = self._database.clock.now() - comparisons.SETTLED
        while page := await engine.instances(process=MAIN, limit=AT_ONCE, offset=offset, descending=False):
            rows: Sequence[Any] = [
                row
                for row in page
                if row.bpmn_process_id == MAIN  # type: ignore[attr-defined]  # an engine's summary
                and (row.start_date is None or row.start_date < before)  # type: ignore[attr-defined]  # as above
            ]
            known = await self._database.read(ACTOR, comparisons.known_instances, [row.key for row in rows])
            found = [
                Found("instance-without-case", "engine", f"{MAIN} {row.key}") for row in rows if row.key not in known
            ]
            await self._database.run(ACTOR, findings.record, self._day, found)
            asked, offset = asked + len(page), offset + len(page)
        return asked

    async def _still(self, case_id: str, *, closed: bool) -> bool:
        return await self._database.read(ACTOR, comparisons.still_differs, case_id, closed=closed)

    async def _set_counts(self, counts: dict[str, int]) -> None:
        await self._database.run(ACTOR, maintenance.set_counts, self._day, JOB_TYPE, counts)
