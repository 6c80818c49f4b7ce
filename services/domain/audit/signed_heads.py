"""Every head of the audit trail that was ever signed: in the books, in the store, and kept by somebody else."""

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
    """What was found, and what is wrong with it by itself."""

    heads: list[SignedHead] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    signed_up_to: int = 0
    signed_at: datetime | None = None
    lost: list[str] = field(default_factory=list)  # heads of a history that a restore has ended, and says so
    in_store: int = 0

    def doubt_restores(self) -> None:
        """Whoever can write the books can write that a restore has lost a head: it is a fault until a person knows."""
        self.faults += [
            f"the checkpoint in the store at {BUCKET}/{key}: the books say that a restore has lost it; where you know "
            "of that restore, say --accept-restores"
            for key in self.lost
        ]

    def take(self, what: str, note: str, keys: Sequence[VerifierKey]) -> SignedHead | None:
        try:
            head = SignedHead(what, open_checkpoint(note, keys)[0])
        except Invalid as error:
            self.faults.append(f"{what}: {error}")
            return None
        self.heads.append(head)
        return head


def read_database(connection: Connection, keys: Sequence[VerifierKey], found: SignedHeads) -> None:
    """The checkpoints in the books, each with its columns and its anchor."""
    notes: dict[int, bytes] = {}
    for row in connection.execute(select(AuditCheckpoint.__table__).order_by(AuditCheckpoint.size)):
        notes[row.size] = row.note.encode()
        head = found.take(f"the checkpoint {row.size}", row.note, keys)
        if head is None:
            continue
        one = head.checkpoint
        if (one.size, one.origin, one.root_base64) != (row.size, row.origin, row.root):
            found.faults.append(f"the checkpoint {row.size}: its columns say something else than its note")
        if one.size >= found.signed_up_to:
            found.signed_up_to, found.signed_at = one.size, row.signed_at
    for anchor in connection.execute(select(AuditAnchor.__table__).order_by(AuditAnchor.size)):
        note = notes.get(anchor.size, b"")
        if hashlib.sha256(note).hexdigest() != anchor.sha256:
            found.faults.append(f"the anchor {anchor.size}: it has the hash of another note than its checkpoint")
        elif anchor.token is not None:
            try:
                check_token(anchor.token, note)
            except Invalid as error:
                found.faults.append(f"the anchor {anchor.size}: its time stamp does not hold, {error}")


def read_store(connection: Connection, store: Store, keys: Sequence[VerifierKey], found: SignedHeads) -> None:
    """The checkpoints in the store: those that the books name, and those that they do not know any more."""
    expected = {row.key: row for row in connection.execute(select(AuditAnchor.__table__))}
    ended = _lost_in_restores(connection)
    for key in store.list_keys(BUCKET, FOLDER):
        if key in ended and key not in expected:
            found.lost.append(key)
            continue
        row = expected.pop(key, None)
        facts = store.stat(BUCKET, key, row.version_id if row is not None else None)
        note = _read_note(store, facts)
        what = f"the checkpoint in the store at {BUCKET}/{key}"
        if facts is None:
            found.faults.append(f"{what}: it is not the version that the books name")
            continue
        if row is not None and hashlib.sha256(note.encode()).hexdigest() != row.sha256:
            found.faults.append(f"{what}: it is not the note that was put there")
        if row is not None and (facts.retain_until is None or facts.retain_until < row.retain_until):
            found.faults.append(f"{what}: it is no longer retained until {row.retain_until.isoformat()}")
        found.in_store += found.take(what, note, keys) is not None
    found.faults += [f"the checkpoint in the store at {BUCKET}/{key}: it is missing" for key in sorted(expected)]


def read_file(path: Path, keys: Sequence[VerifierKey], found: SignedHeads) -> None:
    """A signed note that somebody has kept. Raises Fatal where it cannot be read."""
    try:
        note = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"could not read the checkpoint | {path} | {error} | name a file with a signed note") from error
    found.take(f"the checkpoint in {path}", note, keys)


def _read_note(store: Store, facts: ObjectFacts | None) -> str:
    if facts is None:
        return ""
    data = b"".join(store.get(facts.bucket, facts.key, length=MAX_NOTE_BYTES, version_id=facts.version_id))
    return data.decode(errors="replace")


def _lost_in_restores(connection: Connection) -> set[str]:
    """The checkpoints that a restore has found in the store and that its backup did not know."""
    query = select(AuditEvent.entry).where(AuditEvent.action == "database-restored")
    return {key for entry in connection.execute(query).scalars() for key in _lost_checkpoints(entry)}


def _lost_checkpoints(entry: str) -> Iterator[str]:
    detail = json.loads(entry)["detail"]
    yield from detail.get("checkpoints_lost", ())
