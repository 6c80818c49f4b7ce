"""What ``workers.json`` declares is what the policy check tries; what it cannot read is named with its line."""

import json
import shutil
from pathlib import Path

import pytest

from services.designers import own_workers
from services.designers.policy_check.check import check
from services.designers.policy_check.world import World
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

DECLARED = {
    "zh": "核对译文",
    "en": "Check the translation.",
    "inputs": ["applicationId"],
    "optionalInputs": ["language"],
    "outputs": {"translation": ["there", "missing"], "pages": [0]},
    "errors": ["NOT_TRANSLATABLE"],
    "checksRegister": True,
}


def test_a_declared_worker_ends_in_each_way_that_it_declares(tmp_path: Path) -> None:
    (tmp_path / own_workers.NAME).write_text(json.dumps({"workers": {"check-translation": DECLARED}}), encoding="utf-8")
    world = World(BPMN, discover(), {}, 1, declared=own_workers.read(tmp_path))

    assert world.outcomes("check-translation") == [
        {"translation": "there", "pages": 0},
        {"translation": "missing", "pages": 0},
    ]
    assert world.required("check-translation") == ("applicationId",)
    assert [name for name in ("applicationId", "language", "round") if world.takes("check-translation", name)] == [
        "applicationId",
        "language",
    ]
    assert (world.errors("check-translation"), world.is_checking("check-translation")) == (["NOT_TRANSLATABLE"], True)
    assert (list(world.outcomes("count")), world.errors("count"), world.is_checking("count")) == ([{}], [], False)


def test_a_declaration_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    models = Path(shutil.copytree(BPMN, tmp_path / "models"))
    (models / own_workers.NAME).write_text('{"workers": {\n"count": {"zh": "统计"}}}', encoding="utf-8")

    with pytest.raises(UnreadableFile, match=r"workers\.json, line 2: workers\.count\.en: is missing"):
        check(models, discover())
