"""encrypt-copy: the issued copy, cut to what was searched, under a loan key of its own (R4, R36, R37)."""

from dataclasses import dataclass

from services.database.tables.copies import Copy
from services.database.unit_of_work import Actor, Database
from services.domain.custody import copies
from services.domain.custody.copies import CopyOrder
from services.domain.retrieval import attempts
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.storage import verification
from services.runtime.threads import run_in_thread
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import LoanKeys, VaultKeys
from services.vault.sealing import MasterDamaged, MasterSource, Sealed, issue
from services.vault.store.protocol import Store, Target
from services.workers import labelling, vault_actions
from services.workers.progress_reporter import ProgressReporter, report_progress

JOB_TYPE = "encrypt-copy"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    item_id: str
    job_key: int


@dataclass(frozen=True)
class Result:
    copy_id: str


async def handle(
    command: Command, database: Database, store: Store, vault_keys: VaultKeys, *, signer: Signer, loan_keys: LoanKeys
) -> Result:
    """Raises MasterDamaged when the master is not what was sealed; then no copy is made, and the master is read next by
    the rolling verification."""
    # before anything is written: what the case does not allow leaves no trace but the refusal
    copy = await database.run(ACTOR, copies.get_of_item, command.item_id)
    order = None
    if copy is None or copy.application_id != command.application_id:
        order = await database.run(ACTOR, copies.get_order, command.application_id, command.item_id)
    watch = report_progress(
        database,
        ACTOR,
        "copy",
        application_id=command.application_id,
        item_id=command.item_id,
        phase="issuing",
    )
    async with watch as reporter:
        if order is not None:
            copy = await _issue(
                command, order, database, store, vault_keys=vault_keys, loan_keys=loan_keys, reporter=reporter
            )
        if copy is None:
            raise RuntimeError("an item without a copy has an order")
        reporter.enter("storing")
        await labelling.label_copy(database, ACTOR, store, signer, command.item_id)
    return Result(copy.id)


async def _issue(
    command: Command,
    task: CopyOrder,
    database: Database,
    store: Store,
    *,
    vault_keys: VaultKeys,
    loan_keys: LoanKeys,
    reporter: ProgressReporter,
) -> Copy:
    await vault_actions.clear_earlier_runs(
        database, ACTOR, store, purpose="copy", item_id=command.item_id, loan_keys=loan_keys
    )
    attempt = await database.run(
        ACTOR,
        attempts.start,
        "copy",
        application_id=command.application_id,
        item_id=command.item_id,
        job_key=command.job_key,
    )
    recipient = await run_in_thread(loan_keys.create, attempt.subject_id)
    try:
        sealed = await issue(
            MasterSource(store, Sealed.from_json(task.master), task.channel, await run_in_thread(vault_keys.unwrapper)),
            task.searched,
            Target(
                store,
                attempt.bucket,
                attempt.key,
                metadata={"copy": attempt.subject_id, "item": command.item_id, "form": task.form_number},
                legal_hold=True,
            ),
            recipients=[recipient],
            progress=reporter,
        )
    except MasterDamaged:
        await database.run(ACTOR, verification.suspect, [task.master_id])
        raise
    copy = await database.run(ACTOR, copies.create, attempt.id, sealed.to_json())
    if copy is None:
        await vault_actions.clear_earlier_runs(
            database, ACTOR, store, purpose="copy", item_id=command.item_id, loan_keys=loan_keys
        )
        raise NoLongerWanted(f"no copy was kept | item {command.item_id} | the case has ended | wait")
    return copy
