"""README.md and values.schema.json of the chart, made from the comments in values.yaml; copies of the alerts too.

A value is described by the comment above it that begins with ``# --``; ``# @schema {…}`` adds to what follows from its
default. A map below ``# @pod`` also takes what stands under POD, for the pods of one part. Written by
``make chart-docs``; a test finds what has drifted.
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
# What holds for every pod, and may be said of one part's pods as well; the last two of Deployments alone.
POD = (
    *("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName", "schedulerName"),
    *("hostAliases", "dnsPolicy", "dnsConfig", "podLabels", "podAnnotations"),
    *("extraEnv", "extraEnvFrom", "extraVolumes", "extraVolumeMounts", "initContainers", "sidecars"),
    *("topologySpreadConstraints", "updateStrategy"),
)
TEXT, OBJECT = {"type": "string"}, {"type": "object"}


def _closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return schema | ({"required": list(required)} if required else {})


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _named(*required: str) -> dict[str, Any]:
    return {"type": "object", "required": ["name", *required]}


# Labels and annotations; a number or a truth value there would be refused by the API server alone.
TEXTS = _map(TEXT)
VARIABLE = {"type": ["string", "number", "boolean"]}
QUANTITIES = _map({"type": ["string", "number", "null"]})
PEERS = _list(_closed(podSelector=OBJECT, namespaceSelector=OBJECT, ipBlock=OBJECT))
PORTS = _list({"type": "integer", "minimum": 1, "maximum": 65535})
# What Kubernetes takes, by the last word of a value's name: as far as a mistyped word would show late, or never.
KUBERNETES = {
    **dict.fromkeys(("annotations", "labels", "podLabels", "podAnnotations", "commonLabels", "nodeSelector"), TEXTS),
    **dict.fromkeys(("commonAnnotations", "deploymentAnnotations"), TEXTS),
    **dict.fromkeys(("podSecurityContext", "containerSecurityContext", "affinity"), OBJECT),
    **dict.fromkeys(("metrics", "triggers", "parentRefs"), _list(OBJECT)),
    **dict.fromkeys(("extraEgress", "portalExtraEgress"), _list(_closed(to=_list(OBJECT), ports=_list(OBJECT)))),
    **dict.fromkeys(("initContainers", "sidecars", "extraVolumes"), _list(_named())),
    "config": _map(VARIABLE),
    "extraEnv": _map({"anyOf": [VARIABLE, _closed(("valueFrom",), valueFrom=OBJECT)]}),
    "extraEnvFrom": _list(_closed(configMapRef=OBJECT, secretRef=OBJECT, prefix=TEXT)),
    "extraVolumeMounts": _list(_named("mountPath")),
    "resources": _closed(requests=QUANTITIES, limits=QUANTITIES, claims=_list(OBJECT)),
    "tolerations": _list(
        _closed(key=TEXT, operator=TEXT, value=TEXT, effect=TEXT, tolerationSeconds={"type": "integer"})
    ),
    "topologySpreadConstraints": _list({"type": "object", "required": ["topologyKey", "whenUnsatisfiable"]}),
    "hostAliases": _list(_closed(("ip", "hostnames"), ip=TEXT, hostnames=_list(TEXT))),
    "dnsConfig": _closed(nameservers=_list(TEXT), searches=_list(TEXT), options=_list(OBJECT)),
    "updateStrategy": _closed(
        ("type",),
        type={"enum": ["RollingUpdate", "Recreate"]},
        rollingUpdate=_closed(maxUnavailable={"type": ["integer", "string"]}, maxSurge={"type": ["integer", "string"]}),
    ),
}
KEY = re.compile(r"( *)([A-Za-z][\w-]*):(?: (.*))?$")


@dataclass
class Value:
    """One key of values.yaml: its path, what stands above it, its default."""

    path: tuple[str, ...]
    told: str
    extra: dict[str, Any]
    default: Any
    pod: bool = False
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
        value = Value(path, told, extra, _at(values, path), "@pod" in comment)
        (stack[-1][1].children if stack else roots).append(value)
        stack.append((indent, value))
        comment = []
    return roots


def _comment(lines: list[str]) -> tuple[str, dict[str, Any]]:
    told, extra = [], {}
    begun = False
    for line in lines:
        if line == "@pod":
            continue
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
    lines += [f"| {', '.join(rest)} | — |", "", "## What a ResourceQuota has to hold", "", *quota(values)]
    lines += ["", "## Values", "", "| value | default | what it is |", "|---|---|---|"]
    for value in leaves(values):
        default = "see [values.yaml](values.yaml)" if _long(value.default) else f"`{_shown(value.default)}`"
        lines.append(f"| `{value.name}` | {default} | {value.told.replace('|', chr(92) + '|')} |")
    lines += ["", f"Chart {chart['version']} of Footage Desk {chart['appVersion']}. Made from values.yaml.", ""]
    return "\n".join(lines)


def quota(values: list[Value]) -> list[str]:
    """What the pods of values.yaml ask for, as a table: at rest, and while an upgrade replaces each."""
    plain = {value.name: value.default for value in values}
    parts = [plain["portal"], *({**plain["workerDefaults"], **own} for own in plain["workers"].values())]
    at_rest = [part["resources"] for part in parts for _ in range(part["replicas"])]
    upgrade = [*at_rest, *(part["resources"] for part in parts), plain["deployment"]["resources"]]
    lines = [
        "| | pods | requests.cpu | requests.memory | limits.cpu | limits.memory |",
        "|---|---|---|---|---|---|",
    ]
    for name, pods in (("at rest", at_rest), ("in an upgrade", upgrade)):
        sums = [
            (sum(_milli(pod[how]["cpu"]) for pod in pods), sum(_mebi(pod[how]["memory"]) for pod in pods))
            for how in ("requests", "limits")
        ]
        lines.append(f"| {name} | {len(pods)} | {' | '.join(f'{cpu}m | {memory}Mi' for cpu, memory in sums)} |")
    return lines


def _milli(cpu: str) -> int:
    return int(cpu.removesuffix("m")) if cpu.endswith("m") else int(cpu) * 1000


def _mebi(memory: str) -> int:
    return int(memory[:-2]) * {"Mi": 1, "Gi": 1024}[memory[-2:]]


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False)


def _long(default: Any) -> bool:
    return len(_shown(default)) > 60


def schema(values: list[Value]) -> str:
    """The JSON schema: closed, so that a mistyped value is found; ``global`` is shared with other charts."""
    pod = {name: {"$ref": f"#/properties/{name}"} for name in POD}
    root = _object(values, pod)
    root["properties"]["global"]["additionalProperties"] = True
    root["properties"]["workers"] = {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "additionalProperties": _worker(values, pod),
    }
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **root}, indent=2) + "\n"


def _worker(values: list[Value], pod: dict[str, Any]) -> dict[str, Any]:
    defaults = next(value for value in values if value.name == "workerDefaults")
    worker = _schema(defaults, pod)
    worker.pop("description")
    worker["properties"]["jobTypes"] = _list(TEXT)
    return worker


def _object(values: list[Value], pod: dict[str, Any]) -> dict[str, Any]:
    return _closed(**{value.path[-1]: _schema(value, pod) for value in values})


def _schema(value: Value, pod: dict[str, Any]) -> dict[str, Any]:
    told = {"description": value.told} if value.told else {}
    last = value.path[-1]
    if value.pod:
        whole = _object(value.children, pod)
        whole["properties"] |= pod
        return {**told, **whole}
    if last in KUBERNETES:
        return {**told, **KUBERNETES[last], **value.extra}
    if value.path[0] == "networkPolicy" and last.endswith(("To", "From")):
        return {**told, **PEERS}
    if value.path[0] == "networkPolicy" and last.endswith("Ports"):
        return {**told, **PORTS}
    if value.children:
        return {**told, **_object(value.children, pod), **value.extra}
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
