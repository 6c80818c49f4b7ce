"""Receiving a store's access log event by event: MinIO's audit webhook posts each, or some together (R13, R53).

A busy store sends hundreds a second. Whoever comes while a transaction is under way waits for the next one, which takes
all of them: an event is answered once it is stored, and the number of transactions follows the database.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.storage import store_accesses
from services.domain.storage.store_accesses import Access, LineInvalid
from services.domain.storage.verification import Place
from services.runtime.errors import Refused
from services.runtime.settings import Settings, variable
from services.runtime.threads import run_in_thread

ACTOR = Actor("system", "access-log")
AT_ONCE = 1000  # accesses in one transaction
MOST_WAITING = 64  # calls at once, of which 2 MiB each are kept; more are told to come again, which a store does
MOST_EVENTS = 10_000  # in one call
MOST_KEPT = 2 << 20  # bytes of one call
MOST_BYTES = 64 << 20  # of one call that is not kept: no request that a store takes makes an event as long
RENEWED = timedelta(seconds=30)  # so often it is written that a store has sent something


@dataclass(frozen=True)
class Received:
    """What a call had: events, those of them that are new accesses of ours, and those that could not be read."""

    events: int
    new: int
    unread: int


@dataclass(frozen=True)
class TooLong:
    """A body that is longer than what is kept of one; a client can make the event of its request so long."""

    sha256: str


@dataclass
class _Call:
    accesses: list[Access]
    stored: "asyncio.Future[int]"


@dataclass
class Receiver:
    """What the calls of one place wait in; one for each place and process."""

    place: Place
    waiting: list[_Call] = field(default_factory=list)
    calls: int = 0
    writer: "asyncio.Task[None] | None" = None
    told_at: datetime | None = None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Admit a call before its body is read; Refused while too many are being read or stored."""
        if self.calls >= MOST_WAITING:
            raise Refused("access-log-busy", "Too many events are being stored: send this one again.", status=429)
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1

    async def receive(self, database: Database, prefix: str, body: bytes | TooLong) -> Received:
        """Store the events of a body; the same event a second time changes nothing.

        What cannot be read besides others, or is too long, is stored as such, so that nobody hides an access by making
        its event so; the next reconciliation reports it. Raises Refused for a body that has no event; Retryable where
        the database is away.
        """
        now = database.clock.now()
        if isinstance(body, TooLong):
            return Received(1, await self._store(database, [store_accesses.unread(body.sha256, now)]), 1)
        events, read = await run_in_thread(_parse, body, prefix)
        unread = sum(isinstance(one, LineInvalid) for one in read)
        if unread and unread == events:
            raise _unreadable()
        accesses = [access for one in read if not isinstance(one, LineInvalid) for access in one]
        if unread:
            accesses.append(store_accesses.unread(hashlib.sha256(body).hexdigest(), now))
        due = events and (self.told_at is None or now - self.told_at >= RENEWED)
        new = await self._store(database, accesses) if accesses or due else 0
        return Received(events, new, unread)

    async def _store(self, database: Database, accesses: list[Access]) -> int:
        call = _Call(accesses, asyncio.get_running_loop().create_future())
        self.waiting.append(call)
        if self.writer is None or self.writer.done():
            self.writer = asyncio.create_task(self._drain(database), name=f"access log of {self.place}")
        return await call.stored

    async def _drain(self, database: Database) -> None:
        """Store what waits, each time as one transaction; an error is that of all whose events were in it."""
        while self.waiting:
            calls, self.waiting = self.waiting, []
            try:
                counts = await database.run(ACTOR, self._add, [call.accesses for call in calls])
            except Exception as error:  # noqa: BLE001 - each of those who wait is told
                for call in calls:
                    if not call.stored.done():
                        call.stored.set_exception(error)
                continue
            self.told_at = database.clock.now()
            for call, new in zip(calls, counts, strict=True):
                if not call.stored.done():  # its sender has gone
                    call.stored.set_result(new)

    def _add(self, uow: UnitOfWork, batches: list[list[Access]]) -> list[int]:
        """Store the accesses of some calls; return how many of each are new. The first with an event has it."""
        store_accesses.mark_fed(uow, self.place)
        accesses = [one for batch in batches for one in batch]
        fresh = set[str]()
        for start in range(0, len(accesses), AT_ONCE):
            fresh |= store_accesses.add_new(uow, self.place, accesses[start : start + AT_ONCE])
        counts = []
        for batch in batches:
            own = fresh.intersection(one.id for one in batch if one.act != "unread")
            fresh -= own
            counts.append(len(own))
        return counts


def require_token(settings: Settings, place: Place, given: str) -> None:
    """Raise Refused unless this is the token of the place: 404 where none is set, 401 for another one.

    MinIO sends the token as it is written; other senders put ``Bearer`` before it.
    """
    name = "store_log_token" if place == "primary" else "replica_store_log_token"
    token = getattr(settings.maintenance, name)
    if token is None:
        raise Refused(
            "access-log-off",
            "No access log is received here: set {variable} first.",
            status=404,
            variable=variable(f"maintenance.{name}"),
        )
    offered = given.removeprefix("Bearer ").strip().encode("utf-8", "replace")
    if not hmac.compare_digest(offered, token.get_secret_value().encode()):
        raise Refused(
            "access-log-token",
            "This is not the token of this store's access log: correct the header Authorization.",
            status=401,
        )


async def read_body(parts: AsyncIterator[bytes]) -> bytes | TooLong:
    """Read the body of a call, and of one that is too long its hash alone; Refused for one that has no end."""
    kept, digest, received = bytearray(), hashlib.sha256(), 0
    async for part in parts:
        received += len(part)
        if received > MOST_BYTES:
            raise Refused("access-log-many", "This call is too large: send fewer events at once.", status=413)
        digest.update(part)
        if received <= MOST_KEPT:
            kept += part
        else:
            kept.clear()
    return bytes(kept) if received <= MOST_KEPT else TooLong(digest.hexdigest())


def _parse(body: bytes, prefix: str) -> tuple[int, list[list[Access] | LineInvalid]]:
    """Read one event, a list of them, or one in each line.

    An empty object is none: by it MinIO asks whether somebody is there.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _unreadable() from None
    stripped = text.strip()
    if stripped in ("", "{}"):
        return 0, []
    lines = stripped.split("\n")  # by no other character: a client writes some of them into its own event
    if len(lines) > 1 or stripped.startswith("["):
        lines = _whole(stripped) or lines
    if len(lines) > MOST_EVENTS:
        raise Refused(
            "access-log-many",
            "There are more than {most} events in this call: send fewer at once.",
            status=413,
            most=MOST_EVENTS,
        )
    read = list(store_accesses.read_lines(lines, prefix))
    return len(read), read


def _whole(text: str) -> list[str] | None:
    """Return the events of a body that is one JSON text; None where it is not one."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    events = content if isinstance(content, list) else [content]
    return [json.dumps(event) for event in events]


def _unreadable() -> Refused:
    return Refused(
        "access-log-unreadable",
        "This is no event of a store's access log: send the events as JSON, one in each line.",
        status=422,
    )
