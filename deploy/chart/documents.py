"""README.md and values.schema.json of the chart, made from the comments in values.yaml; copies of the alerts too.

A value is described by the comment above it that begins with ``# --``; ``# @schema {…}`` adds to what follows from its
default. Written by ``make chart-docs``; a test finds what has drifted.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1]
CHART = DEPLOY.parent / "charts" / "footage-desk"
COPIES = {"alerts": (DEPLOY / "prometheus" / "rules", "*.yaml"), "dashboards": (DEPLOY / "grafana", "*.json")}
# Maps whose keys are the operator's own.
FREE = {"config", "workers", "commonLabels", "portal.extraEnv", "nodeSelector", "affinity"}
KEY = re.compile(r"( *)([A-Za-z][\w-]*):(?: (.*))?$")


@dataclass
class Value:
    """One key of values.yaml: its path, what stands above it, its default."""

    path: tuple[str, ...]
    told: str
    extra: dict[str, Any]
    default: Any
    children: list["Value"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return ".".join(self.path)


def read(text: str) -> list[Value]:
    """The values in their order, nested as they are."""
    values = yaml.safe_load(text)
    roots: list[Value] = []
    stack: list[tuple[int, Value]] = []
    comment: list[str] = []
    for line in text.splitlines():
        found = KEY.match(line)
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        if found is None or line.lstrip().startswith("- "):
            comment = []
            continue
        indent, key = len(found.group(1)), found.group(2)
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if stack and not isinstance(stack[-1][1].default, dict):
            continue  # a key of an item of a list
        path = (*stack[-1][1].path, key) if stack else (key,)
        told, extra = _comment(comment)
        value = Value(path, told, extra, _at(values, path))
        (stack[-1][1].children if stack else roots).append(value)
        stack.append((indent, value))
        comment = []
    return roots


def _comment(lines: list[str]) -> tuple[str, dict[str, Any]]:
    told, extra = [], {}
    begun = False
    for line in lines:
        if line.startswith("@schema "):
            extra = json.loads(line.removeprefix("@schema "))
        elif line.startswith("-- "):
            begun, told = True, [line.removeprefix("-- ")]
        elif begun:
            told.append(line)
    return " ".join(told), extra


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def leaves(values: list[Value]) -> Iterator[Value]:
    """What an operator sets: what is described itself, or has nothing below it."""
    for value in values:
        if value.told or not value.children:
            yield value
        else:
            yield from leaves(value.children)


def readme(values: list[Value]) -> str:
    """The chart's README: its head from README.head.md, then the table of the values."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    head = (CHART / "README.head.md").read_text(encoding="utf-8").rstrip()
    access = json.loads((CHART / "files" / "access.json").read_text(encoding="utf-8"))
    parts = {"portal": access["portal"], **access["jobTypes"]}
    lines = [head, "", "## What each part is given", "", "| part | beside database and gateway |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(needs) or '—'} |" for name, needs in parts.items() if needs]
    rest = [f"`{name}`" for name, needs in parts.items() if not needs]
    lines += [f"| {', '.join(rest)} | — |", "", "## Values", "", "| value | default | what it is |", "|---|---|---|"]
    for value in leaves(values):
        default = "see [values.yaml](values.yaml)" if _long(value.default) else f"`{_shown(value.default)}`"
        lines.append(f"| `{value.name}` | {default} | {value.told.replace('|', chr(92) + '|')} |")
    lines += ["", f"Chart {chart['version']} of Footage Desk {chart['appVersion']}. Made from values.yaml.", ""]
    return "\n".join(lines)


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False)


def _long(default: Any) -> bool:
    return len(_shown(default)) > 60


def schema(values: list[Value]) -> str:
    """The JSON schema: closed, so that a mistyped value is found; ``global`` is Helm's own."""
    root = _object(values)
    root["properties"]["global"] = {"type": "object"}
    root["properties"]["workers"] = {
        "type": "object",
        "additionalProperties": {**_worker(values), "required": ["jobTypes"]},
    }
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **root}, indent=2) + "\n"


def _worker(values: list[Value]) -> dict[str, Any]:
    defaults = next(value for value in values if value.name == "workerDefaults")
    worker = _object(defaults.children)
    worker["properties"]["jobTypes"] = {"type": "array", "items": {"type": "string"}}
    return worker


def _object(values: list[Value]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {value.path[-1]: _schema(value) for value in values},
    }


def _schema(value: Value) -> dict[str, Any]:
    told = {"description": value.told} if value.told else {}
    last = value.path[-1]
    if value.name in FREE or last in ("extraEnv", "resources", "annotations", "labels", "podLabels", "podAnnotations"):
        return {**told, "type": "object", **value.extra}
    if last in ("podSecurityContext", "containerSecurityContext"):
        return {**told, "type": "object"}
    if value.children:
        return {**told, **_object(value.children), **value.extra}
    kinds: dict[type, Any] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
    }
    return {**told, "type": kinds[type(value.default)], **value.extra}


def main() -> None:
    values = read((CHART / "values.yaml").read_text(encoding="utf-8"))
    for name, text in (("README.md", readme(values)), ("values.schema.json", schema(values))):
        (CHART / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name} is written\n")
    for name, (originals, pattern) in COPIES.items():
        folder = CHART / "files" / name
        shutil.rmtree(folder, ignore_errors=True)  # a chart takes files from beside itself only
        folder.mkdir(parents=True)
        for path in sorted(originals.glob(pattern)):
            shutil.copy(path, folder)
        sys.stdout.write(f"files/{name} is copied\n")


if __name__ == "__main__":
    main()
