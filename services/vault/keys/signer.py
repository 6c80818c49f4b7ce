"""Sign statements for the organisation, and recognise its own signatures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Retryable
from services.vault.envelopes import TimeStamper, sign_statement
from services.vault.keys.key_files import KeyUnusable
from services.vault.keys.signing_key import BEFORE, CHAIN_FILE, OLDER, SigningKey, read_chain
from services.verifier.chains import Chain, seal_chain


@dataclass(frozen=True)
class Signer:
    """Sign statements with the seal key, and a time stamp if an authority is set."""

    key: SigningKey
    time_stamper: TimeStamper | None = None
    real: Clock = field(default_factory=SystemClock)  # certificates expire by real time, also in a demo

    def sign(self, statement: Mapping[str, Any]) -> bytes:
        """Return the statement in its envelope. Blocks: call it in a thread. Raises as `sign_statement` does.

        Raises KeyUnusable once a certificate has expired: a package that is signed later would not verify.
        """
        chain = seal_chain(self.key.certificate_chain)
        ends = min(certificate.not_valid_after_utc for certificate in chain.certificates)
        if self.real.now() > ends:
            raise KeyUnusable(
                f"nothing was signed | the seal key's certificate | it held until {ends:%Y-%m-%d} | make a new seal "
                "key with footage-desk keys rotate seal --root FILE, or set this machine's clock right"
            )
        return sign_statement(statement, self.key, self.time_stamper)


@dataclass(frozen=True)
class TrustedSigners:
    """The organisation's own roots, by fingerprint, and the time since when labels have been signed."""

    roots: frozenset[str]
    since: datetime

    def include(self, chain: Chain) -> bool:
        return chain.root_fingerprint in self.roots


def trusted_signers(folder: Path) -> TrustedSigners:
    """Read the certificates in ``folder``, replaced ones included; needs no key.

    Raises Retryable before they are created.
    """
    newest = folder / CHAIN_FILE
    if not newest.exists():
        raise Retryable(
            f"the seal key's certificates are not here | {newest} | no worker has made them yet | start a worker with "
            f"the same keys folder, or copy {CHAIN_FILE} there",
            runbook=KeyUnusable.runbook,
        )
    chains = [read_chain(path) for path in (newest, *sorted((folder / OLDER).glob("*.pem")))]
    return TrustedSigners(
        frozenset(chain.root_fingerprint for chain in chains),
        min(chain.root.not_valid_before_utc for chain in chains) + BEFORE,
    )
