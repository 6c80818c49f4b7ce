"""Check what happened to the accounts of those who signed, in the 30 days before each signature.

A signature is worth what its account was worth: whether somebody else had just set its password is part of the case. So
are the absences of those in whose place it was given, and changes of departments, rules and the working calendar, by
which it counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    "change-requested", "change-withdrawn", "directory-linked", "identity-bound", "identity-unbound", "leaving-begun",
    "leaving-ended", "passkey-added", "passkey-cloned", "passkey-ended", "passkey-removed", "password-changed",
    "password-reset", "person-added", "person-changed", "post-assigned", "post-ended", "recovery-code-used",
    "recovery-codes-renewed", "second-factor-ended", "second-factor-enrolled", "second-factor-reset",
    "signatures-held", "signatures-released",
})  # fmt: skip
ABSENCES = frozenset(
    {"absence-added", "absence-confirmed", "absence-ended"}
)  # of the signer, or of whom they stand in for
ORGANISATION = frozenset({"calendar-imported", "department-changed", "rule-changed"})  # before every signature
ALL_ACTIONS = ACTIONS | ABSENCES | ORGANISATION
SHOWN = 5


@dataclass(frozen=True)
class Signatures:
    """When each person signed, and when somebody signed in each person's place; both by id."""

    signed: dict[str, list[datetime]] = field(default_factory=dict)
    replaced: dict[str, list[datetime]] = field(default_factory=dict)

    def add(self, signature: Mapping[str, Any], statement: Mapping[str, Any]) -> None:
        """Add one act, with its statement."""
        at = moment(signature["signedAt"])
        self.signed.setdefault(str(signature["person"]), []).append(at)
        for person in represented(statement):
            self.replaced.setdefault(person, []).append(at)

    def moments(self) -> list[datetime]:
        return sorted(at for signed in self.signed.values() for at in signed)

    def concerns(self, entry: Mapping[str, Any], at: datetime) -> bool:
        """Return whether the event of the list lies in the 30 days before a signature that it is about."""
        person = person_of(entry)
        if person is None:
            return is_before(at, self.moments())
        replaced = self.replaced.get(person, []) if entry["action"] in ABSENCES else []
        return is_before(at, self.signed.get(person, []) + replaced)


def represented(statement: Mapping[str, Any]) -> list[str]:
    """Return in whose place the statement was signed; those of older releases name the first one alone."""
    first = statement.get("standsInFor")
    return sorted({str(person) for person in (*statement.get("represented", ()), first) if person is not None})


def is_listed(entry: Mapping[str, Any]) -> bool:
    """Return whether it is an event of the list: of an account, an absence or the organisation, and of no case."""
    return person_of(entry) is not None or (entry["action"] in ORGANISATION and entry["application"] is None)


def person_of(entry: Mapping[str, Any]) -> str | None:
    """Return whose account or absence an event is about; None if it is about neither."""
    if entry["action"] not in ACTIONS | ABSENCES or entry["application"] is not None:
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
    signatures = Signatures()
    for name in package.named("decision"):
        decision = package.json(name)
        signatures.add(decision["signature"], decision["statement"])
    if set(stated) != {"days", "signers", "events"} or stated["days"] != DAYS:
        raise Invalid("it has another structure, or names another time, than this verifier reads")
    if stated["signers"] != sorted(signatures.signed):
        raise Invalid("it does not name exactly those who signed")
    found: list[Event] = [event for event in trail.events if is_listed(event.fields)]
    if [event.index for event in found] != stated["events"]:
        raise Invalid("the events that it names are not those in the package")
    for event in found:
        if not signatures.concerns(event.fields, moment(event.at)):
            raise Invalid(f"event {event.index} ({event.action}) is of no signer, or of another time")
    if not found:
        return f"none in the {DAYS} days before a signature"
    shown = [f"{event.action} of {person_of(event.fields) or event.subject} at {event.at}" for event in found[:SHOWN]]
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{len(found)} in the {DAYS} days before a signature: {', '.join(shown)}{more}"
