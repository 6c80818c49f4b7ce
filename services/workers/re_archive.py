"""re-archive: loan keys destroyed, grants ended, masters kept until their disposal date, the case closed (R40, T13)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import closing, violations
from services.runtime.errors import NotPermitted
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import Store
from services.workers import vault_actions

JOB_TYPE = "re-archive"
ACTOR = Actor("worker", JOB_TYPE)
CLOSED_AS = {**closing.RETURNED_AS, closing.PROVIDED: violations.PROVIDED_AS}


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str
    decision: str


@dataclass(frozen=True)
class Result:
    """The moment, in UTC, from which the masters may be disposed of."""

    disposal_date: str


async def handle(
    command: Command,
    database: Database,
    store: Store,
    loan_keys: LoanKeys,
    *,
    signer: Signer,
    replica_store: Store | None = None,
) -> Result:
    """A discrepancy destroys the keys too and opens a violation; what was provided outside was not inspected."""
    if command.decision not in CLOSED_AS:
        raise NotPermitted(
            f"could not re-archive | hand-over {command.hand_over_id} | {command.decision!r} is no inspection's "
            "decision | let the inspector decide, then resolve the incident"
        )
    if command.decision == closing.PROVIDED:
        actions = await database.run(ACTOR, closing.end_provided_loan, command.application_id, command.hand_over_id)
    else:
        actions = await database.run(
            ACTOR,
            closing.re_archive,
            command.application_id,
            command.hand_over_id,
            in_order=command.decision == "in-order",
        )
    await vault_actions.end_loan(
        database,
        ACTOR,
        command.application_id,
        actions,
        store=store,
        replica_store=replica_store,
        loan_keys=loan_keys,
        signer=signer,
        closed_as=CLOSED_AS[command.decision],
    )
    if actions.dispose_after is None:
        raise RuntimeError("a loan that has ended has a disposal date")
    return Result(actions.dispose_after.strftime("%Y-%m-%dT%H:%M:%SZ"))
