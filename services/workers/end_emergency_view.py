"""end-emergency-view: ends what two people could see before the approval, and destroys its keys and copies (T9)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import emergency
from services.domain.matters import urgents
from services.runtime.threads import run_in_thread
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import Store
from services.workers import vault_actions

JOB_TYPE = "end-emergency-view"
ACTOR = Actor("worker", JOB_TYPE)
CHECKS_REGISTER = True


@dataclass(frozen=True)
class Command:
    matter_id: str


@dataclass(frozen=True)
class Result:
    """``ratified``: whether the application is approved, as the database has it, whatever the process has heard."""

    ratified: bool


async def handle(command: Command, database: Database, store: Store, loan_keys: LoanKeys) -> Result:
    """The grants end first, so that nobody reads while keys and objects go."""
    ended = await database.run(ACTOR, urgents.end_view, command.matter_id)
    for copy_id, bucket, key in ended.copies:
        await run_in_thread(loan_keys.destroy, copy_id)
        await vault_actions.discard(store, bucket, key)
    await vault_actions.sweep(database, ACTOR, store, ended.unfinished, loan_keys)
    await database.run(ACTOR, emergency.mark_gone, [copy_id for copy_id, _, _ in ended.copies])
    return Result(ended.ratified)
