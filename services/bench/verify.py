"""``bench verify``: check an evidence package as ``footage-desk verify`` does; the peer is sha256sum."""

import os
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from services.bench import small_case
from services.bench.figures import MIB, Peer, report
from services.bench.memory import Peak
from services.runtime.errors import Fatal
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.report import UNKNOWN

GIGABYTE = 1e9


def measure(folder: Path, *, size: int, runs: int) -> dict[str, Any]:
    """Check a package with ``size`` bytes of footage in a process of its own, including the start of Python."""
    path = folder / "package.zip"
    now = datetime.now(UTC)
    signer = Signer(ensure_signing_key(folder / "seal", "bench", now))
    small_case.write(path, signer, ensure_log_key(folder / "log"), [os.urandom(MIB)] * (size // MIB), now.isoformat())
    length = path.stat().st_size
    verify = [sys.executable, "-m", "services.verifier", str(path)]
    peer = shutil.which("sha256sum")
    seconds, others, peaks = [], [], []
    _run(verify, UNKNOWN)  # so that the file is cached for both
    for _ in range(runs):
        elapsed, peak = _run(verify, UNKNOWN)
        seconds.append(elapsed)
        peaks.append(peak)
        if peer is not None:
            others.append(_run([peer, str(path)], 0)[0])
    figures: dict[str, Any] = {
        "bytes": length,
        "gigabytes_per_second": length / GIGABYTE / statistics.median(seconds),
        "peak_mib": max(peaks) / MIB,
    }
    if peer is None:
        return report("verify", seconds, None, missing="There is no peer: this machine lacks sha256sum.", **figures)
    theirs = {"gigabytes_per_second": length / GIGABYTE / statistics.median(others)}
    return report("verify", seconds, Peer("sha256sum package.zip", others), faster=True, of_peer=theirs, **figures)


def _run(command: list[str], expected: int) -> tuple[float, int]:
    """Return seconds and peak memory; raises Fatal for another exit code than ``expected``."""
    started = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # noqa: S603 - our own
        with Peak(process.pid) as peak:
            output = process.communicate()[0]
        elapsed = perf_counter() - started
    if process.returncode != expected:
        raise Fatal(f"{command[0]} ended with {process.returncode}: {output.decode(errors='replace')[-2000:]}")
    return elapsed, peak.bytes
