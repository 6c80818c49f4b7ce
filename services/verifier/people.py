"""The names of signers, by the documents in the audit tree, and the addresses of their passkeys."""

from collections.abc import Iterator
from typing import Any

from services.verifier import layout
from services.verifier.assertions import check_assertion
from services.verifier.package import Package
from services.verifier.report import UNSHAPED, Report


def name_of(package: Package, person: str, claimed: str | None) -> tuple[str, bool]:
    """Return the person's name, and whether to note that it is unproven: ``claimed`` is not signed.

    What documents call the person counts; without one there is no name but the id.
    """
    known = {named["name"] for data in package.documents.values() for named in _people(data) if named["id"] == person}
    if claimed in known:
        return str(claimed), False
    if not known:
        return person, False
    return f"{min(known)} (called {claimed!r:.40} beside the signature alone)", True


def _people(value: Any) -> Iterator[dict[str, str]]:
    """Yield each person with id and name in a document's data."""
    if isinstance(value, dict):
        if set(value) == {"id", "name"}:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _people(part)


def examine_addresses(package: Package, report: Report) -> None:
    """Note the addresses at which passkeys signed; an organisation has one."""
    counts: dict[str, int] = {}
    for name in package.named("decision"):
        origin = _address(package, name)
        if origin is not None:
            counts[origin] = counts.get(origin, 0) + 1
    if counts:
        with report.check("passkeys", layout.EVENTS) as finding:
            finding.noted = len(counts) > 1
            finding.text = ", ".join(f"{count} at {origin}" for origin, count in counts.items())


def _address(package: Package, name: str) -> str | None:
    """Return the address, or None, also for an invalid assertion, which its own check reports."""
    try:
        signature = package.json(name)["signature"]
        assertion = check_assertion(signature["passkey"], signature["sha256"])
    except UNSHAPED:
        return None
    return f"{assertion.origin} (for {assertion.rp_id})"
