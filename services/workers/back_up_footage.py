"""back-up-footage: a replica of the master elsewhere, read back, before anything is handed out (R14, R15)."""

from dataclasses import dataclass

from services.database.tables.masters import Master
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.retrieval import attempts, masters
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.storage import places
from services.vault.sealing import Sealed
from services.vault.store.protocol import Store, Target
from services.vault.store.replicas import replicate
from services.workers import vault_actions, vault_locks
from services.workers.progress_reporter import ProgressReporter, report_progress

JOB_TYPE = "back-up-footage"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    item_id: str
    job_key: int


@dataclass(frozen=True)
class Result:
    backup_verified: bool


async def handle(command: Command, database: Database, store: Store, replica_store: Store) -> Result:
    """Raises ObjectDamaged when either place gives other bytes than were sealed, and the stores' errors.

    Raises Fatal where the second place is that of the vault, as far as the organisation has told both (R15).
    """
    # before anything is written: what the case does not allow leaves no trace but the refusal
    master = await database.run(ACTOR, _order, command.application_id, command.item_id)
    watch = report_progress(
        database,
        ACTOR,
        "replica",
        application_id=command.application_id,
        item_id=command.item_id,
        phase="replicating",
    )
    async with watch as reporter:
        if master.replica_verified_at is None:
            await _replicate(
                command, master, database=database, store=store, replica_store=replica_store, reporter=reporter
            )
        await vault_locks.lock_master(database, ACTOR, store, command.item_id, replica_store)
    return Result(True)


def _order(uow: UnitOfWork, application_id: str, item_id: str) -> Master:
    master = masters.order_backup(uow, application_id, item_id)
    places.require_apart(uow)
    return master


async def _replicate(
    command: Command,
    master: Master,
    *,
    database: Database,
    store: Store,
    replica_store: Store,
    reporter: ProgressReporter,
) -> None:
    await vault_actions.clear_earlier_runs(database, ACTOR, replica_store, purpose="replica", item_id=command.item_id)
    attempt = await database.run(
        ACTOR,
        attempts.start,
        "replica",
        application_id=command.application_id,
        item_id=command.item_id,
        job_key=command.job_key,
    )
    sealed = Sealed.from_json(master.sealed)

    def report(read_back: bool, size: int) -> None:
        reporter.phase = "verifying" if read_back else "replicating"
        reporter(size, size / max(sealed.size, 1))

    replica = await replicate(
        store,
        sealed.location,
        sealed.sha256_cipher,
        Target(
            replica_store,
            attempt.bucket,
            attempt.key,
            metadata={"item": command.item_id, "application": command.application_id, "replica-of": sealed.key},
        ),
        progress=report,
    )
    record = {
        "bucket": replica.bucket,
        "key": replica.key,
        "versionId": replica.version_id,
        "size": replica.size,
        "sha256Cipher": replica.sha256_cipher,
    }
    if not await database.run(ACTOR, masters.add_replica, attempt.id, record):
        await vault_actions.clear_earlier_runs(
            database, ACTOR, replica_store, purpose="replica", item_id=command.item_id
        )
        raise NoLongerWanted(f"no replica was kept | item {command.item_id} | the case has ended | wait")
