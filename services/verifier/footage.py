"""Check footage and labels: the bytes are those that were sealed, of the granted item."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from services.verifier import bindings, label_facts, layout
from services.verifier.envelopes import Opened, check_type
from services.verifier.invalid import Invalid
from services.verifier.package import Package, number_of
from services.verifier.report import UNSHAPED, Report
from services.verifier.trail import Event, Trail

PREDICATE = "urn:footage-desk:label:v1"
FOOTAGE = "#footage"


def examine(package: Package, trail: Trail, report: Report) -> None:
    """Check each label, its footage, and that none is missing."""
    for name in package.named("master-label"):
        with report.check("label", name) as finding:
            finding.text = _check_label(package, trail, name, "footage-retrieved")
    report.each("label", _copies(package, trail), "copies")
    late = _without_checkpoint(package, trail)
    if late:
        with report.check("label", ", ".join(late)) as finding:
            finding.text, finding.noted = "names no checkpoint, and one of before was signed", True
    how = package.manifest["footage"]
    for name in package.named("master-label"):
        with report.check("footage", name) as finding:
            finding.text = _check_bytes(package, name, how)
            finding.noted = how == "hash"
    with report.check("footage-complete", layout.EVENTS) as finding:
        finding.text = _complete(package, trail)


def _copies(package: Package, trail: Trail) -> Iterator[tuple[str, Callable[[], None]]]:
    for name in package.named("copy-label"):

        def check(name: str = name) -> None:
            _check_label(package, trail, name, "copy-issued")

        yield name, check


def _check_label(package: Package, trail: Trail, name: str, action: str) -> str:
    opened = package.envelope(name)
    check_type(opened, PREDICATE, "a label")
    label = opened.predicate
    facts = label["database"]
    cipher, plain = _hashes(opened)
    _check_application(package, label["applicationNumber"])
    if facts["formSha256"] != _form_document(package)[1]:
        raise Invalid("it rests on another form than the filed one")
    position = int(re.findall(r"[1-9]\d*", name)[0])
    if facts["item"]["position"] != position:
        raise Invalid(f"it is of item {facts['item']['position']}, and is stored as that of item {position}")
    record = package.documents.get(layout.file_name(label["recordNumber"] or ""))
    if record is None:
        raise Invalid(f"its retrieval record {label['recordNumber']} is not in the package")
    if record["item"] != facts["item"]["id"]:
        raise Invalid(f"its retrieval record {label['recordNumber']} is of another item")
    if package.hashes[f"documents/{layout.file_name(label['recordNumber'])}.json"] != facts["recordSha256"]:
        raise Invalid(f"it was made for another text of the record {label['recordNumber']}")
    label_facts.check(package, opened, record, "copy" if action == "copy-issued" else "master")
    # footage that a later issue took from the master of before has its bytes: then the key tells them apart
    for event in sorted(trail.of(action), key=lambda one: not _names(opened, one)):
        if (event.detail["sha256_plain"], event.detail["sha256_cipher"]) == (plain, cipher):
            _check_event(opened, event)
            written = [one for one in trail.of("label-written") if one.detail.get("key") == event.detail["key"]]
            required = event.detail.get("evidence", 1) >= bindings.EVIDENCE
            if not bindings.is_named(opened.payload_sha256, written, required=required):
                trail.older.append(name)
            return f"{label['camera']}, {label['outcome']}"
    raise Invalid("no audit event names an object with its hashes")


def _check_event(opened: Opened, event: Event) -> None:
    """Check that the event is of this object, and of this item and outcome, or this copy."""
    key, label, facts = str(event.detail["key"]), opened.predicate, opened.predicate["database"]
    if not _names(opened, event):
        raise Invalid(f"the audit event {event.index} names the object {key}, and the label of another one")
    if event.action == "copy-issued":
        same = facts["copy"] == event.subject
    else:
        same = (event.detail["item"], event.detail["outcome"]) == (facts["item"]["id"], label["outcome"])
    if not same:
        raise Invalid(f"the audit event {event.index} names another item, copy or outcome than the label")


def _names(opened: Opened, event: Event) -> bool:
    """Whether the label is of the object that the event names."""
    return any(name.endswith(f"/{event.detail['key']}") for name in opened.subjects)


def _check_application(package: Package, number: Any) -> None:
    if number != number_of(package.form):
        raise Invalid(f"it is of the application {number!r:.60}, and the package of {number_of(package.form)}")


def _form_document(package: Package) -> tuple[str, str]:
    """Return the name of the filed form and the SHA-256 of its data."""
    for name, data in package.documents.items():
        if data is package.form:
            return name, package.hashes[f"documents/{name}.json"]
    raise Invalid("there is no filed form in the package")


def _hashes(opened: Opened) -> tuple[str, str]:
    """Return the SHA-256 of the stored object and of the footage in it."""
    names = [name for name in opened.subjects if not name.endswith(FOOTAGE)]
    if len(names) != 1 or set(opened.subjects) != {names[0], f"{names[0]}{FOOTAGE}"}:
        raise Invalid("it does not name one object and the footage in it")
    return opened.subjects[names[0]], opened.subjects[f"{names[0]}{FOOTAGE}"]


def _check_bytes(package: Package, name: str, how: str) -> str:
    opened = package.envelope(name)
    cipher, plain = _hashes(opened)
    stem = name[: -len(".label.json")]
    members = [name for name in package.named("footage") if name.rsplit(".", 1)[0] == stem]
    if how == "hash":
        if members:
            raise Invalid(f"{members[0]} is here, and the manifest says that there is no footage")
        return f"the footage itself is not here, its SHA-256 is {plain}"
    if len(members) != 1 or members[0].endswith(".age") != (how == "sealed"):
        raise Invalid(f"its footage is not here as the manifest says: {how}")
    member = package.archive.by_name[members[0]]
    size = opened.predicate["size"]["object" if how == "sealed" else "footage"]
    if member.size != size:
        raise Invalid(f"{member.name} has {member.size} bytes, and the label says {size}")
    expected = cipher if how == "sealed" else plain
    if package.hashes[member.name] != expected:
        raise Invalid(f"{member.name} has the SHA-256 {package.hashes[member.name]}, and the label says {expected}")
    return f"{member.name}, {member.size} bytes, sha256 {expected}"


def _without_checkpoint(package: Package, trail: Trail) -> list[str]:
    """Return labels that name no checkpoint although the log had one when they were made."""
    names = []
    with suppress(*UNSHAPED):  # events and labels of other shapes are reported by their own checks
        made = {
            event.detail.get("sha256_cipher"): event.index for event in trail.of("footage-retrieved", "copy-issued")
        }
        for name in (*package.named("master-label"), *package.named("copy-label")):
            opened = package.envelope(name)
            index = max(made.get(sha256, 0) for sha256 in opened.subjects.values())
            if opened.predicate.get("auditCheckpoint") is None and any(size <= index for size in trail.signed):
                names.append(name)
    return names


def _complete(package: Package, trail: Trail) -> str:
    """Check that every master and copy that was not discarded has its label, and all footage a label."""
    hashes = {
        role: [_hashes(package.envelope(name))[0] for name in package.named(role)]
        for role in ("master-label", "copy-label")
    }
    labelled = {role: set(hashes_of_role) for role, hashes_of_role in hashes.items()}
    objects = [min(package.envelope(name).subjects) for role in hashes for name in package.named(role)]
    if len(set(objects)) != len(objects):
        raise Invalid("two labels are of one object")
    gone = {event.subject for event in trail.of("master-discarded", "copy-discarded")}
    for action, role in (("footage-retrieved", "master-label"), ("copy-issued", "copy-label")):
        for event in trail.of(action):
            if event.detail["key"] not in gone and event.detail["sha256_cipher"] not in labelled[role]:
                raise Invalid(f"the object of the audit event {event.index} ({action}) has no label in the package")
    stems = {name[: -len(".label.json")] for name in package.named("master-label")}
    for name in package.named("footage"):
        if name.rsplit(".", 1)[0] not in stems:
            raise Invalid(f"{name} has no label")
    return f"{len(labelled['master-label'])} masters, {len(labelled['copy-label'])} copies"
