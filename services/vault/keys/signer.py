"""The organisation's seal as workers are given it, and what of what lies in the store it takes for its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Retryable
from services.vault.envelopes import TimeStamper, seal_statement
from services.vault.keys.key_files import KeyUnusable
from services.vault.keys.signing import BEFORE, CHAIN_FILE, OLDER, read_chain
from services.vault.keys.vault_keys import Signer
from services.verifier.chains import Chain, seal_chain


@dataclass(frozen=True)
class Seal:
    """Signs statements, with a time stamp where an authority is set."""

    signer: Signer
    time_stamper: TimeStamper | None = None
    real: Clock = field(default_factory=SystemClock)  # certificates go by real time, whatever a demo's clock shows

    def statement(self, told: Mapping[str, Any]) -> bytes:
        """The statement in its envelope. Blocks: call it in a thread. Raises as `seal_statement` does.

        KeyUnusable too once a certificate is over: no package holds that is sealed after it.
        """
        chain = seal_chain(self.signer.certificate_chain)
        ends = min(one.not_valid_after_utc for one in chain.certificates)
        if self.real.now() > ends:
            raise KeyUnusable(
                f"nothing was sealed | the seal key's certificate | it held until {ends:%Y-%m-%d} | make a new seal "
                "key with footage-desk keys rotate seal --root FILE, or set this machine's clock right"
            )
        return seal_statement(told, self.signer, self.time_stamper)


@dataclass(frozen=True)
class OwnSeals:
    """Whose signatures are ours: the roots' fingerprints, and since when labels are signed at all."""

    roots: frozenset[str]
    since: datetime

    def has_made(self, chain: Chain) -> bool:
        return chain.root_fingerprint in self.roots


def own_seals(folder: Path) -> OwnSeals:
    """Read from the certificates in ``folder``, those that were replaced too; needs no key.

    Raises Retryable where there are none yet.
    """
    newest = folder / CHAIN_FILE
    if not newest.exists():
        raise Retryable(
            f"the seal's certificates are not here | {newest} | no worker has made them yet | start a worker with the "
            f"same keys folder, or copy {CHAIN_FILE} there",
            runbook=KeyUnusable.runbook,
        )
    chains = [read_chain(path) for path in (newest, *sorted((folder / OLDER).glob("*.pem")))]
    return OwnSeals(
        frozenset(chain.root_fingerprint for chain in chains),
        min(chain.root.not_valid_before_utc for chain in chains) + BEFORE,
    )
