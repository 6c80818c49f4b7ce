"""The escrow drill: open masters with the key from the safe alone, and compare them with their labels (R6, F34)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.backup.installation import ACTOR, Installation
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
class Opening:
    """One opened master; ``result`` is ``held``, or says what failed."""

    master_id: str
    key: str
    size: int
    result: str

    @property
    def held(self) -> bool:
        return self.result == HELD


def drill(installation: Installation, identity_file: Path, master_ids: list[str]) -> list[Opening]:
    """Open the named masters, or the oldest and the newest; writes an audit event. Raises Fatal.

    Every byte is read and decrypted; nothing is kept.
    """
    identity = FileIdentity(identity_file)
    _check_escrow(installation.settings.keys / "vault" / ESCROW_RECIPIENT_FILE, identity)
    with installation.database() as database:
        database.run_now(ACTOR, database_schema.check)
        masters = database.run_now(ACTOR, key_events.list_drill_masters, master_ids)
        unknown = set(master_ids) - {id_ for id_, _ in masters}
        if unknown or not masters:
            raise Fatal(
                f"nothing was tried | {', '.join(sorted(unknown)) or 'the vault'} | there is no such master | name the "
                "id of an existing one, as on the page of its case, or retrieve footage first"
            )
        openings = [_open(installation, identity, id_, sealed) for id_, sealed in masters]
        results = {opening.master_id: opening.result for opening in openings}
        database.run_now(ACTOR, key_events.record_drill, identity.recipient, results)
    return openings


def _check_escrow(path: Path, identity: FileIdentity) -> None:
    if path.exists() and path.read_text().strip() != identity.recipient:
        raise Fatal(
            f"nothing was tried | {identity.recipient} | masters are not sealed to this key: {path} names another | "
            "name the file of the escrow identity"
        )


def _open(installation: Installation, identity: Unwrapper, master_id: str, sealed: dict[str, Any]) -> Opening:
    store = installation.stores["primary"]
    location = Location(sealed["bucket"], sealed["key"], sealed["versionId"], sealed["size"])
    try:
        expected = _label_hash(installation, store, location)
        digest = hashlib.sha256()
        for piece in _decrypted(store, location, identity):
            digest.update(piece)
        result = HELD if digest.hexdigest() == expected else "opened, and it is not the footage of its label"
    except StoreMissing:
        result = "not in the store, or without a label"
    except AgeError as error:
        result = f"not opened: {error}"
    except Invalid as error:
        result = f"its label is invalid: {error}"
    return Opening(master_id, location.key, location.size, result)


def _label_hash(installation: Installation, store: Store, location: Location) -> str:
    """Return the footage's SHA-256 by its label, which must be signed by us."""
    label = read_label(b"".join(store.get(location.bucket, label_key(location.key))))
    if label.chain is not None and not trusted_signers(installation.settings.keys / "seal").include(label.chain):
        raise Invalid("it is sealed by somebody else.")
    for subject in label.statement["subject"]:
        if str(subject.get("name", "")).endswith("#footage"):
            return str(subject["digest"]["sha256"])
    raise Invalid("it names no footage.")


def _decrypted(store: Store, location: Location, identity: Unwrapper) -> Iterator[bytes]:
    with open_sealed(store, location, identity) as reader:
        while piece := reader.read(READ):
            yield piece
