"""Append audit events durably, make and check proofs, recompute the trail; the peer is a hash chain.

The peer writes the same entries to the same database, each row with the hash of the row before and with an Ed25519
signature. It costs about as much, and cannot prove one event without showing all others. Several clients at once are
measured beside the same rows in a table without a tree, where none waits for another.
"""

import hashlib
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Column, Connection, Engine, Integer, LargeBinary, MetaData, String, Table

from services.backup.database_export import snapshot
from services.bench.figures import Peer, report, timed_sync
from services.database import schema as database_schema
from services.database.base import new_id
from services.database.engine import connect, one_writer
from services.database.group_commit import wait_for_disk
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree as audit_tree
from services.domain.audit.verification import verify_trail
from services.runtime.errors import Fatal
from services.verifier import merkle

AT_ONCE = (10, 100)
CLIENTS = (1, 2, 4, 8, 10, 100)
PROOFS = 500
FILLED_BY = 5000  # events in one transaction while the trail is filled
SEED = 6962
_PEER = "a chain: the same entries, one row in each commit, with the hash of the row before and an Ed25519 signature"

_rows = Table(
    "bench_chain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("entry", String),
    Column("sha256", LargeBinary),
    Column("signature", LargeBinary),
)
_plain = Table(
    "bench_plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(
        Column(column.name, column.type, index=column.index)
        for column in AuditEvent.__table__.columns
        if column.name != "seq"
    ),
)


def measure(url: str, *, events: int, appends: int, runs: int) -> dict[str, Any]:
    """Append events one by one, ``runs`` times, each beside its peer; then prove and recompute ``events`` events.

    ``url``: an empty database.
    """
    engine = connect(url)
    try:
        database_schema.migrate(engine)
        _rows.create(engine)
        _plain.create(engine)
        seconds, peers = [], []
        with engine.connect() as connection:
            processor = 0.0
            for _ in range(runs):
                one_by_one, chained = _events(appends), _events(appends)
                started = time.process_time()
                seconds.append(timed_sync(partial(_append, connection, one_by_one, 1)))
                processor += time.process_time() - started
                peers.append(timed_sync(partial(_chain, connection, chained)))
            together: dict[str, Any] = {}
            for width in AT_ONCE:
                many = _events(appends)
                elapsed = timed_sync(partial(_append, connection, many, width))
                together[f"appends_per_second_at_concurrency_{width}"] = appends / elapsed
            connection.rollback()
            writer = one_writer(engine)
            for clients in CLIENTS:
                lasted, bare = list[float](), list[float]()
                for _ in range(runs):  # by turns, so that other work on the machine meets both
                    for act, taken in ((_append_one, lasted), (_insert_one, bare)):
                        taken.append(timed_sync(partial(_as_clients, engine, writer, act, _events(appends), clients)))
                together |= {
                    f"appends_per_second_{clients}_clients": appends / statistics.median(lasted),
                    f"plain_rows_per_second_{clients}_clients": appends / statistics.median(bare),
                    f"ratio_{clients}_clients": statistics.median(lasted) / statistics.median(bare),
                }
            _fill(connection, events)
            connection.rollback()
            proving, levels = _prove(connection)
        recomputed = _recompute(url)
    finally:
        engine.dispose()
    return report(
        "audit",
        seconds,
        Peer(_PEER, peers),
        of_peer={"appends_per_second": appends / statistics.median(peers)},
        database=engine.dialect.name,
        appends_per_second=appends / statistics.median(seconds),
        **together,
        events=recomputed[0],
        proof_and_check_milliseconds=proving * 1000,
        hashes_of_a_proof=levels,
        processor_microseconds_of_an_append=processor / runs / appends * 1e6,
        recomputed_seconds=recomputed[1],
        recomputed_processor_seconds=recomputed[2],
        recomputed_per_second=recomputed[0] / recomputed[1],
    )


def _events(count: int) -> list[AuditEvent]:
    """Make events like those of a viewing, not appended yet."""
    uow = SimpleNamespace(actor=Actor("person", new_id()), now=datetime.now(UTC), events=[])
    case, copy, viewing = new_id(), new_id(), new_id()
    for number in range(count):
        detail = {"viewing": viewing, "start": number << 20, "end": (number + 1) << 20, "reads": number}
        audit_trail.record(cast(UnitOfWork, uow), "footage-read", "copy", copy, application_id=case, **detail)
    return cast("list[AuditEvent]", uow.events)


def _append(connection: Connection, events: list[AuditEvent], width: int) -> None:
    for start in range(0, len(events), width):
        with connection.begin():
            audit_tree.append_in(connection, events[start : start + width])
        wait_for_disk(connection)


def _append_one(connection: Connection, event: AuditEvent) -> None:
    with connection.begin():
        audit_tree.append_in(connection, [event])
    wait_for_disk(connection)


def _insert_one(connection: Connection, event: AuditEvent) -> None:
    with connection.begin():
        connection.execute(_plain.insert(), {name: getattr(event, name) for name in _plain.columns.keys()[1:]})


def _as_clients(
    engine: Engine,
    writer: AbstractContextManager[object],
    act: Callable[[Connection, AuditEvent], None],
    events: list[AuditEvent],
    clients: int,
) -> None:
    """Write events from several clients, each waiting until its last event is on the disk."""

    def write(own: list[AuditEvent]) -> None:
        for event in own:
            with writer, engine.connect() as connection:
                act(connection, event)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(write, [events[first::clients] for first in range(clients)]))


def _chain(connection: Connection, events: list[AuditEvent]) -> None:
    key, before = Ed25519PrivateKey.generate(), bytes(32)
    statement = "INSERT INTO bench_chain (entry, sha256, signature) VALUES (?, ?, ?)"
    if connection.dialect.name == "postgresql":
        statement = statement.replace("?", "%s")
    for event in events:
        before = hashlib.sha256(before + event.entry.encode()).digest()
        with connection.begin():
            connection.exec_driver_sql(statement, (event.entry, before, key.sign(before)))


def _fill(connection: Connection, events: int) -> None:
    connection.rollback()
    while (missing := events - audit_tree.size_in(connection)) > 0:
        connection.rollback()
        _append(connection, _events(min(missing, FILLED_BY)), FILLED_BY)
    connection.rollback()


def _prove(connection: Connection) -> tuple[float, int]:
    """Return the median seconds to prove an event and check the proof, and the length of the longest proof."""
    size = audit_tree.size_in(connection)
    root, chosen = audit_tree.root_in(connection, size), random.Random(SEED)  # noqa: S311  # no secret
    seconds, longest = [], 0
    for _ in range(PROOFS):
        index = chosen.randrange(size)
        leaf = merkle.leaf_hash(_entry(connection, index + 1).encode())

        def prove(index: int = index, leaf: bytes = leaf) -> None:
            nonlocal longest
            hashes = audit_tree.inclusion_in(connection, index, size)
            merkle.verify_inclusion(leaf, index, size, hashes, root)
            longest = max(longest, len(hashes))

        seconds.append(timed_sync(prove))
    connection.rollback()
    return statistics.median(seconds), longest


def _entry(connection: Connection, seq: int) -> str:
    return str(connection.execute(AuditEvent.__table__.select().where(AuditEvent.seq == seq)).one().entry)


def _recompute(url: str) -> tuple[int, float, float]:
    """Return the number of events, the seconds, and the processor seconds."""
    with snapshot(url) as connection:
        done: list[Any] = []
        started = time.process_time()
        seconds = timed_sync(lambda: done.append(verify_trail(connection)))
        processor = time.process_time() - started
    if done[0].faults:
        raise Fatal(f"the measured trail is not sound: {done[0].faults[0]}")
    return done[0].size, seconds, processor
