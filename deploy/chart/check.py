"""Checks the chart: lint, unit tests, golden renders, strict schemas, and a real API server where one is named.

python deploy/chart/check.py            all of it; KUBE_APISERVER=https://… adds a dry run on that server
python deploy/chart/check.py --update   writes the golden renders anew
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

import tools

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "footage-desk"
GOLDEN = CHART / "golden"
RELEASE, NAMESPACE = "footage-desk", "footage"


def run(name: str, *arguments: str, given: str | None = None) -> str:
    """Run a tool; ends with what it printed where it fails."""
    command = [str(tools.BIN / name) if (tools.BIN / name).exists() else name, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{name} {' '.join(arguments[:3])} failed:\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done.stdout


def value_files() -> dict[str, Path]:
    """The sets of values, by name."""
    return {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}


def render(values: Path) -> str:
    """Everything that the chart makes of these values, hooks and tests too."""
    version = ("--kube-version", tools.KUBERNETES)
    return run("helm", "template", RELEASE, str(CHART), "-n", NAMESPACE, "-f", str(values), *version)


def compare(name: str, rendered: str, *, update: bool) -> None:
    """Against the golden render; ``update`` writes it."""
    golden = GOLDEN / f"{name}.yaml"
    if update:
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(rendered, encoding="utf-8")
        return
    kept = golden.read_text(encoding="utf-8") if golden.exists() else ""
    if kept != rendered:
        told = difflib.unified_diff(kept.splitlines(), rendered.splitlines(), golden.name, "rendered", lineterm="", n=2)
        sys.exit("\n".join(list(told)[:80]) + "\nIf this is meant: make chart-golden, and read the difference.")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--update", action="store_true")
    update = asked.parse_args().update
    tools.ensure()
    for name, values in value_files().items():
        run("helm", "lint", "--strict", "--quiet", str(CHART), "-f", str(values), "--kube-version", tools.KUBERNETES)
        rendered = render(values)
        compare(name, rendered, update=update)
        location = str(tools.SCHEMAS / "{{ .ResourceKind }}{{ .KindSuffix }}.json")
        told = run("kubeconform", "-strict", "-summary", "-schema-location", location, "-", given=rendered)
        say(f"{name}: linted, rendered, {told.strip()}")
        if os.environ.get("KUBE_APISERVER"):
            dry_run(rendered)
            say(f"{name}: the API server would take all of it")
    told = run("helm-unittest", "--strict", str(CHART))
    say(next(line for line in told.splitlines() if line.startswith("Tests:")))


def dry_run(rendered: str) -> None:
    """Apply it to KUBE_APISERVER without keeping anything, in a namespace under Pod Security `restricted`."""
    server = ("--server", os.environ["KUBE_APISERVER"], *os.environ.get("KUBE_OPTIONS", "").split())
    crds = [path.read_text(encoding="utf-8") for path in sorted(tools.SCHEMAS.glob("crd-*.json"))]
    for crd in crds:
        run("kubectl", *server, "apply", "--server-side", "--force-conflicts", "-f", "-", given=crd)
    labels = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    run("kubectl", *server, "apply", "-f", "-", given=json.dumps(namespace))
    run("kubectl", *server, "wait", "crd", "--all", "--for", "condition=established", "--timeout", "30s")
    strict = ("--dry-run=server", "--validate=strict", "--warnings-as-errors", "-n", NAMESPACE)
    run("kubectl", *server, "apply", *strict, "-f", "-", given=rendered)


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


if __name__ == "__main__":
    main()
