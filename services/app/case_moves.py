"""Move the cases that may be moved, one by one, and enter each in the audit trail."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from services.app import case_migration
from services.app.case_migration import KNOWN, Planned, Target
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.designers import migration_words as words
from services.designers.migration_words import Sentence
from services.domain.audit import trail as audit_trail
from services.domain.process import deployed_models, running_cases
from services.domain.process.deployed_models import ProcessVersion
from services.runtime.migration import Rejected, migrate

ACTOR = Actor("system", "migrate")


@dataclass(frozen=True)
class Order:
    """Who moves cases to which version, and why; ``by`` is the account of the machine that runs the command."""

    target: Target
    version: ProcessVersion
    rules_sha256: str
    by: str
    reason: str


@dataclass(frozen=True)
class Moved:
    """How the move of one case ended."""

    planned: Planned
    is_moved: bool
    sentence: Sentence


class Mover:
    """Moves cases through the engine's gateway."""

    def __init__(self, database: Database, channel: grpc.aio.Channel, order: Order) -> None:
        self._database = database
        self._channel = channel
        self._order = order

    async def move(self, planned: Planned) -> Moved:
        """Move one case whose verdict allows it, or complete the record of one that was moved.

        Raises Fatal or Retryable where no case can be moved now; run again, the case is taken up where it stopped.
        """
        if planned.is_there:
            await self._database.run(ACTOR, self._complete, planned)
            return Moved(planned, True, words.MOVED_BEFORE)
        if not await self._database.run(ACTOR, self._order_move, planned):
            return Moved(planned, False, words.GONE)
        loop = asyncio.get_running_loop()

        def call() -> None:
            key = planned.case.application.process_instance_key or 0
            coming = migrate(self._channel, key, self._order.version.definition_key, planned.ids)
            asyncio.run_coroutine_threadsafe(coming, loop).result()

        return await self._database.run(ACTOR, self._move, planned, call)

    def _order_move(self, uow: UnitOfWork, planned: Planned) -> bool:
        """Write down what is about to be done, so that a call that is killed leaves a trace; False for a case gone."""
        application = running_cases.lock(uow, planned.case.application.id)
        if application.closed_at is not None or application.model_sha256 == self._order.target.sha256:
            return False
        if self._find_order(planned) is None:
            self._record(uow, running_cases.ORDERED, planned)
        return True

    def _find_order(self, planned: Planned) -> AuditEvent | None:
        """Return the order to move the case to this version, if it is not recorded how it ended."""
        ordered = planned.case.ordered()
        if ordered is None or json.loads(ordered.entry)["detail"]["to_sha256"] != self._order.target.sha256:
            return None
        return ordered

    def _move(self, uow: UnitOfWork, planned: Planned, call: Callable[[], None]) -> Moved:
        """Have the engine move the case while nobody decides in it and no job of it begins."""
        case = planned.case
        application = running_cases.lock(uow, case.application.id)
        found = running_cases.list_running(uow, case=case.application.id)
        if not found:
            return Moved(planned, False, words.ENDED)
        now = case_migration.record_of(found[0], case_migration.list_sets(uow))
        if now != planned.record:
            return Moved(planned, False, words.WENT_ON)
        try:
            call()
        except Rejected as error:
            if not error.is_done:
                self._record(uow, running_cases.REJECTED, planned, sentence=str(error))
                return Moved(planned, False, words.rejected(str(error)))
        self._record(uow, running_cases.MIGRATED, planned)
        deployed_models.set_version(uow, application, self._order.version)
        running_cases.move_open_steps(uow, case, planned.ids, self._order.version)
        return Moved(planned, True, words.MOVED)

    def _complete(self, uow: UnitOfWork, planned: Planned) -> None:
        """Enter the end of an order that a killed call left open."""
        ordered = self._find_order(planned)
        if ordered is not None:
            audit_trail.record(
                uow,
                running_cases.MIGRATED,
                "application",
                planned.case.application.id,
                application_id=planned.case.application.id,
                ordered_at=ordered.at.isoformat(),
                **json.loads(ordered.entry)["detail"],
            )

    def _record(self, uow: UnitOfWork, action: str, planned: Planned, **more: str) -> None:
        application, order, verdict = planned.case.application, self._order, planned.verdict
        audit_trail.record(
            uow,
            action,
            "application",
            application.id,
            application_id=application.id,
            by=order.by,
            reason=order.reason,
            process_instance=str(application.process_instance_key),
            process=order.version.process_id,
            from_version=application.process_version,
            from_sha256=application.model_sha256,
            to_version=order.version.version,
            to_sha256=order.target.sha256,
            rules=verdict.rules,
            rules_sha256=order.rules_sha256,
            result=verdict.result,
            states=verdict.states,
            changed=dict(planned.difference.changed),
            without=list(planned.difference.without),
            **more,
        )


def must_be_completed(planned: Planned) -> bool:
    """Return whether the case is moved, and an order of before has no end on record."""
    return planned.verdict.result == KNOWN and planned.case.ordered() is not None
