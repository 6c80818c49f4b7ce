"""Where checkpoints were anchored: an anchor states its own note, also beside one of before a restore."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import package_tampering as tampering
import pytest
from tampered_packages import Small, anchored, early, keys_beside

from services.bench import small_case
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.examination import examine
from services.verifier.notes import Checkpoint
from services.verifier.report import Line


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder, now = tmp_path_factory.mktemp("small"), datetime.now(UTC)
    seal, key = Signer(ensure_signing_key(folder / "seal", "strangers", now)), ensure_log_key(folder / "log")
    small_case.write(folder / "package.zip", seal, key, [b"footage"], now.isoformat())
    return Small(tampering.read(folder / "package.zip"), seal, key, folder)


def found(small: Small, target: Path, **changes: Any) -> Line:
    """What the check of the anchors says; the others pass."""
    report = examine(tampering.write(target, anchored(small, **changes)))
    assert {line.check for line in report.failed} <= {"anchors"}
    [line] = [line for line in report.lines if line.check == "anchors"]
    return line


@pytest.mark.requirement("R47", "R52", refuses=True)
def test_an_anchor_beside_one_of_before_a_restore_has_its_own_hash_in_its_key(small: Small, tmp_path: Path) -> None:
    right, *wrong = keys_beside(small)

    assert found(small, tmp_path / "case.zip").status == "pass"
    assert found(small, tmp_path / "case.zip", key=right).status == "pass"
    for key in wrong:
        line = found(small, tmp_path / "case.zip", key=key)
        assert line.status == "fail"
        assert line.found.endswith("states size, SHA-256 or key of another note")


@pytest.mark.requirement("R52")
def test_an_anchor_of_before_its_events_is_noted_and_the_tree_decides(small: Small, tmp_path: Path) -> None:
    """A clock was ahead when they were written; whoever says so of others has to show them in the tree all the same."""
    assert found(small, tmp_path / "case.zip", anchoredAt=early(5)).status == "pass"
    line = found(small, tmp_path / "case.zip", anchoredAt=early(6))
    assert line.status == "note"
    assert "1 with events of later than their own time, the first at 'checkpoints/" in line.found

    other = small.key.sign(Checkpoint(small.key.origin, 1, bytes(32)))
    told = {"size": 1, "key": "checkpoints/1", "sha256": hashlib.sha256(other.encode()).hexdigest(), "note": other}
    report = examine(tampering.write(tmp_path / "case.zip", anchored(small, **told, anchoredAt=early(6))))
    assert "consistency" in {line.check for line in report.failed}


@pytest.mark.requirement("R52", refuses=True)
def test_an_anchor_of_after_the_package_is_refused(small: Small, tmp_path: Path) -> None:
    line = found(small, tmp_path / "case.zip", anchoredAt="2099-01-01T00:00:00+00:00")
    assert (line.status, line.found.endswith("later than the package")) == ("fail", True)
