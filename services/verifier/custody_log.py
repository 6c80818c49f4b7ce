"""Check the custody log against the audit events, the destruction of loan keys, and the order of the steps."""

import hashlib
from itertools import pairwise
from typing import Any

from services.verifier import layout, returned
from services.verifier.canonical import canonical
from services.verifier.invalid import Invalid
from services.verifier.package import Package, moment
from services.verifier.report import Report
from services.verifier.trail import CLOCKS_APART, Event, Trail

NOTHING_BEFORE = "0" * 64
# In this order, as far as each was reached; an application that was corrected was submitted more than once.
STEPS = (
    "application-submitted",
    "application-filed",
    "retrieval-ordered",
    "retrieval-recorded",
    "custody-offered",
    "custody-received",
    "custody-returned",
    "custody-inspected",
    "case-closed",
)


def examine(package: Package, trail: Trail, report: Report) -> None:
    with report.check("custody", layout.CUSTODY) as finding:
        entries = package.json(layout.CUSTODY)["entries"]
        for hand_over in dict.fromkeys(entry["handOver"] for entry in entries):
            _check_chain([entry for entry in entries if entry["handOver"] == hand_over])
        _check_events(entries, [event for event in trail.events if _is_of_entry(event)])
        finding.text = f"{len(entries)} entries"
    with report.check("return", layout.RETURN) as finding:
        finding.text = returned.check(package, trail)
        finding.noted = layout.RETURN not in package.contents
    with report.check("loan-keys", layout.EVENTS) as finding:
        finding.text, finding.noted = _loan_keys(trail)
    with report.check("times", layout.EVENTS) as finding:
        finding.text = _check_times(package, trail)


def _check_chain(entries: list[dict[str, Any]]) -> None:
    before = NOTHING_BEFORE
    for number, entry in enumerate(entries, 1):
        content = {name: value for name, value in entry.items() if name != "sha256"}
        if entry["seq"] != number or entry["previous"] != before:
            raise Invalid(f"entry {number} does not follow the one before it")
        before = hashlib.sha256(canonical(content)).hexdigest()
        if entry["sha256"] != before:
            raise Invalid(f"entry {number} does not have the hash that it states")


def _check_events(entries: list[dict[str, Any]], events: list[Event]) -> None:
    from_events = [(event.subject, event.detail["seq"], event.action, event.detail["sha256"]) for event in events]
    from_log = [(entry["handOver"], entry["seq"], f"custody-{entry['event']}", entry["sha256"]) for entry in entries]
    for expected in from_events:
        if expected not in from_log:
            raise Invalid(
                f"the audit events name entry {expected[1]} ({expected[2]}), which the log does not have unchanged"
            )
    for logged in from_log:
        if logged not in from_events:
            raise Invalid(f"entry {logged[1]} ({logged[2]}) is in the log, and no audit event names it")
    if len(from_events) != len(from_log):
        raise Invalid("an audit event names the same entry twice")


def _is_of_entry(event: Event) -> bool:
    """Whether the event is of an entry, and not of the log's document."""
    return event.action.startswith("custody-") and not event.action.startswith("custody-log-")


def _loan_keys(trail: Trail) -> tuple[str, bool]:
    made = {event.subject for event in trail.of("copy-issued")}
    destroyed = {event.subject for event in trail.of("loan-key-destroyed")}
    if strange := destroyed - made:
        raise Invalid(f"the loan key of {min(strange)} was destroyed, and no copy of that name was made")
    if not trail.of("case-closed"):
        return f"{len(destroyed)} of {len(made)}; the case is open", True
    if left := made - destroyed:
        raise Invalid(f"the case is closed, and nothing says that the loan key of {min(left)} was destroyed")
    return f"{len(destroyed)} of {len(made)}", not made


def _check_times(package: Package, trail: Trail) -> str:
    """Check that the steps are in order, in the tree and by time, and none is later than the package."""
    reached = [trail.of(action)[0] for action in STEPS if trail.of(action)]
    for before, after in pairwise(reached):
        if after.index < before.index:
            raise Invalid(f"{after.action} precedes {before.action} in the audit tree")
        if moment(after.at) < moment(before.at) - CLOCKS_APART:
            raise Invalid(f"{after.action} was at {after.at}, before {before.action} at {before.at}")
    made_at = moment(package.predicate["madeAt"])
    for event in trail.events:
        if moment(event.at) > made_at + CLOCKS_APART:
            raise Invalid(f"event {event.index} ({event.action}) is later than the package")
    return f"{len(reached)} steps, from {reached[0].at} to {reached[-1].at}" if reached else "no step"
