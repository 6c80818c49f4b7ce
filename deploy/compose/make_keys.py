"""The vault's keys and the seal, made on the first start, and apart what of them is public, for whoever needs no key.

The files escrow-identity-TAKE-OFFLINE.txt (volume vault-keys) and seal-root-TAKE-OFFLINE.pem (volume seal-root, which
no part mounts) belong in a safe: docs/sealing.md.
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from services.vault.keys.key_files import shred
from services.vault.keys.signing_key import CHAIN_FILE, ROOT_FILE, ensure_signing_key
from services.vault.keys.vault_keys import ESCROW_FILE, ESCROW_RECIPIENT_FILE, VAULT_RECIPIENT_FILE, ensure_keys

KEYS = Path("/keys")


def main(keys: Path) -> None:
    """Make what is missing; say so as long as a key that belongs offline lies here."""
    names = ("vault", "recipients", "seal", "seal-chain", "seal-root")
    vault, recipients, seal, chain, root = (keys / name for name in names)
    ensure_keys(vault)
    ensure_signing_key(seal, os.environ.get("FOOTAGE_DESK_ORGANISATION") or "本单位", datetime.now(UTC))
    for name in (VAULT_RECIPIENT_FILE, ESCROW_RECIPIENT_FILE):
        shutil.copyfile(vault / name, recipients / name)
    shutil.copyfile(seal / CHAIN_FILE, chain / CHAIN_FILE)
    if (seal / ROOT_FILE).exists():
        # whoever seals has no business with the key that vouches for it
        shutil.copy2(seal / ROOT_FILE, root / ROOT_FILE)
        os.sync()
        shred(seal / ROOT_FILE)
    for path in (vault / ESCROW_FILE, root / ROOT_FILE):
        if path.exists():
            sys.stderr.write(f"Take {path} offline and delete it: nothing here needs it.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else KEYS)
