"""The benchmarks themselves: each tells a result beside its peer, and leaves nothing behind."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from demo_container import prepare_database
from typer.testing import CliRunner
from whole_footage import MADE_FOR

from services.bench import clip, seal
from services.bench.footage import encode
from services.bench.recording import Recording
from services.cli import main as cli_main
from services.runtime.places import ROOT
from services.runtime.settings.stores import FolderStore
from services.vault.packets import packet_hashes
from services.vault.store.opening import open_store
from services.vault.store.protocol import BUCKETS

PAGE = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")


def measured(*arguments: str) -> dict[str, Any]:
    ended = CliRunner().invoke(cli_main.app, ["bench", *arguments, "--runs", "1"])
    assert ended.exit_code == 0, ended.output
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Footage for every case: encoding takes longer than what is tested."""
    path = tmp_path_factory.mktemp("noise") / "segment.mp4"
    encode(path, 1)
    return path


@pytest.fixture(autouse=True)
def encoded(noise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hands the footage in where a benchmark would encode its own."""

    def copied(path: Path, megabits: float) -> int:
        return Path(shutil.copyfile(noise, path)).stat().st_size

    for module in (seal, clip):
        monkeypatch.setattr(module, "encode", copied)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH: what the pipeline needs, with stand-ins for curl and for ffmpeg."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("age", "bash", "cat", "env", "node", "sha256sum", "sync", "tee"):
        (folder / name).symlink_to(shutil.which(name) or "/absent")
    fetch = (
        "import shutil, sys, urllib.request as web; shutil.copyfileobj(web.urlopen(sys.argv[-1]), sys.stdout.buffer)"
    )
    for name, command in (("curl", f'"{sys.executable}" -c "{fetch}" "$@"'), ("ffmpeg", "cat")):
        (folder / name).write_text(f"#!{folder / 'bash'}\nexec {command}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (("seal", "--size", "1MiB"), "peak_mib"),
        (("seal", "--size", "1MiB", "--concurrency", "2"), "camera_hours_per_hour"),
        (("issue", "--size", "12MiB"), "gibibytes_per_hour"),
        (("clip", "--size", "1MiB"), "mebibytes_per_second"),
        (
            ("redact", "--seconds", "1", "--width", "160", "--height", "96"),
            "pictures_per_second",
        ),
        (("database", "--applications", "2"), "applications_submitted_per_day"),
        (("relay", "--messages", "3"), "messages_per_hour"),
        (("audit", "--events", "300", "--appends", "100"), "recomputed_per_second"),
        (
            ("portal", "--cases", "40", "--open", "20", "--people", "40", "--cameras", "2", "--seconds", "0.2"),
            "milliseconds_p95",
        ),
        (("engine", "--instances", "10", "--open", "3", "--ended", "5"), "instances_per_second_at_concurrency_100"),
    ],
)
def test_a_benchmark_tells_its_figure_and_the_ratio_to_its_peer(
    arguments: tuple[str, ...], figure: str, tmp_path: Path, tools: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    result = measured(*arguments, "--folder", str(place))

    assert result["bench"] == arguments[0]
    assert result[figure] > 0
    ours, theirs = result["seconds"], result["peer"]["seconds"]
    faster = arguments[0] in ("seal", "issue", "clip", "engine")
    assert result["ratio"] == pytest.approx(theirs / ours if faster else ours / theirs, rel=0.2, abs=0.006)
    assert list(place.iterdir()) == []
    assert [name for name in result if f"`{name}`" not in PAGE] == []


def test_a_pipeline_that_lacks_a_tool_is_no_peer(tmp_path: Path, tools: Path) -> None:
    (tools / "curl").unlink()
    result = measured("seal", "--size", "1MiB", "--folder", str(tmp_path))

    assert (result["peer"], result["ratio"]) == (None, None)
    assert result["missing"] == "There is no peer: this machine lacks curl."
    assert result["outcome"] == "complete"
    assert "`missing`" in PAGE


def test_a_pipeline_that_fails_is_told_and_not_measured(tmp_path: Path, tools: Path) -> None:
    (tools / "ffmpeg").write_text(f"#!{tools / 'bash'}\nexit 1\n")

    ended = CliRunner().invoke(
        cli_main.app, ["bench", "seal", "--size", "1MiB", "--folder", str(tmp_path), "--runs", "1"]
    )
    assert ended.exit_code == 1
    assert "The measured command has failed" in ended.stderr


def test_what_was_sealed_into_the_store_of_the_settings_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: Path
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE__FOLDER", str(tmp_path / "store"))
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))

    assert measured("seal", "--size", "1MiB", "--store", "settings")["outcome"] == "complete"
    store = open_store(FolderStore(tmp_path / "store", "footage-desk"))
    assert [key for bucket in BUCKETS for key in store.list_keys(bucket)] == []


@pytest.mark.parametrize("size", ["1", "1KiB", "0MiB", "many"])
def test_what_is_no_size_is_told(size: str) -> None:
    ended = CliRunner().invoke(cli_main.app, ["bench", "seal", "--size", size])
    assert ended.exit_code == 1
    assert f"{size} is not a size" in ended.stderr


def test_a_recording_is_its_segments_one_after_another(noise: Path, tmp_path: Path) -> None:
    recording = Recording(noise.read_bytes())
    whole = b"".join(recording.repeated(3))
    (tmp_path / "whole.mp4").write_bytes(whole)

    assert len(whole) == recording.size(3)
    one = packet_hashes(str(noise))
    assert packet_hashes(str(tmp_path / "whole.mp4")) == one * 3
    with av.open(str(tmp_path / "whole.mp4")) as container:
        times = [packet.dts for packet in container.demux(video=0) if packet.dts is not None]
    assert times == sorted(set(times))


def test_books_that_somebody_uses_are_not_filled(tmp_path: Path) -> None:
    database = prepare_database(tmp_path / "database.sqlite3", MADE_FOR)

    ended = CliRunner().invoke(cli_main.app, ["bench", "database", "--database-url", f"sqlite:///{database}"])
    assert ended.exit_code == 1
    assert "it is not empty" in ended.stderr
