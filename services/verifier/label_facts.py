"""Compare a label with the retrieval record and the printed label, which are in the audit tree."""

from typing import Any

from services.verifier.envelopes import Opened
from services.verifier.invalid import Invalid
from services.verifier.package import Package

# facts from the database that label, record and printed label share
SAME = ("source", "recorderClock", "asked", "operator", "secondPersons", "tools", "organisation", "policyVersion")
PRINTED = (*SAME, "searched", "item", "zone", "retrievedAt", "madeAt", "importance", "handling")
# what was measured when it was sealed
MEASURED = ("covered", "gaps", "leadInMs", "tailMs", "codecs", "firstFrame", "lastFrame", "driftMs")
TRIMMED = ("trimmedBeforeMs", "trimmedAfterMs")
MASTERS = (*MEASURED, *TRIMMED, "lost", "packets", "droppedPackets", "fingerprint", "problems", "requested", "sources")


COUNTED = "pictures"  # by releases since labels say their version


def check(package: Package, opened: Opened, record: dict[str, Any], kind: str) -> None:
    """Raise Invalid for the first difference. ``kind``: master or copy."""
    label, facts = opened.predicate, opened.predicate["database"]
    if facts["kind"] != kind:
        raise Invalid(f"it says that it is of a {facts['kind']!r:.20}, and is stored as that of a {kind}")
    number = record["number"]
    _compare(facts, of_record(record), f"the record {number}")
    _compare(label, printed_facts(facts), f"the record {number}")
    if kind == "master":  # a copy is measured anew when it is cut
        obtained = record["obtained"]
        measured = {**{name: obtained[name] for name in MASTERS}, "searched": obtained["asked"]}
        _compare(label, {**measured, "cameraSignature": record["cameraSignature"]}, f"the record {number}")
        _compare_pictures(label, obtained, f"the record {number}")
    for data in _printed(package, opened):
        _compare(facts, {name: data[name] for name in PRINTED}, f"the printed label {data['number']}")
        measured = {name: data["obtained"][name] for name in (*MEASURED, *TRIMMED)}
        _compare(label, {**measured, "outcome": data["outcome"]}, f"the printed label {data['number']}")
        _compare_pictures(label, data["obtained"], f"the printed label {data['number']}")


def _printed(package: Package, opened: Opened) -> list[dict[str, Any]]:
    """Return the printed labels of the object: by its bytes, and by its key where another one has the same bytes."""
    stored, cipher = next((name, sha256) for name, sha256 in opened.subjects.items() if not name.endswith("#footage"))
    printed = [data for data in package.documents.values() if "object" in data]
    alike = [data for data in printed if data["object"]["sha256Cipher"] == cipher]
    return [data for data in alike if stored.endswith(f"/{data['object']['key']}")] or alike


def of_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that label and record have in common, as in the label."""
    return {
        **{name: record[name] for name in SAME},
        "demo": record["demo"],
        "searched": record.get("searched", record["asked"]),
        "recorderSegments": record["obtained"]["sources"],
        "retrievedAt": record["finishedAt"],
        "applicationNumber": record["form"]["number"],
        "formSha256": record["form"]["sha256"],
    }


def printed_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that the label prints for people."""
    source, clock = facts["source"], facts["recorderClock"]
    camera, recorder = source["camera"], source["recorder"]
    return {
        "applicationNumber": facts["applicationNumber"],
        "recordNumber": facts["recordNumber"],
        "operator": facts["operator"]["name"],
        "retrievedAt": facts["retrievedAt"],
        "site": source["site"],
        "camera": f"{camera['nameZh']} {camera['nameEn']}",
        "channel": camera["channel"],
        "recorder": {
            "make": recorder["make"] or recorder["kind"],
            "model": recorder["model"] or "",
            "identity": recorder["identity"] or recorder["name"],
            "zone": clock["zone"],
            "clock": {
                "offsetMs": clock["offsetMs"],
                "method": clock["method"] or "not measured",
                "uncertaintyMs": clock["uncertaintyMs"],
                "measuredAt": clock.get("measuredAt"),
            },
        },
        "asked": [facts["asked"]["start"], facts["asked"]["end"]],
    }


def _compare_pictures(label: dict[str, Any], obtained: dict[str, Any], by: str) -> None:
    """Of a label of version 1 neither says them, and of one from the vault of before nobody counted them."""
    if label.get(COUNTED) != obtained.get(COUNTED):
        raise Invalid(f"label and {by} differ in {COUNTED}")


def _compare(label: dict[str, Any], expected: dict[str, Any], by: str) -> None:
    for name, value in expected.items():
        if label[name] != value:
            raise Invalid(f"label and {by} differ in {name}")
