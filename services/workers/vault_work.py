"""What several workers do in the vault: sweep, discard, carry out how a case ends. Everything may be done again."""

from collections.abc import Callable, Iterable
from functools import partial

from services.database.tables.attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database
from services.domain.custody.closing import Effects, Kept
from services.domain.retrieval import attempts, upload_sources, uploads
from services.runtime.threads import run_in_thread
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import LoanKeys
from services.vault.labels import label_key
from services.vault.store.protocol import Store
from services.vault.store.protocol import discard as discard_object
from services.workers import filing_papers

SWEEPER = Actor("system", "sweeper")


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
    """Remove what earlier runs may have left for the item, by its exact keys; ``job_key`` spares later jobs' work."""
    left = await database.run(actor, attempts.take_over, purpose, item_id, job_key)
    await sweep(database, actor, store, left, loan_keys)


async def sweep(
    database: Database, actor: Actor, store: Store, left: Iterable[UploadAttempt], loan_keys: LoanKeys | None = None
) -> None:
    """Remove every trace of these abandoned attempts: unfinished parts, the object, its label, its loan key."""
    left = list(left)
    for attempt in left:
        await run_in_thread(_sweep_one, store, attempt, loan_keys)
    if left:
        await database.run(actor, attempts.swept, [attempt.id for attempt in left])


async def sweep_abandoned(
    database: Database, store: Store, replica_store: Store | None, loan_keys: LoanKeys | None, *, all_open: bool
) -> int:
    """Sweep what dead uploads have left; how many keys. ``all_open`` at the start of the only process that uploads."""
    left = await database.run(SWEEPER, attempts.give_up_dead, all_open=all_open)
    replicas = [attempt for attempt in left if attempt.purpose == "replica"]
    await sweep(database, SWEEPER, store, [one for one in left if one.purpose != "replica"], loan_keys)
    if replica_store is not None:
        await sweep(database, SWEEPER, replica_store, replicas)
    brought = await database.run(SWEEPER, upload_sources.give_up_dead, all_open=all_open)
    for upload in brought:
        await discard(store, uploads.BUCKET, upload.key)
    await database.run(SWEEPER, upload_sources.swept, [upload.id for upload in brought])
    return len(left) + len(brought)


async def discard_spent(database: Database, actor: Actor, store: Store, item_id: str) -> None:
    """Remove the file that a person brought, once its master is what is kept (R8, R9)."""
    upload = await database.run(actor, upload_sources.take_spent, item_id)
    if upload is not None:
        await discard(store, uploads.BUCKET, upload.key)
        await database.run(actor, upload_sources.swept, [upload.id])


async def discard(store: Store, bucket: str, key: str) -> None:
    """Remove an object with its label, whatever hold it is under."""
    await run_in_thread(_discard, store, bucket, key)


async def carry_out(
    effects: Effects, store: Store, replica_store: Store | None, loan_keys: LoanKeys, signer: Signer | None = None
) -> dict[str, str]:
    """Do in the vault what the register has decided at the end of a case. Keys go first: they are what opens.

    ``seal`` is for the documents that are filed, of cases that had a loan: the SHA-256 of their PDFs, by number.
    """
    return await run_in_thread(_carry_out, effects, store, replica_store, loan_keys, signer)


def _carry_out(
    effects: Effects, store: Store, replica_store: Store | None, loan_keys: LoanKeys, signer: Signer | None
) -> dict[str, str]:
    pdfs = {}
    for copy_id in effects.destroy_keys:
        loan_keys.destroy(copy_id)
    for attempt in effects.sweep:
        place = store if attempt.purpose != "replica" else replica_store
        if place is not None:
            _sweep_one(place, attempt, loan_keys)
    for one in effects.discard:
        _discard(store, one.bucket, one.key)
    for one in effects.lift_holds:
        _each(store, one, partial(_lift, store))
    if effects.retain_until is not None:
        for one in effects.retain:
            _each(store, one, partial(_retain, store, effects))
    if signer is not None:
        for document in effects.file:
            for one in filing_papers.file(store, signer, effects, document):
                _keep(store, effects, one)
            pdfs[document.number] = filing_papers.pdf_sha256(store, document)
    if replica_store is not None:
        _carry_out_replicas(effects, replica_store)
    return pdfs


def _carry_out_replicas(effects: Effects, replica_store: Store) -> None:
    for one in effects.discard_replicas:
        _discard(replica_store, one.bucket, one.key)
    if effects.retain_until is not None:
        for one in effects.retain_replicas:
            _each(replica_store, one, partial(_retain, replica_store, effects))


def _each(store: Store, kept: Kept, act: Callable[[Kept], None]) -> None:
    """An object and, where it has one, its label."""
    act(kept)
    label = store.stat(kept.bucket, label_key(kept.key))
    if label is not None:
        act(Kept(kept.bucket, label.key, label.version_id))


def _lift(store: Store, kept: Kept) -> None:
    store.set_legal_hold(kept.bucket, kept.key, kept.version_id, False)


def _retain(store: Store, effects: Effects, kept: Kept) -> None:
    if effects.retain_until is not None:
        store.retain(kept.bucket, kept.key, kept.version_id, effects.retain_until)


def _keep(store: Store, effects: Effects, kept: Kept) -> None:
    """As ``_retain``; what several cases have, as an agreement, is kept for the longest of them."""
    facts = store.stat(kept.bucket, kept.key, kept.version_id)
    until = facts.retain_until if facts else None
    if until is None or (effects.retain_until is not None and until < effects.retain_until):
        _retain(store, effects, kept)


def _sweep_one(store: Store, attempt: UploadAttempt, loan_keys: LoanKeys | None) -> None:
    _discard(store, attempt.bucket, attempt.key)
    if attempt.purpose == "copy" and loan_keys is not None:
        loan_keys.destroy(attempt.subject_id)


def _discard(store: Store, bucket: str, key: str) -> None:
    """Label first: an object without one is labelled again, a label without its object never goes."""
    for name in (label_key(key), key):
        discard_object(store, bucket, name)
