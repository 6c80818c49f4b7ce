"""Read an attachment from the store: decrypted, and compared with the hash that the database has."""

import hashlib

from services.domain.attachments.service import Opened
from services.runtime.errors import Fatal
from services.vault.age import AgeError, Unwrapper, X25519Identity
from services.vault.sealing import open_sealed
from services.vault.store.protocol import Location, Store


class AttachmentDamaged(Fatal):
    """What the store holds is not what was added."""

    runbook = "verification-failures"


def read(store: Store, opened: Opened, unwrapper: Unwrapper | None = None) -> bytes:
    """Return the file's bytes. Blocks; raises AttachmentDamaged, StoreMissing and StoreDown.

    ``unwrapper``: opens it instead of its own key, as the vault's and the escrow's do.
    """
    sealed = opened.sealed
    location = Location(sealed["bucket"], sealed["key"], sealed["versionId"], sealed["size"])
    try:
        content = open_sealed(store, location, unwrapper or X25519Identity(opened.secret)).read(sealed["plainSize"])
    except AgeError as error:
        raise _damaged(sealed["key"], str(error)) from error
    if hashlib.sha256(content).hexdigest() != sealed["sha256Plain"]:
        raise _damaged(sealed["key"], "it has another SHA-256 than the database")
    return content


def _damaged(key: str, cause: str) -> AttachmentDamaged:
    return AttachmentDamaged(
        f"could not read an attachment | {key} | {cause} | restore the object from the store's own backup"
    )
