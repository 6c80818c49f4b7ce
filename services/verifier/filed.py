"""Check the numbered documents: data and PDF match their signed labels, this case, and the audit events."""

import re
import zlib
from collections.abc import Callable, Iterator

from services.verifier import bindings, layout
from services.verifier.envelopes import Opened, check_type
from services.verifier.invalid import Invalid
from services.verifier.package import Package, number_of
from services.verifier.report import Report
from services.verifier.trail import Trail

PREDICATE = "urn:footage-desk:document:v1"
MOST_STREAMS = 2000  # of a PDF; ours have some dozens
_STREAM = re.compile(rb"stream\r?\n")


def examine(package: Package, trail: Trail, report: Report) -> None:
    for name in package.named("document-label"):
        with report.check("document", name) as finding:
            finding.text = _check(package, trail, name)
    report.each("document-data", _data(package), "documents")
    with report.check("documents-complete", layout.EVENTS) as finding:
        finding.text = _complete(package, trail)


def _check(package: Package, trail: Trail, name: str) -> str:
    opened = package.envelope(name)
    stem = _stem(name)
    label, data = opened.predicate, package.documents[stem]
    check_type(opened, PREDICATE, "a document")
    _check_subjects(package, opened, stem)
    if layout.file_name(label["number"]) != stem or number_of(data) != label["number"]:
        raise Invalid(f"it is the document {label['number']!r:.60} and is stored as {stem}")
    if label["demo"] != data["demo"]:
        raise Invalid("label and document differ in whether it is a demonstration's")
    if label["application"] not in (package.application_id, package.predicate["application"]):
        raise Invalid("it is a document of another case")
    if label["kind"] == "retrieval-record" and label.get("item") != data["item"]:
        raise Invalid("label and record are of different items")
    written = f"{label['kind']}-written"
    hashes = {event.detail["sha256"] for event in trail.of(written) if event.subject == label["number"]}
    if package.hashes[f"documents/{stem}.json"] not in hashes:
        raise Invalid(f"no audit event ({written}) names a document with this number and this text")
    filed = [event for event in trail.of("document-filed") if event.subject == label["number"]]
    pdfs = {(event.detail["sha256"], event.detail["pdf_sha256"]) for event in filed}
    if tuple(package.hashes[f"documents/{stem}.{form}"] for form in ("json", "pdf")) not in pdfs:
        raise Invalid("no audit event (document-filed) names this PDF")
    if not bindings.is_named(opened.payload_sha256, filed):
        trail.older.append(name)
    return f"{label['kind']} {label['number']}"


def _check_subjects(package: Package, opened: Opened, stem: str) -> None:
    subjects = {layout.file_name(name): sha256 for name, sha256 in opened.subjects.items()}
    members = {name: package.hashes.get(f"documents/{name}") for name in (f"{stem}.pdf", f"{stem}.json")}
    if set(subjects) != set(members):
        raise Invalid(f"it signs {', '.join(sorted(subjects))}, and not {' and '.join(sorted(members))}")
    for name, sha256 in subjects.items():
        if members[name] != sha256:
            raise Invalid(f"documents/{name} has the SHA-256 {members[name]}, and its label says {sha256}")


def _data(package: Package) -> Iterator[tuple[str, Callable[[], None]]]:
    for name in package.named("document-pdf"):

        def check(name: str = name) -> None:
            if not _carries(package.content(name), package.content(f"{name[: -len('.pdf')]}.json")):
                raise Invalid("none of the files in it is the document's data")

        yield name, check


def _carries(pdf: bytes, data: bytes) -> bool:
    """Whether a stream of the PDF, raw or inflated, equals the data; inflates no more than their length."""
    if not pdf.startswith(b"%PDF-"):
        raise Invalid("it is no PDF")
    for number, match in enumerate(_STREAM.finditer(pdf)):
        if number >= MOST_STREAMS:
            break
        if pdf.startswith(data, match.end()):
            return True
        try:
            unpacked = zlib.decompressobj().decompress(memoryview(pdf)[match.end() :], len(data) + 1)
        except zlib.error:
            continue
        if unpacked == data:
            return True
    return False


def _complete(package: Package, trail: Trail) -> str:
    """Check that every document in the audit events is in the package."""
    included = {(number_of(data), package.hashes[f"documents/{stem}.json"]) for stem, data in package.documents.items()}
    for event in trail.events:
        written = event.action.endswith("-written") and event.fields["subject"]["kind"] == "document"
        if written and (event.subject, event.detail["sha256"]) not in included:
            raise Invalid(f"the document {event.subject} of the audit event {event.index} is not in the package")
    labels = {_stem(name) for name in package.named("document-label")}
    pdfs = {name[len("documents/") : -len(".pdf")] for name in package.named("document-pdf")}
    for stem in package.documents:
        if stem not in labels or stem not in pdfs:
            raise Invalid(f"the document {stem} has no PDF, or no label")
    if strange := (labels | pdfs) - set(package.documents):
        raise Invalid(f"the data of the document {min(strange)} are not in the package")
    return f"{len(included)} documents"


def _stem(name: str) -> str:
    return name[len("documents/") : -len(".label.json")]
