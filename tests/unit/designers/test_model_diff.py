"""What changed between two folders of models is told in the designer's words, each fact once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import policy_edits
import pytest
from edited_models import Model
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.designers.model_diff import diff
from services.runtime.places import BPMN


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    def apply(edit: Callable[[Path], None]) -> Path:
        folder = tmp_path / edit.__name__
        shutil.copytree(BPMN, folder)
        edit(folder)
        return folder

    return apply


EDITS = {edit.name: edit.apply for edit in (*policy_edits.BREAKING, *policy_edits.HARMLESS)}
TOLD = {
    "the_department_is_skipped": "“是: 材料齐全？ → 核查安全规定”（Flow_ApplicationComplete） "
    "去向：外部委托？ (Gateway_OnBehalf) → 核查安全规定 (Task_SecurityReview)",
    "a_sensitive_camera_is_ordinary": "classification.dmn “重要程度 4”（Table_Importance_Rule_4） "
    '重要程度 Importance："important" → "ordinary"',
    "access_is_suspended_a_month_late": "“使用期限已到”（Event_DueDateReached） "
    '时刻：=dueAt → =date and time(dueAt) + duration("P30D")',
    "what_is_rejected_is_not_released": "删除“解除保全”（Task_ReleasePreservation）",
    "what_is_not_taken_goes_to_the_inspection": 'output custodyOutcome：="not-taken" → ="returned"',
    "a_withdrawal_is_awaited_by_another_key": '消息的键：=applicationId → =applicationId + ":1"',
    "an_interpreter_reviews_before_security": "新增“翻译审核”（stages.interpreting）",
    "items_are_retrieved_one_by_one": "isSequential：无 → true",
}


@pytest.mark.parametrize("name", TOLD)
def test_an_edit_is_told_by_what_it_changes(edited: Callable[[Callable[[Path], None]], Path], name: str) -> None:
    said = [change.sentence("zh") for change in diff(BPMN, edited(EDITS[name]))]
    assert any(TOLD[name] in sentence for sentence in said), said
    assert len(said) == len(set(said))


def test_the_same_models_and_a_moved_element_are_no_change(edited: Callable[[Callable[[Path], None]], Path]) -> None:
    def moved(folder: Path) -> None:
        path = folder / "review.bpmn"
        path.write_text(path.read_text(encoding="utf-8").replace('<dc:Bounds x="', '<dc:Bounds x="1'), encoding="utf-8")

    folder = edited(moved)
    assert (folder / "review.bpmn").read_bytes() != (BPMN / "review.bpmn").read_bytes()
    assert diff(BPMN, folder) == []


def test_there_and_back_says_the_reverse(edited: Callable[[Callable[[Path], None]], Path]) -> None:
    folder = edited(EDITS["silence_is_consent"])
    there, back = diff(BPMN, folder), diff(folder, BPMN)
    reverse = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(one.element, reverse[one.kind], one.after, one.before) for one in there] == [
        (one.element, one.kind, one.before, one.after) for one in back
    ]


def test_the_command_numbers_the_changes_in_list_and_pictures(
    edited: Callable[[Callable[[Path], None]], Path], tmp_path: Path
) -> None:
    def edit(folder: Path) -> None:
        model = Model(folder)
        model.remove("Task_ReleasePreservation")
        model.timer("Event_DueDateReached", "=dueAt2")
        model.save()

    folder = edited(edit)
    said = CliRunner().invoke(cli_main.app, ["bpmn", "diff", str(BPMN), str(folder), "--pictures", str(tmp_path / "p")])
    assert said.exit_code == 0, said.output
    numbers = {line.split()[0] for line in said.output.splitlines() if "Event_DueDateReached" in line}
    [number] = numbers
    drawn = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "p").iterdir()}
    assert sum(f">{number}</text>" in svg for name, svg in drawn.items() if name.endswith("-after.svg")) == 1
    assert any(name.endswith("-before.svg") for name in drawn)

    told = CliRunner().invoke(cli_main.app, ["bpmn", "diff", str(BPMN), str(folder), "--json"])
    changes = json.loads(told.output)
    assert {"kind", "file", "element", "name", "fact", "before", "after"} == set(changes[0])


def test_what_cannot_be_compared_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    nothing = CliRunner().invoke(cli_main.app, ["bpmn", "diff", str(BPMN), str(tmp_path / "models")])
    (tmp_path / "models" / "review.bpmn").write_text("<<", encoding="utf-8")
    broken = CliRunner().invoke(cli_main.app, ["bpmn", "diff", str(BPMN), str(tmp_path / "models")])
    assert (nothing.exit_code, broken.exit_code) == (1, 1)
    assert "there are no models" in nothing.stderr
    assert "review.bpmn | it cannot be read" in broken.stderr
