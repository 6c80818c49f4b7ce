"""The relay: publishes the outbox, until the database shows that the process has a message.

One process at a time does it, by a lease. A message has its row's id, so the engine buffers it once all the same; one
that nothing waits for expires there within the hour.

A message that the engine does not take now, because one of its partitions is away, holds up its own case alone: that
case is held, and tried again after the messages of all others, so that those of a case keep their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from opentelemetry.trace import SpanKind

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process import outbox, subjects
from services.domain.process.messages import (
    LOSS_SETTLED,
    MATTER_MOOT,
    REFERRAL_RECEIVED,
    REVIEW_DECIDED,
    WORK_ORDER_CANCELLED,
)
from services.runtime import metrics
from services.runtime.engine_client import EngineClient, Unauthorized
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger, log_context
from services.runtime.tracing import span

log = get_logger(__name__)
ACTOR = Actor("system", "relay")
RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=1))
MAX_DECISION_ATTEMPTS = 3  # no row follows an accepted receipt, nor a moot matter whose process never began
LIMITED = (
    REVIEW_DECIDED,
    MATTER_MOOT,
    REFERRAL_RECEIVED,
    WORK_ORDER_CANCELLED,
)  # what follows a referral may be months away
CLEARED = "cleared"  # the end of a violation that was unfounded, or that an appeal has cleared
OF_CLEARED = (REVIEW_DECIDED, REFERRAL_RECEIVED, LOSS_SETTLED)  # by them its process, which still waits, ends
POLL_INTERVAL = timedelta(seconds=1)  # a commit wakes the relay of its own process only
PAUSE = timedelta(seconds=1)
LEASE = timedelta(seconds=10)
AT_ONCE = 50  # messages of a run
FAILURES_IN_A_ROW = 3  # by then the engine itself is away, and is not asked for each message
MOST_HELD = 5000  # cases; the first of more is taken for one that was not tried yet


@dataclass(frozen=True)
class OutgoingMessage:
    """One message, detached from its session."""

    case: str
    application_id: str | None
    name: str
    correlation_key: str
    message_id: str
    variables: dict[str, Any] = field(repr=False)  # never printed
    attempts: int
    request_id: str | None = None
    trace_parent: str | None = None


class Relay:
    """One for each process, of which the one with the lease publishes."""

    name = "relay"

    def __init__(self, database: Database, client: EngineClient, *, lease: Lease | None = None) -> None:
        self._database = database
        self._client = client
        self._lease = lease or Lease(database, "relay", LEASE)
        self._held = dict[str, None]()  # cases whose message the engine has not taken, the longest ago first
        self._periodic = Leased(self._lease, POLL_INTERVAL, self._publish, pause=PAUSE)

    async def run(self) -> None:
        """Publish until cancelled: after each commit of this process that writes a message, and every second."""
        self._database.on("outbox", self.wake)
        await self._periodic.run()

    def wake(self) -> None:
        """Run now: there is a message, or the clock was turned."""
        self._periodic.wake()

    async def _publish(self) -> bool:
        return await self.publish_due() > 0

    async def publish_due(self) -> int:
        """Publish what is due, while the lease is held; return how many the engine has taken or refused.

        Raises Retryable if it does neither with any, or rejects us.
        """
        if not await self._lease.hold():
            return 0
        held = list(self._held)
        messages = await self._database.run(ACTOR, claim_due, held)
        for case in set(held[:AT_ONCE]) - {message.case for message in messages}:
            del self._held[case]  # nothing of it is due any more
        failed, fault = set[str](), None
        done = in_a_row = 0
        for message in messages:
            if message.case in failed:
                continue
            if not await self._lease.hold():
                log.warning("another process publishes now, after this one had stood still")
                return done
            not_taken = await self._publish_message(message)
            self._held.pop(message.case, None)
            if not_taken is None:
                done, in_a_row = done + 1, 0
                continue
            failed.add(message.case)
            self._hold(message.case)
            fault, in_a_row = not_taken, in_a_row + 1
            if in_a_row == FAILURES_IN_A_ROW:
                break
        if fault is not None and not done:
            raise fault
        return done

    def _hold(self, case: str) -> None:
        if len(self._held) >= MOST_HELD:
            del self._held[next(iter(self._held))]
        self._held[case] = None

    async def _publish_message(self, message: OutgoingMessage) -> Retryable | None:
        """Publish a message and record what became of it; return why the engine does not take it now, if so.

        Raises Retryable if the engine rejects us.
        """
        with (
            log_context(application_id=message.application_id, request_id=message.request_id),
            span(
                f"publish {message.name}",
                message.trace_parent,
                SpanKind.PRODUCER,
                {"messaging.message.id": message.message_id, "footage_desk.request_id": message.request_id},
            ),
        ):
            try:
                await self._client.publish_message(
                    message.name,
                    message.correlation_key,
                    message.variables,
                    message.message_id,
                    outbox.TIME_TO_LIVE,
                )
            except Unauthorized as error:
                # The error is not about this message: all others would fail too.
                raise Retryable(str(error)) from error
            except Fatal as error:
                log.error(  # noqa: TRY400  # the texts of a traceback may quote the message's variables
                    "the engine refuses a message", message=message.name, cause=str(error), stack=stack(error)
                )
                await self._database.run(ACTOR, outbox.mark_refused, message.message_id, retry_after=RETRY_DELAYS[-1])
                return None
            except Retryable as error:
                log.warning("the engine does not take a message now", message=message.name, cause=str(error))
                return error
            after = RETRY_DELAYS[min(message.attempts, len(RETRY_DELAYS) - 1)]
            first = await self._database.run(
                ACTOR,
                outbox.mark_published,
                message.message_id,
                attempts=message.attempts,
                retry_after=after,
            )
            if not first:
                metrics.MESSAGES_PUBLISHED_TWICE.inc()
            log.info("message published", message=message.name, attempt=message.attempts + 1)
            return None


def claim_due(uow: UnitOfWork, held: Sequence[str] = ()) -> list[OutgoingMessage]:
    """Return what is to be published now, of the cases that are held the first message; settle what nothing waits for.

    ``held``: cases that come last, in their order.
    """
    due = outbox.list_due(uow, besides=held, limit=AT_ONCE)
    if held:
        first = {outbox.case_of(message): message for message in reversed(outbox.list_due(uow, of=held[:AT_ONCE]))}
        due += [first[case] for case in held[:AT_ONCE] if case in first]
    outgoing = []
    for message in due:
        reason = _obsolete_because(uow, message)
        if reason is not None:
            message.settled_at, message.settled_because = uow.now, reason
            continue
        outgoing.append(
            OutgoingMessage(
                outbox.case_of(message),
                message.application_id,
                message.name,
                message.correlation_key,
                message.message_id,
                message.variables,
                message.attempts,
                message.request_id,
                message.trace_parent,
            )
        )
    return outgoing


def _obsolete_because(uow: UnitOfWork, message: OutboxMessage) -> str | None:
    if message.subject_kind is not None:
        if subjects.is_over(uow, subjects.Subject(message.subject_kind, str(message.subject_id))):
            return f"the {message.subject_kind} is closed"
    elif message.matter_id is not None:
        matter = uow.session.get_one(Matter, message.matter_id)
        ends_process = message.name == MATTER_MOOT or (matter.closed_as == CLEARED and message.name in OF_CLEARED)
        if matter.closed_at is not None and not ends_process:
            return "the matter is closed"
    elif uow.session.get_one(Application, message.application_id).closed_at is not None:
        return "the application is closed"
    if message.name in LIMITED and message.attempts >= MAX_DECISION_ATTEMPTS:
        return f"published {message.attempts} times"
    return None
