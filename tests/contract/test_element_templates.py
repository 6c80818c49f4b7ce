"""The element templates: made from what there is, valid, and each of them runs where it is applied."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpmn_models as bpmn
import pytest
from bpmn_contract import JOBS, OF_ROUTES, STAGES, STORAGE_JOBS
from engine_harness import EngineHarness
from lxml import etree

from services.designers import element_templates, node_tools, own_workers, required_steps
from services.designers.own_workers import OwnWorker
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.models import read

FOLDER = bpmn.MODELS / element_templates.FOLDER
WORKERS = {worker.job_type: worker for worker in discover()}
TASK = './/bpmn:*[@id="Task_Tried"]'


def template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One diagram for each template, and one for the review of each stage: start, the task with the template, end."""
    made, target = tmp_path_factory.mktemp("templates"), tmp_path_factory.mktemp("applied")
    for path in FOLDER.glob("*.json"):
        (made / path.name).write_bytes(path.read_bytes())
    for stage in STAGES:
        chosen = template("review")
        (asked,) = (one for one in chosen["properties"] if one.get("id") == "stage")
        asked["value"] = f'="{stage}"'
        (made / f"review-{stage}.json").write_text(json.dumps(chosen), encoding="utf-8")
    node = ["node", node_tools.TOOLS / "templates.mjs", f"--apply={target}", made]
    done = subprocess.run(node, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_there_is_one_for_each_worker_and_one_for_the_review_as_they_would_be_made_now() -> None:
    made = element_templates.templates(WORKERS.values(), read(bpmn.PROCESS_FILES).values(), {})

    assert set(made) == {"review.json", *(f"{job_type}.json" for job_type in JOBS)}
    assert element_templates.stale(made, FOLDER) == [], "make them anew: footage-desk bpmn templates"


@pytest.mark.parametrize("name", [*JOBS, "review"])
def test_whatever_modeler_shows_of_a_template_is_in_both_languages(name: str) -> None:
    for shown in _shown(template(name)):
        zh, _, en = shown.partition(" · ")

        assert re.search("[\u4e00-\u9fff]", zh), shown
        assert re.search("[A-Za-z]{2}", en), shown


def _shown(whole: dict[str, Any]) -> Iterator[str]:
    yield from (whole["name"], whole["description"], whole["category"]["name"])
    yield from (group["label"] for group in whole.get("groups", []))
    for one in whole["properties"]:
        yield from (one[key] for key in ("label", "description", "placeholder", "tooltip") if key in one)
        yield from (choice["name"] for choice in one.get("choices", []))
        assert one["type"] == "Hidden" or "label" in one


def test_the_chinese_of_a_description_is_of_a_worker_that_there_is() -> None:
    assert set(element_templates.DOES) == set(WORKERS)


@pytest.mark.parametrize("job_type", JOBS)
def test_a_worker_runs_where_its_template_is_applied(applied: Path, job_type: str) -> None:
    desk = EngineHarness()
    desk.deploy((applied / f"{job_type}.bpmn").read_bytes())
    chosen = [one for one in template(job_type)["properties"] if one["type"] == "Dropdown"]
    given = {name: name for name in WORKERS[job_type].variables if name not in {one["id"] for one in chosen}}

    instance = desk.create(f"try-{job_type}", **given)
    (handed_out,) = desk.fetch(job_type)

    assert set(WORKERS[job_type].variables) <= set(handed_out.variables)
    assert {one["id"]: handed_out.variables[one["id"]] for one in chosen} == {
        one["id"]: one["value"].strip('="') for one in chosen
    }
    assert handed_out.job.retries == (5 if job_type in STORAGE_JOBS else 3)
    desk.complete(handed_out.job.key, **dict.fromkeys(JOBS[job_type][1], 1))
    assert desk.history(instance)[-1] == (f"try-{job_type}", "COMPLETED")
    assert desk.open_incidents() == []


def test_the_review_runs_where_its_template_is_applied(applied: Path) -> None:
    desk = EngineHarness()
    desk.deploy((applied / "review.bpmn").read_bytes(), (bpmn.MODELS / "review.bpmn").read_bytes())

    desk.create("try-review", applicationId="a", decision="approved")
    (handed_out,) = desk.fetch("open-review")

    assert (handed_out.variables["applicationId"], handed_out.variables["stage"]) == ("a", "preliminary")
    assert handed_out.variables["decision"] is None  # an earlier answer does not pass for this one's
    assert desk.open_incidents() == []


@pytest.mark.parametrize("stage", sorted(set(STAGES) - OF_ROUTES))
def test_the_template_calls_each_stage_as_the_models_do(applied: Path, stage: str) -> None:
    (tried,) = bpmn.find(bpmn.tree(applied / f"review-{stage}.bpmn"), TASK)
    (drawn,) = (
        call
        for path in bpmn.PROCESS_FILES
        for call in bpmn.elements(bpmn.tree(path), "callActivity")
        if bpmn.mapping(call, "input")["stage"] == f'="{stage}"'
    )

    assert bpmn.mapping(tried, "input") == bpmn.mapping(drawn, "input")
    assert bpmn.mapping(tried, "output") == bpmn.mapping(drawn, "output")
    called = "bpmn:extensionElements/zeebe:calledElement"
    assert dict(bpmn.find(tried, called)[0].attrib) == dict(bpmn.find(drawn, called)[0].attrib)


def test_a_changed_template_gets_the_next_version_and_one_of_no_worker_goes(tmp_path: Path) -> None:
    first = {"a.json": {"$schema": "s", "name": "n", "id": "footage-desk.a", "properties": []}}
    assert element_templates.write(first, tmp_path) == ["a.json"]
    assert element_templates.write(first, tmp_path) == []
    changed = {"a.json": {**first["a.json"], "name": "m"}}
    (tmp_path / "gone.json").write_text('{"id": "footage-desk.gone"}', encoding="utf-8")
    (tmp_path / "own.json").write_text('{"id": "our-mail", "version": 7}', encoding="utf-8")

    assert element_templates.write(changed, tmp_path) == ["a.json", "gone.json"]
    assert dict(element_templates.versions(tmp_path)) == {"footage-desk.a": "2", "our-mail": "7"}


def test_a_template_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"id":', encoding="utf-8")

    with pytest.raises(Fatal, match=r"own\.json \| it is not JSON: .* \| correct the file"):
        element_templates.stale({}, tmp_path)


def test_what_the_policy_demands_is_what_the_shipped_models_say_they_satisfy() -> None:
    said: dict[str, set[str]] = {}
    for root in map(bpmn.tree, bpmn.PROCESS_FILES):
        named = [(job_type, task) for job_type, tasks in bpmn.job_types(root).items() for task in tasks]
        for call in bpmn.elements(root, "callActivity"):
            named.append((bpmn.mapping(call, "input")["stage"].strip('="'), call))
        for name, element in named:
            said.setdefault(name, set()).update((bpmn.documented(element, "Requirements") or "").split())

    # a folder of models without matters is complete: they are about a loan that is there already
    required = {**required_steps.STAGES, **required_steps.JOBS}
    assert {name: set(numbers.split()) for name, numbers in required.items()} == {name: said[name] for name in required}


def test_the_applied_diagrams_carry_the_template_that_modeler_offers_to_update(applied: Path) -> None:
    (tried,) = bpmn.find(bpmn.tree(applied / "retrieve-footage.bpmn"), TASK)

    assert etree.QName(tried).localname == "serviceTask"
    assert tried.get(f"{{{bpmn.NS['zeebe']}}}modelerTemplate") == "footage-desk.retrieve-footage"


DECLARED = {
    "check-translation": OwnWorker(
        zh="核对译文，并记录页数。",
        en="Check the translation, and count its pages.",
        inputs=("applicationId",),
        outputs={"translated": (True, False)},
    ),
    own_workers.HUMAN_STEP: OwnWorker(zh="任务列表", en="The task list."),
}


def test_a_declared_worker_has_a_template_and_runs_where_it_is_applied(tmp_path: Path) -> None:
    made = element_templates.templates([], [], DECLARED)
    assert set(made) == {"check-translation.json", "review.json"}  # Modeler sets no job type of a user task
    element_templates.write(made, tmp_path / "made")
    node = ["node", node_tools.TOOLS / "templates.mjs", f"--apply={tmp_path / 'applied'}", tmp_path / "made"]
    subprocess.run(node, capture_output=True, text=True, check=True)
    desk = EngineHarness()
    desk.deploy((tmp_path / "applied" / "check-translation.bpmn").read_bytes())

    desk.create("try-check-translation", applicationId="a")
    (handed_out,) = desk.fetch("check-translation")

    whole = made["check-translation.json"]
    assert (whole["name"], whole["id"]) == ("核对译文 · Check the translation", "footage-desk.own.check-translation")
    assert "读取 · Reads: applicationId. 给出 · Gives: translated." in whole["description"]
    assert handed_out.variables["applicationId"] == "a"


def test_the_template_of_a_worker_that_is_no_longer_declared_goes(tmp_path: Path) -> None:
    element_templates.write(element_templates.templates([], [], DECLARED), tmp_path)

    assert element_templates.write(element_templates.templates([], [], {}), tmp_path) == ["check-translation.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["review.json"]
