"""Messages that wait, what waits for messages, and the keys that running instances lock."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select

from services.engine.state.tables import correlations, message_subscriptions, messages, start_locks


@dataclass(frozen=True, slots=True)
class Message:
    """A published message, kept until ``deadline`` (ms); ``variables`` is a JSON object as text."""

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
    instance_key: int
    node_key: int
    element_id: str
    process_id: str
    interrupting: bool


class Messages:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, message: Message) -> None:
        self._connection.execute(_ADD, asdict(message))

    def get(self, key: int) -> Message | None:
        row = self._connection.execute(_GET, {"message": key}).one_or_none()
        return None if row is None else Message(*row)

    def remove(self, key: int) -> None:
        self._connection.execute(_REMOVE, {"message": key})
        self._connection.execute(_UNCORRELATE, {"message": key})

    def is_known(self, name: str, correlation_key: str, message_id: str) -> bool:
        named = {"message_name": name, "correlation": correlation_key, "identity": message_id}
        return bool(self._connection.execute(_KNOWN, named).scalar())

    def waiting(self, name: str, correlation_key: str, process_id: str, now: int) -> Message | None:
        """The oldest message that this process has not had yet."""
        named = {"message_name": name, "correlation": correlation_key, "process": process_id, "now": now}
        row = self._connection.execute(_WAITING, named).first()
        return None if row is None else Message(*row)

    def correlated(self, message_key: int, process_id: str) -> None:
        self._connection.execute(_CORRELATED, {"message_key": message_key, "process_id": process_id})

    def uncorrelated(self, message_key: int, process_id: str) -> None:
        """The process has not had the message after all."""
        self._connection.execute(_RETURNED, {"message": message_key, "process": process_id})

    def due(self, now: int, limit: int) -> list[Message]:
        return [Message(*row) for row in self._connection.execute(_DUE, {"now": now, "most": limit})]

    def next_due(self) -> int | None:
        return self._connection.execute(_NEXT).scalar()

    def subscribe(self, subscription: MessageSubscription) -> None:
        self._connection.execute(_SUBSCRIBE, asdict(subscription))

    def subscription(self, key: int) -> MessageSubscription | None:
        row = self._connection.execute(_SUBSCRIPTION, {"subscription": key}).one_or_none()
        return None if row is None else MessageSubscription(*row)

    def unsubscribe(self, key: int) -> None:
        self._connection.execute(_UNSUBSCRIBE, {"subscription": key})

    def subscribers(self, name: str, correlation_key: str) -> list[MessageSubscription]:
        """In the order they subscribed."""
        rows = self._connection.execute(_SUBSCRIBERS, {"message_name": name, "correlation": correlation_key})
        return [MessageSubscription(*row) for row in rows]

    def lock(self, process_id: str, correlation_key: str, instance_key: int) -> None:
        locked = {"process_id": process_id, "correlation_key": correlation_key, "instance_key": instance_key}
        self._connection.execute(_LOCK, locked)

    def is_locked(self, process_id: str, correlation_key: str) -> bool:
        return bool(self._connection.execute(_LOCKED, {"process": process_id, "correlation": correlation_key}).scalar())

    def unlock(self, process_id: str, correlation_key: str) -> None:
        self._connection.execute(_UNLOCK, {"process": process_id, "correlation": correlation_key})


_named = (messages.c.name == bindparam("message_name")) & (messages.c.correlation_key == bindparam("correlation"))
_had = exists().where(correlations.c.message_key == messages.c.key, correlations.c.process_id == bindparam("process"))
_ADD = insert(messages)
_GET = select(messages).where(messages.c.key == bindparam("message"))
_REMOVE = delete(messages).where(messages.c.key == bindparam("message"))
_KNOWN = select(exists().where(_named, messages.c.message_id == bindparam("identity")))
_WAITING = (
    select(messages).where(_named, ~_had, messages.c.deadline > bindparam("now")).order_by(messages.c.key).limit(1)
)
_DUE = (
    select(messages)
    .where(messages.c.deadline <= bindparam("now"))
    .order_by(messages.c.deadline)
    .limit(bindparam("most"))
)
_NEXT = select(func.min(messages.c.deadline))
_CORRELATED = insert(correlations)
_UNCORRELATE = delete(correlations).where(correlations.c.message_key == bindparam("message"))
_RETURNED = _UNCORRELATE.where(correlations.c.process_id == bindparam("process"))
_SUBSCRIBE = insert(message_subscriptions)
_SUBSCRIPTION = select(message_subscriptions).where(message_subscriptions.c.key == bindparam("subscription"))
_UNSUBSCRIBE = delete(message_subscriptions).where(message_subscriptions.c.key == bindparam("subscription"))
_SUBSCRIBERS = (
    select(message_subscriptions)
    .where(
        message_subscriptions.c.name == bindparam("message_name"),
        message_subscriptions.c.correlation_key == bindparam("correlation"),
    )
    .order_by(message_subscriptions.c.key)
)
_locked = (start_locks.c.process_id == bindparam("process")) & (
    start_locks.c.correlation_key == bindparam("correlation")
)
_LOCK = insert(start_locks)
_LOCKED = select(exists().where(_locked))
_UNLOCK = delete(start_locks).where(_locked)
