"""The relay: publishes the outbox, until the database shows that the process has a message.

One process at a time does it, by a lease. A message has its row's id, so the engine buffers it once all the same; one
that nothing waits for expires there within the hour.

Several cases are published at once, the messages of a case one after another. A case whose message the engine does not
take now, because one of its partitions is away, is held: its messages keep their order, and a task of its own tries the
held cases, one at a time. They hold up nobody else, however long the engine is silent about them.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
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
from services.runtime.periodic import Periodic
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
LEASE = timedelta(seconds=10)  # of which two thirds are left whenever it is held: longer than any call lasts
AT_ONCE = 50  # messages of a run
LANES = 8  # cases that are published at once
ANSWER = timedelta(seconds=1)  # an engine that works answers in milliseconds; who waits longer holds up the others
ANSWER_HELD = timedelta(seconds=5)
FAILURES_IN_A_ROW = 3  # by then the engine itself is away, and is not asked for each message
MOST_HELD = 5000  # cases; those beyond are tried as if they were new


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


class Silent(Retryable):
    """The engine did not answer in time: of other cases that says nothing."""


@dataclass
class _Run:
    """What is published now: the messages of each case, in their order, and what became of them so far."""

    waiting: deque[list[OutgoingMessage]]
    done: int = 0
    fault: Retryable | None = None  # the last that the engine did not take
    failed_in_a_row: int = 0
    broken: Retryable | None = None  # what ends the run, whichever message comes next
    lease_lost: bool = False

    @property
    def is_over(self) -> bool:
        return self.lease_lost or self.broken is not None or self.failed_in_a_row >= FAILURES_IN_A_ROW


class Relay:
    """One for each process, of which the one with the lease publishes."""

    name = "relay"

    def __init__(self, database: Database, client: EngineClient, *, lease: Lease | None = None) -> None:
        self._database = database
        self._client = client
        self._lease = lease or Lease(database, "relay", LEASE)
        self._held = dict[str, int]()  # cases whose message the engine has not taken: how often it was asked since
        self._in_vain = 0  # tries of held cases, since the engine has taken a message from this process
        self._periodic = Leased(self._lease, POLL_INTERVAL, self._publish, pause=PAUSE)
        self._trying = Periodic("relay-held", POLL_INTERVAL, self._try_held, pause=PAUSE)

    async def run(self) -> None:
        """Publish until cancelled: after each commit of this process that writes a message, and every second."""
        self._database.on("outbox", self.wake)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._periodic.run())
            group.create_task(self._trying.run())

    def wake(self) -> None:
        """Run now: there is a message, or the clock was turned."""
        self._periodic.wake()

    async def publish_due(self) -> int:
        """Publish what is due, while the lease is held; return how many the engine has taken or refused.

        Raises Retryable if it does neither with any, or rejects us.
        """
        done = await self._publish_new()
        try:
            return done + await self._publish_held()
        except Retryable:
            if not done:
                raise
            return done

    async def _publish(self) -> bool:
        return await self._publish_new() > 0

    async def _try_held(self) -> bool:
        return await self._publish_held() > 0

    async def _publish_new(self) -> int:
        """Publish what is due of the cases that are not held; returns and raises as ``publish_due``."""
        if not await self._lease.hold():
            return 0
        run = _Run(deque(_by_case(await self._database.run(ACTOR, claim_due, list(self._held)))))
        if run.waiting:  # the first alone: an engine that is away is not asked for several at once
            await self._publish_case(run, run.waiting.popleft())
        async with asyncio.TaskGroup() as lanes:
            for _ in range(min(LANES, len(run.waiting))):
                lanes.create_task(self._publish_waiting(run))
        fault = run.broken or (run.fault if not run.done else None)
        if fault is not None:
            raise fault
        return run.done

    async def _publish_waiting(self, run: _Run) -> None:
        """Publish one case after another, until none waits or the run is over."""
        try:
            while run.waiting and not run.is_over:
                await self._publish_case(run, run.waiting.popleft())
        except Retryable as error:  # raised once the other lanes have recorded what they have sent
            run.broken = error

    async def _publish_case(self, run: _Run, messages: Iterable[OutgoingMessage]) -> None:
        """Publish the messages of a case in their order; hold the case where the engine does not take one."""
        for message in messages:
            if not await self._lease.hold() and not run.lease_lost:
                log.warning("another process publishes now, after this one had stood still")
                run.lease_lost = True
            if run.is_over:
                return
            not_taken = await self._publish_message(message, ANSWER)
            if not_taken is not None:
                if len(self._held) < MOST_HELD:
                    self._held[message.case] = 0
                run.fault = not_taken
                run.failed_in_a_row += not isinstance(not_taken, Silent)
                return
            run.done, run.failed_in_a_row = run.done + 1, 0

    async def _publish_held(self) -> int:
        """Publish the first message of each held case, one at a time, and hold these no more; return their number.

        Ends at the first that the engine does not take, whose case then comes behind those asked for less often;
        raises Retryable where it has taken none before. The lease is the other task's, which renews it meanwhile; after
        a few tries in vain it is given back, for it may be this process alone that does not reach the engine.
        """
        held = sorted(self._held, key=self._held.__getitem__)[:AT_ONCE]  # who was asked for least often comes first
        if not held or not self._lease.held:
            return 0
        messages = await self._database.run(ACTOR, claim_held, held)
        for case in set(held) - {message.case for message in messages}:
            del self._held[case]  # nothing of it is due any more
        done = 0
        for message in messages:
            if not self._lease.held:
                break
            not_taken = await self._publish_message(message, ANSWER_HELD)
            tries = self._held.pop(message.case)
            if not_taken is not None:
                self._held[message.case] = tries + 1
                if done:
                    return done  # others are taken: no pause
                self._in_vain += 1
                if self._in_vain % FAILURES_IN_A_ROW == 0:
                    await self._lease.release()
                raise not_taken
            done += 1
            self.wake()  # the case may have more
        return done

    async def _publish_message(self, message: OutgoingMessage, within: timedelta) -> Retryable | None:
        """Publish a message and record what became of it; return why the engine does not take it now, if so.

        ``within``: how long it may take to answer. Raises Retryable if the engine rejects us.
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
                async with asyncio.timeout(within.total_seconds()):
                    await self._client.publish_message(
                        message.name,
                        message.correlation_key,
                        message.variables,
                        message.message_id,
                        outbox.TIME_TO_LIVE,
                    )
            except TimeoutError:
                log.warning("the engine does not answer about a message", message=message.name)
                return Silent(
                    f"could not publish message {message.name}: no answer within {within.total_seconds():g} s"
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
            self._in_vain = 0
            if not first:
                metrics.MESSAGES_PUBLISHED_TWICE.inc()
            log.info("message published", message=message.name, attempt=message.attempts + 1)
            return None


def claim_due(uow: UnitOfWork, besides: Sequence[str] = ()) -> list[OutgoingMessage]:
    """Return what is to be published now, oldest first, besides these cases; settle what nothing waits for."""
    return _claim(uow, outbox.list_due(uow, besides=besides, limit=AT_ONCE))


def claim_held(uow: UnitOfWork, cases: Sequence[str]) -> list[OutgoingMessage]:
    """Return the first message of each of these cases that is to be published now, in their order; settle as above."""
    first = {outbox.case_of(message): message for message in reversed(outbox.list_due(uow, of=cases))}
    return _claim(uow, [first[case] for case in cases if case in first])


def _claim(uow: UnitOfWork, due: Iterable[OutboxMessage]) -> list[OutgoingMessage]:
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


def _by_case(messages: Iterable[OutgoingMessage]) -> Iterable[list[OutgoingMessage]]:
    cases = dict[str, list[OutgoingMessage]]()
    for message in messages:
        cases.setdefault(message.case, []).append(message)
    return cases.values()


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
