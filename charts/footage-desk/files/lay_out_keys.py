"""Lays the keys that a pod is given out as Footage Desk wants them: each file for its own account alone.

Kubernetes mounts Secrets for root and a group. From /given they come into /keys, which is memory; loan keys stay on
their volume, where a link leads.

    lay_out_keys.py [--loans read|write] vault/vault-identity.txt vault/vault-recipient.txt ...
"""

import argparse
import shutil
from pathlib import Path


def lay_out(given: Path, keys: Path, names: list[str]) -> None:
    """Copy each file: folders 0700, files 0600."""
    for name in names:
        target = keys / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
        shutil.copyfile(given / name, target)


def lead_to_loans(volume: Path, keys: Path, *, write: bool) -> None:
    """Link the loan keys' folder; who writes there also makes it, and mends modes that a mount has widened."""
    folder = volume / "loans"
    if write:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        for key in folder.iterdir():
            key.chmod(0o600)
    link = keys / "loans"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--given", type=Path, default=Path("/given"))
    asked.add_argument("--keys", type=Path, default=Path("/keys"))
    asked.add_argument("--volume", type=Path, default=Path("/loan-keys"))
    asked.add_argument("--loans", choices=("read", "write"))
    asked.add_argument("names", nargs="*")
    told = asked.parse_args()
    lay_out(told.given, told.keys, told.names)
    if told.loans:
        lead_to_loans(told.volume, told.keys, write=told.loans == "write")
