"""The relay: publishes what the outbox holds, and again until a book shows that the process has taken it.

A message carries its row's id, so the engine keeps one of it while it is buffered; one that nobody waits for any more
expires there within the hour.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.database.tables.applications import Application
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process import outbox
from services.domain.process.messages import REVIEW_DECIDED
from services.runtime.engine_client import EngineClient, Unauthorized
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.failures import stack
from services.runtime.logs import get_logger, log_context
from services.runtime.periodic import Periodic

log = get_logger(__name__)
ACTOR = Actor("system", "relay")
RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=1))
MAX_DECISION_ATTEMPTS = 3  # nothing in the books follows an accepted receipt: by then its wait has long been entered
POLL_INTERVAL = timedelta(seconds=5)
PAUSE = timedelta(seconds=1)


@dataclass(frozen=True)
class OutgoingMessage:
    """One message on its way, free of the session it was read in."""

    application_id: str
    name: str
    correlation_key: str
    message_id: str
    variables: dict[str, Any] = field(repr=False)  # nothing that prints a letter shows them
    attempts: int


class Relay:
    """One for each process; several relays publish the same message, which the engine keeps once."""

    def __init__(self, database: Database, client: EngineClient) -> None:
        self._register = database
        self._client = client
        self._periodic = Periodic("relay", POLL_INTERVAL, self._publish, pause=PAUSE)

    async def run(self) -> None:
        """Publish until cancelled: at once after each commit that leaves a message, else every few seconds."""
        self._register.on("outbox", self.wake)
        await self._periodic.run()

    def wake(self) -> None:
        """Look now: there is a message, or the clock was turned."""
        self._periodic.wake()

    async def _publish(self) -> bool:
        return await self.publish_due() > 0

    async def publish_due(self) -> int:
        """Publish what is due now; how many were taken up. Raises Retryable when the engine is away or knows us not."""
        letters = await self._register.run(ACTOR, claim_due)
        for letter in letters:
            with log_context(application_id=letter.application_id):
                try:
                    await self._client.publish_message(
                        letter.name,
                        letter.correlation_key,
                        letter.variables,
                        letter.message_id,
                        outbox.TIME_TO_LIVE,
                    )
                except Unauthorized as error:
                    # It says nothing about this message, and the others would fare alike.
                    raise Retryable(str(error)) from error
                except Fatal as error:
                    log.error(  # noqa: TRY400  # the texts of a traceback may quote the message's variables
                        "the engine refuses a message", message=letter.name, cause=str(error), stack=stack(error)
                    )
                    await self._register.run(
                        ACTOR, outbox.mark_refused, letter.message_id, again_after=RETRY_DELAYS[-1]
                    )
                    continue
                after = RETRY_DELAYS[min(letter.attempts, len(RETRY_DELAYS) - 1)]
                await self._register.run(ACTOR, outbox.mark_published, letter.message_id, again_after=after)
                log.info("message published", message=letter.name, attempt=letter.attempts + 1)
        return len(letters)


def claim_due(uow: UnitOfWork) -> list[OutgoingMessage]:
    """What is to be published now; what nobody waits for any more is settled on the way."""
    letters = []
    for message in outbox.list_due(uow):
        reason = _obsolete_because(uow, message)
        if reason is not None:
            message.settled_at, message.settled_because = uow.now, reason
            continue
        letters.append(
            OutgoingMessage(
                message.application_id,
                message.name,
                message.correlation_key,
                message.message_id,
                message.variables,
                message.attempts,
            )
        )
    return letters


def _obsolete_because(uow: UnitOfWork, message: OutboxMessage) -> str | None:
    if uow.session.get_one(Application, message.application_id).closed_at is not None:
        return "the application is closed"
    if message.name == REVIEW_DECIDED and message.attempts >= MAX_DECISION_ATTEMPTS:
        return f"published {message.attempts} times"
    return None
