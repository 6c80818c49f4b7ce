"""What the browser loads from others lies here as it was released: named, licensed, and with its hash."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "services" / "portal" / "static" / "vendor"
ASSETS = ROOT / "deploy" / "assets"
MANIFEST: list[dict[str, Any]] = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: str(entry["name"]))
def test_each_file_is_what_was_released(entry: dict[str, Any]) -> None:
    found = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in entry["sha256"]}
    assert found == entry["sha256"], "run `npm ci && npm run vendor` in deploy/assets, and edit nothing by hand"


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: str(entry["name"]))
def test_each_has_its_licence_beside_it(entry: dict[str, Any]) -> None:
    assert entry["licence"]
    text = (VENDOR / f"{entry['name']}.licence.txt").read_text(encoding="utf-8")
    assert f"{entry['name']} {entry['version']}" in text


def test_nothing_lies_there_that_nobody_lists() -> None:
    listed = {name for entry in MANIFEST for name in entry["sha256"]}
    assert {path.name for path in VENDOR.iterdir()} == listed | {"manifest.json"}


def test_the_lock_holds_the_same_versions_and_no_address() -> None:
    lock = json.loads((ASSETS / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((ASSETS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {entry["name"]: entry["version"] for entry in MANIFEST} == wanted
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
