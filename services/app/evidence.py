"""The sources of an evidence package, on a machine that has the keys."""

from pathlib import Path

from services.app.container import Container
from services.evidence.package import Sources
from services.runtime.errors import Fatal
from services.vault.keys import log_key, signing_key
from services.vault.keys.vault_keys import VAULT_FILE, FileIdentities


def sources_of(container: Container, identity: Path | None = None) -> Sources:
    """Return database, store and keys; ``identity`` opens the masters instead of the vault's key.

    Raises Fatal if the seal key or the log key is missing: a package makes no keys.
    """
    seal, log = container.settings.keys / "seal", container.settings.keys / log_key.FOLDER
    for path in (seal / signing_key.KEY_FILE, log / log_key.KEY_FILE):
        if not path.exists():
            raise Fatal(
                f"no package was made | {path} | it is not on this machine, and a package is signed with it | run this "
                "where the keys are; the first start of footage-desk run, or of portal and workers, makes them"
            )
    key = log_key.ensure_log_key(log, container.settings.audit.origin)
    return Sources(
        database=container.database,
        store=container.store,
        signer=container.signer,
        log_key=key,
        log_keys=tuple(log_key.public_keys(log)),
        unwrapper=lambda: FileIdentities(identity or container.settings.keys / "vault" / VAULT_FILE),
    )
