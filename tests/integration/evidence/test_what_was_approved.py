"""Packages that an insider with the seal key alone has changed: other footage than was approved, another PDF."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import package_tampering as tampering
import pytest
from evidence_case import Made
from package_tampering import Contents, relabelled, resealed

from services.verifier import granted
from services.verifier.envelopes import open_envelope
from services.verifier.examination import examine
from services.verifier.invalid import Invalid

LABEL = "footage/1-master.label.json"
Change = Callable[[Contents, Made], Contents]


def label_of_another_span(contents: Contents, made: Made) -> Contents:
    span = ["2031-03-04T08:00:00+00:00", "2031-03-04T10:00:00+00:00"]
    return {**contents, LABEL: relabelled(contents[LABEL], made.seal, asked=span)}


def label_of_another_camera(contents: Contents, made: Made) -> Contents:
    database = open_envelope(contents[LABEL]).predicate["database"]
    database["source"]["camera"]["id"] = "the director's"
    return {**contents, LABEL: relabelled(contents[LABEL], made.seal, database=database)}


def label_of_another_item(contents: Contents, made: Made) -> Contents:
    database = open_envelope(contents[LABEL]).predicate["database"]
    database["item"]["id"] = "one that nobody released"
    return {**contents, LABEL: relabelled(contents[LABEL], made.seal, database=database)}


def another_pdf(contents: Contents, made: Made) -> Contents:
    stem = next(name for name in contents if name.startswith("documents/DQ") and name.endswith(".pdf"))[: -len(".pdf")]
    pdf = b"%PDF-1.7\nanother text for people\nstream\n" + contents[f"{stem}.json"]
    label, number = f"{stem}.label.json", stem.removeprefix("documents/")
    hashes = {f"{number}.pdf": hashlib.sha256(pdf).hexdigest()}
    return {**contents, f"{stem}.pdf": pdf, label: relabelled(contents[label], made.seal, hashes)}


@pytest.mark.requirement("R4", "R28", "R47", refuses=True)
@pytest.mark.parametrize(
    ("change", "check", "found"),
    [
        (label_of_another_span, "granted", "and the signed release of"),
        (label_of_another_camera, "granted", "of another camera"),
        (label_of_another_item, "granted", "the signed release has no item"),
        (another_pdf, "document", "names this PDF"),
    ],
)
def test_what_was_not_approved_or_filed_is_found(
    made: Made, tmp_path: Path, change: Change, check: str, found: str
) -> None:
    contents = resealed(change(tampering.read(made.clear), made), made.seal)

    report = examine(tampering.write(tmp_path / "changed.zip", contents), [made.fingerprints["root"]])

    assert report.exit_code == 1
    assert any(line.check == check and found in line.found for line in report.failed)


class Documents:
    """What a package holds, as far as a form is compared with its decisions."""

    def __init__(self, form: dict[str, Any]) -> None:
        self.documents = {"SQ": form}

    def envelope(self, name: str) -> Any:
        return type("Opened", (), {"predicate": {"kind": "application-form"}})

    def named(self, role: str) -> list[str]:
        return []


def changed_form(form: dict[str, Any], change: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(form))
    grant = told["granted"]
    if change == "span":
        grant["items"][0]["to"] = "2031-03-04T23:00:00+00:00"
    elif change == "item":
        grant["items"].append({**grant["items"][0], "id": "another"})
    elif change == "days":
        grant["useDays"] += 1
    else:
        grant["wayOfUse"] = "download"
    return told


@pytest.mark.requirement("R4", "R49", refuses=True)
@pytest.mark.parametrize("change", ["span", "item", "days", "use"])
def test_a_form_that_grants_more_than_security_approved_is_found(made: Made, change: str) -> None:
    contents = tampering.read(made.clear)
    stem = next(name for name in contents if name.startswith("documents/SQ") and name.endswith(".pdf"))[: -len(".pdf")]
    form = json.loads(contents[f"{stem}.json"])
    name = next(name for name in contents if name.endswith("decision-security.json"))
    decisions = [json.loads(contents[name])["statement"]]

    def look(of: dict[str, Any]) -> None:
        for _, check in granted.checks(Documents(of), decisions):  # type: ignore[arg-type]
            check()

    look(form)
    with pytest.raises(Invalid, match="Security has"):
        look(changed_form(form, change))
