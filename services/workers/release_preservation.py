"""release-preservation: every exit without a hand-over; masters stay until their locks end (docs/failures.md F1)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import closing
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import Store
from services.workers import vault_actions

JOB_TYPE = "release-preservation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    closing_outcome: str


@dataclass(frozen=True)
class Result:
    """Items of which anything had been preserved or retrieved."""

    items_released: int


async def handle(
    command: Command,
    database: Database,
    store: Store,
    loan_keys: LoanKeys,
    replica_store: Store | None = None,
) -> Result:
    """Closes the case first, so that a worker that finishes late keeps nothing."""
    actions = await database.run(ACTOR, closing.release_case, command.application_id, command.closing_outcome)
    await vault_actions.apply_vault_actions(actions, store, replica_store, loan_keys)
    await database.run(ACTOR, closing.confirm_release, command.application_id, actions)
    return Result(actions.items)
