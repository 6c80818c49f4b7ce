"""Store buffered messages, message subscriptions and locked correlation keys."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import message_correlations, message_start_locks, message_subscriptions, messages


@dataclass(frozen=True, slots=True)
class Message:
    """A buffered message until ``deadline`` (ms); ``variables`` is JSON text."""

    key: int
    name: str
    correlation_key: str
    message_id: str
    deadline: int
    variables: str


@dataclass(frozen=True, slots=True)
class MessageSubscription:
    key: int
    name: str
    correlation_key: str
    process_instance_key: int
    element_instance_key: int
    element_id: str
    bpmn_process_id: str
    interrupting: bool


class Messages:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, message: Message) -> None:
        _ADD.run(self._connection, **row_values(message))

    def get(self, key: int) -> Message | None:
        row = _GET.run(self._connection, message=key).fetchone()
        return None if row is None else Message(*row)

    def remove(self, key: int) -> None:
        _REMOVE.run(self._connection, message=key)
        _REMOVE_CORRELATIONS.run(self._connection, message=key)

    def is_published(self, name: str, correlation_key: str, message_id: str) -> bool:
        parameters = {"message_name": name, "correlation": correlation_key, "identity": message_id}
        return bool(_IS_PUBLISHED.number(self._connection, **parameters))

    def oldest_buffered(self, name: str, correlation_key: str, bpmn_process_id: str, now: int) -> Message | None:
        """Return the oldest message not yet correlated to this process."""
        parameters = {"message_name": name, "correlation": correlation_key, "process": bpmn_process_id, "now": now}
        row = _OLDEST_BUFFERED.run(self._connection, **parameters).fetchone()
        return None if row is None else Message(*row)

    def mark_correlated(self, message_key: int, bpmn_process_id: str) -> None:
        _MARK_CORRELATED.run(self._connection, message_key=message_key, bpmn_process_id=bpmn_process_id)

    def unmark_correlated(self, message_key: int, bpmn_process_id: str) -> None:
        """Undo ``mark_correlated`` for one process."""
        _UNMARK_CORRELATED.run(self._connection, message=message_key, process=bpmn_process_id)

    def due(self, now: int, limit: int) -> list[Message]:
        return [Message(*row) for row in _DUE.run(self._connection, now=now, limit=limit)]

    def next_due(self) -> int | None:
        return _NEXT.number(self._connection)

    def subscribe(self, subscription: MessageSubscription) -> None:
        _SUBSCRIBE.run(self._connection, **row_values(subscription))

    def subscription(self, key: int) -> MessageSubscription | None:
        row = _SUBSCRIPTION.run(self._connection, subscription=key).fetchone()
        return None if row is None else _subscription(row)

    def unsubscribe(self, key: int) -> None:
        _UNSUBSCRIBE.run(self._connection, subscription=key)

    def subscribers(self, name: str, correlation_key: str) -> list[MessageSubscription]:
        """Return subscriptions in the order of their creation."""
        rows = _SUBSCRIBERS.run(self._connection, message_name=name, correlation=correlation_key)
        return [_subscription(row) for row in rows]

    def lock(self, bpmn_process_id: str, correlation_key: str, process_instance_key: int) -> None:
        locked = {
            "bpmn_process_id": bpmn_process_id,
            "correlation_key": correlation_key,
            "process_instance_key": process_instance_key,
        }
        _LOCK.run(self._connection, **locked)

    def is_locked(self, bpmn_process_id: str, correlation_key: str) -> bool:
        return bool(_LOCKED.number(self._connection, process=bpmn_process_id, correlation=correlation_key))

    def unlock(self, bpmn_process_id: str, correlation_key: str) -> None:
        _UNLOCK.run(self._connection, process=bpmn_process_id, correlation=correlation_key)


def _subscription(row: tuple[Any, ...]) -> MessageSubscription:
    *others, interrupting = row
    return MessageSubscription(*[*others, bool(interrupting)])


_named = (messages.c.name == bindparam("message_name")) & (messages.c.correlation_key == bindparam("correlation"))
_is_correlated = exists().where(
    message_correlations.c.message_key == messages.c.key, message_correlations.c.bpmn_process_id == bindparam("process")
)
_ADD = Statement(insert(messages))
_GET = Statement(select(messages).where(messages.c.key == bindparam("message")))
_REMOVE = Statement(delete(messages).where(messages.c.key == bindparam("message")))
_IS_PUBLISHED = Statement(select(exists().where(_named, messages.c.message_id == bindparam("identity"))))
_OLDEST_BUFFERED = Statement(
    select(messages)
    .where(_named, ~_is_correlated, messages.c.deadline > bindparam("now"))
    .order_by(messages.c.key)
    .limit(1)
)
_DUE = Statement(
    select(messages)
    .where(messages.c.deadline <= bindparam("now"))
    .order_by(messages.c.deadline)
    .limit(bindparam("limit"))
)
_NEXT = Statement(select(func.min(messages.c.deadline)))
_MARK_CORRELATED = Statement(insert(message_correlations))
_of_message = delete(message_correlations).where(message_correlations.c.message_key == bindparam("message"))
_REMOVE_CORRELATIONS = Statement(_of_message)
_UNMARK_CORRELATED = Statement(_of_message.where(message_correlations.c.bpmn_process_id == bindparam("process")))
_SUBSCRIBE = Statement(insert(message_subscriptions))
_SUBSCRIPTION = Statement(select(message_subscriptions).where(message_subscriptions.c.key == bindparam("subscription")))
_UNSUBSCRIBE = Statement(delete(message_subscriptions).where(message_subscriptions.c.key == bindparam("subscription")))
_SUBSCRIBERS = Statement(
    select(message_subscriptions)
    .where(
        message_subscriptions.c.name == bindparam("message_name"),
        message_subscriptions.c.correlation_key == bindparam("correlation"),
    )
    .order_by(message_subscriptions.c.key)
)
_locked = (message_start_locks.c.bpmn_process_id == bindparam("process")) & (
    message_start_locks.c.correlation_key == bindparam("correlation")
)
_LOCK = Statement(insert(message_start_locks))
_LOCKED = Statement(select(exists().where(_locked)))
_UNLOCK = Statement(delete(message_start_locks).where(_locked))
