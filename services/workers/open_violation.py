"""open-violation: a copy past the grace, a lost one, which ends the case, a breach, an urgent view not approved."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import closing, violations
from services.domain.matters import problems, urgents
from services.domain.matters.kinds.problem import BREACH
from services.runtime.errors import NotPermitted
from services.vault.keys.signer import Signer
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import Store
from services.workers import vault_actions

JOB_TYPE = "open-violation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    """``hand_over_id``: of what is overdue or lost; an urgent retrieval has no loan.

    ``matter_id``: of a breach, the report that has found it; of an urgent view, its call.
    """

    application_id: str
    violation_kind: str
    hand_over_id: str | None = None
    matter_id: str | None = None


@dataclass(frozen=True)
class Result:
    """None where the copies came back inside the grace, a report is moot, or an application was approved."""

    violation_id: str | None


async def handle(
    command: Command,
    database: Database,
    store: Store,
    loan_keys: LoanKeys,
    *,
    signer: Signer,
    replica_store: Store | None = None,
) -> Result:
    """An overdue copy and a breach only change the database; a lost one ends the loan in the vault too."""
    if command.violation_kind == "urgent-not-ratified" and command.matter_id is not None:
        return Result(await database.run(ACTOR, urgents.open_violation, command.matter_id))
    application_id, hand_over_id = command.application_id, command.hand_over_id
    if hand_over_id is None and command.violation_kind in ("overdue", "loss"):
        raise NotPermitted(
            f"could not open a violation | application {application_id} | the variable handOverId is not given | "
            "set it to the loan that is overdue or lost, then resolve the incident"
        )
    hand_over_id = hand_over_id or ""
    if command.violation_kind == "overdue":
        violation = await database.run(ACTOR, violations.open_overdue, application_id, hand_over_id)
        return Result(None if violation is None else violation.id)
    if command.violation_kind == "breach" and command.matter_id is not None:
        outcome = await database.run(ACTOR, problems.answer, command.matter_id, "open a violation", BREACH)
        return Result(outcome.get("violation"))
    if command.violation_kind != "loss":
        raise NotPermitted(
            f"could not open a violation | hand-over {hand_over_id} | {command.violation_kind!r} is no kind of it | "
            "use overdue or loss, or breach or urgent-not-ratified with their matterId, then resolve the incident"
        )
    actions = await database.run(ACTOR, closing.end_lost_loan, application_id, hand_over_id)
    await vault_actions.end_loan(
        database,
        ACTOR,
        application_id,
        actions,
        store=store,
        replica_store=replica_store,
        loan_keys=loan_keys,
        signer=signer,
        closed_as=closing.LOST_AS,
    )
    return Result(actions.violation_id)
