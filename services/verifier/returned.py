"""Check the return and its inspection against signatures, custody log and the inspection's document."""

from typing import Any

from services.verifier import layout
from services.verifier.invalid import Invalid
from services.verifier.package import Package
from services.verifier.trail import Trail

INSPECTION = "return-inspection"
# By stage, the outcomes that end a loan; copies that cannot be replaced any more are recalled.
RECALLS = {"recall": ("signed",), "problem": ("recall", "replace")}


def check(package: Package, trail: Trail) -> str:
    """Describe the return; the custody log is compared with the audit events elsewhere."""
    back, recalled = (_entry(package, event) for event in ("returned", "recalled"))
    if layout.RETURN not in package.contents:
        if back is not None or recalled is not None or trail.of("custody-returned") or trail.of("custody-recalled"):
            raise Invalid("the copies were returned, and the return is not in the package")
        return "there was no return"
    returned = package.json(layout.RETURN)
    if recalled is not None and back is None and trail.of("custody-recalled"):
        _check_recalled(package, returned, recalled)
    elif back is not None and recalled is None and trail.of("custody-returned"):
        _check_signed(package, trail, returned, back)
    else:
        raise Invalid("no audit event names a return")
    _check_archived(trail, returned["archived"])
    inspection, inspected = returned["inspection"], _entry(package, "inspected", returned["handOver"])
    if (inspection is None) != (inspected is None):
        raise Invalid("return and custody log differ in whether there was an inspection")
    if inspection is None or inspected is None:
        return "returned, not inspected yet"
    _check_inspection(package, trail, returned, inspected)
    differ = sorted(copy for copy, matches in inspection["hashes"].items() if not matches)
    if differ:
        return f"the bytes of {len(differ)} copies differed at the inspection, {len(inspection['findings'])} findings"
    return f"{len(inspection['hashes'])} copies as they were issued, {len(inspection['findings'])} findings"


def _entry(package: Package, event: str, hand_over: str | None = None) -> dict[str, Any] | None:
    """Return the entry of this kind: of the case, or of one loan, as replaced copies may be inspected besides."""
    entries = [
        entry
        for entry in package.json(layout.CUSTODY)["entries"]
        if entry["event"] == event and hand_over in (None, entry["handOver"])
    ]
    if len(entries) > 1:
        raise Invalid(f"the custody log has {len(entries)} entries of the kind {event}")
    return entries[0] if entries else None


def _check_signed(package: Package, trail: Trail, returned: dict[str, Any], entry: dict[str, Any]) -> None:
    """Check that log entry, signature event and signed statement are of the same return."""
    sha256 = returned["statementSha256"]
    events = trail.of("return-signed")
    signed = {event.detail["statement_sha256"] for event in events if event.subject == returned["handOver"]}
    if sha256 != entry["detail"]["statement_sha256"] or sha256 not in signed:
        raise Invalid("the return was signed over another statement than the audit event names")
    written = (entry["handOver"], entry["person"], entry["at"], entry["detail"]["return_to"])
    if written != (returned["handOver"], returned["returnedBy"], returned["returnedAt"], returned["returnTo"]):
        raise Invalid("the custody log has a return by somebody else, at another time or to another place")
    statement = _statement(package, sha256)
    for name, expected in (
        ("kind", "return"),
        ("handOver", returned["handOver"]),
        ("person", returned["returnedBy"]),
        ("returnTo", returned["returnTo"]),
        ("attestation", returned["attestation"]),
    ):
        if statement[name] != expected:
            raise Invalid(f"return and signed statement differ in {name}")


def _check_recalled(package: Package, returned: dict[str, Any], entry: dict[str, Any]) -> None:
    """Check that copies which nobody gave back were recalled by a signed decision; the trail is compared elsewhere."""
    number, sha256 = returned["attestation"].get("recalled"), returned["statementSha256"]
    written = (entry["handOver"], entry["at"], entry["detail"]["matter"], entry["detail"]["statement_sha256"])
    if written != (returned["handOver"], returned["returnedAt"], number, sha256):
        raise Invalid("the custody log has a recall at another time, or by another decision")
    statement = _statement(package, sha256)
    decided = statement["outcome"] in RECALLS.get(statement["stage"], ())
    if not decided or statement["person"] != returned["returnedBy"]:
        raise Invalid("the recall was signed by somebody else, or decided otherwise")


def _statement(package: Package, sha256: str) -> dict[str, Any]:
    """Whether it has this hash is checked with the signatures."""
    for name in package.named("decision"):
        act = package.json(name)
        if act["signature"]["sha256"] == sha256:
            statement: dict[str, Any] = act["statement"]
            return statement
    raise Invalid("the statement that the return was signed over is not in the package")


def _check_inspection(package: Package, trail: Trail, returned: dict[str, Any], entry: dict[str, Any]) -> None:
    inspection = returned["inspection"]
    written = (entry["handOver"], entry["at"], entry["detail"]["hashes"], entry["detail"]["findings"])
    findings = len(inspection["findings"])
    if written != (returned["handOver"], inspection["inspectedAt"], inspection["hashes"], findings):
        raise Invalid("the custody log has an inspection with another result")
    document = _inspection_document(package, returned["handOver"])
    if document is None:
        if trail.of("case-closed"):
            raise Invalid("the case is closed, and the document of the inspection is not in the package")
        return
    matches = {copy["id"]: copy["matches"] for copy in document["copies"]}
    documented = (document["inspectedAt"], matches, document["findings"])
    if documented != (inspection["inspectedAt"], inspection["hashes"], inspection["findings"]):
        raise Invalid(f"the document {document['number']} has an inspection with another result")
    if document["return"]["statement"] != returned["statementSha256"]:
        raise Invalid(f"the document {document['number']} names another return")


def _inspection_document(package: Package, hand_over: str) -> dict[str, Any] | None:
    for stem, data in package.documents.items():
        kind = package.envelope(f"documents/{stem}.label.json").predicate["kind"]
        if kind == INSPECTION and data["handOver"] == hand_over:
            return data
    return None


def _check_archived(trail: Trail, archived: Any) -> None:
    events = trail.of("master-archived")
    if archived is None or not events:
        return
    for event in events:
        if (event.detail["in_order"], event.detail["dispose_after"]) == (archived["inOrder"], archived["disposeAfter"]):
            return
    raise Invalid("the audit events say that the footage was archived in another state, or for another time")
