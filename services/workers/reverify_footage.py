"""reverify-footage: read masters, replicas and redacted copies again by the budget, and repair (R13, R15, R53)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.storage import damages, derived_verification, findings, maintenance, verification
from services.domain.storage.derived_verification import Derived
from services.domain.storage.findings import Found
from services.domain.storage.maintenance import REVERIFY
from services.domain.storage.verification import DAMAGED, Place, Subject
from services.runtime import metrics
from services.runtime.errors import Outcome, Retryable
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.vault.examination import REMARKS, Expected, examine
from services.vault.keys.signer import TrustedSigners
from services.vault.store.breaker import MOST_SILENT, Breaker, shuffled
from services.vault.store.protocol import Store, StoreDown, StoreRefused
from services.workers import repairs

log = get_logger(__name__)

JOB_TYPE = REVERIFY
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)
CARE_FAILED = "CARE_FAILED"
DERIVED_SHARE = 10  # the tenth part of a day's budget is for redacted copies first
AT_ONCE = 20  # rows that are read and worked through
MOST_PASSED = 100  # objects that do not fit into what is left of the budget: then little is left
PLACES: tuple[Place, ...] = ("primary", "replica")
BEAT_SECONDS = 60.0
_KINDS = {"retention": "lock", "hold": "lock", "replaced": "overlaid"}


@dataclass(frozen=True)
class Command:
    job_key: int


@dataclass(frozen=True)
class Result:
    objects_verified: int
    objects_damaged: int


async def handle(
    command: Command,
    database: Database,
    store: Store,
    replica_store: Store,
    trusted_signers: Callable[[], TrustedSigners] | None = None,
) -> Result:
    """Do what is left of today's run; nothing where it is over.

    Raises Outcome CARE_FAILED where a store does not answer, and where something damaged could not be repaired.
    """
    day = await database.run(ACTOR, maintenance.begin, JOB_TYPE, f"job {command.job_key}")
    if day is None:
        return Result(0, 0)
    run = _Run(database, {"primary": store, "replica": replica_store}, trusted_signers, day, command.job_key)
    async with beating(database, day, JOB_TYPE):
        try:
            await run.do()
        except (StoreDown, StoreRefused) as error:
            await database.run(ACTOR, maintenance.give_back, day, JOB_TYPE)
            raise Outcome(CARE_FAILED, f"the verification of {day} was not ended: {error}") from error
    if run.unread:
        await database.run(ACTOR, maintenance.give_back, day, JOB_TYPE)
        raise Outcome(CARE_FAILED, f"of {day} {len(run.unread)} objects were not given, such as {run.unread[0][1]}")
    counts = await database.run(ACTOR, maintenance.end, day, JOB_TYPE)
    unrepaired = await database.read(ACTOR, damages.count_unrepaired)
    if unrepaired:
        raise Outcome(CARE_FAILED, f"{unrepaired} damaged objects could not be repaired: see /storage/reconciliations")
    return Result(counts.get("verified", 0), counts.get("damaged", 0))


@asynccontextmanager
async def beating(database: Database, day: str, task: str) -> AsyncIterator[None]:
    """Give a sign of life of the run now and then: one large object may take longer than the silence of a dead one."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await database.run(ACTOR, maintenance.beat, day, task)
            except Retryable as error:
                log.warning("a maintenance run could not give a sign of life", task=task, cause=str(error))

    heart = asyncio.create_task(beat(), name=f"heartbeat of {task}")
    try:
        yield
    finally:
        heart.cancel()
        await asyncio.wait({heart})


@dataclass
class _Run:
    database: Database
    stores: repairs.Stores
    trusted: Callable[[], TrustedSigners] | None
    day: str
    job_key: int
    unread: list[tuple[str, str]] = field(default_factory=list)  # place and key of what a store did not give
    breakers: dict[str, Breaker] = field(default_factory=lambda: defaultdict(Breaker))  # by the place

    async def do(self) -> None:
        """Repair what earlier days have left, read what was drawn, then the longest unread of both places."""
        await self._repair_left()
        budget = self.database.rules.reverify_bytes
        await self._read_largest(budget)
        for subject in await self.database.run(ACTOR, _draw, self.day):
            await self._read(subject, budget)
        # half for the masters, a share for redacted copies, the rest for replicas; what those leave is for all again
        await self._read_due("primary", budget // 2)
        await self._read_derived(budget // 2 + budget // DERIVED_SHARE)
        await self._read_due("replica", budget)
        await self._read_due("primary", budget)
        await self._read_derived(budget)
        await self._remove_kept()

    async def _repair_left(self) -> None:
        """Try in any order what earlier days have left: the same three that no store gives do not end each day's."""
        failed = 0
        for damage_id in shuffled(await self.database.read(ACTOR, damages.list_unrepaired)):
            failed = 0 if await self._repair(damage_id) else failed + 1
            if failed == MOST_SILENT:
                return

    async def _read_largest(self, budget: int) -> None:
        """Read what is due first and larger than its half of the budget before anything else takes of that."""
        for place in PLACES:
            for subject in await self.database.read(ACTOR, verification.list_due, place, 1):
                if subject.size > budget // 2:
                    await self._read(subject, budget)
        for derived in await self.database.read(ACTOR, derived_verification.list_due, 1):
            if derived.size > budget // 2:
                await self._read_one_derived(derived, budget)

    async def _read_due(self, place: Place, budget: int) -> None:
        """Read what is due by the budget; what does not fit is passed over, and what is behind it read."""
        seen = set[str]()
        passed = 0
        while passed < MOST_PASSED:
            limit = AT_ONCE + len(self.unread) + passed
            due = await self.database.read(ACTOR, verification.list_due, place, limit)
            fresh = [subject for subject in due if subject.master_id not in seen]
            if not fresh:
                return
            for subject in fresh:
                seen.add(subject.master_id)
                passed += not await self._read(subject, budget)

    async def _read_derived(self, budget: int) -> None:
        """Read the redacted copies that are due; they have no replica, so that nothing is repaired here."""
        seen = set[str]()
        passed = 0
        while passed < MOST_PASSED and (
            due := await self.database.read(ACTOR, derived_verification.list_due, AT_ONCE, seen)
        ):
            for subject in due:
                seen.add(subject.derivative_id)
                passed += not await self._read_one_derived(subject, budget)

    async def _read_one_derived(self, subject: Derived, budget: int) -> bool:
        """Read a redacted copy; False where the budget does not allow it."""
        sealed = subject.sealed
        if ("primary", sealed["key"]) in self.unread:
            return True
        if not await self._take(subject.size, budget):
            return False
        expected = _expected(sealed, hold=True)
        faults = await self._examine("primary", expected)
        if faults is None:
            await self._return(subject.size)
            return True
        if "hold" in faults:
            await run_in_thread(
                repairs.hold, self.stores["primary"], expected.bucket, expected.key, sealed["versionId"]
            )
        await self.database.run(ACTOR, _record_derived, self.day, subject, faults)
        return True

    async def _take(self, size: int, budget: int) -> bool:
        """Take of the day's budget; NotYet where another job has taken the run over."""
        return await self.database.run(
            ACTOR, maintenance.take_bytes, self.day, JOB_TYPE, size, budget, holder=f"job {self.job_key}"
        )

    async def _return(self, size: int) -> None:
        """Return what was taken for what a store did not give: one large object does not take each day's budget."""
        await self.database.run(ACTOR, maintenance.return_bytes, self.day, JOB_TYPE, size)

    async def _examine(self, place: Place, expected: Expected) -> list[str] | None:
        """Return the faults of an object; None where the store does not give it.

        What seems damaged is read a second time: a store may answer wrongly once. One object that a store never gives,
        such as on a bad disk, does not keep all behind it from being read; a store that gives none of them is away.
        """
        try:
            found = await examine(self.stores[place], expected)
            first = found
            if DAMAGED.intersection(found):
                found = await examine(self.stores[place], expected)
        except (StoreDown, StoreRefused) as error:
            self._pass_over(place, expected.key, error)
            return None
        self.breakers[place].reset()
        if DAMAGED.intersection(first) and not DAMAGED.intersection(found):
            log.warning("a store has answered wrongly, and then rightly", place=place, key=expected.key, first=first)
        faults = [fault for fault in found if fault not in REMARKS]
        if faults:
            metrics.VERIFICATION_FAILURES.inc()
        return faults

    async def _read(self, subject: Subject, budget: int) -> bool:
        """Read one object, and repair it where it is damaged; False where the budget does not allow it.

        What its store did not give before in this run is not asked for again: it would look like a store that is away.
        """
        if (subject.place, subject.sealed["key"]) in self.unread:
            return True
        if not await self._take(subject.size, budget):
            return False
        expected = _expected(
            subject.sealed,
            labelled=subject.label,
            trusted=self._trusted() if subject.label is not None else None,
            retain_until=subject.retain_until,
        )
        faults = await self._examine(subject.place, expected)
        if faults is None:
            await self._return(subject.size)
            return True
        damage_id = await self.database.run(ACTOR, _record, self.day, subject, faults)
        if damage_id is not None:
            await self._repair(damage_id)
        return True

    def _trusted(self) -> TrustedSigners | None:
        """Return whose signatures are ours; where this process has no chain, only their validity is checked."""
        if self.trusted is None:
            return None
        try:
            return self.trusted()
        except Retryable:
            return None

    async def _repair(self, damage_id: str) -> bool:
        """Repair it where that can be; False where a store did not do its part, and the next run tries it again."""
        kept, item_id = await self.database.read(ACTOR, damages.get_kept, damage_id)
        try:
            await run_in_thread(repairs.hold, self.stores[kept.place], kept.bucket, kept.key, kept.version_id)
            await repairs.repair(
                self.database, ACTOR, self.stores, damage_id, place=kept.place, item_id=item_id, job_key=self.job_key
            )
        except (StoreDown, StoreRefused) as error:
            log.warning("a store did not let a repair end", place=kept.place, key=kept.key, cause=str(error))
            self.unread.append((kept.place, kept.key))
            return False
        return True

    async def _remove_kept(self) -> None:
        for one in shuffled(await self.database.read(ACTOR, damages.list_removable)):
            try:
                removed = await run_in_thread(repairs.remove, self.stores[one.place], one)
            except StoreDown as error:
                self._pass_over(one.place, one.key, error)
                continue
            self.breakers[one.place].reset()
            if removed:
                await self.database.run(ACTOR, damages.record_removed, one.damage_id)

    def _pass_over(self, place: Place, key: str, fault: StoreDown | StoreRefused) -> None:
        """Go on behind an object that a store did not give; raises the fault where the store is away."""
        self.breakers[place].pass_over(fault, key, place=place)
        self.unread.append((place, key))


def _draw(uow: UnitOfWork, day: str) -> list[Subject]:
    """Draw once a day; a run that goes on draws no more."""
    if maintenance.get_counts(uow, day, JOB_TYPE).get("drawn"):
        return []
    drawn = verification.draw(uow)
    maintenance.count(uow, day, JOB_TYPE, drawn=max(len(drawn), 1))
    return drawn


def _expected(sealed: Mapping[str, Any], **more: Any) -> Expected:
    """Return what has to be found of a sealed object, and ``more`` of it."""
    return Expected(
        bucket=sealed["bucket"],
        key=sealed["key"],
        version_id=sealed["versionId"],
        size=sealed["size"],
        sha256=sealed["sha256Cipher"],
        **more,
    )


def _record_derived(uow: UnitOfWork, day: str, subject: Derived, faults: Sequence[str]) -> None:
    damaged = derived_verification.record(uow, day, subject, faults)
    maintenance.count(uow, day, JOB_TYPE, verified=1, damaged=1 if damaged else 0)


def _record(uow: UnitOfWork, day: str, subject: Subject, faults: Sequence[str]) -> str | None:
    """Record what was found; return the damage that is to be repaired."""
    if not verification.record(uow, subject, faults):
        return None
    damaged = DAMAGED.intersection(faults)
    maintenance.count(uow, day, JOB_TYPE, verified=1, damaged=1 if damaged else 0)
    others = {_KINDS.get(fault, "label-wrong") for fault in faults if fault not in DAMAGED}
    findings.record(
        uow,
        day,
        [
            Found(kind, subject.place, subject.sealed["key"], "", subject.application_id, {"faults": list(faults)})
            for kind in sorted(others)
        ],
    )
    return damages.report(uow, subject, faults).id if damaged else None
