"""Check what happened to the accounts of those who signed, in the 30 days before each signature.

A signature is worth what its account was worth: whether somebody else had just set its password is part of the case.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from services.verifier import layout
from services.verifier.invalid import Invalid
from services.verifier.package import Package, moment
from services.verifier.report import Report
from services.verifier.trail import Event, Trail

DAYS = 30
ACTIONS = frozenset({
    "account-locked", "account-unlocked", "change-carried-out", "change-confirmed", "change-objected",
    "change-requested", "change-withdrawn", "identity-bound", "identity-unbound", "passkey-added", "passkey-cloned",
    "passkey-ended", "passkey-removed", "password-changed", "password-reset", "person-added", "person-changed",
    "post-assigned", "post-ended", "recovery-code-used", "recovery-codes-renewed", "second-factor-ended",
    "second-factor-enrolled", "second-factor-reset", "signatures-held", "signatures-released",
})  # fmt: skip
SHOWN = 5


def person_of(entry: dict[str, Any]) -> str | None:
    """Return whose account an event is about; None if it is no event of an account."""
    if entry["action"] not in ACTIONS or entry["application"] is not None:
        return None
    subject = entry["subject"]
    person = subject["id"] if subject["kind"] == "person" else entry["detail"].get("person")
    return None if person is None else str(person)


def is_before(at: datetime, signatures: list[datetime]) -> bool:
    """Return whether the moment lies in the 30 days before one of the signatures."""
    return any(signed - timedelta(days=DAYS) <= at <= signed for signed in signatures)


def examine(package: Package, trail: Trail, report: Report) -> None:
    """Compare the list of these events with the signatures; packages of older releases have none."""
    if not package.named("accounts"):
        return
    with report.check("accounts", layout.ACCOUNTS) as finding:
        finding.text = _check(package, trail)


def _check(package: Package, trail: Trail) -> str:
    stated = package.json(layout.ACCOUNTS)
    signatures: dict[str, list[datetime]] = defaultdict(list)
    for name in package.named("decision"):
        signature = package.json(name)["signature"]
        signatures[str(signature["person"])].append(moment(signature["signedAt"]))
    if set(stated) != {"days", "signers", "events"} or stated["days"] != DAYS:
        raise Invalid("it has another structure, or names another time, than this verifier reads")
    if stated["signers"] != sorted(signatures):
        raise Invalid("it does not name exactly those who signed")
    found: list[Event] = [event for event in trail.events if person_of(event.fields) is not None]
    if [event.index for event in found] != stated["events"]:
        raise Invalid("the events that it names are not those in the package")
    for event in found:
        if not is_before(moment(event.at), signatures.get(str(person_of(event.fields)), [])):
            raise Invalid(f"event {event.index} ({event.action}) is of no signer, or of another time")
    if not found:
        return f"none in the {DAYS} days before a signature"
    shown = [f"{event.action} of {person_of(event.fields)} at {event.at}" for event in found[:SHOWN]]
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{len(found)} in the {DAYS} days before a signature: {', '.join(shown)}{more}"
