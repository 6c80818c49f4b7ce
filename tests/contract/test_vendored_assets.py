"""What the browser loads from others lies here as it was released: named, licensed, and with its hash."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.runtime.places import ROOT

SERVICES = ROOT / "services"
FOLDERS = [
    SERVICES / "web" / "static" / "vendor",
    SERVICES / "verifier" / "page" / "vendor",
    SERVICES / "rendering" / "fonts",
]
ASSETS = ROOT / "deploy" / "assets"
MANIFESTS: dict[Path, list[dict[str, Any]]] = {
    folder: json.loads((folder / "manifest.json").read_text(encoding="utf-8")) for folder in FOLDERS
}
EACH = [
    pytest.param(folder, entry, id=str(entry["name"])) for folder, entries in MANIFESTS.items() for entry in entries
]


@pytest.mark.parametrize(("folder", "entry"), EACH)
def test_each_file_is_what_was_released(folder: Path, entry: dict[str, Any]) -> None:
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in entry["sha256"]}
    assert found == entry["sha256"], "run `npm ci && npm run vendor` in deploy/assets, and edit nothing by hand"


@pytest.mark.parametrize(("folder", "entry"), EACH)
def test_each_has_its_licence_beside_it(folder: Path, entry: dict[str, Any]) -> None:
    assert entry["licence"]
    text = (folder / f"{entry['name'].split('/')[-1]}.licence.txt").read_text(encoding="utf-8")
    assert f"{entry['name']} {entry['version']}" in text


def test_the_font_has_its_own_copyright_beside_it() -> None:
    folder = ROOT / "services" / "rendering" / "fonts"
    [notice] = set(re.findall(rb"\(c\) [^.]*\.", (folder / "NotoSerifSC-Regular.ttf").read_bytes().replace(b"\0", b"")))
    assert b"Adobe" in notice
    assert notice.decode() in (folder / "noto-serif-sc.licence.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_nothing_lies_there_that_nobody_lists(folder: Path) -> None:
    listed = {name for entry in MANIFESTS[folder] for name in entry["sha256"]}
    assert {path.name for path in folder.iterdir()} == listed | {"manifest.json"}


def test_the_lock_holds_the_same_versions_and_no_address() -> None:
    lock = json.loads((ASSETS / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((ASSETS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {entry["name"]: entry["version"] for entries in MANIFESTS.values() for entry in entries} == wanted
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
