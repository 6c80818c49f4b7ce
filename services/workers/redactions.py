"""Make the redacted copies that were asked for, one at a time, and discard those whose time is over (R6, R58, T5).

It runs beside the jobs of the process that has the loan keys, and never the vault's own key: a redacted copy is made of
an issued copy. What a process that ended has begun is begun anew, under another key; nothing is there twice.
"""

import asyncio
import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import anyio

from services.database.leases import Lease
from services.database.tables.derivatives import DerivativeAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.custody import derivatives
from services.domain.custody.derivatives import LabelFacts, Order
from services.domain.retrieval import making_attempts
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger
from services.runtime.periodic import Beat, run_each
from services.runtime.threads import run_in_thread
from services.vault.age import AgeError
from services.vault.envelopes import CONTENT_TYPE, open_envelope
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import KeyGone, LoanKeys
from services.vault.labels import build_derived_label, label_key
from services.vault.redaction.client import Redaction
from services.vault.sealing import MasterDamaged, MasterSource, Sealed, derive
from services.vault.store.breaker import Breaker, shuffled
from services.vault.store.protocol import Store, Target, discard
from services.verifier.invalid import Invalid
from services.workers.labelling import tools

log = get_logger(__name__)

ACTOR = Actor("system", "redactions")
LEASE, LENGTH = "redactions", timedelta(minutes=2)
REPORT_EVERY = 2.0  # seconds between two notes of how far a run has come
AT_ONCE = 50


class _NotWanted(Exception):
    """The matter or the loan has ended while it was made."""


class RedactionMaker:
    """Makes what waits, one after another; one process of all does it at a time."""

    def __init__(
        self,
        database: Database,
        store: Store,
        loan_keys: LoanKeys,
        signer: Callable[[], Signer],
        *,
        lease: Lease | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._loan_keys = loan_keys
        self._signer = signer
        self.lease = lease or Lease(database, LEASE, LENGTH)

    async def run(self) -> bool:
        """Make one redacted copy; return whether more may wait.

        Raises the first fault after all else was done: a Retryable where a part is away, or a defect.
        """
        if not await self.lease.hold():
            return False
        breaker = Breaker()
        steps = (self._label_left, self._discard_due, self._make_next)
        more = any(await run_each(LEASE, [partial(step, breaker) for step in steps]))
        if not more:  # else the next one is made first: a run that fails is followed by a pause
            breaker.raise_first()
        return more

    async def _make_next(self, breaker: Breaker) -> bool:
        order = await self._database.run(ACTOR, derivatives.begin)
        steps = [partial(self._sweep, breaker)]
        if order is not None:
            steps.append(partial(self._make, order, breaker))
        await run_each(LEASE, steps)
        return order is not None

    async def _make(self, order: Order, breaker: Breaker) -> None:
        try:
            sealed, redaction = await self._derive(order)
        except _NotWanted:
            await self._give_up(order, derivatives.GONE)
            await self._sweep(breaker)
            return
        except Fatal as error:
            log.error("a redacted copy cannot be made", derivative=order.derivative_id, cause=str(error))  # noqa: TRY400  # says all
            await self._database.run(ACTOR, derivatives.fail, order.attempt_id, str(error))
            await self._sweep(breaker)
            return
        except Exception as error:
            away = isinstance(error, Retryable) and error.away is not None
            await self._give_up(order, making_attempts.AWAY if away else making_attempts.FAILED)
            await self._database.run(
                ACTOR, derivatives.fail_after_runs, order.attempt_id, making_attempts.cause_of(error)
            )
            raise
        facts = {**_facts(redaction), "tools": tools()}
        if not await self._database.run(ACTOR, derivatives.finish, order.attempt_id, sealed.to_json(), facts):
            await self._sweep(breaker)
            return
        await self._label(order.derivative_id)

    async def _derive(self, order: Order) -> tuple[Sealed, Redaction]:
        """Make and store it, while how far it has come is noted and the lease is kept."""
        reached = [0, 0]

        def note(pictures: int, at: int) -> None:
            reached[:] = [pictures, at]

        redaction = Redaction(order.recipe, progress=note)
        making = asyncio.create_task(self._store_it(order, redaction))
        beat = Beat(self.lease.name)
        try:
            while not (await asyncio.wait({making}, timeout=REPORT_EVERY))[0]:
                beat(*reached)
                wanted = await self._database.run(ACTOR, derivatives.record_progress, order.attempt_id, *reached)
                if not await self.lease.hold() or not wanted:
                    raise _NotWanted
            return await making, redaction
        finally:
            making.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(making, return_exceptions=True)

    async def _store_it(self, order: Order, redaction: Redaction) -> Sealed:
        try:
            unwrapper = await run_in_thread(self._loan_keys.unwrapper, order.copy_id)
        except KeyGone as error:
            raise _NotWanted from error
        recipient = await run_in_thread(self._loan_keys.create, order.attempt_id)
        source = MasterSource(self._store, Sealed.from_json(order.copy), order.channel, unwrapper)
        target = Target(
            self._store,
            order.bucket,
            order.key,
            metadata={"derivative": order.derivative_id, "copy": order.copy_id, "derived": "true"},
            legal_hold=True,
        )
        try:
            return await derive(source, redaction, target, recipients=[recipient])
        except AgeError as error:
            raise MasterDamaged(
                f"No redacted copy was made of {source.sealed.key}: it is damaged. Report the problem to Security, and "
                "have the copy issued again."
            ) from error

    async def _give_up(self, order: Order, because: str) -> None:
        with anyio.CancelScope(shield=True):
            await self._database.run(ACTOR, derivatives.give_up, order.attempt_id, because)

    async def _sweep(self, breaker: Breaker) -> None:
        """Remove what runs have left that were given up: parts, object, label and key, by their exact names."""
        after = ""
        while left := await self._database.read(ACTOR, making_attempts.list_unswept, DerivativeAttempt, AT_ONCE, after):
            after = left[-1][0]
            for attempt_id, bucket, key in shuffled(left):
                if await breaker.is_done(run_in_thread(self._remove, attempt_id, bucket, key), key):
                    await self._database.run(ACTOR, making_attempts.mark_swept, DerivativeAttempt, [attempt_id])

    def _remove(self, key_id: str, bucket: str, key: str) -> None:
        """The key goes first: what is left then opens no more. The label goes before its object, as everywhere."""
        self._loan_keys.destroy(key_id)
        for name in (label_key(key), key):
            discard(self._store, bucket, name)

    async def _label_left(self, breaker: Breaker) -> None:
        """Label what was made by a process that ended before it could; one that fails holds up nothing else."""
        for derivative_id in shuffled(await self._database.read(ACTOR, derivatives.list_unlabelled)):
            try:
                await breaker.is_done(self._label(derivative_id), derivative_id)
            except Invalid as error:
                log.error("a redacted copy could not be labelled", derivative=derivative_id, cause=str(error))  # noqa: TRY400  # says all

    async def _label(self, derivative_id: str) -> None:
        facts = await self._database.read(ACTOR, derivatives.get_label_facts, derivative_id)
        sha256 = await run_in_thread(self._write_label, facts)
        await self._database.run(ACTOR, derivatives.record_label, derivative_id, sha256)

    def _write_label(self, labelled: LabelFacts) -> str:
        """Write the label beside the object unless it is there; return the SHA-256 of what it signs."""
        sealed = Sealed.from_json(labelled.sealed)
        key = label_key(sealed.key)
        there = self._store.stat(sealed.bucket, key)
        if there is not None:
            return open_envelope(b"".join(self._store.get(sealed.bucket, key))).payload_sha256
        self._store.sweep(sealed.bucket, key)
        label = self._signer().sign(build_derived_label(sealed, labelled.facts, labelled.checkpoint))
        self._store.put(
            sealed.bucket,
            key,
            io.BytesIO(label),
            metadata={"of": sealed.key},
            legal_hold=True,
            content_type=CONTENT_TYPE,
        )
        return open_envelope(label).payload_sha256

    async def _discard_due(self, breaker: Breaker) -> None:
        after = ""
        while due := await self._database.read(ACTOR, derivatives.list_due, AT_ONCE, after):
            after = due[-1][0]
            for derivative_id, key_id, bucket, key in shuffled(due):
                if not await self._database.run(ACTOR, derivatives.begin_discard, derivative_id):
                    continue
                if await breaker.is_done(run_in_thread(self._remove, key_id, bucket, key), key):
                    await self._database.run(ACTOR, derivatives.mark_discarded, derivative_id)


def _facts(redaction: Redaction) -> dict[str, Any]:
    """Return what was done to all parts of the footage."""
    done = redaction.results
    return {
        "pictures": sum(one.pictures for one in done),
        "drawn": sum(one.drawn for one in done),
        "undecodable": sum(one.undecodable for one in done),
        "sizes": [[one.width, one.height] for one in done],
        "turned": any(one.turned for one in done),
        "sound": any(one.sound for one in done),
    }
