"""What the chart renders, read as parts: each workload with the secrets, volumes and networks it is given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import yaml

from services.runtime.places import ROOT

CHART = ROOT / "charts" / "footage-desk"
SETS = ("small", "city", "own-camunda")


@cache
def rendered(name: str) -> list[dict[str, Any]]:
    """The golden render of a set of values; ``make chart-test`` holds it to what helm makes."""
    text = (CHART / "golden" / f"{name}.yaml").read_text(encoding="utf-8")
    return [one for one in yaml.safe_load_all(text) if one]


@dataclass(frozen=True)
class Part:
    """One workload and the NetworkPolicy of its component."""

    name: str
    pod: dict[str, Any]
    egress: list[dict[str, Any]]
    kind: str = field(default="Deployment")

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def environment(self) -> list[dict[str, Any]]:
        return list(self.pod["containers"][0].get("env", []))

    @cached_property
    def secrets(self) -> set[str]:
        """Every Secret that a container or a volume names, authorities' certificates left out."""
        found = {
            entry["valueFrom"]["secretKeyRef"]["name"]
            for container in self.containers
            for entry in container.get("env", [])
            if "secretKeyRef" in entry.get("valueFrom", {})
        }
        for volume in self.pod["volumes"]:
            sources = volume.get("projected", {}).get("sources", [])
            found |= {source["secret"]["name"] for source in sources if "secret" in source}
            if "secret" in volume and not volume["name"].startswith("ca-"):
                found.add(volume["secret"]["secretName"])
        return found

    @property
    def loan_keys(self) -> str | None:
        """How the container of the part may use the loan keys: ``read``, ``write`` or not at all."""
        for mount in self.pod["containers"][0]["volumeMounts"]:
            if mount["name"] == "loan-keys":
                return "read" if mount.get("readOnly") else "write"
        return None

    @property
    def networks(self) -> set[str]:
        """The networks, by CIDR, that it may reach."""
        peers = [peer for rule in self.egress for peer in rule.get("to", [])]
        return {peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer}

    @property
    def ports(self) -> set[int]:
        """The ports that it may reach somewhere."""
        return {port["port"] for rule in self.egress for port in rule.get("ports", [])}


def parts(name: str) -> dict[str, Part]:
    """The parts of a render, by component."""
    policies = {
        one["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component"): one["spec"]
        for one in rendered(name)
        if one["kind"] == "NetworkPolicy"
    }
    return {part: Part(part, pod, policies[part].get("egress", []), kind) for part, pod, kind in _pods(name)}


def _pods(name: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    for one in rendered(name):
        component = one["metadata"].get("labels", {}).get("app.kubernetes.io/component", "")
        if one["kind"] in ("Deployment", "Job"):
            yield component, one["spec"]["template"]["spec"], one["kind"]
        elif one["kind"] == "CronJob":
            yield component, one["spec"]["jobTemplate"]["spec"]["template"]["spec"], one["kind"]
        elif one["kind"] == "Pod":
            yield component, one["spec"], one["kind"]
