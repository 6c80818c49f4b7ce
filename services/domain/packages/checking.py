"""Check a package before it is handed out: that this installation has sealed it, and names its own audit trail.

The process that makes packages has the seal key and not the log key, and reads from the database which log that is. The
portal has it, and compares: what names another log never leaves.
"""

import hashlib
from collections.abc import Sequence

from services.database.tables.evidence_packages import EvidencePackage
from services.runtime.errors import Refused
from services.vault.age import AgeError, Reader
from services.vault.keys.signer import TrustedSigners
from services.verifier import layout
from services.verifier.envelopes import open_envelope
from services.verifier.invalid import Invalid
from services.verifier.members import Archive
from services.verifier.notes import VerifierKey


def require_own(row: EvidencePackage, reader: Reader, log_keys: Sequence[VerifierKey], trusted: TrustedSigners) -> None:
    """Raise Refused unless seal and log of the package are this installation's. Blocks."""
    try:
        with Archive(None, reader.clone) as archive:
            manifest = archive.read(layout.MANIFEST, layout.MOST)
            signed = open_envelope(archive.read(layout.SIGNED, layout.MOST))
    except (Invalid, AgeError) as error:
        raise _strange() from error
    own = [key.vkey for key in log_keys]
    named = signed.predicate.get("logKeys")
    # a key that replaced another since stands before those that the package names
    same_log = isinstance(named, list) and bool(named) and own[-len(named) :] == named
    facts = row.facts or {}
    same = hashlib.sha256(manifest).hexdigest() == signed.subjects.get(layout.MANIFEST) == facts.get("manifestSha256")
    if not (same and same_log and trusted.include(signed.chain)):
        raise _strange()


def _strange() -> Refused:
    return Refused(
        "package-strange",
        "The package is not what this installation has made: it is not handed out. Report this to the administrator.",
    )
