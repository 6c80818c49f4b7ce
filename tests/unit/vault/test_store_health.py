"""The health of stores: what MinIO tells, and what becomes of the answers of servers that are none, or hostile."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from recorders.raw_server import CHUNKED, Reply, Request, serving

from services.runtime.settings.stores import FolderStore, S3Store
from services.runtime.storage_health import StorageHealth
from services.vault.store import health
from services.vault.store.health import HEALTH, METRICS, read_health

TOKEN = "eyJ.metrics"
WELL = Reply(headers={"X-Minio-Write-Quorum": "3"})
LOST = Reply(status=503, headers={"X-Minio-Write-Quorum": "3", "X-Minio-Healing-Drives": "1"})


def told(online: int = 4, offline: int = 0, free: str = "6e+12", healing: int = 0) -> str:
    of = '{pool="0",server="10.0.0.1:9000",set="0"}'
    return f"""# HELP minio_cluster_drive_online_total Total drives online in this cluster
# TYPE minio_cluster_drive_online_total gauge
minio_cluster_drive_online_total{{server="10.0.0.1:9000"}} {online}
minio_cluster_drive_offline_total{{server="10.0.0.1:9000"}} {offline}
minio_cluster_nodes_offline_total{{server="10.0.0.1:9000"}} 0
minio_cluster_capacity_usable_total_bytes{{server="10.0.0.1:9000"}} 8e+12
minio_cluster_capacity_usable_free_bytes{{server="10.0.0.1:9000"}} {free}
minio_cluster_health_erasure_set_online_drives{of} {online}
minio_cluster_health_erasure_set_write_quorum{of} 3
minio_cluster_health_erasure_set_healing_drives{of} {healing}
"""


def answering(alive: Reply, metrics: Reply | str = "") -> Callable[[Request], Reply]:
    def answer(asked: Request) -> Reply:
        if asked.path == HEALTH:
            return alive
        if asked.path == METRICS and asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(status=403)
        return metrics if isinstance(metrics, Reply) else Reply(metrics.encode(), kind="text/plain")

    return answer


async def read(answer: Callable[[Request], Reply], token: str | None = TOKEN) -> StorageHealth:
    async with serving(answer) as address:
        place = S3Store(
            address.removeprefix("http://"), "a", SecretStr("s"), False, None, "p", None, token and SecretStr(token)
        )
        return await asyncio.to_thread(read_health, place)


@pytest.mark.requirement("R10")
async def test_minio_tells_its_disks_its_quorum_and_its_space() -> None:
    well = await read(answering(WELL, told()))
    assert (well.state, well.findings) == ("good", ())
    assert well.figures == {
        **{"writeQuorum": 3, "drivesOnline": 4, "drivesOffline": 0, "nodesOffline": 0, "drivesHealing": 0},
        **{"erasureSets": 1, "totalBytes": 8 * 10**12, "freeBytes": 6 * 10**12},
    }
    failed = await read(answering(WELL, told(online=3, offline=1, healing=1)))
    assert failed.state == "bad"
    assert [str(one) for one in failed.findings] == ["1 disk is offline.", "1 disk is being rebuilt."]
    below = await read(answering(WELL, told(online=2, offline=2)))
    assert "1 erasure set has fewer disks than it needs to write." in map(str, below.findings)
    full = await read(answering(WELL, told(free="4e+11")))
    assert (full.state, str(full.findings[0])[:26]) == ("bad", "Only 5 % of its space is f")
    lost = await read(answering(LOST, told()))
    assert lost.state == "bad", "a store that cannot write is in bad health, whatever its metrics say"


@pytest.mark.requirement("R10")
async def test_what_cannot_be_read_is_not_told_and_not_made_up() -> None:
    without = await read(answering(WELL, told()), token=None)
    assert (without.state, without.figures) == ("good", {"writeQuorum": 3})
    assert "not reported" in str(without.findings[0])
    refused = await read(answering(WELL, told()), token="another")
    assert (refused.state, "freeBytes" in refused.figures) == ("good", False)
    assert "does not accept the token" in str(refused.findings[0])
    for other in (Reply(b"<html>", 404), Reply(b"ok"), Reply(b"", 302, headers={"Location": "http://127.0.0.1:1/"})):
        alien = await read(answering(other, told()))
        assert (alien.state, alien.figures) == ("not-told", {})
        assert "does not report its health" in str(alien.findings[0])


@pytest.mark.requirement("R10")
@pytest.mark.parametrize(
    ("alive", "metrics"),
    [
        (Reply(headers={"X-Minio-Write-Quorum": "3" * 40}), ""),
        (Reply(headers={"X-Minio-Write-Quorum": "-3"}), ""),
        (WELL, "minio_cluster_drive_online_total NaN\nminio_cluster_drive_offline_total -1\n"),
        (WELL, "minio_cluster_drive_online_total 1e300\n" + "x" * 5000 + "\n\x00\ufffd"),
        (WELL, Reply(b"\xff" * 100)),
        (WELL, Reply(b"x" * 100, length=10**12)),
        (WELL, Reply(b"x", length=CHUNKED, cut=1)),
        (Reply(length="ten"), ""),
        (Reply(b"x" * 50, length=50, cut=2), ""),
    ],
)
async def test_a_hostile_answer_of_a_store_becomes_a_sentence(alive: Reply, metrics: Reply | str) -> None:
    read_ = await read(answering(alive, metrics))
    assert read_.findings
    assert all(finding.zh != finding.en for finding in read_.findings)
    assert not {"drivesOnline", "freeBytes"} & read_.figures.keys()


@pytest.mark.requirement("R10")
async def test_a_store_that_hangs_floods_or_is_gone_is_in_bad_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.2)
    monkeypatch.setattr(health, "LARGEST", 1000)
    for wrong in (Reply(length=10, hangs=True), Reply(b"x" * 5000)):
        assert (await read(answering(wrong))).state == "bad"
    async with serving(answering(WELL)) as address:
        gone = address.removeprefix("http://")
    assert read_health(S3Store(gone, "a", SecretStr("s"), False, None, "p", None)).state == "bad"
    assert read_health(S3Store("[", "a", SecretStr("s"), True, None, "p", None)).state == "bad"


@pytest.mark.requirement("R10")
def test_a_folder_tells_its_space_and_not_its_disks(tmp_path: Path) -> None:
    there = read_health(FolderStore(tmp_path, "p"), least_free_percent=0)
    assert (there.state, {"totalBytes", "freeBytes"} <= there.figures.keys()) == ("not-told", True)
    assert read_health(FolderStore(tmp_path, "p"), least_free_percent=101).state == "bad"
    assert read_health(FolderStore(tmp_path / "gone", "p")).state == "bad"
