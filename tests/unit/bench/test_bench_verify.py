"""``bench verify``: the smallest case is sound, so that what is measured is the whole of a verification."""

from datetime import UTC, datetime
from pathlib import Path

from services.bench import small_case, verify
from services.bench.figures import MIB
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.examination import examine


def test_the_smallest_case_is_sound(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    seal, key = Signer(ensure_signing_key(tmp_path / "seal", "bench", now)), ensure_log_key(tmp_path / "log")
    small_case.write(tmp_path / "package.zip", seal, key, [b"footage", b"more"], now.isoformat())

    report = examine(tmp_path / "package.zip")

    assert (report.exit_code, report.failed) == (2, [])


def test_the_rate_stands_beside_that_of_sha256sum(tmp_path: Path) -> None:
    told = verify.measure(tmp_path, size=2 * MIB, runs=1)

    assert told["bench"] == "verify"
    assert told["bytes"] > 2 * MIB
    assert told["seconds"] > 0
    assert told["ratio"] is None or told["ratio"] > 0
