"""The health of a store: of MinIO as it tells it, of a folder the room on its disk (R10).

``/minio/health/cluster`` is public and says whether enough disks answer for all to be written; the rest is in the
metrics, where a token for them is set. Another S3 server tells neither. Nothing of an answer is believed but its
status, some of its headers and the numbers that are named here.
"""

import re
import shutil
import ssl
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from services.runtime.settings.stores import S3Store, StorePlace
from services.runtime.storage_health import BAD, GOOD, NOT_TOLD, State, StorageHealth, whole
from services.runtime.translations import Counted, Message, Text

HEALTH, METRICS = "/minio/health/cluster", "/minio/v2/metrics/cluster"
SECONDS = 10.0  # for each step of an answer
LARGEST = 8 << 20  # bytes of an answer
MOST_SETS = 4096  # erasure sets that are looked at
LEAST_FREE_PERCENT = 10
_NUMBER = re.compile(r"[0-9]{1,5}")
_SAMPLE = re.compile(r"(minio_cluster_[a-z_]{1,80})(?:\{([^}]{0,500})\})?[ \t]+(\S{1,40})(?:[ \t]+\S{1,20})?")
_SET = re.compile(r'\b(pool|set)="([0-9]{1,6})"')
# MinIO called drives disks before 2023
_TOTALS = {
    "minio_cluster_drive_online_total": "drivesOnline",
    "minio_cluster_disk_online_total": "drivesOnline",
    "minio_cluster_drive_offline_total": "drivesOffline",
    "minio_cluster_disk_offline_total": "drivesOffline",
    "minio_cluster_nodes_online_total": "nodesOnline",
    "minio_cluster_nodes_offline_total": "nodesOffline",
    "minio_cluster_capacity_usable_total_bytes": "totalBytes",
    "minio_cluster_capacity_usable_free_bytes": "freeBytes",
}
_OF_A_SET = "minio_cluster_health_erasure_set_"


class _Unanswered(Exception):
    """The store gave no whole answer; ``told`` completes the sentence."""

    def __init__(self, told: Text) -> None:
        super().__init__(str(told))
        self.told = told


@dataclass
class _Told:
    state: State = NOT_TOLD
    findings: list[Text] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def bad(self, finding: Text) -> None:
        self.state = BAD
        self.findings.append(finding)

    def read(self) -> StorageHealth:
        return StorageHealth(self.state, tuple(self.findings), self.figures)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def read_health(place: StorePlace, *, least_free_percent: int = LEAST_FREE_PERCENT) -> StorageHealth:
    """Read the health of a store; it blocks. Whatever the store answers becomes a sentence, and no error."""
    told = _Told()
    if isinstance(place, S3Store):
        _read_server(place, told)
    else:
        _read_folder(place.path, told)
    total, free = told.figures.get("totalBytes"), told.figures.get("freeBytes")
    if total and free is not None and free * 100 < total * least_free_percent:
        told.bad(
            Message("Only {percent} % of its space is free: enlarge it, or dispose of what is due.",
                    percent=free * 100 // total)
        )  # fmt: skip
    return told.read()


def _read_folder(path: Path, told: _Told) -> None:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        told.bad(Message("The folder cannot be read: check the disk or the mount."))
        return
    told.figures.update(totalBytes=usage.total, freeBytes=usage.free)
    told.findings.append(Message("A folder reports its free space, and not whether a disk fails."))


def _read_server(place: S3Store, told: _Told) -> None:
    try:
        with _client(place) as client:
            if _read_quorum(client, told):
                _read_metrics(client, place, told)
    except _Unanswered as silent:
        told.bad(silent.told)
    except (OSError, ssl.SSLError, httpx.InvalidURL, ValueError):
        told.bad(Message("The store cannot be asked: check its address and its certificate authority."))


def _client(place: S3Store) -> httpx.Client:
    scheme = "https" if place.secure else "http"
    context = ssl.create_default_context(cafile=place.ca_file) if place.secure else True
    return httpx.Client(
        base_url=f"{scheme}://{place.endpoint}",
        verify=context,
        timeout=SECONDS,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
    )


def _read_quorum(client: httpx.Client, told: _Told) -> bool:
    """Read whether enough disks answer; return whether it is a MinIO that answers."""
    answer = _get(client, HEALTH, {})
    quorum = answer.headers.get("x-minio-write-quorum", "")
    is_minio = _NUMBER.fullmatch(quorum) is not None
    if not is_minio or answer.status not in (200, 503):
        told.findings.append(
            Message("The store does not report its health ({status} from {path}).", status=answer.status, path=HEALTH)
        )
        return False
    told.figures["writeQuorum"] = int(quorum)
    healing = answer.headers.get("x-minio-healing-drives", "")
    if _NUMBER.fullmatch(healing):
        told.figures["drivesHealing"] = int(healing)
    if answer.status == 503:
        told.bad(Message("Too few disks answer: nothing can be written until enough of them are back."))
    else:
        told.state = GOOD
    return True


def _read_metrics(client: httpx.Client, place: S3Store, told: _Told) -> None:
    if place.metrics_token is None:
        told.findings.append(
            Message("Single disks and free space are not reported: no token for the store's metrics is set.")
        )
        return
    try:
        answer = _get(client, METRICS, {"Authorization": f"Bearer {place.metrics_token.get_secret_value()}"})
    except _Unanswered as silent:
        told.findings.append(silent.told)  # it has just answered: what it told then stands
        return
    if answer.status in (401, 403):
        told.findings.append(
            Message("The store does not accept the token for its metrics: make another one and set it.")
        )
        return
    found, sets = _samples(answer.body) if answer.status == 200 else ({}, {})
    if "drivesOnline" not in found and not sets:
        told.findings.append(
            Message("The store's metrics name no disks ({status} from {path}).", status=answer.status, path=METRICS)
        )
        return
    told.figures.update(found)
    _judge(told, sets)


def _judge(told: _Told, sets: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
    if sets:
        told.figures["erasureSets"] = len(sets)
        told.figures["drivesHealing"] = sum(one.get("healing_drives", 0) for one in sets.values())
    if offline := told.figures.get("drivesOffline", 0):
        told.bad(Counted("{count} disk is offline.", "{count} disks are offline.", offline))
    if offline := told.figures.get("nodesOffline", 0):
        told.bad(
            Counted("{count} server of the store is offline.", "{count} servers of the store are offline.", offline)
        )
    lacking = [one for one in sets.values() if one.get("online_drives", 0) < one.get("write_quorum", 0)]
    if lacking:
        told.bad(
            Counted(
                "{count} erasure set has fewer disks than it needs to write.",
                "{count} erasure sets have fewer disks than they need to write.",
                len(lacking),
            )
        )
    if told.figures.get("drivesHealing"):
        told.findings.append(
            Counted("{count} disk is being rebuilt.", "{count} disks are being rebuilt.", told.figures["drivesHealing"])
        )


def _samples(body: bytes) -> tuple[dict[str, int], dict[tuple[str, str], dict[str, int]]]:
    """Read the totals, and the numbers of each erasure set by pool and set, of what is in Prometheus' text format."""
    totals: dict[str, int] = {}
    sets: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for line in body.decode("utf-8", "replace").splitlines():
        match = _SAMPLE.fullmatch(line.strip())
        if match is None:
            continue
        name, labels, text = match.groups()
        try:
            value = whole(float(text))
        except ValueError:
            continue
        if value is None:
            continue
        if name in _TOTALS:
            # each server that tells of the whole cluster tells the same
            totals[_TOTALS[name]] = max(value, totals.get(_TOTALS[name], 0))
        elif name.startswith(_OF_A_SET):
            placed = dict(_SET.findall(labels or ""))
            key = placed.get("pool", ""), placed.get("set", "")
            if "" not in key and (key in sets or len(sets) < MOST_SETS):
                sets[key][name.removeprefix(_OF_A_SET)] = value
    return totals, dict(sets)


def _get(client: httpx.Client, path: str, headers: Mapping[str, str]) -> _Answer:
    try:
        with client.stream("GET", path, headers=headers) as response:
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > LARGEST:
                    raise _Unanswered(Message("The store's answer to {path} is too large to be one.", path=path))
            return _Answer(response.status_code, response.headers, bytes(body))
    except httpx.TimeoutException as error:
        raise _Unanswered(Message("The store does not answer in time.")) from error
    except httpx.ConnectError as error:
        raise _Unanswered(
            Message("The store cannot be reached: check that it runs, its address and its certificate.")
        ) from error
    except httpx.HTTPError as error:
        raise _Unanswered(Message("The store's answer to {path} is no HTTP.", path=path)) from error
