"""The relay: publishes the outbox, until the database shows that the process has a message.

One process at a time does it, by a lease. A message has its row's id, so the engine buffers it once all the same; one
that nothing waits for expires there within the hour.
"""

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
from services.domain.process.messages import MATTER_MOOT, REFERRAL_RECEIVED, REVIEW_DECIDED, WORK_ORDER_CANCELLED
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
POLL_INTERVAL = timedelta(seconds=1)  # a commit wakes the relay of its own process only
PAUSE = timedelta(seconds=1)
LEASE = timedelta(seconds=10)


@dataclass(frozen=True)
class OutgoingMessage:
    """One message, detached from its session."""

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
        """Publish what is due, while the lease is held; return how many.

        Raises Retryable if the engine is down or rejects us.
        """
        if not await self._lease.hold():
            return 0
        messages = await self._database.run(ACTOR, claim_due)
        for done, message in enumerate(messages):
            if not await self._lease.hold():
                log.warning("another process publishes now, after this one had stood still")
                return done
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
                    await self._database.run(
                        ACTOR, outbox.mark_refused, message.message_id, retry_after=RETRY_DELAYS[-1]
                    )
                    continue
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
        return len(messages)


def claim_due(uow: UnitOfWork) -> list[OutgoingMessage]:
    """Return what is to be published now; settle what nothing waits for any more."""
    outgoing = []
    for message in outbox.list_due(uow):
        reason = _obsolete_because(uow, message)
        if reason is not None:
            message.settled_at, message.settled_because = uow.now, reason
            continue
        outgoing.append(
            OutgoingMessage(
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
        closed_at = uow.session.get_one(Matter, message.matter_id).closed_at
        if closed_at is not None and message.name != MATTER_MOOT:
            return "the matter is closed"
    elif uow.session.get_one(Application, message.application_id).closed_at is not None:
        return "the application is closed"
    if message.name in LIMITED and message.attempts >= MAX_DECISION_ATTEMPTS:
        return f"published {message.attempts} times"
    return None
