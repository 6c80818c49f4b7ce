"""Footage from a recorder into the vault: a little more is asked for than is wanted, and what is missing once more.

Each pass has an attempt and a key of its own; the better one is kept and the other one swept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.database.tables.attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.cameras.measurements import Source
from services.domain.retrieval import attempts
from services.domain.retrieval.attempts import Purpose
from services.recorders import retrying_fetch
from services.recorders.protocol import NothingRecorded, Recorder, RecorderDown
from services.runtime import metrics
from services.runtime.spans import Span, gaps
from services.vault.clip.client import ClipFailed
from services.vault.coverage import Coverage, FootageMissing, FootageUnreadable
from services.vault.keys.vault_keys import VaultKeys
from services.vault.sealing import Sealed, seal
from services.vault.store.protocol import Store, Target
from services.vault.verdict import FootageSource
from services.workers import vault_work
from services.workers.progress_reporter import ProgressReporter

# Recorders cut at their own seconds or key frames: exports that begin late and end early are common (F5).
PADDING = timedelta(seconds=5)
ROUGH = timedelta(seconds=2)
ASKED_AGAIN = "what was promised and not given was asked for once more"
NOT_ASKED_AGAIN = "the recorder could not be asked once more for what is missing"
LESS_AGAIN = "asked once more, the recorder gave no more than before"


@dataclass(frozen=True)
class Wanted:
    """What is fetched and for whom; ``span`` is in the recorder's own time."""

    purpose: Purpose
    application_id: str
    item_id: str
    job_key: int
    source: Source
    span: Span
    metadata: Mapping[str, str]
    legal_hold: bool = False


@dataclass(frozen=True)
class Fetched:
    """A sealed object under the key of an attempt that is still open."""

    attempt: UploadAttempt
    sealed: Sealed

    @property
    def worth(self) -> tuple[bool, float, int]:
        coverage = self.sealed.coverage
        return self.sealed.outcome == "complete", coverage.share, -len(coverage.problems)


@dataclass
class Fetching:
    """One recorder's footage of one item; ``told`` is what the record is to say of how it went."""

    wanted: Wanted
    recorder: Recorder
    database: Database
    actor: Actor
    store: Store
    vault_keys: VaultKeys
    reporter: ProgressReporter
    told: list[str] = field(default_factory=list)
    _begun: list[str] = field(default_factory=list, init=False)

    async def fetch(self, promised: list[Span]) -> Fetched:
        """The footage as good as the recorder gives it. Raises what ``seal`` raises, RecorderDown and NoLongerWanted;
        then nothing counts, and the open attempts are for the caller's next run to sweep."""
        first = await self._pass(promised)
        if not _wanting(first.sealed.coverage):
            return first
        metrics.FETCHES_AGAIN.labels(self.wanted.source.kind).inc()
        try:
            second = await self._pass(await self.recorder.coverage(self.wanted.source.channel, self.wanted.span))
        except (RecorderDown, NothingRecorded, FootageMissing, FootageUnreadable, ClipFailed):
            self.told.append(NOT_ASKED_AGAIN)
            await self._drop_but(first)
            return first
        better = max(first, second, key=lambda one: one.worth)
        self.told.append(LESS_AGAIN if better is first else ASKED_AGAIN)
        await self._drop_but(better)
        return better

    async def _pass(self, promised: list[Span]) -> Fetched:
        wanted = self.wanted
        attempt = await self.database.run(
            self.actor,
            attempts.begin,
            wanted.purpose,
            application_id=wanted.application_id,
            item_id=wanted.item_id,
            job_key=wanted.job_key,
        )
        self._begun.append(attempt.id)
        self.reporter.enter("fetching" if len(self._begun) == 1 else "fetching-again")
        requested = wanted.span.widen(PADDING)
        sealed = await seal(
            FootageSource(
                segments=retrying_fetch.fetch(self.recorder, wanted.source.channel, requested, kind=wanted.source.kind),
                asked=wanted.span,
                channel=wanted.source.channel,
                promised=promised,
                requested=requested,
                expected_fingerprint=wanted.source.fingerprint,
            ),
            Target(self.store, attempt.bucket, attempt.key, wanted.metadata, legal_hold=wanted.legal_hold),
            recipients=self.vault_keys.recipients,
            progress=self.reporter.sealing,
        )
        return Fetched(attempt, sealed)

    async def _drop_but(self, kept: Fetched) -> None:
        others = [one for one in self._begun if one != kept.attempt.id]
        left = await self.database.run(self.actor, attempts.give_up, others, "another pass gave more")
        await vault_work.sweep(self.database, self.actor, self.store, left)


def missing(coverage: Coverage) -> list[str]:
    """What a record says of what is not there: gaps, what of them was promised, and what is wrong with a segment."""
    lines = [f"gap: {gap.start.isoformat()} to {gap.end.isoformat()}" for gap in coverage.gaps]
    lines += [f"promised and not given: {one.start.isoformat()} to {one.end.isoformat()}" for one in coverage.lost]
    return lines + list(coverage.problems)


def lost_since(then: list[Span] | None, now: list[Span], searched: Span) -> list[str]:
    """What of the searched span a recorder had when the case was handed in and has no more.

    Roughness of its own answers is no loss.
    """
    parts = [part for span in then or () if (part := span.intersect(searched)) is not None]
    gone = [hole for part in parts for hole in gaps(part, now, tolerance=ROUGH)]
    return [f"gone since it was handed in: {one.start.isoformat()} to {one.end.isoformat()}" for one in gone]


def _wanting(coverage: Coverage) -> bool:
    """Whether asking once more may give more: something was promised and did not come, or came broken."""
    return bool(coverage.lost or coverage.problems)
