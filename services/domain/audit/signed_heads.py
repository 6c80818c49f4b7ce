"""Collect every signed head of the audit trail: from the database, the store, and files."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from services.database.tables.audit import AuditAnchor, AuditCheckpoint, AuditEvent
from services.domain.audit.checkpoint_publisher import BUCKET, FOLDER
from services.domain.audit.verification import SignedHead
from services.runtime.errors import Fatal
from services.vault.store.protocol import ObjectFacts, Store
from services.verifier.invalid import Invalid
from services.verifier.notes import VerifierKey, open_checkpoint
from services.verifier.timestamps import check_token

MAX_NOTE_BYTES = 64 * 1024  # of a note in the store; ours have some hundreds


@dataclass
class SignedHeads:
    """The heads, and the faults of each by itself."""

    heads: list[SignedHead] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    signed_up_to: int = 0
    signed_at: datetime | None = None
    lost: list[str] = field(default_factory=list)  # keys of heads that a recorded restore has lost
    in_store: int = 0
    store_unread: bool = False  # it was to be read, and could not be

    def reject_restores(self) -> None:
        """Count the lost heads as faults: a forger of the database can also record a restore."""
        self.faults += [
            f"the checkpoint in the store at {BUCKET}/{key}: the database says that a restore has lost it; if you "
            "know of that restore, say --accept-restores"
            for key in self.lost
        ]

    def add(self, what: str, note: str, keys: Sequence[VerifierKey]) -> SignedHead | None:
        """Check a note and add its head; None, and a fault, if no key has signed it."""
        try:
            head = SignedHead(what, open_checkpoint(note, keys)[0])
        except Invalid as error:
            self.faults.append(f"{what}: {error}")
            return None
        self.heads.append(head)
        return head


def read_database(connection: Connection, keys: Sequence[VerifierKey], heads: SignedHeads) -> None:
    """Add the checkpoints of the database; check their columns and anchors."""
    notes: dict[int, bytes] = {}
    for row in connection.execute(select(AuditCheckpoint.__table__).order_by(AuditCheckpoint.size)):
        notes[row.size] = row.note.encode()
        head = heads.add(f"the checkpoint {row.size}", row.note, keys)
        if head is None:
            continue
        checkpoint = head.checkpoint
        if (checkpoint.size, checkpoint.origin, checkpoint.root_base64) != (row.size, row.origin, row.root):
            heads.faults.append(f"the checkpoint {row.size}: its columns say something else than its note")
        if checkpoint.size >= heads.signed_up_to:
            heads.signed_up_to, heads.signed_at = checkpoint.size, row.signed_at
    for anchor in connection.execute(select(AuditAnchor.__table__).order_by(AuditAnchor.size)):
        note = notes.get(anchor.size, b"")
        if hashlib.sha256(note).hexdigest() != anchor.sha256:
            heads.faults.append(f"the anchor {anchor.size}: it has the hash of another note than its checkpoint")
        elif anchor.token is not None:
            try:
                check_token(anchor.token, note)
            except Invalid as error:
                heads.faults.append(f"the anchor {anchor.size}: its time stamp does not hold, {error}")


def read_store(connection: Connection, store: Store, keys: Sequence[VerifierKey], heads: SignedHeads) -> None:
    """Add the checkpoints of the store, also those that the database does not name."""
    expected = {row.key: row for row in connection.execute(select(AuditAnchor.__table__))}
    lost = _lost_in_restores(connection)
    for key in store.list_keys(BUCKET, FOLDER):
        if key in lost and key not in expected:
            heads.lost.append(key)
            continue
        row = expected.pop(key, None)
        facts = store.stat(BUCKET, key, row.version_id if row is not None else None)
        note = _read_note(store, facts)
        what = f"the checkpoint in the store at {BUCKET}/{key}"
        if facts is None:
            heads.faults.append(f"{what}: it is not the version that the database names")
            continue
        if row is not None and hashlib.sha256(note.encode()).hexdigest() != row.sha256:
            heads.faults.append(f"{what}: it is not the note that was put there")
        if row is not None and (facts.retain_until is None or facts.retain_until < row.retain_until):
            heads.faults.append(f"{what}: it is no longer retained until {row.retain_until.isoformat()}")
        heads.in_store += heads.add(what, note, keys) is not None
    heads.faults += [f"the checkpoint in the store at {BUCKET}/{key}: it is missing" for key in sorted(expected)]


def read_file(path: Path, keys: Sequence[VerifierKey], heads: SignedHeads) -> None:
    """Add a signed note from a file. Raises Fatal if it cannot be read."""
    try:
        note = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"could not read the checkpoint | {path} | {error} | name a file with a signed note") from error
    heads.add(f"the checkpoint in {path}", note, keys)


def _read_note(store: Store, facts: ObjectFacts | None) -> str:
    if facts is None:
        return ""
    data = b"".join(store.get(facts.bucket, facts.key, length=MAX_NOTE_BYTES, version_id=facts.version_id))
    return data.decode(errors="replace")


def _lost_in_restores(connection: Connection) -> set[str]:
    """Collect the keys in the store that recorded restores did not find in their backups."""
    query = select(AuditEvent.entry).where(AuditEvent.action == "database-restored")
    return {key for entry in connection.execute(query).scalars() for key in _lost_checkpoints(entry)}


def _lost_checkpoints(entry: str) -> Iterator[str]:
    detail = json.loads(entry)["detail"]
    yield from detail.get("checkpoints_lost", ())
