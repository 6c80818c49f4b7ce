"""retrieve-footage: one item's footage into the vault, with its retrieval record (R29, R31 to R35).

The recorder is asked first for its clock and its coverage; the searched span is the granted one by both readings of
that clock (`domain.cameras.clocks`). Where the quarantine holds more of the granted span, or the recorder has lost it,
or cannot give it while the quarantine holds all of it, the quarantine object becomes the master as a whole: its
ciphertext is copied to a master's key. What neither has, the archive may have: then the master of another case serves
in the same way, where it holds no more than was granted.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.cameras import clocks
from services.domain.cameras.clocks import Clock
from services.domain.retrieval import archive, attempts
from services.domain.retrieval import records as retrieval_records
from services.domain.retrieval.archive import KeptMaster
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.retrieval.records import Order, Report, RetrievalResult
from services.domain.storage import damages, verification
from services.recorders.job_places import JobPlaces
from services.recorders.protocol import NothingRecorded, RecorderDown, ReplayUnsupported, WrongChannel
from services.runtime import metrics
from services.runtime.errors import Outcome, Retryable
from services.runtime.spans import Span, covered_share
from services.vault.coverage import FootageMissing, FootageUnreadable
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import VaultKeys
from services.vault.labels import EXAMINED
from services.vault.sealing import MasterDamaged, Sealed
from services.vault.store.protocol import Store, StoreMissing, Target
from services.vault.store.replicas import ObjectDamaged
from services.workers import labelling, quarantine, vault_actions, vault_locks
from services.workers.progress_reporter import ProgressReporter, report_progress
from services.workers.quarantine import ArchivedHolding, Holding
from services.workers.retrieve import Request, Retrieval, lost_since, missing
from services.workers.sources import Recorders, open_source, probe

JOB_TYPE = "retrieve-footage"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)
OUTCOMES = {"missing": "FOOTAGE_MISSING", "unreadable": "FOOTAGE_UNREADABLE"}
# Shares of coverage that differ by less are equal: there are some ten pictures a second.
COVERAGE_EPSILON = 0.001
TOO_LONG = "the archive has it within a longer span, which was not taken: nothing is retrieved beyond what was granted"

BEYOND_RELEASE = "a part was searched beyond what the release was signed over; no copy holds it"


@dataclass(frozen=True)
class Command:
    application_id: str
    item_id: str
    job_key: int


@dataclass(frozen=True)
class Result:
    """``coverage`` is the share of the searched span that is there, 1 where nothing is missing that somebody has to
    accept."""

    coverage: float
    record_number: str


async def handle(
    command: Command,
    database: Database,
    store: Store,
    vault_keys: VaultKeys,
    *,
    signer: Signer,
    recorders: Recorders,
    places: JobPlaces,
) -> Result:
    """Raises Outcome FOOTAGE_MISSING and FOOTAGE_UNREADABLE, RecorderDown, NoPlace, WrongFootage, NoLongerWanted, and
    MasterDamaged where the master of the earlier issue is not what was sealed."""
    # before anything is written: what the case does not allow leaves no trace but the refusal
    done = await database.run(ACTOR, retrieval_records.get_result, command.application_id, command.item_id)
    order = None
    if done is None:
        order = await database.run(ACTOR, retrieval_records.get_order, command.application_id, command.item_id)
    place: AbstractContextManager[None] = nullcontext()
    if order is not None and not order.source.uploaded:
        place = places.one(JOB_TYPE, order.source.recorder_id)
    watch = report_progress(
        database,
        ACTOR,
        "master",
        application_id=command.application_id,
        item_id=command.item_id,
        phase="probing",
    )
    with place:
        async with watch as reporter:
            if order is not None:
                await vault_actions.clear_earlier_runs(
                    database, ACTOR, store, purpose="master", item_id=command.item_id
                )
                done = await _Run(command, order, database, store, vault_keys, recorders, reporter).run()
                metrics.COVERAGE_OUTCOMES.labels(done.outcome).inc()
            if done is None:
                raise RuntimeError("a retrieval without a result has an order")
            if done.outcome in OUTCOMES:
                raise Outcome(OUTCOMES[done.outcome], f"the footage of item {command.item_id} is {done.outcome}")
            reporter.enter("storing")
            await vault_locks.lock_master(database, ACTOR, store, command.item_id)
            await labelling.label_master(database, ACTOR, store, signer, command.item_id)
            await vault_locks.lock_master(database, ACTOR, store, command.item_id)
            await vault_actions.discard_spent(database, ACTOR, store, command.item_id)
    return Result(done.coverage if done.is_asked_about else 1.0, done.record_number)


@dataclass
class _Run:
    """One run: compares the recorder with quarantine and archive and stores what covers more."""

    command: Command
    order: Order
    database: Database
    store: Store
    vault_keys: VaultKeys
    recorders: Recorders
    reporter: ProgressReporter
    difficulties: list[str] = field(default_factory=list)
    clock_note: list[str] = field(default_factory=list)
    unusable: dict[str, list[str]] = field(default_factory=dict)  # by key: the faults of what is not what was sealed
    taken: KeptMaster | None = None  # the one that serves

    def __post_init__(self) -> None:
        self.recorder = open_source(self.recorders, self.order.source)
        self.started = self.database.clock.now()
        self.clock = Clock()
        self.window = self.order.asked
        self.reported: list[Span] | None = None
        self.outcome, self.gives = "missing", True  # of the recorder: whether it may give something

    async def run(self) -> RetrievalResult:
        if self.order.earlier is not None:
            return await self._from_earlier(self.order.earlier)
        if self.order.source.uploaded:
            return await self._from_upload()
        promised = await self._ask_recorder()
        promised_share = covered_share(self.window, promised)
        while True:
            best = self._best()
            # A recorder that promises nothing is tried all the same: its files may exist and be broken.
            if self.gives and (best is None or (promised and promised_share + COVERAGE_EPSILON >= best.share)):
                kept = await self._try_recorder(promised, best)
                if kept is not None:
                    return kept
            if best is None:
                return await self._nothing(self.outcome)
            if isinstance(best, ArchivedHolding):
                kept = await self._from_archive(best)
            else:
                kept = await self._from_quarantine(best)
            if kept is not None:
                return kept

    async def _try_recorder(self, promised: list[Span], best: Holding | None) -> RetrievalResult | None:
        """Seal from the recorder; None where it gives nothing, or less than ``best``, or cannot give what that has."""
        try:
            return await self._from_recorder(promised, best)
        except (FootageMissing, NothingRecorded) as error:
            self.difficulties.append(str(error))
            self.gives = False
        except FootageUnreadable as error:
            self.difficulties.append(str(error))
            self.outcome, self.gives = "unreadable", False
        except (RecorderDown, WrongChannel, ReplayUnsupported):
            if best is None or best.outcome != "complete":
                raise
            self.difficulties.append(f"the recorder could not be fetched from; the {_place(best)} holds the whole span")
        return None

    def _best(self) -> Holding | None:
        """Return what covers most; the archive's only where it covers more than the quarantine."""
        order = self.order
        preserved = (row for row in order.preserved if row["key"] not in self.unusable)
        held = quarantine.best(preserved, order.asked, self.window, order.least_share)
        archived = quarantine.best_archived(
            (one for one in order.archived if one.sealed["key"] not in self.unusable), order.asked, order.least_share
        )
        held = quarantine.as_released(held, order.released)
        archived = quarantine.as_released(archived, order.released)
        if archived is None or (held is not None and held.share + COVERAGE_EPSILON >= archived.share):
            return held
        return archived

    async def _ask_recorder(self) -> list[Span]:
        """Read the recorder's clock and its coverage of the window that follows from it.

        Raises RecorderDown and WrongChannel unless the quarantine holds everything.
        """
        source = self.order.source
        try:
            self._use_clock(await probe(self.database, ACTOR, self.recorder, source))
            self.reported = await self.recorder.coverage(source.channel, self.window)
        except (RecorderDown, WrongChannel) as error:
            self._use_clock(await self.database.run(ACTOR, clocks.get_clock, source.recorder_id))
            best = self._best()
            if best is None or best.outcome != "complete":
                raise
            self.difficulties.append(
                f"the recorder has no such channel any more; the {_place(best)} holds the whole span"
                if isinstance(error, WrongChannel)
                else f"the recorder was down; the {_place(best)} holds the whole span"
            )
        else:
            self.difficulties += lost_since(self.order.reported, self.reported, self.window)
        self._note_clock()
        return self.reported or []

    def _use_clock(self, clock: Clock) -> None:
        self.clock, self.window = clock, clocks.search_span(self.order.asked, clock)

    def _note_clock(self) -> None:
        self.clock_note = []
        if self.clock.too_far:
            self.clock_note.append(
                f"the recorder's clock differs by {self.clock.offset_ms} ± {self.clock.uncertainty_ms or 0} ms, more "
                "than is searched for: Security has to say which time is meant"
            )
        elif self.clock.offset_ms:
            self.clock_note.append(f"the recorder's clock is off by {self.clock.offset_ms} ms")

    async def _from_recorder(self, promised: list[Span], best: Holding | None) -> RetrievalResult | None:
        """Seal from the recorder; None when the quarantine turns out to hold more."""
        order = self.order
        request = Request(
            *("master", order.application_id, order.item_id, self.command.job_key, order.source, self.window),
            metadata=labelling.metadata_of(order),
            least_share=order.least_share,
        )
        retrieval = Retrieval(
            *(request, self.recorder, self.database, ACTOR, self.store, self.vault_keys, self.reporter),
            notes=self.difficulties,
        )
        fetched = await retrieval.fetch(promised)
        holding = quarantine.measure(fetched.sealed, order.asked, self.window, order.least_share)
        if best is not None and best.share > holding.share + COVERAGE_EPSILON:
            self.difficulties.append(f"the recorder gave less than it promised; the {_place(best)} holds more")
            return None
        return await self._keep(fetched.attempt.id, holding, "recorder")

    async def _from_upload(self) -> RetrievalResult:
        """Make an uploaded file the master, whole: it was sealed in the same pass on receipt."""
        while (best := self._best()) is not None:
            if (copied := await self._copy_sound(best)) is not None:
                self.difficulties.append("taken whole from the file that was brought, as it was sealed on receipt")
                return await self._keep(copied[0].id, replace(best, sealed=copied[1]), "upload")
            await self._report_preserved(best, "the file that was brought is damaged; it was not used")
        return await self._nothing("missing")

    async def _from_earlier(self, earlier: KeptMaster) -> RetrievalResult:
        """Take what was in order from the master of the issue before: no recorder has to have it any more.

        Raises MasterDamaged where that one is not what was sealed: it may have a replica.
        """
        self._use(earlier)
        held = quarantine.measure(
            Sealed.from_json(earlier.sealed), self.order.asked, self.window, self.order.least_share
        )
        if (copied := await self._copy_sound(held)) is None:
            await self.database.run(ACTOR, verification.suspect, [earlier.id])
            raise MasterDamaged(
                f"The master of the earlier issue was not taken for item {self.order.item_id}: {held.sealed.key} is "
                "not what was sealed. The daily verification makes it anew from its replica: retry after that."
            )
        self.difficulties.append("taken from the master of the earlier issue, whose footage was in order")
        return await self._keep(copied[0].id, replace(held, sealed=copied[1]), "earlier-issue")

    def _use(self, taken: KeptMaster) -> None:
        """Go by the record of a master that was retrieved before: by the clock of that time."""
        self.taken = taken
        self._use_clock(taken.clock)

    async def _from_quarantine(self, best: Holding) -> RetrievalResult | None:
        """Take a quarantine object as it is; None where it is not what was sealed."""
        await self._discard_attempts()  # what was begun from the recorder
        if (copied := await self._copy_sound(best)) is None:
            await self._report_preserved(best, "what the quarantine had is damaged; it was not used")
            return None
        self.difficulties.append("taken from the quarantine, whole as it was preserved")
        return await self._keep(copied[0].id, replace(best, sealed=copied[1]), "quarantine")

    async def _from_archive(self, best: ArchivedHolding) -> RetrievalResult | None:
        """Take the master of another case, with the clock of its time; None where it is not what was sealed."""
        await self._discard_attempts()  # what was begun from the recorder
        if (copied := await self._copy_sound(best)) is None:
            self.difficulties.append("a master of the archive is damaged; it was not used")
            await self.database.run(ACTOR, verification.suspect, [best.of.id])
            return None
        self._use(best.of)
        self._note_clock()
        self.difficulties.append("taken from the archive, whole as it was retrieved for another application")
        return await self._keep(copied[0].id, replace(best, sealed=copied[1]), archive.ORIGIN)

    async def _copy_sound(self, best: Holding) -> tuple[UploadAttempt, Sealed] | None:
        """Copy an object to a master's key; None where it is not what was sealed, and is used no more.

        Raises Retryable where it reads as it was sealed, and the copy does not.
        """
        try:
            return await self._copy(best)
        except (ObjectDamaged, StoreMissing) as error:
            faults = await quarantine.faults_of(self.store, best.sealed)
            if not faults:
                raise Retryable(
                    f"could not copy {best.sealed.key} to a master | item {self.order.item_id} | {error} | what was "
                    "written reads otherwise: look at the store and its disks"
                ) from error
            self.unusable[best.sealed.key] = faults
            await self._discard_attempts()
            return None

    async def _report_preserved(self, damaged: Holding, note: str) -> None:
        """Say on the record, and to Security, that what the quarantine had is not what was sealed."""
        self.difficulties.append(note)
        order = self.order
        await self.database.run(
            ACTOR,
            damages.report_preserved,
            order.application_id,
            order.item_id,
            damaged.sealed.to_json(),
            self.unusable[damaged.sealed.key],
            job_key=self.command.job_key,
        )

    async def _copy(self, best: Holding) -> tuple[UploadAttempt, Sealed]:
        attempt = await self._begin()
        self.reporter.enter("adopting")
        sealed = await quarantine.adopt(
            best.sealed,
            Target(self.store, attempt.bucket, attempt.key, labelling.metadata_of(self.order)),
            progress=lambda _, size: self.reporter(size, size / max(best.sealed.size, 1) / 2),
        )
        return attempt, sealed

    async def _nothing(self, outcome: str) -> RetrievalResult:
        if not self.difficulties and not self.clock_note:
            self.difficulties.append("the recorder holds nothing of the granted span")
        report = self._report(outcome, 0.0)
        number = await self.database.run(ACTOR, retrieval_records.create_without_footage, self.order, report)
        await self._discard_attempts()
        return RetrievalResult(outcome, 0.0, number)

    async def _keep(self, attempt_id: str, holding: Holding, origin: str) -> RetrievalResult:
        sealed: Sealed = holding.sealed
        self.window = holding.searched
        self.difficulties += missing(sealed.coverage)
        lacking = quarantine.within(holding, self.order.released) if self.order.released is not None else None
        if lacking is not None:
            holding = lacking
            self.difficulties.append(BEYOND_RELEASE)
        report = replace(self._report(holding.outcome, holding.share), beyond_release=lacking is not None)
        number = await self.database.run(
            ACTOR,
            retrieval_records.create,
            self.order,
            attempt_id,
            sealed.to_json(),
            report,
            origin=origin,
        )
        if number is None:
            await self._discard_attempts()
            raise NoLongerWanted(
                f"nothing was kept | item {self.order.item_id} | the case has ended or another run was first | "
                "nothing is left to do: the process takes this job back when it hears of it"
            )
        accepted = retrieval_records.is_accepted(report, sealed.to_json())
        return RetrievalResult(holding.outcome, holding.share, number, accepted)

    async def _begin(self) -> UploadAttempt:
        return await self.database.run(
            ACTOR,
            attempts.start,
            "master",
            application_id=self.order.application_id,
            item_id=self.order.item_id,
            job_key=self.command.job_key,
        )

    async def _discard_attempts(self) -> None:
        await vault_actions.clear_earlier_runs(
            self.database, ACTOR, self.store, purpose="master", item_id=self.order.item_id
        )

    def _report(self, outcome: str, coverage: float) -> Report:
        notes = [*self.clock_note, *self.difficulties]
        asked = self.order.asked
        if any(not one.fits(asked) and one.share_of(asked) > coverage for one in self.order.archived):
            notes.append(TOO_LONG)
        of = self.taken.record if self.taken is not None else {}
        return Report(
            *(outcome, coverage, self.started, notes, of.get("examined", EXAMINED), of.get("tools", labelling.tools())),
            searched=self.window,
            clock=None if self.order.source.uploaded else self.clock,
            reported=self.reported,
            taken=self.taken,
        )


def _place(best: Holding) -> str:
    return archive.ORIGIN if isinstance(best, ArchivedHolding) else "quarantine"
