"""Who decides and in what time stands beside each review of a picture, as the review stages have it."""

import shutil
from pathlib import Path

import pytest
from edited_models import Model, change_stage
from played_case import workers

from services.designers import stage_notes
from services.designers.lint import check
from services.domain.stages import file as stage_file
from services.runtime import models
from services.runtime.places import BPMN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(BPMN, tmp_path / "models")
    return tmp_path / "models"


def test_a_note_that_differs_from_the_stages_is_found_and_written_anew(folder: Path) -> None:
    change_stage(folder, "security", limit="PT8H", signature="password+totp")

    [found] = [one for one in check.find(folder, workers()) if one.rule == "stage-note"]
    assert (found.element, found.level) == ("Call_SecurityDecides", "advice")
    assert "时限：8小时，密码和验证码签字" in found.text.zh

    path = folder / "video-retrieval.bpmn"
    stages = stage_file.read(folder / stage_file.NAME).stages
    path.write_bytes(stage_notes.annotate(path.read_bytes(), stages))
    assert "stage-note" not in {one.rule for one in check.find(folder, workers())}
    assert stage_notes.annotate(path.read_bytes(), stages) == path.read_bytes()


def test_a_review_without_a_note_gets_one_above_it_and_nothing_is_advised_before(folder: Path) -> None:
    model = Model(folder)
    for element in ("Note_SecurityDecides", "Link_SecurityDecides"):
        model.remove(element, bridge=False)
    model.save()
    assert "stage-note" not in {one.rule for one in check.find(folder, workers())}

    path = folder / "video-retrieval.bpmn"
    path.write_bytes(stage_notes.annotate(path.read_bytes(), stage_file.read(folder / stage_file.NAME).stages))
    drawn = Model(folder)
    [text] = drawn.one("Note_SecurityDecides").findall("{*}text")
    assert text.text == "安全保卫部门：\n安全审核员、副职、部门负责人\n时限：24小时（默认）\n密码签字"
    assert drawn.root.xpath('//*[local-name()="BPMNShape"][@bpmnElement="Note_SecurityDecides"]')


def test_the_english_picture_has_english_notes() -> None:
    model = models.read([BPMN / "video-retrieval.bpmn"])["video-retrieval"]
    assert "Named custodian; limit 7 days (default); signed with the password." in model.xml("en").decode()
    assert "时限" not in model.xml("en").decode()
