"""The outbox: messages to the process, written with the act and published by the relay until they are taken.

The relay publishes a row again (the message id is the row's, so a buffered message is not doubled) until the book
shows that the process has taken it: a later job of the same application settles what was published before it.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import UnitOfWork

TIME_TO_LIVE = timedelta(hours=1)


def publish(
    uow: UnitOfWork,
    name: str,
    correlation_key: str,
    *,
    application_id: str,
    message_id: str,
    variables: dict[str, Any],
) -> OutboxMessage:
    """Leave a message for the relay in the unit's transaction."""
    message = OutboxMessage(
        application_id=application_id,
        name=name,
        correlation_key=correlation_key,
        message_id=message_id,
        variables=variables,
        created_at=uow.now,
        next_at=uow.now,
    )
    uow.session.add(message)
    uow.after_commit.add("outbox")
    return message


def list_due(uow: UnitOfWork, *, limit: int = 50) -> list[OutboxMessage]:
    """Open messages whose turn has come, oldest first."""
    query = (
        select(OutboxMessage)
        .where(OutboxMessage.settled_at.is_(None), OutboxMessage.next_at <= uow.now)
        .order_by(OutboxMessage.created_at)
        .limit(limit)
    )
    return list(uow.session.scalars(query))


def mark_published(uow: UnitOfWork, message_id: str, *, again_after: timedelta) -> None:
    """The engine has the message; look again after ``again_after`` whether the process has taken it."""
    uow.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.message_id == message_id)
        .values(published_at=uow.now, attempts=OutboxMessage.attempts + 1, next_at=uow.now + again_after)
    )


def mark_refused(uow: UnitOfWork, message_id: str, *, again_after: timedelta) -> None:
    """The engine would not have the message: it is not published, and tried again after ``again_after``."""
    uow.session.execute(
        update(OutboxMessage).where(OutboxMessage.message_id == message_id).values(next_at=uow.now + again_after)
    )


def settle(uow: UnitOfWork, application_id: str, because: str, *names: str) -> None:
    """The process needs this application's messages of these names no more; without names, none of its messages.

    One that the relay has in hand at this moment is settled too: that it went out is booked, and changes nothing.
    """
    statement = update(OutboxMessage).where(
        OutboxMessage.application_id == application_id,
        OutboxMessage.settled_at.is_(None),
    )
    if names:
        statement = statement.where(OutboxMessage.name.in_(names))
    uow.session.execute(statement.values(settled_at=uow.now, settled_because=because))
