"""What waits for signals, and which events start processes (by message or by signal)."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from services.engine.state.tables import signal_subscriptions, start_subscriptions


@dataclass(frozen=True, slots=True)
class SignalSubscription:
    key: int
    name: str
    instance_key: int
    node_key: int
    element_id: str


@dataclass(frozen=True, slots=True)
class StartSubscription:
    """``kind`` is MESSAGE or SIGNAL; only the newest version of a process has any."""

    key: int
    kind: str
    name: str
    process_id: str
    definition_key: int
    element_id: str


class Signals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def subscribe(self, subscription: SignalSubscription) -> None:
        self._connection.execute(_SUBSCRIBE, asdict(subscription))

    def subscription(self, key: int) -> SignalSubscription | None:
        row = self._connection.execute(_SUBSCRIPTION, {"subscription": key}).one_or_none()
        return None if row is None else SignalSubscription(*row)

    def unsubscribe(self, key: int) -> None:
        self._connection.execute(_UNSUBSCRIBE, {"subscription": key})

    def subscribers(self, name: str) -> list[SignalSubscription]:
        return [SignalSubscription(*row) for row in self._connection.execute(_SUBSCRIBERS, {"signal": name})]


class Starts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, subscription: StartSubscription) -> None:
        self._connection.execute(_START, asdict(subscription))

    def by_name(self, kind: str, name: str) -> list[StartSubscription]:
        return [
            StartSubscription(*row) for row in self._connection.execute(_BY_NAME, {"event": kind, "event_name": name})
        ]

    def of_process(self, process_id: str) -> list[StartSubscription]:
        return [StartSubscription(*row) for row in self._connection.execute(_OF_PROCESS, {"process": process_id})]

    def remove(self, key: int) -> None:
        self._connection.execute(_UNSTART, {"subscription": key})


_SUBSCRIBE = insert(signal_subscriptions)
_SUBSCRIPTION = select(signal_subscriptions).where(signal_subscriptions.c.key == bindparam("subscription"))
_UNSUBSCRIBE = delete(signal_subscriptions).where(signal_subscriptions.c.key == bindparam("subscription"))
_SUBSCRIBERS = (
    select(signal_subscriptions)
    .where(signal_subscriptions.c.name == bindparam("signal"))
    .order_by(signal_subscriptions.c.key)
)
_START = insert(start_subscriptions)
_BY_NAME = (
    select(start_subscriptions)
    .where(start_subscriptions.c.kind == bindparam("event"), start_subscriptions.c.name == bindparam("event_name"))
    .order_by(start_subscriptions.c.key)
)
_OF_PROCESS = (
    select(start_subscriptions)
    .where(start_subscriptions.c.process_id == bindparam("process"))
    .order_by(start_subscriptions.c.key)
)
_UNSTART = delete(start_subscriptions).where(start_subscriptions.c.key == bindparam("subscription"))
