"""Actions of several workers in the vault: sweep, discard, and end a case. Each is idempotent."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import anyio

from services.database.leases import this_process
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.custody import closing, locks
from services.domain.custody.closing import VaultActions
from services.domain.custody.locks import StoredObject
from services.domain.documents.service import Filed
from services.domain.retrieval import attempts, upload_sources, uploads
from services.runtime.errors import Retryable
from services.runtime.periodic import run_each
from services.runtime.threads import run_in_thread
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import LoanKeys
from services.vault.labels import label_key
from services.vault.store.breaker import Breaker, shuffled
from services.vault.store.protocol import Store
from services.vault.store.protocol import discard as discard_object
from services.workers import document_filing, vault_locks

SWEEPER = Actor("system", "sweeper")
LOOK_AGAIN = 0.2  # seconds, while another process files a document


async def clear_earlier_runs(
    database: Database,
    actor: Actor,
    store: Store,
    *,
    purpose: attempts.Purpose,
    item_id: str,
    loan_keys: LoanKeys | None = None,
    job_key: int | None = None,
) -> None:
    """Remove what earlier runs left for the item, by exact keys; ``job_key`` spares the work of later jobs."""
    left = await database.run(actor, attempts.supersede, purpose, item_id, job_key)
    await sweep(database, actor, store, left, loan_keys)


async def sweep(
    database: Database, actor: Actor, store: Store, left: Iterable[UploadAttempt], loan_keys: LoanKeys | None = None
) -> None:
    """Remove every trace of these abandoned attempts: unfinished parts, the object, its label, its loan key."""
    left = list(left)
    for attempt in left:
        await run_in_thread(_sweep_one, store, attempt, loan_keys)
    if left:
        await database.run(actor, attempts.mark_swept, [attempt.id for attempt in left])


async def sweep_abandoned(
    database: Database, store: Store, replica_store: Store | None, loan_keys: LoanKeys | None, *, all_open: bool
) -> int:
    """Sweep what dead uploads left; return the number of keys.

    ``all_open`` at the start of the only process that uploads. Raises Retryable where a store is away, or has not done
    its part for one of them, after all else was swept.
    """
    left = await database.run(SWEEPER, attempts.abandon_dead, all_open=all_open)
    replicas = [attempt for attempt in left if attempt.bucket == "replicas"]
    others = [attempt for attempt in left if attempt.bucket != "replicas"]
    breaker, second = Breaker(), Breaker()
    duties = [
        partial(_sweep_attempts, database, store, others, loan_keys, breaker),
        partial(_sweep_uploads, database, store, breaker, all_open=all_open),
    ]
    if replica_store is not None:
        duties.append(partial(_sweep_attempts, database, replica_store, replicas, loan_keys, second))
    swept = sum(await run_each(SWEEPER.id, duties))
    breaker.raise_first()
    second.raise_first()
    return swept


async def _sweep_attempts(
    database: Database, store: Store, left: Sequence[UploadAttempt], loan_keys: LoanKeys | None, breaker: Breaker
) -> int:
    swept = 0
    for attempt in shuffled(left):
        swept += await breaker.is_done(sweep(database, SWEEPER, store, [attempt], loan_keys), attempt.key)
    return swept


async def _sweep_uploads(database: Database, store: Store, breaker: Breaker, *, all_open: bool) -> int:
    swept = 0
    for upload in shuffled(await database.run(SWEEPER, upload_sources.remove_dead, all_open=all_open)):
        if await breaker.is_done(discard(store, uploads.BUCKET, upload.key), upload.key):
            await database.run(SWEEPER, upload_sources.mark_swept, [upload.id])
            swept += 1
    return swept


async def discard_spent(database: Database, actor: Actor, store: Store, item_id: str) -> None:
    """Remove an uploaded file once its master is kept (R8, R9)."""
    upload = await database.run(actor, upload_sources.retire_spent, item_id)
    if upload is not None:
        await discard(store, uploads.BUCKET, upload.key)
        await database.run(actor, upload_sources.mark_swept, [upload.id])


async def discard(store: Store, bucket: str, key: str) -> None:
    """Remove an object and its label, holds included."""
    await run_in_thread(_discard, store, bucket, key)


async def apply_vault_actions(
    actions: VaultActions, store: Store, replica_store: Store | None, loan_keys: LoanKeys
) -> None:
    """Apply to the vault what the database has decided at the end of a case; loan keys are destroyed first."""
    await run_in_thread(_apply, actions, store, replica_store, loan_keys)
    await run_in_thread(_hold_replicas, actions, replica_store)


async def end_loan(
    database: Database,
    actor: Actor,
    application_id: str,
    actions: VaultActions,
    *,
    store: Store,
    replica_store: Store | None,
    loan_keys: LoanKeys,
    signer: Signer,
    closed_as: str,
) -> None:
    """Apply what was decided at the end of a loan, file its documents, and close the case."""
    await run_in_thread(_apply, actions, store, replica_store, loan_keys)
    due = {document.number: document for document in actions.file}
    holder = f"{this_process()}:{actor.id}:{application_id}"
    await _claim(database, actor, due, holder)
    try:
        filed = await run_in_thread(_file, actions, store, signer)
        await run_in_thread(_hold_replicas, actions, replica_store)
        await database.run(actor, closing.confirm_loan_end, application_id, actions, closed_as=closed_as, filed=filed)
    finally:
        await database.run(actor, locks.release_documents, due, holder)


async def _claim(database: Database, actor: Actor, due: Mapping[str, object], holder: str) -> None:
    """Wait until nobody else files any of these documents."""
    until = time.monotonic() + locks.FILING_SECONDS
    while left := due.keys() - await database.run(actor, locks.claim_documents, due, holder):
        # all or none: a part would run out meanwhile, and two that each have one would wait for each other
        await database.run(actor, locks.release_documents, due, holder)
        if time.monotonic() > until:
            raise Retryable(
                f"could not file documents | {', '.join(sorted(left))} | another process files them | it is tried again"
            )
        await anyio.sleep(LOOK_AGAIN)


def _apply(actions: VaultActions, store: Store, replica_store: Store | None, loan_keys: LoanKeys) -> None:
    for copy_id in actions.destroy_keys:
        loan_keys.destroy(copy_id)
    for attempt in actions.sweep:
        place = store if attempt.purpose != "replica" else replica_store
        if place is not None:
            _sweep_one(place, attempt, loan_keys)
    for left in actions.leftovers:
        if left.stored is not None:
            _discard(store, left.stored.bucket, left.stored.key)
    for kept in actions.lift_holds:
        _each(store, kept, partial(_lift, store))
    for lock in actions.locks:
        vault_locks.hold(store, lock)


def _file(actions: VaultActions, store: Store, signer: Signer) -> dict[str, Filed]:
    if actions.retain_until is None:
        return {}
    number, until = actions.application_number, actions.retain_until
    due = [locks.DocumentToFile(one, number, until, actions.holds[one.number]) for one in actions.file]
    return {one.document.number: document_filing.file(store, signer, one, actions.checkpoint) for one in due}


def _hold_replicas(actions: VaultActions, replica_store: Store | None) -> None:
    """Last, because the second store may be away."""
    for lock in actions.locks:
        vault_locks.hold_replica(replica_store, lock)


def _each(store: Store, kept: StoredObject, act: Callable[[StoredObject], None]) -> None:
    """Act on an object and, where it has one, its label."""
    act(kept)
    label = store.stat(kept.bucket, label_key(kept.key))
    if label is not None:
        act(StoredObject(kept.bucket, label.key, label.version_id))


def _lift(store: Store, kept: StoredObject) -> None:
    store.set_legal_hold(kept.bucket, kept.key, kept.version_id, False)


def _sweep_one(store: Store, attempt: UploadAttempt, loan_keys: LoanKeys | None) -> None:
    _discard(store, attempt.bucket, attempt.key)
    if attempt.purpose in attempts.WITH_KEY and loan_keys is not None:
        loan_keys.destroy(attempt.subject_id)


def _discard(store: Store, bucket: str, key: str) -> None:
    """Delete the label first: an object without one is labelled again, a label without its object would stay."""
    for name in (label_key(key), key):
        discard_object(store, bucket, name)
