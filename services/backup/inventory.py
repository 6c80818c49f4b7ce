"""The inventory of the object stores, by which a restore finds missing and changed objects.

The objects themselves are not in the backup: masters have replicas in a second store, and locks do not survive copying.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from services.backup.bundle import Bundle, BundleWriter
from services.database import schema as database_schema
from services.vault.store.protocol import BUCKETS, ObjectFacts, Store

MEMBER = "objects.jsonl"
NAMED = ("bucket", "key", "versionId", "size", "sha256Cipher")
STREAMED = {"yield_per": 500}
SMALL = 1 << 20  # labels and documents are hashed here; the database has the hashes of footage

Stores = Mapping[str, Store]  # "primary" and "replica"


@dataclass(frozen=True)
class Entry:
    """One object, in the store ``primary`` or ``replica``. ``sha256`` if known; ``absent``: only in the database."""

    store: str
    bucket: str
    key: str
    version: str
    size: int
    etag: str = ""
    sha256: str | None = None
    hold: bool = False
    retain_until: str | None = None
    absent: bool = False

    @property
    def name(self) -> str:
        return _name(self.store, self.key)


@dataclass(frozen=True)
class Comparison:
    """The number of unchanged objects, a sentence for each missing or changed one, and the names of newer ones."""

    same: int
    faults: Sequence[str]
    newer: Sequence[str]


def write(connection: Connection, stores: Stores, out: BundleWriter) -> tuple[int, list[str]]:
    """Write the inventory; return the number of objects, and the names of those that are only in the database."""
    expected = {(entry.store, entry.bucket, entry.key): entry for entry in _referenced(connection)}
    absent: list[str] = []
    count = 0
    with out.member(MEMBER) as file:

        def write_entry(entry: Entry) -> None:
            file.write(json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

        for name, facts in _objects(stores):
            known = expected.get((name, facts.bucket, facts.key))
            if known is not None and known.version != facts.version_id:
                continue
            expected.pop((name, facts.bucket, facts.key), None)
            sha256 = known.sha256 if known else _hash(stores[name], facts) if facts.size <= SMALL else None
            write_entry(_entry(name, facts, sha256))
            count += 1
        # By version: a delete marker or a newer version hides the one that the database names.
        for entry in expected.values():
            present = stores[entry.store].stat(entry.bucket, entry.key, entry.version)
            if present is None:
                write_entry(entry)
                absent.append(entry.name)
            else:
                write_entry(_entry(entry.store, present, entry.sha256))
                count += 1
    return count, absent


def read(bundle: Bundle) -> Iterator[Entry]:
    with bundle.open(MEMBER) as file:
        for line in file:
            yield Entry(**json.loads(line))


def compare(entries: Iterable[Entry], stores: Stores, *, read_all: bool) -> Comparison:
    """Ask the stores for each object; ``read_all`` also hashes every byte, which takes as long as reading the vault."""
    same, faults, seen = 0, [], dict[tuple[str, str, str], str]()
    for entry in entries:
        seen[entry.store, entry.bucket, entry.key] = entry.version
        if entry.absent:
            continue
        fault = _fault(entry, stores[entry.store], read_all=read_all)
        if fault is None:
            same += 1
        else:
            faults.append(f"{entry.name} {fault}.")
    newer = []
    for name, facts in _objects(stores):
        known = seen.get((name, facts.bucket, facts.key))
        if known is None:
            newer.append(_name(name, facts.key))
        elif known != facts.version_id and stores[name].stat(facts.bucket, facts.key, known) is not None:
            newer.append(f"{_name(name, facts.key)} as version {facts.version_id}")
    return Comparison(same, faults, newer)


def is_there(store: Store, sealed: Mapping[str, Any]) -> bool:
    """Whether the store has the object."""
    return store.stat(sealed["bucket"], sealed["key"], sealed["versionId"]) is not None


def is_held(store: Store, sealed: Mapping[str, Any]) -> bool:
    """Whether the object exists and is on hold; a copy's hold lasts exactly as long as its loan."""
    facts = store.stat(sealed["bucket"], sealed["key"], sealed["versionId"])
    return facts is not None and facts.legal_hold


def _name(name: str, key: str) -> str:
    return key if name == "primary" else f"{key} in the replica store"


def _fault(entry: Entry, store: Store, *, read_all: bool) -> str | None:
    facts = store.stat(entry.bucket, entry.key, entry.version)
    if facts is None:
        other = store.stat(entry.bucket, entry.key)
        return (
            "is missing" if other is None else f"is there as version {other.version_id}, the database names another one"
        )
    if (facts.size, facts.etag) != (entry.size, entry.etag):
        return f"has changed: {facts.size} bytes with the tag {facts.etag} instead of {entry.size} with {entry.etag}"
    if entry.sha256 and (read_all or facts.size <= SMALL) and _hash(store, facts) != entry.sha256:
        return "has changed: it has another SHA-256"
    until = None if entry.retain_until is None else datetime.fromisoformat(entry.retain_until)
    if until is not None and (facts.retain_until is None or facts.retain_until < until):
        return f"is no longer retained until {until.isoformat()}"
    if entry.hold and not facts.legal_hold:
        return "is no longer on hold: the reason of its hold has ended since"
    return None


def _objects(stores: Stores) -> Iterator[tuple[str, ObjectFacts]]:
    for name, store in stores.items():
        for bucket in BUCKETS:
            for key in store.list_keys(bucket):
                facts = store.stat(bucket, key)
                if facts is not None:
                    yield name, facts


def _entry(name: str, facts: ObjectFacts, sha256: str | None) -> Entry:
    return Entry(
        name,
        facts.bucket,
        facts.key,
        facts.version_id,
        facts.size,
        facts.etag,
        sha256,
        facts.legal_hold,
        None if facts.retain_until is None else facts.retain_until.isoformat(),
    )


def _hash(store: Store, facts: ObjectFacts) -> str:
    digest = hashlib.sha256()
    for block in store.get(facts.bucket, facts.key, version_id=facts.version_id):
        digest.update(block)
    return digest.hexdigest()


def _referenced(connection: Connection) -> Iterator[Entry]:
    """Yield the objects that the database refers to: quarantine, masters, replicas, copies, redacted copies, uploads,
    attachments."""
    tables = database_schema.metadata().tables
    for name, ended in (
        ("preservations", "discarded_at"),
        ("masters", "discarded_at"),
        ("copies", "discarded_at"),
        ("emergency_copies", "discarded_at"),
        ("derivatives", "discarded_at"),
        ("uploads", "removed_at"),
        ("attachments", "purged_at"),
    ):
        table: Table = tables[name]
        query = select(*_named(table)).where(table.c[ended].is_(None), table.c.sealed.is_not(None))
        for values in connection.execute(query, execution_options=STREAMED):
            yield _expected("primary", dict(zip(NAMED, values, strict=True)))
    masters = tables["masters"]
    query = select(masters.c.replica, *_named(masters)).where(
        masters.c.discarded_at.is_(None), masters.c.replica.is_not(None)
    )
    for row in connection.execute(query, execution_options=STREAMED):
        replica: dict[str, Any] = row[0]
        sealed = dict(zip(NAMED, row[1:], strict=True))
        yield _expected("replica", {**sealed, **replica, "sha256Cipher": sealed["sha256Cipher"]})


def _named(table: Table) -> tuple[ColumnElement[str], ...]:
    """Select what is compared of sealed objects: the whole of it has the place of each key frame besides."""
    return tuple(table.c.sealed[name].as_string() for name in NAMED)


def _expected(name: str, sealed: Mapping[str, Any]) -> Entry:
    version, size = sealed["versionId"], int(sealed["size"])
    return Entry(name, sealed["bucket"], sealed["key"], version, size, sha256=sealed["sha256Cipher"], absent=True)
