"""The package of the installation that the first release left, whose audit events name less, and its seal key."""

import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import package_tampering as tampering
from installation_fixture import FOLDERS, KEPT, PACKAGE, Facts
from package_tampering import Contents

from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key

SEAL = "./var/keys/seal"


@dataclass(frozen=True)
class Older:
    """``root`` is the fingerprint of its root certificate."""

    contents: Contents
    seal: Signer
    root: str


def open_older(folder: Path) -> Older:
    """Return the package with its seal key, unpacked in ``folder``."""
    with tarfile.open(KEPT / FOLDERS) as archive:  # its key is there, so none is made
        archive.extractall(folder, [one for one in archive if one.name.startswith(SEAL)], filter="tar")
    seal = Signer(ensure_signing_key(folder / SEAL, "older", datetime.now(UTC)))
    return Older(tampering.read(KEPT / PACKAGE), seal, Facts.read().fingerprints["root"])
