"""Packages that bring kinds of recorder, as an installation leaves them: their modules and what describes them."""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

from services.recorders.outside import GROUP

EXAMPLE = Path(__file__).parents[1] / "data" / "recorder-kind"


def describe(site: Path, name: str, version: str, points: Mapping[str, str]) -> None:
    """Write what says that a package is installed in ``site`` and which kinds it brings."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    lines = [f"[{GROUP}]", *(f"{point} = {value}" for point, value in points.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def install_example(site: Path) -> None:
    """Install the example package into a folder, without an index."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site.mkdir(parents=True, exist_ok=True)
    shutil.copy(EXAMPLE / "example_nvr.py", site)
    describe(site, project["name"], project["version"], project["entry-points"][GROUP])
