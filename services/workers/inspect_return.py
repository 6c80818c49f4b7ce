"""inspect-return: stored copies hashed again, downloads compared with the attestation (R39, F31)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import returns
from services.runtime import metrics
from services.vault.store.protocol import Store, StoreMissing
from services.vault.store.replicas import verify

JOB_TYPE = "inspect-return"
HEAVY = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str


@dataclass(frozen=True)
class Result:
    return_findings: int


async def handle(command: Command, database: Database, store: Store) -> Result:
    """Findings are for the inspector's decision; none of them stops the process."""
    done, held = await database.run(ACTOR, returns.get_inspection_task, command.application_id, command.hand_over_id)
    if done is not None:
        return Result(done)
    hashes = {}
    for copy in held:
        try:
            hashes[copy["copyId"]] = await verify(
                store, copy["bucket"], copy["key"], copy["versionId"], copy["sha256Cipher"]
            )
        except StoreMissing:
            hashes[copy["copyId"]] = False
    findings = await database.run(
        ACTOR, returns.record_inspection, command.application_id, command.hand_over_id, hashes
    )
    metrics.VERIFICATION_FAILURES.inc(sum(not match for match in hashes.values()))
    return Result(findings)
