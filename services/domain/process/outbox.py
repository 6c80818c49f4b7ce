"""The outbox: messages to the process, written with the act, published until correlated.

The relay republishes a row (the message id is the row's, so a buffered message is not doubled) until the database
shows that the process has received it: a later job of the same application settles what was published before it.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update

from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import UnitOfWork
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.process.subjects import Subject
from services.runtime.logs import current_request_id
from services.runtime.tracing import current_trace_parent

TIME_TO_LIVE = timedelta(hours=1)


def publish(
    uow: UnitOfWork,
    name: str,
    correlation_key: str,
    *,
    application_id: str | None,
    message_id: str,
    variables: dict[str, Any],
    matter_id: str | None = None,
    subject: Subject | None = None,
) -> OutboxMessage:
    """Write a message for the relay in the unit's transaction.

    ``matter_id``: to the process of that matter. ``subject``: to the process of what belongs to no case.
    """
    if (application_id is None) == (subject is None):
        raise ValueError("a message goes to a case or to a subject: name one of them")
    message = OutboxMessage(
        application_id=application_id,
        matter_id=matter_id,
        subject_kind=subject.kind if subject is not None else None,
        subject_id=subject.id if subject is not None else None,
        name=name,
        correlation_key=correlation_key,
        message_id=message_id,
        variables=variables,
        created_at=uow.now,
        next_at=uow.now,
        request_id=current_request_id(),
        trace_parent=current_trace_parent(),
    )
    uow.session.add(message)
    uow.after_commit.add("outbox")
    return message


def list_due(
    uow: UnitOfWork, *, of: Collection[str] | None = None, besides: Collection[str] = (), limit: int | None = None
) -> list[OutboxMessage]:
    """List open messages that are due, oldest first; of these cases alone, or of all besides some (``case_of``)."""
    query = (
        select(OutboxMessage)
        .where(OutboxMessage.settled_at.is_(None), OutboxMessage.next_at <= uow.now)
        .order_by(OutboxMessage.created_at)
        .limit(limit)
    )
    case = func.coalesce(OutboxMessage.application_id, OutboxMessage.subject_id)
    if of is not None:
        query = query.where(case.in_(of))
    if besides:
        query = query.where(case.not_in(besides))
    return list(uow.session.scalars(query))


def case_of(message: OutboxMessage) -> str:
    """Return the id of the case that a message belongs to, or of its subject, which belongs to none."""
    return str(message.application_id or message.subject_id)


def mark_published(uow: UnitOfWork, message_id: str, *, attempts: int, retry_after: timedelta) -> bool:
    """Record that the engine has the message; republish after ``retry_after`` unless settled.

    ``attempts``: how often it had been published when it was read. Returns False if another process has published it
    since then.
    """
    statement = (
        update(OutboxMessage)
        .where(OutboxMessage.message_id == message_id, OutboxMessage.attempts == attempts)
        .values(published_at=uow.now, attempts=attempts + 1, next_at=uow.now + retry_after)
        .returning(OutboxMessage.id)
    )
    return uow.session.scalar(statement) is not None


def mark_refused(uow: UnitOfWork, message_id: str, *, retry_after: timedelta) -> None:
    """Record that the engine refused the message; retry after ``retry_after``."""
    uow.session.execute(
        update(OutboxMessage).where(OutboxMessage.message_id == message_id).values(next_at=uow.now + retry_after)
    )


def settle_superseded(
    uow: UnitOfWork,
    name: str,
    correlation_key: str,
    because: str,
    *,
    variables: Mapping[str, Any],
    arrived: bool | None,
) -> None:
    """Settle the messages of a key of which the newest alone counts: the one with these variables.

    The others are settled however far they came, or the process would go back to one that is published again when its
    time to live is over. ``arrived``: whether the process acts by the newest; if not it goes out again, also where it
    was settled. None where that is not known: then it is settled if it was published.
    """
    query = select(OutboxMessage).where(OutboxMessage.name == name, OutboxMessage.correlation_key == correlation_key)
    messages = uow.session.scalars(query.order_by(OutboxMessage.created_at.desc())).all()
    newest = next((message for message in messages if message.variables == variables), None)
    for message in messages:
        if message is not newest or arrived or (arrived is None and message.attempts > 0):
            if message.settled_at is None:
                message.settled_at, message.settled_because = uow.now, because
        elif message.settled_at is not None and arrived is False:
            reopen(uow, name, correlation_key, message_id=message.message_id)


def reopen(uow: UnitOfWork, name: str, correlation_key: str, *, message_id: str | None = None) -> None:
    """Publish the messages of a key from the beginning: the process may wait for what has expired in the engine.

    Within its hour the engine still holds a message, gives it to what waits by then, and takes it no second time.
    """
    statement = update(OutboxMessage).where(
        OutboxMessage.name == name, OutboxMessage.correlation_key == correlation_key
    )
    if message_id is not None:
        statement = statement.where(OutboxMessage.message_id == message_id)
    uow.session.execute(statement.values(settled_at=None, settled_because=None, attempts=0, next_at=uow.now))
    uow.after_commit.add("outbox")


def settle(uow: UnitOfWork, application_id: str, because: str, *names: str, matter_id: str | None = None) -> None:
    """Settle the messages of these names to the process of the case or of its matter; all of them without names.

    A message that the relay is publishing is settled too; that it is then marked as published changes nothing. But a
    decision of a review is settled once it was published: another branch of the process may still wait for it.
    """
    statement = update(OutboxMessage).where(
        OutboxMessage.application_id == application_id,
        OutboxMessage.matter_id == matter_id,
        OutboxMessage.settled_at.is_(None),
    )
    if names:
        published = or_(OutboxMessage.name != REVIEW_DECIDED, OutboxMessage.attempts > 0)
        statement = statement.where(OutboxMessage.name.in_(names), published)
    uow.session.execute(statement.values(settled_at=uow.now, settled_because=because))


def settle_subject(uow: UnitOfWork, subject: Subject, because: str, *names: str) -> None:
    """Settle the messages of these names to the process of a subject; all of them without names."""
    statement = update(OutboxMessage).where(
        OutboxMessage.subject_kind == subject.kind,
        OutboxMessage.subject_id == subject.id,
        OutboxMessage.settled_at.is_(None),
    )
    if names:
        statement = statement.where(OutboxMessage.name.in_(names))
    uow.session.execute(statement.values(settled_at=uow.now, settled_because=because))
