"""Go on without a part of the installation that is lost for good: said, recorded, and never done in silence."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from services.backup import belongings
from services.backup.create import Say
from services.backup.installation import ACTOR
from services.database.unit_of_work import Database
from services.domain.audit import key_events
from services.domain.audit.key_events import PRIMARY, REPLICA
from services.engine.state.store import FILE_NAME as ENGINE_FILE
from services.runtime.errors import Fatal
from services.runtime.manifest import Manifest, read_manifest, write_manifest
from services.runtime.settings import Settings
from services.vault.keys import signing_key, vault_keys
from services.vault.keys.fingerprints import (
    ESCROW,
    LOG,
    PORTAL,
    RECORDERS,
    ROOT,
    SEAL,
    SEAL_FOLDER,
    VAULT,
    VAULT_FOLDER,
    read_keys,
)
from services.vault.keys.key_files import make_key_folder

ENGINE = "engine"
COSTS = {
    ENGINE: "Every open case waits in it, and does not continue by itself: withdraw each, and apply anew.",
    PRIMARY: "What only this store held is gone: masters without a replica, copies, documents, the quarantine.",
    REPLICA: "Masters have no second copy until they are sealed anew.",
    VAULT: "Masters that were sealed to it open with the escrow key alone.",
    ESCROW: "Masters that were sealed to it open with the vault's key alone: with both lost, nobody opens them.",
    SEAL: "What it signed is verified as before, one by one, by its certificates; what comes has a new root, to be "
    "published. Cases of which it has signed a label or a document get no evidence package any more.",
    LOG: "Heads of the audit trail that it signed are verified as before; a new key signs the next ones.",
    PORTAL: "Second factors have to be set up anew, and reference pictures uploaded. Attachments open with the vault's "
    "or the escrow key alone, copies of identity cards not at all.",
    RECORDERS: "Recorders' passwords have to be entered anew.",
}


def accept_loss(settings: Settings, database: Database, part: str, say: Say, *, confirmed: bool) -> None:
    """Say what the loss of a part costs; if it is confirmed, record it, so that the next start makes a new one.

    A key that lies in the place of a lost one is the installation's from then on. Raises Fatal for another part.
    """
    if part not in COSTS:
        raise Fatal(f"nothing was changed | {part} | it is no part of an installation | name {', '.join(COSTS)}")
    say(COSTS[part])
    if part == ENGINE:
        say(f"{database.run_now(ACTOR, belongings.count_open_cases)} open cases wait in the engine.")
    if not confirmed:
        say("Nothing was changed. Restore the part from its backup; where there is none, say the same with --confirm.")
        return
    manifest = read_manifest(settings.data_dir) or Manifest()
    if part == ENGINE:
        before, after = manifest.engine, _present_engine(settings)
        database.run_now(ACTOR, key_events.accept_loss, part, before, after)
        manifest = replace(manifest, engine=after)
    elif part in (PRIMARY, REPLICA):
        database.run_now(ACTOR, key_events.accept_loss, part, None, None)
        manifest = replace(manifest, stores=tuple(name for name in manifest.stores if name != part))
    else:
        for name in (SEAL, ROOT) if part == SEAL else (part,):
            before = database.run_now(ACTOR, key_events.list_known).get(name)
            after = _present_key(settings.keys, part, name)
            database.run_now(ACTOR, key_events.accept_loss, name, before, after)
    write_manifest(settings.data_dir, manifest)
    belongings.save_manifest(settings, database)
    say("It is in the audit trail. The next start goes on with what is there, and makes what is missing.")


def _present_engine(settings: Settings) -> str | None:
    file = settings.data_dir / "engine" / ENGINE_FILE
    return (belongings.engine_identity(file) or None) if file.exists() else None


def _present_key(keys: Path, part: str, name: str) -> str | None:
    """Return the fingerprint of the key that is in the place of the lost one; clear the place if none is whole."""
    present = read_keys(keys)
    if part in present.private or (part == ESCROW and part in present.fingerprints):
        return present.fingerprints[name]
    if part == VAULT:
        (keys / VAULT_FOLDER / vault_keys.VAULT_RECIPIENT_FILE).unlink(missing_ok=True)
    elif part == SEAL:
        older, chain = keys / SEAL_FOLDER / signing_key.OLDER, keys / SEAL_FOLDER / signing_key.CHAIN_FILE
        with suppress(FileNotFoundError):
            fingerprint = signing_key.read_chain(chain).seal_fingerprint if chain.exists() else ""
            make_key_folder(older)
            chain.rename(older / f"{fingerprint[:16]}.pem")
    return None
