"""reconcile: compare the register with stores, access logs, recorders and engine, and write the report (R13, R53)."""

from dataclasses import dataclass
from typing import Any

import anyio

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process.engine_view import EngineInspection
from services.domain.storage import comparisons, findings, maintenance, reconciliation, recorder_exports, store_accesses
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
from services.workers.engine_comparison import EngineComparison
from services.workers.reverify_footage import CARE_FAILED, beating

log = get_logger(__name__)

JOB_TYPE = RECONCILE
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)
AT_ONCE = 500
MOST_FORGETTING = 100  # pages of old lines that one run deletes
ANSWER_SECONDS = 60.0


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
        """Ask for the instances of what is open and of what was closed lately, and for all where it lists them."""
        if client is None:
            self.not_told.append(NotTold("engine", "no-engine"))
            return
        comparison = EngineComparison(self._database, ACTOR, self._day, client, engine)
        try:
            asked = await comparison.compare()
        except Retryable as error:
            log.warning("the engine did not answer", cause=str(error))
            self.not_told.append(NotTold("engine", "away"))
            return
        if engine is None:
            self.not_told.append(NotTold("engine", "unlisted"))
        self.places.append("engine")
        await self._set_counts({"instances": asked})

    async def _set_counts(self, counts: dict[str, int]) -> None:
        await self._database.run(ACTOR, maintenance.set_counts, self._day, JOB_TYPE, counts)
