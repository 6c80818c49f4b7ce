"""Store signal subscriptions, and subscriptions of message and signal start events."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from services.engine.state.statements import Statement, row_values
from services.engine.state.tables import signal_subscriptions, start_subscriptions


@dataclass(frozen=True, slots=True)
class SignalSubscription:
    key: int
    name: str
    instance_key: int
    element_instance_key: int
    element_id: str


@dataclass(frozen=True, slots=True)
class StartSubscription:
    """``kind`` is MESSAGE or SIGNAL; only a process's latest version has subscriptions."""

    key: int
    kind: str
    name: str
    process_id: str
    definition_key: int
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


class StartSubscriptions:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, subscription: StartSubscription) -> None:
        _ADD_START.run(self._connection, **row_values(subscription))

    def by_name(self, kind: str, name: str) -> list[StartSubscription]:
        return [StartSubscription(*row) for row in _BY_NAME.run(self._connection, event=kind, event_name=name)]

    def of_process(self, process_id: str) -> list[StartSubscription]:
        return [StartSubscription(*row) for row in _OF_PROCESS.run(self._connection, process=process_id)]

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
_ADD_START = Statement(insert(start_subscriptions))
_BY_NAME = Statement(
    select(start_subscriptions)
    .where(start_subscriptions.c.kind == bindparam("event"), start_subscriptions.c.name == bindparam("event_name"))
    .order_by(start_subscriptions.c.key)
)
_OF_PROCESS = Statement(
    select(start_subscriptions)
    .where(start_subscriptions.c.process_id == bindparam("process"))
    .order_by(start_subscriptions.c.key)
)
_REMOVE_START = Statement(delete(start_subscriptions).where(start_subscriptions.c.key == bindparam("subscription")))
