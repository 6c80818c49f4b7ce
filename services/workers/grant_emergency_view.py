"""grant-emergency-view: copies of what the quarantine has, for the two people of an urgent retrieval to see (T9)."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.database.unit_of_work import Actor, Database
from services.domain.cameras import clocks
from services.domain.matters import urgents
from services.domain.matters.urgents import Order
from services.domain.retrieval import attempts
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.storage import damages
from services.runtime.errors import Retryable
from services.runtime.threads import run_in_thread
from services.vault.keys.vault_keys import LoanKeys, VaultKeys
from services.vault.sealing import MasterDamaged, MasterSource, issue
from services.vault.store.protocol import Store, Target
from services.workers import quarantine, vault_actions
from services.workers.quarantine import Holding

JOB_TYPE = "grant-emergency-view"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    job_key: int
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """``view_until``: when the view ends, unless the application is decided before."""

    view_until: datetime


async def handle(
    command: Command, database: Database, store: Store, vault_keys: VaultKeys, *, loan_keys: LoanKeys
) -> Result:
    """An application that is decided meanwhile gets no view; the process goes on and hears of the decision."""
    orders = await database.run(ACTOR, urgents.list_orders, command.matter_id, command.process_instance_key)
    with suppress(NoLongerWanted):
        for order in orders:
            await _issue(command, order, database, store, vault_keys=vault_keys, loan_keys=loan_keys)
    return Result(await database.run(ACTOR, urgents.open_view, command.matter_id))


async def _issue(
    command: Command, order: Order, database: Database, store: Store, *, vault_keys: VaultKeys, loan_keys: LoanKeys
) -> None:
    """Make the emergency copy of one item, under a key of its own; none where the quarantine shows nothing of it.

    What the quarantine has that is not what was sealed is passed over, and told to Security. Raises Retryable where it
    only seemed so.
    """
    window, preserved = clocks.search_span(order.asked, order.clock), order.preserved
    while (holding := quarantine.best(preserved, order.asked, window, order.least_share)) is not None:
        sealed = holding.sealed
        try:
            await _copy(command, order, holding, database, store, vault_keys=vault_keys, loan_keys=loan_keys)
        except MasterDamaged as error:
            faults = await quarantine.faults_of(store, sealed)
            if not faults:
                raise Retryable(
                    f"could not make an emergency copy | {order.item_id} | {error} | {sealed.key} reads otherwise now: "
                    "look at the store and its disks"
                ) from error
            preserved = [row for row in preserved if row["key"] != sealed.key]
            await database.run(
                ACTOR,
                damages.report_preserved,
                order.application_id,
                order.item_id,
                sealed.to_json(),
                faults,
                job_key=command.job_key,
            )
            await _clear(order, database, store, loan_keys)
        else:
            return


async def _copy(
    command: Command,
    order: Order,
    holding: Holding,
    database: Database,
    store: Store,
    *,
    vault_keys: VaultKeys,
    loan_keys: LoanKeys,
) -> None:
    await _clear(order, database, store, loan_keys)
    attempt = await database.run(
        ACTOR,
        attempts.start,
        "emergency",
        application_id=order.application_id,
        item_id=order.item_id,
        job_key=command.job_key,
    )
    recipient = await run_in_thread(loan_keys.create, attempt.subject_id)
    sealed = await issue(
        MasterSource(store, holding.sealed, order.channel, await run_in_thread(vault_keys.unwrapper)),
        holding.searched,
        Target(
            store,
            attempt.bucket,
            attempt.key,
            metadata={"copy": attempt.subject_id, "item": order.item_id, "matter": command.matter_id},
        ),
        recipients=[recipient],
    )
    copy = await database.run(ACTOR, urgents.record_copy, attempt.id, command.matter_id, sealed.to_json())
    if copy is None:
        await _clear(order, database, store, loan_keys)
        raise NoLongerWanted(f"no emergency copy was kept | item {order.item_id} | the case has ended | wait")


async def _clear(order: Order, database: Database, store: Store, loan_keys: LoanKeys) -> None:
    await vault_actions.clear_earlier_runs(
        database, ACTOR, store, purpose="emergency", item_id=order.item_id, loan_keys=loan_keys
    )
