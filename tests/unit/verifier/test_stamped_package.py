"""A package whose signatures an authority has seen: the stamps are checked, and the authority is named."""

from datetime import UTC, datetime
from pathlib import Path

import package_tampering as tampering
import pytest
from tampered_packages import Small, Stamper, anchored

from services.bench import small_case
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier import layout
from services.verifier.examination import examine

pytestmark = pytest.mark.tool("openssl")


@pytest.mark.requirement("R52", refuses=True)
def test_the_authority_is_named_and_its_token_belongs_to_the_signature(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    signer = ensure_signing_key(tmp_path / "seal", "stamped", now)
    seal, key = Signer(signer, Stamper(tmp_path / "authority")), ensure_log_key(tmp_path / "log")
    for name in ("one.zip", "two.zip"):
        small_case.write(tmp_path / name, seal, key, [name.encode()], now.isoformat())

    report = examine(tmp_path / "one.zip")

    assert (report.failed, report.exit_code) == ([], 2)
    [line] = [line for line in report.lines if line.check == "time-stamps"]
    assert line.found.startswith("4 of 4 by ")
    assert "sha256:" in line.found
    other = tampering.read(tmp_path / "two.zip")[layout.SIGNED]
    changed = tampering.write(tmp_path / "changed.zip", with_token_of(tampering.read(tmp_path / "one.zip"), other))
    assert examine(changed).failed[0].check == "manifest-signed"


def with_token_of(contents: tampering.Contents, other: bytes) -> tampering.Contents:
    """The manifest's signature with the time stamp of another one."""
    start, end = b'"rfc3161":"', b'"'
    own = contents[layout.SIGNED].split(start)[1].split(end)[0]
    return {**contents, layout.SIGNED: contents[layout.SIGNED].replace(own, other.split(start)[1].split(end)[0])}


@pytest.mark.requirement("R52")
def test_the_authority_that_has_stamped_an_anchor_is_named(tmp_path: Path) -> None:
    now, stamper = datetime.now(UTC), Stamper(tmp_path / "authority")
    seal, key = Signer(ensure_signing_key(tmp_path / "seal", "stamped", now)), ensure_log_key(tmp_path / "log")
    small_case.write(tmp_path / "one.zip", seal, key, [b"footage"], now.isoformat())
    small = Small(tampering.read(tmp_path / "one.zip"), seal, key, tmp_path)

    report = examine(tampering.write(tmp_path / "anchored.zip", anchored(small, stamper.stamp)))

    assert report.failed == []
    [line] = [line for line in report.lines if line.check == "anchors"]
    assert line.found.startswith("1 are in the locked store, by the database; 1 with a time stamp by ")
    assert "sha256:" in line.found
