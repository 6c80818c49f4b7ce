"""The vault's keys, made on the first start, and its recipients apart for those that only encrypt.

The escrow's file, escrow-identity-TAKE-OFFLINE.txt in the volume vault-keys, belongs in a safe: docs/sealing.md.
"""

import shutil
import sys
from pathlib import Path

from services.vault.keys import ESCROW_FILE, ESCROW_RECIPIENT_FILE, VAULT_RECIPIENT_FILE, ensure_keys

VAULT, RECIPIENTS = Path("/keys/vault"), Path("/keys/recipients")


def main(vault: Path, recipients: Path) -> None:
    """Make what is missing; say so as long as the escrow's key lies here."""
    ensure_keys(vault)
    for name in (VAULT_RECIPIENT_FILE, ESCROW_RECIPIENT_FILE):
        shutil.copyfile(vault / name, recipients / name)
    if (vault / ESCROW_FILE).exists():
        sys.stderr.write(f"Take {vault / ESCROW_FILE} offline and delete it: nothing here needs it.\n")


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:])) if len(sys.argv) > 1 else main(VAULT, RECIPIENTS)
