"""Root processes besides the case of an application, as a folder of models: with what belongs to them, or edited."""

import json
import shutil
from pathlib import Path
from typing import Any

from services.domain.stages import file as stage_file
from services.runtime.jobs.worker import Worker, discover
from services.runtime.places import BPMN

DATA = Path(__file__).parents[1] / "data" / "other-processes"
MATTER, PROBLEM, VIOLATION, URGENT = "matter", "problem-report", "violation", "urgent-retrieval"
WORK_ORDER, INSPECTION = "work-order", "inspection"
_TABLES = {MATTER: "matter-route.dmn", VIOLATION: "violation-severity.dmn"}
_BESIDE = ("workers.json", "policy-rules.yaml", "policy-world.yaml", "policy-facts.json")


def make_folder(to: Path, *processes: str) -> Path:
    """Make a folder with these processes, the review that they call, and their rules and world."""
    to.mkdir(parents=True)
    names = [*(f"{process}.bpmn" for process in processes), *(_TABLES[p] for p in processes if p in _TABLES), *_BESIDE]
    for name in names:
        shutil.copyfile(DATA / name, to / name)
    shutil.copyfile(BPMN / "review.bpmn", to / "review.bpmn")
    shutil.copyfile(BPMN / stage_file.NAME, to / stage_file.NAME)
    _add_stages(to)
    _keep_rules_of(to, set(processes))
    return to


def alone(to: Path, process: str) -> Path:
    """Make a folder with one of the shipped processes, the review that it calls, and the rules about it alone."""
    to.mkdir(parents=True)
    tables = [_TABLES[process]] if process in _TABLES else []
    beside = ("review.bpmn", stage_file.NAME, "policy-world.yaml", "policy-facts.json")
    for name in (f"{process}.bpmn", *tables, *beside):
        shutil.copyfile(BPMN / name, to / name)
    head, *rules = (BPMN / "policy-rules.yaml").read_text(encoding="utf-8").split("  - id: ")
    own = [rule for rule in rules if f"    process: {process}\n" in rule]
    (to / "policy-rules.yaml").write_text("  - id: ".join([head, *own]), encoding="utf-8")
    return to


def workers_beside() -> tuple[Worker, ...]:
    """The workers of ours, but for those that these processes declare as somebody's own."""
    declared = json.loads((DATA / "workers.json").read_text(encoding="utf-8"))["workers"]
    return tuple(worker for worker in discover() if worker.job_type not in declared)


def add_to_shipped(to: Path, *processes: str) -> Path:
    """Make a copy of the shipped models to which those of these processes are added that are not among them."""
    shutil.copytree(BPMN, to)
    processes = tuple(process for process in processes if not (BPMN / f"{process}.bpmn").exists())
    if not processes:
        return to
    beside = make_folder(to.parent / f"{to.name}-beside", *processes)
    for path in beside.iterdir():
        if path.suffix in (".bpmn", ".dmn") or path.name in (stage_file.NAME, "workers.json"):
            shutil.copyfile(path, to / path.name)
    _leave_out_ours(to / "workers.json")
    rules = (beside / "policy-rules.yaml").read_text(encoding="utf-8").partition("rules:\n")[2]
    with (to / "policy-rules.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{rules}")
    world = (beside / "policy-world.yaml").read_text(encoding="utf-8")
    text = (to / "policy-world.yaml").read_text(encoding="utf-8")
    begins = _part(world, "messages")
    text = text.replace("messages:\n", f"messages:\n{begins}", 1) + f"\nkeys:\n{_part(world, 'keys')}"
    text += f"\nprocesses:\n{_part(world, 'processes')}"
    (to / "policy-world.yaml").write_text(text, encoding="utf-8")
    return to


def _leave_out_ours(path: Path) -> None:
    """Leave out the workers that are the product's own by now."""
    content = json.loads(path.read_text(encoding="utf-8"))
    ours = {worker.job_type for worker in discover()}
    content["workers"] = {name: worker for name, worker in content["workers"].items() if name not in ours}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _part(text: str, key: str) -> str:
    """Return the indented lines under a key."""
    lines = text.partition(f"\n{key}:\n")[2].splitlines()
    end = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return "\n".join(line for line in lines[:end] if line) + "\n"


def _add_stages(folder: Path) -> None:
    path = folder / stage_file.NAME
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key, more in json.loads((DATA / "more-stages.json").read_text(encoding="utf-8")).items():
        content[key] = {**more, **content[key]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _keep_rules_of(folder: Path, processes: set[str]) -> None:
    """Leave out the rules about processes that the folder does not have."""
    path = folder / "policy-rules.yaml"
    head, *rules = path.read_text(encoding="utf-8").split("  - id: ")
    kept = [rule for rule in rules if any(f"process: {process}\n" in rule for process in processes)]
    path.write_text("  - id: ".join([head, *kept]), encoding="utf-8")
