"""Store signal subscriptions, and subscriptions of message and signal start events."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import signal_subscriptions, start_event_subscriptions


@dataclass(frozen=True, slots=True)
class SignalSubscription:
    key: int
    name: str
    process_instance_key: int
    element_instance_key: int
    element_id: str


@dataclass(frozen=True, slots=True)
class StartEventSubscription:
    """``event_type`` is MESSAGE or SIGNAL; only a process's latest version has subscriptions."""

    key: int
    event_type: str
    name: str
    bpmn_process_id: str
    process_definition_key: int
    element_id: str


class Signals:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def subscribe(self, subscription: SignalSubscription) -> None:
        _SUBSCRIBE.run(self._connection, **row_values(subscription))

    def subscription(self, key: int) -> SignalSubscription | None:
        row = _SUBSCRIPTION.run(self._connection, subscription=key).fetchone()
        return None if row is None else SignalSubscription(*row)

    def unsubscribe(self, key: int) -> None:
        _UNSUBSCRIBE.run(self._connection, subscription=key)

    def subscribers(self, name: str) -> list[SignalSubscription]:
        return [SignalSubscription(*row) for row in _SUBSCRIBERS.run(self._connection, signal=name)]


class StartEventSubscriptions:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, subscription: StartEventSubscription) -> None:
        _ADD_START.run(self._connection, **row_values(subscription))

    def by_name(self, event_type: str, name: str) -> list[StartEventSubscription]:
        return [
            StartEventSubscription(*row) for row in _BY_NAME.run(self._connection, event=event_type, event_name=name)
        ]

    def of_process(self, bpmn_process_id: str) -> list[StartEventSubscription]:
        return [StartEventSubscription(*row) for row in _OF_PROCESS.run(self._connection, process=bpmn_process_id)]

    def remove(self, key: int) -> None:
        _REMOVE_START.run(self._connection, subscription=key)


_SUBSCRIBE = Statement(insert(signal_subscriptions))
_SUBSCRIPTION = Statement(select(signal_subscriptions).where(signal_subscriptions.c.key == bindparam("subscription")))
_UNSUBSCRIBE = Statement(delete(signal_subscriptions).where(signal_subscriptions.c.key == bindparam("subscription")))
_SUBSCRIBERS = Statement(
    select(signal_subscriptions)
    .where(signal_subscriptions.c.name == bindparam("signal"))
    .order_by(signal_subscriptions.c.key)
)
_ADD_START = Statement(insert(start_event_subscriptions))
_BY_NAME = Statement(
    select(start_event_subscriptions)
    .where(
        start_event_subscriptions.c.event_type == bindparam("event"),
        start_event_subscriptions.c.name == bindparam("event_name"),
    )
    .order_by(start_event_subscriptions.c.key)
)
_OF_PROCESS = Statement(
    select(start_event_subscriptions)
    .where(start_event_subscriptions.c.bpmn_process_id == bindparam("process"))
    .order_by(start_event_subscriptions.c.key)
)
_REMOVE_START = Statement(
    delete(start_event_subscriptions).where(start_event_subscriptions.c.key == bindparam("subscription"))
)
