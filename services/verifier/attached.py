"""Check the attachments: each is listed, of the hash that was signed or recorded, and what is left out is said."""

from collections.abc import Callable, Iterator
from typing import Any

from services.verifier import layout
from services.verifier.invalid import Invalid, failing
from services.verifier.package import Package
from services.verifier.report import Report
from services.verifier.trail import Trail

# Why an attachment is not in the package.
BECAUSE = ("identity-card", "footage", "purged", "not-submitted", "too-large")
LISTED = {"id", "of", "kind", "sha256", "member", "name", "size", "addedAt"}
LEFT_OUT = {"id", "of", "kind", "sha256", "because"}


def examine(package: Package, trail: Trail, report: Report) -> None:
    """Compare files, list, audit events and signatures; packages of the first format have no attachments."""
    if package.manifest["format"] == layout.FORMATS[0]:
        return
    report.each("attachment", _files(package), "attachments")
    with report.check("attachments-complete", layout.ATTACHMENTS) as finding:
        finding.text = _complete(package, trail)


def _list(package: Package) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    content = package.json(layout.ATTACHMENTS)
    if set(content) != {"attachments", "leftOut"}:
        raise Invalid("it has other fields than a list of attachments")
    for line in content["attachments"]:
        if set(line) != LISTED or line["kind"] == "identity-card":
            raise Invalid(f"it has a line of {line.get('member')!r:.60} that is none of an attachment")
    for line in content["leftOut"]:
        if set(line) != LEFT_OUT or line["because"] not in BECAUSE:
            raise Invalid(f"it leaves {line.get('id')!r:.60} out for no reason that there is")
    return content["attachments"], content["leftOut"]


def _files(package: Package) -> Iterator[tuple[str, Callable[[], None]]]:
    listed, _ = _list(package)
    lines = {line["member"]: line for line in listed}
    names = package.named("attachment")
    if len(lines) != len(listed):
        yield layout.ATTACHMENTS, failing("it names a member twice")
    for name in names:

        def check(name: str = name) -> None:
            if name not in lines:
                raise Invalid("it is not on the list of attachments")
            stated = (lines[name]["sha256"], lines[name]["size"])
            if stated != (package.hashes[name], len(package.content(name))):
                raise Invalid("the list states another SHA-256 or size of it")

        yield name, check
    for name in sorted(set(lines) - set(names)):
        yield name, failing("it is on the list of attachments, and not in the package")


def _complete(package: Package, trail: Trail) -> str:
    """Check that what was added to the case, and what people signed for, is here or said to be left out."""
    listed, left_out = _list(package)
    by_id = {line["id"]: line["sha256"] for line in (*listed, *left_out)}
    hashes = set(by_id.values())
    removed = {event.subject for event in trail.of("attachment-removed")}
    recorded: set[str] = set()
    for event in trail.of("attachment-added"):
        if event.subject in removed:
            continue
        if by_id.get(event.subject) != event.detail["sha256"]:
            raise Invalid(f"the attachment of the audit event {event.index} is neither here nor said to be left out")
        recorded.add(event.detail["sha256"])
    for name, sha256 in _signed(package):
        if sha256 not in hashes:
            raise Invalid(f"{name} names the attachment {sha256!r:.70}, which is neither here nor said to be left out")
        recorded.add(sha256)
    known = sum(line["sha256"] in recorded for line in listed)
    cards = sum(line["because"] == "identity-card" for line in left_out)
    return (
        f"{len(listed)} files, {known} of them named by an audit event or under a signature; {len(left_out)} left out, "
        f"of which {cards} are copies of identity cards"
    )


def _signed(package: Package) -> Iterator[tuple[str, str]]:
    """Yield each hash of an attachment that a signed statement, a filed form or a reply names, with where."""
    for name in package.named("decision"):
        for sha256 in package.json(name)["statement"].get("attachments", ()):
            yield name, str(sha256)
    for stem, data in package.documents.items():
        replies = data["facts"].get("replies", ()) if isinstance(data.get("facts"), dict) else ()
        for one in (data, *replies):
            for file in one.get("attachments", ()):
                yield stem, str(file["sha256"])
