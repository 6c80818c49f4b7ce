"""Who has signed: names that are in the audit tree, and the addresses at which passkeys were used."""

import hashlib
from typing import Any, cast

import rfc8785
from soft_passkey import SoftPasskey, base64url

from services.verifier.members import Archive
from services.verifier.package import Package
from services.verifier.people import examine_addresses, name_of
from services.verifier.report import Report

HERE, THERE = ("localhost", "http://localhost:8080"), ("desk.example", "https://desk.example")


def package(acts: list[dict[str, Any]], documents: list[dict[str, Any]] | None = None) -> Package:
    contents = {f"decisions/{place:02d}-decision.json": rfc8785.dumps(act) for place, act in enumerate(acts)}
    contents |= {f"documents/A-{place}.json": rfc8785.dumps(data) for place, data in enumerate(documents or ())}
    role = {"decisions": "decision", "documents": "document-json"}
    members = [{"name": name, "role": role[name.split("/")[0]]} for name in contents]
    return Package(cast(Archive, None), {"members": members}, contents)


def signed(place: tuple[str, str], text: bytes) -> dict[str, Any]:
    rp_id, origin = place
    passkey, sha256 = SoftPasskey(rp_id=rp_id, origin=origin), hashlib.sha256(text)
    answer = passkey.assertion(base64url(sha256.digest()))
    kept = {name: answer[name] for name in ("authenticatorData", "clientDataJSON", "credentialId", "signature")}
    told = {**kept, "publicKey": passkey.pem, "rpId": rp_id, "origin": origin}
    return {"signature": {"sha256": sha256.hexdigest(), "passkey": told}}


def places(acts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    report = Report()
    examine_addresses(package(acts), report)
    return [(line.status, line.found) for line in report.lines]


def test_the_address_of_passkeys_is_told_and_a_second_one_noted() -> None:
    here, there = signed(HERE, b"one"), signed(THERE, b"two")

    assert places([{"signature": {"sha256": "", "method": "password"}}]) == []
    assert places([here, signed(HERE, b"three")]) == [("pass", "2 at http://localhost:8080 (for localhost)")]
    [(status, found)] = places([here, there])
    assert status == "note"
    assert "1 at https://desk.example (for desk.example)" in found


def test_a_name_is_the_one_that_a_document_has() -> None:
    known = package([], [{"decisions": [{"by": {"id": "p", "name": "Zhang"}}]}])

    assert name_of(known, "p", "Zhang") == ("Zhang", False)
    assert name_of(known, "p", "Mallory") == ("Zhang (called 'Mallory' beside the signature alone)", True)
    assert name_of(known, "q", "Mallory") == ("q", False)
