"""``bench engine``: instances from their creation to their end over gRPC, in an empty engine and in one with many.

The engine is the command itself, in a process of its own, and so are its clients. The peer is a broker at an address,
with the same clients, or the least that durability costs here: a row with full sync for each commit.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.bench import engine_clients
from services.bench.engine_clients import Task
from services.bench.engine_fill import fill
from services.bench.figures import GIB, MIB, Peer, report, timed_sync
from services.bench.memory import Peak
from services.runtime.errors import Fatal

CLIENTS = (1, 10, 100)
_COUNTED = 10  # of them, for seconds, ratio and slope
_COMMITS = 3  # of an instance: created, its job handed out, its job completed
_READY_SECONDS = 60
_ROWS = f"one client: {_COMMITS} commits of one row with full sync for each instance, in SQLite on the same disk"
_BROKER = "the same clients with the broker at {address}"


@dataclass(frozen=True)
class Started:
    """A running engine: ``seconds`` from its command to its first answer."""

    pid: int
    address: str
    seconds: float


@dataclass(frozen=True)
class Served:
    """What clients saw: seconds of each run by their number, and of each hand-out of a job."""

    seconds: dict[int, list[float]]
    hand_outs: list[float]
    instances: int

    def figures(self, instances: int) -> dict[str, Any]:
        """As the benchmark tells them."""
        rates = {
            f"instances_per_second_at_concurrency_{number}": round(instances / statistics.median(seconds), 1)
            for number, seconds in self.seconds.items()
        }
        hundredths = statistics.quantiles(self.hand_outs, n=100, method="inclusive")
        return rates | {
            "hand_out_milliseconds_p50": round(hundredths[49] * 1000, 2),
            "hand_out_milliseconds_p99": round(hundredths[98] * 1000, 2),
        }


def measure(folder: Path, *, instances: int, opened: int, ended: int, runs: int, zeebe: str | None) -> dict[str, Any]:
    """``instances`` for each number of clients; again with ``opened`` and ``ended`` others. Raises Fatal."""
    empty, served = _measured(folder / "empty", instances, runs)
    fill(folder / "filled", opened=opened, ended=ended)
    filled, served_beside = _measured(folder / "filled", instances, runs)
    ours, beside = served.seconds[_COUNTED], served_beside.seconds[_COUNTED]
    peer, of_peer = _peer(folder, zeebe, instances, runs)
    return report(
        "engine",
        ours,
        peer,
        faster=True,
        of_peer=of_peer,
        instances=instances,
        **empty,
        filled={"open": opened, "ended": ended, **filled},
        slope=statistics.median(beside) / statistics.median(ours),
        slope_of_processor=filled["processor_microseconds"] / empty["processor_microseconds"],
    )


def _measured(folder: Path, instances: int, runs: int) -> tuple[dict[str, Any], Served]:
    with _engine(folder) as engine, Peak(engine.pid) as peak:
        before = _processor_seconds(engine.pid)
        served = _served(engine.address, instances, runs)
        processor = _processor_seconds(engine.pid) - before
    figures = served.figures(instances) | {
        "processor_microseconds": round(processor / served.instances * 1e6),
        "start_seconds": round(engine.seconds, 3),
        "peak_mib": round(peak.bytes / MIB, 1),
        "file_gib": round(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / GIB, 3),
    }
    return figures, served


@contextmanager
def _engine(folder: Path) -> Iterator[Started]:
    command = [
        str(Path(sys.executable).with_name("footage-desk")),
        "engine",
        "--address",
        f"unix:{folder / 'gateway.socket'}",
        "--data",
        str(folder),
    ]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            address = line.rstrip(".\n").rpartition(" ")[2]
            if not address:
                raise Fatal("the engine that was to be measured did not start: what it said stands above.")
            with grpc.insecure_channel(address) as channel:
                rpc.GatewayStub(channel).Topology(pb.TopologyRequest(), timeout=_READY_SECONDS, wait_for_ready=True)
            yield Started(process.pid, address, time.perf_counter() - begun)
        finally:
            process.terminate()


def _served(address: str, instances: int, runs: int) -> Served:
    task = json.dumps(asdict(Task(address, CLIENTS, instances, runs)))
    command = [sys.executable, "-m", engine_clients.__name__]
    ended = subprocess.run(command, input=task, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if ended.returncode:
        raise Fatal(f"The clients of {address} have failed: {ended.stderr.strip()[-500:]}")
    told_by_clients = json.loads(ended.stdout)
    by_number = {int(number): seconds for number, seconds in told_by_clients["seconds"].items()}
    return Served(by_number, told_by_clients["hand_outs"], told_by_clients["instances"])


def _peer(folder: Path, zeebe: str | None, instances: int, runs: int) -> tuple[Peer, dict[str, float]]:
    if zeebe is not None:
        served = _served(zeebe, instances, runs)
        return Peer(_BROKER.format(address=zeebe), served.seconds[_COUNTED]), served.figures(instances)
    seconds = [timed_sync(lambda: _commit_rows(folder / "rows.sqlite3", instances)) for _ in range(runs)]
    return Peer(_ROWS, seconds), {"instances_per_second": instances / statistics.median(seconds)}


def _commit_rows(file: Path, instances: int) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE IF NOT EXISTS rows (key INTEGER PRIMARY KEY, document TEXT)")
        for _ in range(_COMMITS * instances):
            connection.execute("INSERT INTO rows (document) VALUES (?)", (engine_clients.VARIABLES,))


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
