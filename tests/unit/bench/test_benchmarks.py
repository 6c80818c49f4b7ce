"""The benchmarks themselves: each tells a result beside its peer, and leaves nothing behind."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from whole_footage import MADE_FOR
from whole_house import prepare_books

from services import cli
from services.runtime.stores import FolderStore
from services.vault.store import BUCKETS
from services.vault.stores import open_store

PAGE = (Path(__file__).parents[3] / "docs" / "capacity.md").read_text(encoding="utf-8")


def measured(*arguments: str) -> dict[str, Any]:
    ended = CliRunner().invoke(cli.app, ["bench", *arguments, "--runs", "1"])
    assert ended.exit_code == 0, ended.output
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (("sealing", "--mebibytes", "1"), "gibibytes_per_hour"),
        (("sealing", "--mebibytes", "1", "--at-once", "2"), "camera_hours_per_hour"),
        (("register", "--applications", "2"), "applications_submitted_per_day"),
        (("relay", "--messages", "3"), "messages_per_hour"),
    ],
)
def test_a_benchmark_tells_its_figure_and_the_ratio_to_its_peer(
    arguments: tuple[str, ...], figure: str, tmp_path: Path
) -> None:
    result = measured(*arguments, "--folder", str(tmp_path))

    assert result["bench"] == arguments[0]
    assert result[figure] > 0
    assert result["ratio"] == pytest.approx(result["seconds"] / result["peer"]["seconds"], rel=0.2)
    assert list(tmp_path.iterdir()) == []
    assert [name for name in result if f"`{name}`" not in PAGE] == []


def test_what_was_sealed_into_the_store_of_the_settings_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_STORE_FOLDER", str(tmp_path / "store"))
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path / "var"))

    assert measured("sealing", "--mebibytes", "1", "--store")["outcome"] == "complete"
    store = open_store(FolderStore(tmp_path / "store", "footage-desk"))
    assert [key for bucket in BUCKETS for key in store.list_keys(bucket)] == []


def test_books_that_somebody_uses_are_not_filled(tmp_path: Path) -> None:
    books = prepare_books(tmp_path / "register.db", MADE_FOR)

    ended = CliRunner().invoke(cli.app, ["bench", "register", "--database-url", f"sqlite:///{books}"])
    assert ended.exit_code == 1
    assert "they are not empty" in ended.stderr
