"""What an installation consists of, and under which licences: a CycloneDX bill of materials, and a page for people.

Made from requirements.lock and requirements-detector.lock, from what the installed packages say of themselves, from the
shared libraries in their wheels (libraries.yaml says whose they are) and from the copies in this repository. Written by
``make licences``; a test finds what has drifted.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BILL = HERE / "bill-of-materials.cdx.json"
PAGE = ROOT / "docs" / "licences.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)(?:\s*;\s*(?P<marker>[^\\]+))?")
OWN = {"bpmn.io"}  # licences that SPDX does not list
# What a package says in words, and its SPDX identifier.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-2-Clause",  # pyasn1-modules
    "BSD License": "BSD-3-Clause",  # Jinja, segno
    "ISC License": "ISC",
    "MIT License": "MIT",
    "LGPL v3": "LGPL-3.0-only",
}


@dataclass
class Component:
    """One thing that somebody else made; ``libraries`` are the projects whose shared libraries its wheel carries."""

    name: str
    version: str
    licence: str
    libraries: dict[str, str] = field(default_factory=dict)

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def packages(lock: str = "requirements.lock") -> Iterator[Component]:
    """Yield the packages of a lock file but those for Windows alone; raises LookupError for an unknown licence.

    Where two versions are locked, for different Pythons, the installed one speaks for both.
    """
    locked: dict[str, list[str]] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        found = LOCKED.match(line)
        if found and "win32" not in (found["marker"] or ""):
            locked.setdefault(found[1], []).append(found[2])
    for name, versions in locked.items():
        installed = metadata.distribution(name)
        if installed.version not in versions:
            raise LookupError(
                f"{name} {installed.version} is installed, {versions[0]} is locked: run make setup first."
            )
        licence, libraries = _licence(installed.metadata), _libraries(installed)
        yield from (Component(name, version, licence, libraries) for version in versions)


def _licence(told: metadata.PackageMetadata) -> str:
    if expression := told.get("License-Expression"):
        return expression
    words = [
        told.get("License") or "",
        *(one.split(" :: ")[-1] for one in told.get_all("Classifier") or [] if "License ::" in one),
    ]
    for word in filter(None, words):
        if word in SPDX or re.fullmatch(r"[A-Za-z0-9.-]+", word):
            return SPDX.get(word, word)
    raise LookupError(f"{told['Name']} says its licence in no way that is known here: enter it in {__file__}.")


def _libraries(installed: metadata.Distribution) -> dict[str, str]:
    known: dict[str, dict[str, str]] = yaml.safe_load((HERE / "libraries.yaml").read_text(encoding="utf-8"))
    found = {}
    for file in installed.files or []:
        if ".libs/" not in str(file) or ".so" not in file.name:
            continue
        name = re.split(r"(?:-[0-9a-f]{8})*(?:\.[\d.]+)?\.so", file.name)[0]
        own = f"{installed.metadata['Name']}/{name}"  # where this wheel's is built otherwise than the others'
        name = own if own in known else name
        if name not in known:
            raise LookupError(f"{installed.metadata['Name']} carries {file.name}: enter its licence in libraries.yaml.")
        found[known[name]["project"]] = known[name]["licence"]
    return dict(sorted(found.items(), key=lambda one: one[0].lower()))


def copies() -> list[Component]:
    """Return what lies as a copy in the repository: scripts of the pages and the documents' font."""
    manifests = [ROOT / "services" / folder / "manifest.json" for folder in ("rendering/fonts", "web/static/vendor")]
    return [
        Component(one["name"], one["version"], one["licence"])
        for manifest in manifests
        for one in json.loads(manifest.read_text(encoding="utf-8"))
    ]


def bill(components: list[Component], vendored: list[Component], optional: list[Component]) -> dict[str, Any]:
    """Return the bill of materials, CycloneDX 1.6; no date and no serial number, so it is the same each time."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "footage-desk",
                "version": PROJECT["version"],
                "licenses": _licences("Apache-2.0"),
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": one.purl,
                **({"scope": "optional"} if one in optional else {}),
                "name": one.name,
                "version": one.version,
                "purl": one.purl,
                "licenses": _licences(one.licence),
                **(
                    {"components": [_inside(one, *library) for library in one.libraries.items()]}
                    if one.libraries
                    else {}
                ),
            }
            for one in components + optional
        ]
        + [
            {
                "type": "library",
                "bom-ref": f"copy:{one.name}@{one.version}",
                "name": one.name,
                "version": one.version,
                "licenses": _licences(one.licence),
            }
            for one in vendored
        ],
    }


def _inside(package: Component, project: str, licence: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": f"{package.purl}#{project}", "name": project, "licenses": _licences(licence)}


def _licences(licence: str) -> list[dict[str, Any]]:
    if " " in licence:
        return [{"expression": licence}]
    return [{"license": {"name" if licence in OWN else "id": licence}}]


def page(components: list[Component], vendored: list[Component], optional: list[Component]) -> str:
    """Return docs/licences.md: what stands there before its first table, and the tables anew."""
    before = PAGE.read_text(encoding="utf-8").partition("\n| package |")[0]
    rows = ["| package | licence | libraries in its wheel |", "|---|---|---|", *map(_row, components)]
    rows += ["", "| with the detector alone | licence | libraries in its wheel |", "|---|---|---|"]
    rows += map(_row, optional)
    rows += ["", "| copy in the repository | licence |", "|---|---|"]
    rows += [f"| {one.name} {one.version} | {one.licence} |" for one in vendored]
    return before + "\n" + "\n".join(rows) + "\n"


def _row(one: Component) -> str:
    inside = "; ".join(f"{project} ({licence})" for project, licence in one.libraries.items())
    return f"| {one.name} {one.version} | {one.licence} | {inside} |"


def written() -> dict[Path, str]:
    """Return both files as they have to be; raises LookupError with a sentence."""
    components, vendored, optional = list(packages()), copies(), list(packages("requirements-detector.lock"))
    whole = json.dumps(bill(components, vendored, optional), indent=1, ensure_ascii=False) + "\n"
    return {BILL: whole, PAGE: page(components, vendored, optional)}


if __name__ == "__main__":
    try:
        for path, text in written().items():
            path.write_text(text, encoding="utf-8")
    except LookupError as error:
        sys.exit(str(error))
