"""What audit events name of labels, documents, signatures and packages, so that the seal key alone changes none.

Events of older releases lack these fields; what they do not name is reported as older, and not as a fault.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.verifier import layout
from services.verifier.canonical import canonical
from services.verifier.invalid import Invalid, failing
from services.verifier.package import Package
from services.verifier.report import Report
from services.verifier.trail import Event, Trail

EVIDENCE = 2  # of footage-retrieved and copy-issued: from 2 on, label-written names the label's signed text
STARTED = "package-started"
MARKS = ("evidence", "payload_sha256", "signature_sha256")
SHOWN = 3  # of the older members
# What the event cannot name, because it is made later; footage is named by its label.
LATER = (layout.CHECKPOINT, layout.EVENTS, layout.PROOFS, layout.CONSISTENCY)


def signature_fields(signature: Mapping[str, Any]) -> dict[str, str]:
    """Return what an audit event names of a signature: method, moment, and the SHA-256 of all but its statement."""
    signed = {name: value for name, value in signature.items() if name != "statement"}
    return {
        "method": signed["method"],
        "signed_at": signed["signedAt"],
        "signature_sha256": hashlib.sha256(canonical(signed)).hexdigest(),
    }


def is_named(sha256: str, events: Iterable[Event], *, required: bool = False) -> bool:
    """Return whether an event names this signed text by its SHA-256; False if they are older.

    Raises Invalid if they name another one, or if none does though ``required``.
    """
    named = {event.detail["payload_sha256"]: event for event in events if "payload_sha256" in event.detail}
    if sha256 in named:
        return True
    for other, event in named.items():
        raise Invalid(
            f"its signed text has the SHA-256 {sha256}, and the audit event {event.index} ({event.action}) "
            f"names {other!r:.70}"
        )
    if required:
        raise Invalid("no audit event names its signed text")
    return False


def is_signature_named(signature: Mapping[str, Any], own: Event, events: Iterable[Event]) -> bool:
    """Return whether ``own`` names method and moment of the signature; raises Invalid if an event names others."""
    fields = signature_fields(signature)
    words = {"method": "method", "signed_at": "moment", "signature_sha256": "SHA-256"}
    for event in events:
        if "signature_sha256" not in event.detail:
            continue
        for name, word in words.items():
            if event.detail[name] != fields[name]:
                raise Invalid(
                    f"its {word} is {fields[name]!r:.70}, and the audit event {event.index} ({event.action}) "
                    f"names {event.detail[name]!r:.70}"
                )
    return "signature_sha256" in own.detail


def examine(package: Package, trail: Trail, report: Report) -> None:
    """Compare the package with what was named when it was made, and say what is older than that."""
    if trail.of(STARTED) or any(mark in event.detail for event in trail.events for mark in MARKS):
        report.each("as-made", _members(package, trail), "members")
    else:
        trail.older.append(layout.README)
    with report.check("older" if trail.older else "named", layout.EVENTS) as finding:
        finding.noted = bool(trail.older)
        finding.text = _describe(trail.older)


def _describe(older: list[str]) -> str:
    if not older:
        return ""
    shown = ", ".join(older[:SHOWN]) + (f" and {len(older) - SHOWN} more" if len(older) > SHOWN else "")
    return f"{shown}; whether the holder of the seal key alone has changed them is not seen"


def _members(package: Package, trail: Trail) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a check of each member, and of the signed manifest, against the event of when the package was made."""
    starts = trail.of(STARTED)
    if not starts:
        raise Invalid(f"no audit event ({STARTED}) names what is in the package")
    # more than one if packages were made before, or at the same time
    found = min((_differences(package, start) for start in reversed(starts)), key=len)
    for name in (*_present(package), layout.SIGNED):
        if name not in found:
            yield name, lambda: None
    for name, sentence in found.items():
        yield name, failing(sentence)


def _present(package: Package) -> dict[str, str | None]:
    """Return the SHA-256 of each member that was there before the checkpoint; its label names footage."""
    return {
        entry["name"]: package.hashes.get(entry["name"])
        for entry in package.manifest["members"]
        if entry["role"] != "footage" and entry["name"] not in LATER
    }


def _differences(package: Package, start: Event) -> dict[str, str]:
    """Return a sentence for each member, or for the signed manifest, that differs from the event."""
    by = f"the audit event {start.index} ({STARTED})"
    detail, present, predicate = start.detail, _present(package), package.predicate
    named: dict[str, str] = detail["members"]
    found = {}
    for name in sorted({*named, *present}):
        if name not in present:
            found[name] = f"{by} names it, and it is not in the package"
        elif name not in named:
            found[name] = f"{by} does not name it"
        elif present[name] != named[name]:
            found[name] = f"it has the SHA-256 {present[name]}, and {by} names {named[name]!r:.70}"
    facts = {
        "madeAt": (predicate["madeAt"], start.at),
        "sealedAt": (predicate["sealedAt"], detail["sealed_at"]),
        "madeBy": (predicate["madeBy"], detail["made_by"]),
        "demo": (predicate["demo"], detail["demo"]),
        "footage": (package.manifest["footage"], detail["footage"]),
    }
    different = [name for name, (stated, expected) in facts.items() if stated != expected]
    if different:
        found[layout.SIGNED] = f"{by} has another {', '.join(different)}"
    return found
