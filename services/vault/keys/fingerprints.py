"""The keys of an installation by their public fingerprints: which are here. Reads only."""

from dataclasses import dataclass, field
from pathlib import Path

from services.runtime.errors import Fatal
from services.vault.keys import log_key, signing_key, vault_keys
from services.vault.keys.secret_box import KeyFileBox

NAMES = ("vault", "escrow", "seal", "root", "log", "portal", "recorders")
VAULT, ESCROW, SEAL, ROOT, LOG, PORTAL, RECORDERS = NAMES
# The folders below the keys folder, and the file there that is the key itself; escrow and root belong offline.
VAULT_FOLDER, SEAL_FOLDER, LOAN_FOLDER = "vault", "seal", "loans"
PORTAL_KEY, RECORDERS_KEY = "portal/secrets.key", "recorders/secrets.key"


@dataclass(frozen=True)
class PresentKeys:
    """``fingerprints`` by name of every key whose public part is here; ``private``: those that are here themselves."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    private: frozenset[str] = frozenset()


def read_keys(keys: Path) -> PresentKeys:
    """Read what is in the keys folder; raises KeyUnusable for what is broken or open to others."""
    fingerprints, private = dict[str, str](), set[str]()
    vault, seal, log = keys / VAULT_FOLDER, keys / SEAL_FOLDER, keys / log_key.FOLDER
    for name, file in ((VAULT, vault_keys.VAULT_RECIPIENT_FILE), (ESCROW, vault_keys.ESCROW_RECIPIENT_FILE)):
        if (vault / file).exists():
            fingerprints[name] = (vault / file).read_text().strip()
    if (seal / signing_key.CHAIN_FILE).exists():
        chain = signing_key.read_chain(seal / signing_key.CHAIN_FILE)
        fingerprints |= {SEAL: chain.seal_fingerprint, ROOT: chain.root_fingerprint}
    if (log / log_key.KEY_FILE).exists():
        fingerprints[LOG] = log_key.read_log_key(log).public.fingerprint
    elif known := log_key.public_keys(log):
        fingerprints[LOG] = known[0].fingerprint
    for name, file in ((PORTAL, PORTAL_KEY), (RECORDERS, RECORDERS_KEY)):
        if (fingerprint := KeyFileBox(keys / file).fingerprint) is not None:
            fingerprints[name] = fingerprint
    files = {
        VAULT: vault / vault_keys.VAULT_FILE,
        SEAL: seal / signing_key.KEY_FILE,
        LOG: log / log_key.KEY_FILE,
        PORTAL: keys / PORTAL_KEY,
        RECORDERS: keys / RECORDERS_KEY,
    }
    private = {name for name, file in files.items() if file.exists()}
    return PresentKeys(fingerprints, frozenset(private))


class KeyMissing(Fatal):
    """A key that this installation has made is not here, or another is in its place."""

    runbook = "incidents-pending#keys"
