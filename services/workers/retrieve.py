"""Retrieve footage from a recorder into the vault, with padding, and once more where something is missing.

Each pass has an attempt and a key of its own; the better one is kept and the other one swept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.cameras.measurements import CameraChannel
from services.domain.retrieval import attempts
from services.domain.retrieval.attempts import Purpose
from services.recorders import retrying_fetch
from services.recorders.protocol import NothingRecorded, Recorder, RecorderDown
from services.runtime import metrics
from services.runtime.spans import Span, gaps
from services.vault.clip.client import ClipFailed
from services.vault.coverage import LEAST_SHARE, Coverage, FootageMissing, FootageUnreadable
from services.vault.keys.vault_keys import VaultKeys
from services.vault.sealing import Sealed, seal
from services.vault.store.protocol import Store, Target
from services.vault.verdict import FootageSource
from services.workers import vault_actions
from services.workers.progress_reporter import ProgressReporter

# Recorders cut at whole seconds or key frames: exports that begin late and end early are common (F5).
PADDING = timedelta(seconds=5)
TIMESTAMP_TOLERANCE = timedelta(seconds=2)
ASKED_AGAIN = "what was promised and not given was asked for once more"
NOT_ASKED_AGAIN = "the recorder could not be asked once more for what is missing"
LESS_AGAIN = "asked once more, the recorder gave no more than before"


@dataclass(frozen=True)
class Request:
    """What is retrieved, and for which item; ``span`` is in the recorder's own time."""

    purpose: Purpose
    application_id: str
    item_id: str
    job_key: int
    source: CameraChannel
    span: Span
    metadata: Mapping[str, str]
    legal_hold: bool = False
    least_share: float = LEAST_SHARE  # of the expected pictures that complete footage has


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
class Retrieval:
    """Retrieves one item's footage from one recorder; ``notes`` collects remarks for the retrieval record."""

    request: Request
    recorder: Recorder
    database: Database
    actor: Actor
    store: Store
    vault_keys: VaultKeys
    reporter: ProgressReporter
    notes: list[str] = field(default_factory=list)
    _begun: list[str] = field(default_factory=list, init=False)

    async def fetch(self, promised: list[Span]) -> Fetched:
        """Retrieve the footage as completely as the recorder can give it.

        Raises what ``seal`` raises, RecorderDown and NoLongerWanted; then nothing is kept, and the caller's next run
        sweeps the open attempts.
        """
        first = await self._pass(promised)
        if not _incomplete(first.sealed.coverage):
            return first
        metrics.FETCH_RETRIES.labels(self.request.source.kind).inc()
        try:
            second = await self._pass(await self.recorder.coverage(self.request.source.channel, self.request.span))
        except (RecorderDown, NothingRecorded, FootageMissing, FootageUnreadable, ClipFailed):
            self.notes.append(NOT_ASKED_AGAIN)
            await self._drop_others(first)
            return first
        better = max(first, second, key=lambda one: one.worth)
        self.notes.append(LESS_AGAIN if better is first else ASKED_AGAIN)
        await self._drop_others(better)
        return better

    async def _pass(self, promised: list[Span]) -> Fetched:
        request = self.request
        attempt = await self.database.run(
            self.actor,
            attempts.start,
            request.purpose,
            application_id=request.application_id,
            item_id=request.item_id,
            job_key=request.job_key,
        )
        self._begun.append(attempt.id)
        self.reporter.enter("fetching" if len(self._begun) == 1 else "retrying-fetch")
        requested = request.span.widen(PADDING)
        sealed = await seal(
            FootageSource(
                segments=retrying_fetch.fetch(
                    self.recorder, request.source.channel, requested, kind=request.source.kind
                ),
                asked=request.span,
                channel=request.source.channel,
                promised=promised,
                requested=requested,
                expected_fingerprint=request.source.fingerprint,
                least_share=request.least_share,
            ),
            Target(self.store, attempt.bucket, attempt.key, request.metadata, legal_hold=request.legal_hold),
            recipients=self.vault_keys.recipients,
            progress=self.reporter.sealing,
        )
        return Fetched(attempt, sealed)

    async def _drop_others(self, kept: Fetched) -> None:
        others = [one for one in self._begun if one != kept.attempt.id]
        left = await self.database.run(self.actor, attempts.abandon_all_of, others, "another pass gave more")
        await vault_actions.sweep(self.database, self.actor, self.store, left)


def missing(coverage: Coverage) -> list[str]:
    """List for the record what is missing: gaps, promised spans that were not given, and faulty segments."""
    lines = [f"gap: {gap.start.isoformat()} to {gap.end.isoformat()}" for gap in coverage.gaps]
    lines += [f"promised and not given: {one.start.isoformat()} to {one.end.isoformat()}" for one in coverage.lost]
    if coverage.pictures is not None and coverage.pictures.lost:
        lost, holes = coverage.pictures.lost, coverage.pictures.holes
        lines.append(f"pictures lost: {lost} beside {coverage.pictures.there}, at {holes} places")
    return lines + list(coverage.problems)


def lost_since(then: list[Span] | None, now: list[Span], searched: Span) -> list[str]:
    """List what of the searched span the recorder had at submission and has no longer.

    Differences within its own inaccuracy do not count.
    """
    parts = [part for span in then or () if (part := span.intersect(searched)) is not None]
    gone = [hole for part in parts for hole in gaps(part, now, tolerance=TIMESTAMP_TOLERANCE)]
    return [f"gone since it was handed in: {one.start.isoformat()} to {one.end.isoformat()}" for one in gone]


def _incomplete(coverage: Coverage) -> bool:
    """Return whether another pass may give more: something promised is missing, or came broken."""
    return bool(coverage.lost or coverage.problems)
