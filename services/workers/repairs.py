"""Make a damaged object anew from the other place: its hash is compared before and after (R13, R15).

The order is a committed row with a key of its own, so that what a killed repair leaves is swept by the next one.
"""

import io
from collections.abc import Mapping
from contextlib import suppress

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.storage import damages
from services.domain.storage.damages import OTHER, REPAIR, KeptVersion, Order
from services.domain.storage.verification import Place
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.vault.envelopes import CONTENT_TYPE
from services.vault.labels import label_key
from services.vault.store.protocol import Location, Store, StoreLocked, StoreMissing, StoreRefused, Target
from services.vault.store.replicas import ObjectDamaged, replicate, verify
from services.workers import vault_actions

log = get_logger(__name__)

Stores = Mapping[Place, Store]


async def repair(
    database: Database, actor: Actor, stores: Stores, damage_id: str, *, place: Place, item_id: str, job_key: int
) -> bool:
    """Make a damaged version anew, after it is held in its store; return whether it is repaired now."""
    await vault_actions.clear_earlier_runs(database, actor, stores[place], purpose=REPAIR[place], item_id=item_id)
    order = await database.run(actor, damages.begin_repair, damage_id, job_key)
    if order is None:
        return False
    source = order.source
    location = Location(source["bucket"], source["key"], source["versionId"], source["size"])
    other = stores[OTHER[place]]
    target = Target(
        stores[place],
        order.bucket,
        order.key,
        metadata={"application": order.application_id, "item": order.item_id, "repairs": order.damaged_key},
    )
    try:
        # the source's hash is compared while it is read, and the new object's when it is read back
        made = await replicate(other, location, order.sha256, target)
        label_version = await run_in_thread(_copy_label, stores[place], order)
    except (ObjectDamaged, StoreMissing) as error:
        faults = await _faults_of(other, location, order.sha256)
        await database.run(actor, _fail, order, faults, f"{OTHER[place]}: {error}")
        await vault_actions.clear_earlier_runs(database, actor, stores[place], purpose=REPAIR[place], item_id=item_id)
        if faults:
            await run_in_thread(hold, other, location.bucket, location.key, location.version_id)
        return False
    if await database.run(actor, damages.finish_repair, order, made.version_id, made.sha256_cipher, label_version):
        return True
    await vault_actions.clear_earlier_runs(database, actor, stores[place], purpose=REPAIR[place], item_id=item_id)
    return False


def hold(store: Store, bucket: str, key: str, version_id: str) -> None:
    """Lay a legal hold on a damaged version, where it is still there."""
    with suppress(StoreMissing):
        store.set_legal_hold(bucket, key, version_id, True)


def remove(store: Store, kept: KeptVersion) -> bool:
    """Delete a damaged version that nobody needs any more; False while its lock lasts, or where the store refuses."""
    try:
        store.set_legal_hold(kept.bucket, kept.key, kept.version_id, False)
        store.delete(kept.bucket, kept.key, kept.version_id)
        if kept.place == "primary" and (label := store.stat(kept.bucket, label_key(kept.key))) is not None:
            store.set_legal_hold(label.bucket, label.key, label.version_id, False)
            store.delete(label.bucket, label.key, label.version_id)
    except StoreMissing:
        return True
    except (StoreLocked, StoreRefused) as error:
        log.warning("a damaged version could not be removed and is tried again", key=kept.key, cause=str(error))
        return False
    return True


def _copy_label(store: Store, order: Order) -> str | None:
    """Put the label of the damaged master beside the new one: what it signs are the hashes, which are the same."""
    if order.label_version is None:
        return None
    try:
        label = b"".join(store.get(order.bucket, label_key(order.damaged_key), version_id=order.label_version))
    except StoreMissing:
        return None  # the next verification says so
    stored = store.put(
        order.bucket,
        label_key(order.key),
        io.BytesIO(label),
        metadata={"of": order.key},
        content_type=CONTENT_TYPE,
    )
    return stored.version_id


async def _faults_of(store: Store, location: Location, sha256: str) -> list[str]:
    """Say what is wrong with what the repair was to be made from; nothing where the new object was read back wrong."""
    if await run_in_thread(store.stat, location.bucket, location.key, location.version_id) is None:
        return ["missing"]
    intact = await verify(store, location.bucket, location.key, location.version_id, sha256)
    return [] if intact else ["bytes"]


def _fail(uow: UnitOfWork, order: Order, faults: list[str], cause: str) -> None:
    log.error("a damaged object could not be repaired", damage=order.damage_id, cause=cause)
    because = "repair-failed"
    if faults:
        damages.report_source(uow, order, faults)
        because = "replica-damaged" if order.place == "primary" else "master-damaged"
    damages.give_up_order(uow, order, because)
