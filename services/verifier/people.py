"""Who has signed, by name and address: names as documents of the audit tree have them, and where passkeys were used."""

from collections.abc import Iterator
from typing import Any

from services.verifier import layout
from services.verifier.assertions import check_assertion
from services.verifier.package import Package
from services.verifier.report import UNSHAPED, Report


def name_of(package: Package, person: str, told: str | None) -> tuple[str, bool]:
    """The person's name, and whether it is to be noted: ``told`` beside the signature is signed by nobody.

    What documents call the person counts; without one there is no name but the id.
    """
    known = {one["name"] for data in package.documents.values() for one in _people(data) if one["id"] == person}
    if told in known:
        return str(told), False
    if not known:
        return person, False
    return f"{min(known)} (called {told!r:.40} beside the signature alone)", True


def _people(value: Any) -> Iterator[dict[str, str]]:
    """Each person with id and name in a document's data."""
    if isinstance(value, dict):
        if set(value) == {"id", "name"}:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _people(one)


def examine_places(package: Package, report: Report) -> None:
    """The addresses at which passkeys were asked: each signature tells its own, and a house has one."""
    found: dict[str, int] = {}
    for name in package.named("decision"):
        where = _where(package, name)
        if where is not None:
            found[where] = found.get(where, 0) + 1
    if found:
        with report.check("passkeys", layout.EVENTS) as finding:
            finding.noted = len(found) > 1
            finding.text = ", ".join(f"{count} at {where}" for where, count in found.items())


def _where(package: Package, name: str) -> str | None:
    """None too for an answer that does not hold: the check of that signature tells it."""
    try:
        signature = package.json(name)["signature"]
        place = check_assertion(signature["passkey"], signature["sha256"])
    except UNSHAPED:
        return None
    return f"{place.origin} (for {place.rp_id})"
