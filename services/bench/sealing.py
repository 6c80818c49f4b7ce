"""Sealing: from a folder recorder to the sealed object, as ``retrieve-footage`` does it; the peer hashes and writes."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from services.bench.figures import MIB, Peer, timed, timed_now, told
from services.bench.footage import CHANNEL, lay_out
from services.recorders.folder import FolderRecorder
from services.runtime.spans import Span
from services.runtime.stores import FolderStore
from services.vault.age import generate_identity
from services.vault.sealing import Sealed, seal
from services.vault.store import Store, discard
from services.vault.stores import open_store

BUCKET = "quarantine"
GIB = 1 << 30
HOUR = 3600
_PEER = "read the same segments, SHA-256, write one file and sync it"


async def measure(
    folder: Path, *, mebibytes: int, megabits: float, at_once: int, runs: int, store: Store | None = None
) -> dict[str, Any]:
    """Seal ``at_once`` times at the same time; ``store`` instead of a folder store in ``folder``, left as it was."""
    span, size = lay_out(folder / "recordings", mebibytes * MIB, megabits)
    recorder = FolderRecorder.from_configuration({"root": str(folder / "recordings")})
    place = store or open_store(FolderStore(folder / "store", "bench"))
    place.ensure()
    _, recipient = generate_identity()
    seconds, peers, others, worked = [], [], [], []
    sealed: list[Sealed] = []

    async def all_of_them() -> None:
        keys = [f"{BUCKET}/bench/{os.urandom(8).hex()}" for _ in range(at_once)]
        sealed[:] = await asyncio.gather(*(_seal(recorder, span, recipient, place, key) for key in keys))

    for _ in range(runs):
        before = _processor_seconds()
        seconds.append(await timed(all_of_them))
        worked.append(_processor_seconds() - before)
        for one in sealed:
            discard(place, one.bucket, one.key)
        paths = sorted((folder / "recordings" / CHANNEL).iterdir())
        peers.append(timed_now(partial(_peer, paths, folder / "peer", at_once)))
        if shutil.which("age"):
            others.append(timed_now(lambda: _age(recipient, folder / "peer", folder / "peer.age")))
    whole, median = size * at_once, sorted(seconds)[len(seconds) // 2]
    figures: dict[str, Any] = {
        "outcome": sealed[0].outcome,
        "at_once": at_once,
        "bytes": whole,
        "footage_seconds": int((span.end - span.start).total_seconds()) * at_once,
        "megabits_per_second_of_footage": megabits,
        "processor_seconds_per_gibibyte": sorted(worked)[len(worked) // 2] / whole * GIB,
        "mebibytes_per_second": whole / MIB / median,
        "gibibytes_per_hour": whole / GIB / median * HOUR,
        "camera_hours_per_hour": (span.end - span.start).total_seconds() * at_once / median,
    }
    if others:
        figures["age_command_seconds"] = sorted(others)[len(others) // 2] * at_once
    return told("sealing", seconds, Peer(_PEER, peers), **figures)


async def _seal(recorder: FolderRecorder, span: Span, recipient: str, store: Store, key: str) -> Sealed:
    return await seal(
        recorder.fetch(CHANNEL, span),
        span,
        channel=CHANNEL,
        promised=await recorder.coverage(CHANNEL, span),
        recipients=[recipient],
        store=store,
        bucket=BUCKET,
        key=key,
        metadata={"item": "bench"},
    )


def _peer(paths: list[Path], target: Path, times: int) -> None:
    for _ in range(times):
        digest = hashlib.sha256()
        with target.open("wb") as out:
            for path in paths:
                with path.open("rb") as file:
                    while block := file.read(MIB):
                        digest.update(block)
                        out.write(block)
            out.flush()
            os.fsync(out.fileno())


def _processor_seconds() -> float:
    """Of this process and of the clip processes that have ended; on a machine that others use too, only these count."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _age(recipient: str, source: Path, target: Path) -> None:
    """The age command alone on the same bytes, once."""
    command = [
        shutil.which("age") or "age",
        "--encrypt",
        "--recipient",
        recipient,
        "--output",
        str(target),
        str(source),
    ]
    subprocess.run(command, check=True)  # noqa: S603 - a program of the machine with our own paths
    target.unlink()
