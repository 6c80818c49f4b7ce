"""The members of a package, their roles, and their largest sizes."""

import re

from services.verifier.invalid import Invalid

FORMATS = ("footage-desk-package/1", "footage-desk-package/2")
FORMAT = FORMATS[-1]  # of a new package: the second one has the attachments of the case and its matters
MANIFEST, SIGNED = "manifest.json", "manifest.dsse.json"
README, VERIFIER = "README.txt", "verify.pyz"
CHAIN, LOG_KEYS = "keys/seal-chain.pem", "keys/log-vkeys.txt"
CHECKPOINT, EVENTS, PROOFS = "audit/checkpoint.txt", "audit/events.jsonl", "audit/proofs.jsonl"
CONSISTENCY, ANCHORS = "audit/consistency.jsonl", "audit/anchors.jsonl"
ACCOUNTS = "audit/accounts.json"
CUSTODY, RETURN = "custody/log.json", "custody/return.json"
ATTACHMENTS = "attachments/list.json"

NEEDED = {
    README: "readme",
    CHAIN: "keys",
    LOG_KEYS: "keys",
    CHECKPOINT: "checkpoint",
    EVENTS: "events",
    PROOFS: "proofs",
    CONSISTENCY: "consistency",
    ANCHORS: "anchors",
    CUSTODY: "custody-log",
    VERIFIER: "verifier",
}
# The position of an item; a later issue of its copies, where one had to be replaced, has the number of that issue.
_ITEM = r"[1-9]\d*(-issue-[2-9]\d*)?"
_ROLES = {
    r"audit/accounts\.json": "accounts",
    r"attachments/list\.json": "attachments",
    r"attachments/\d{2,4}\.(jpg|png|pdf)": "attachment",
    r"custody/return\.json": "return",
    rf"footage/{_ITEM}-master\.(mp4|mov|age)": "footage",
    rf"footage/{_ITEM}-master\.label\.json": "master-label",
    rf"footage/{_ITEM}-copy-[1-9]\d*\.label\.json": "copy-label",
    r"documents/[A-Z0-9-]+\.pdf": "document-pdf",
    r"documents/[A-Z0-9-]+\.json": "document-json",
    r"documents/[A-Z0-9-]+\.label\.json": "document-label",
    r"decisions/\d{2,4}-[a-z-]+\.json": "decision",
}
MOST = 64 << 20  # bytes of a member that is no footage
MOST_IN_ALL = 512 << 20


def role_of(name: str) -> str:
    """Return a member's role; raises Invalid for an unknown member."""
    if name in NEEDED:
        return NEEDED[name]
    for pattern, role in _ROLES.items():
        if re.fullmatch(pattern, name):
            return role
    raise Invalid(f"no package has a member {name}")


def needed(format_: str) -> set[str]:
    """Return the members that each package of this format has."""
    return {*NEEDED, *({ATTACHMENTS} if format_ != FORMATS[0] else ())}


def file_name(number: str) -> str:
    """Return a document's number as it is written in member names."""
    return number.replace("/", "-")
