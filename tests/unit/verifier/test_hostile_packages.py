"""A package is what a stranger hands over: whatever is in it, there is a report, soon and in little memory."""

import hashlib
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import package_tampering as tampering
import pytest
import rfc8785
from package_tampering import Contents, resealed
from tampered_packages import DEEP, SHAPED, SHAPES

from services.bench import small_case
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier import layout
from services.verifier.examination import examine, fingerprint
from services.verifier.invalid import Invalid
from services.verifier.members import Archive


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(ensure_signing_key(tmp_path_factory.mktemp("seal") / "seal", "strangers", datetime.now(UTC)))


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory, seal: Signer) -> Contents:
    folder = tmp_path_factory.mktemp("small")
    key = ensure_log_key(folder / "log")
    small_case.write(folder / "package.zip", seal, key, [b"footage"], datetime.now(UTC).isoformat())
    return tampering.read(folder / "package.zip")


def put(name: str, data: bytes) -> Callable[[Contents], Contents]:
    return lambda contents: {**contents, name: data}


@pytest.mark.parametrize("name", SHAPED)
def test_a_member_of_any_shape_gets_a_report(contents: Contents, seal: Signer, tmp_path: Path, name: str) -> None:
    for shape in SHAPES:
        for data in (shape, shape + b"\n"):
            if data in (b"", b"\n") and name in (layout.CONSISTENCY, layout.ANCHORS):
                continue
            target = tampering.write(tmp_path / "package.zip", resealed({**contents, name: data}, seal))
            report = examine(target)
            assert report.exit_code == 1, (name, data[:20])
            assert "bytes" not in {line.check for line in report.failed}


def manifest_of(change: Callable[[dict[str, Any]], object]) -> Callable[[Contents], Contents]:
    def changed(contents: Contents) -> Contents:
        told = json.loads(contents[layout.MANIFEST])
        change(told)
        return {**contents, layout.MANIFEST: rfc8785.dumps(told)}

    return changed


@pytest.mark.parametrize(
    "change",
    [
        put(layout.MANIFEST, DEEP),
        put(layout.MANIFEST, b"[]"),
        put(layout.SIGNED, b"{}"),
        put(layout.SIGNED, DEEP),
        manifest_of(lambda told: told.update(members={})),
        manifest_of(lambda told: told.update(members=[None])),
        manifest_of(lambda told: told.update(format="footage-desk-package/2")),
        manifest_of(lambda told: told.update(footage="elsewhere")),
        manifest_of(lambda told: told["members"][0].update(size=2**52)),
        manifest_of(lambda told: told["members"][0].update(size=-1)),
        manifest_of(lambda told: told["members"][0].update(size=True)),
        manifest_of(lambda told: told["members"][0].update(role="footage")),
        manifest_of(lambda told: told["members"][0].update(name="../../etc/passwd")),
    ],
)
def test_a_manifest_of_any_shape_gets_a_report(contents: Contents, tmp_path: Path, change: Any) -> None:
    report = examine(tampering.write(tmp_path / "package.zip", change(contents)))

    assert report.exit_code == 1
    assert {line.check for line in report.failed} & {"manifest", "manifest-signed"}


def test_a_pdf_that_unpacks_without_end_is_unpacked_as_far_as_its_data_are_long(
    contents: Contents, seal: Signer, tmp_path: Path
) -> None:
    bomb = b"%PDF-1.7\n" + b"stream\n" + zlib.compress(bytes(64 << 20), 9)
    stem = f"documents/{small_case.NUMBER}"
    label = tampering.relabelled(
        contents[f"{stem}.label.json"], seal, {f"{small_case.NUMBER}.pdf": hashlib.sha256(bomb).hexdigest()}
    )
    changed = {**contents, f"{stem}.pdf": bomb, f"{stem}.label.json": label}

    report = examine(tampering.write(tmp_path / "package.zip", resealed(changed, seal)))

    assert [(line.check, line.of) for line in report.failed] == [
        ("document", f"{stem}.label.json"),
        ("document-data", f"{stem}.pdf"),
    ]


def test_a_small_member_that_is_large_is_not_read(contents: Contents, seal: Signer, tmp_path: Path) -> None:
    target = tampering.write(tmp_path / "package.zip", contents)
    with Archive(target) as archive, pytest.raises(Invalid, match="the most for such a member"):
        archive.read(layout.README, 3)


@pytest.mark.parametrize("text", ["", "sha256:", "12", "g" * 64, "0" * 63, "0" * 65, "sha1:" + "0" * 64])
def test_what_is_no_fingerprint_is_said_to_be_none(contents: Contents, tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid):
        fingerprint(text)
    report = examine(tampering.write(tmp_path / "package.zip", contents), [text])

    assert report.exit_code == 1
    assert [line.check for line in report.failed] == ["trust"]


@pytest.mark.parametrize(("minutes", "failed"), [(4, []), (6, ["approvals"] * len(small_case.STAGES))])
def test_a_clock_that_is_a_little_ahead_makes_no_approval_late(
    seal: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, failed: list[str]
) -> None:
    event, ahead = small_case._event, f"2031-03-04T12:0{minutes}:00+00:00"

    def decided_later(action: str, *told: Any, **detail: Any) -> bytes:
        entry = json.loads(event(action, *told, **detail))
        return rfc8785.dumps({**entry, "at": ahead} if action == "review-decided" else entry)

    monkeypatch.setattr(small_case, "_event", decided_later)
    now = datetime.now(UTC).isoformat()
    small_case.write(tmp_path / "case.zip", seal, ensure_log_key(tmp_path / "log"), [b"footage"], now)

    found = [line.check for line in examine(tmp_path / "case.zip").failed]
    assert [check for check in found if check == "approvals"] == failed
