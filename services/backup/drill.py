"""The escrow drill: whether masters open with the key from the safe alone, and hold what their labels say (R6, F34)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.backup.source import ACTOR, Premises
from services.database import schema as database_schema
from services.domain.audit import key_events
from services.runtime.errors import Fatal
from services.vault.age import AgeError, Unwrapper
from services.vault.keys.signer import trusted_signers
from services.vault.keys.vault_keys import ESCROW_RECIPIENT_FILE, FileIdentity
from services.vault.labels import label_key, read_label
from services.vault.sealing import READ, open_sealed
from services.vault.store.protocol import Location, Store, StoreMissing
from services.verifier.invalid import Invalid

HELD = "held"


@dataclass(frozen=True)
class Tried:
    """One master; ``result`` is ``held``, or says what did not hold."""

    master_id: str
    key: str
    size: int
    result: str

    @property
    def held(self) -> bool:
        return self.result == HELD


def drill(place: Premises, identity_file: Path, master_ids: list[str]) -> list[Tried]:
    """Try the masters named, or the oldest and the newest; the audit trail gets an event. Raises Fatal.

    Every byte is read and decrypted, nothing of it is kept.
    """
    identity = FileIdentity(identity_file)
    _is_the_escrow(place.settings.keys / "vault" / ESCROW_RECIPIENT_FILE, identity)
    with place.database() as database:
        database.run_now(ACTOR, database_schema.check)
        chosen = database.run_now(ACTOR, key_events.masters_to_try, master_ids)
        lacking = set(master_ids) - {id_ for id_, _ in chosen}
        if lacking or not chosen:
            raise Fatal(
                f"nothing was tried | {', '.join(sorted(lacking)) or 'the vault'} | there is no such master | name the "
                "id of one that is kept, as its case's page has it, or retrieve footage first"
            )
        tried = [_try(place, identity, id_, sealed) for id_, sealed in chosen]
        results = {one.master_id: one.result for one in tried}
        database.run_now(ACTOR, key_events.drilled, identity.recipient, results)
    return tried


def _is_the_escrow(path: Path, identity: FileIdentity) -> None:
    if path.exists() and path.read_text().strip() != identity.recipient:
        raise Fatal(
            f"nothing was tried | {identity.recipient} | masters are not sealed to this key: {path} names another | "
            "name the file of the escrow identity"
        )


def _try(place: Premises, identity: Unwrapper, master_id: str, sealed: dict[str, Any]) -> Tried:
    store, location = (
        place.stores["store"],
        Location(sealed["bucket"], sealed["key"], sealed["versionId"], sealed["size"]),
    )
    try:
        wanted = _footage_hash(place, store, location)
        digest = hashlib.sha256()
        for piece in _plain(store, location, identity):
            digest.update(piece)
        result = HELD if digest.hexdigest() == wanted else "opened, and it is not the footage that its label names"
    except StoreMissing:
        result = "not in the store, or its label is not"
    except AgeError as error:
        result = f"not opened: {error}"
    except Invalid as error:
        result = f"its label does not hold: {error}"
    return Tried(master_id, location.key, location.size, result)


def _footage_hash(place: Premises, store: Store, location: Location) -> str:
    """What the label says, whose seal has to be ours."""
    label = read_label(b"".join(store.get(location.bucket, label_key(location.key))))
    if label.chain is not None and not trusted_signers(place.settings.keys / "seal").include(label.chain):
        raise Invalid("it is sealed by somebody else.")
    for subject in label.statement["subject"]:
        if str(subject.get("name", "")).endswith("#footage"):
            return str(subject["digest"]["sha256"])
    raise Invalid("it names no footage.")


def _plain(store: Store, location: Location, identity: Unwrapper) -> Iterator[bytes]:
    with open_sealed(store, location, identity) as reader:
        while piece := reader.read(READ):
            yield piece
