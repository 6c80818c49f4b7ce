"""Which names of tasks mean a person: what has no type and such a name would be passed without anybody being asked."""

import shutil
from pathlib import Path

import pytest

from services.designers.lint import check as lint_check
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

HUMAN = (
    "翻译审核", "部门审批", "领导批准", "签字", "会签", "法务核查", "同意调取", "征求意见", "确认接收",
    "人工判断", "盖章", "保密审查", "部门初审",
    "Review by Legal", "Approve", "Sign", "Sign-off", "Decision of the board", "Checks the form", "Consult Legal",
    "Interpreter's opinion", "Verify identity", "management approves",
)  # fmt: skip
OF_A_MACHINE = (
    "批量归档", "打标签", "写审计日志", "核算费用", "统计", "发送通知",
    "Send a signal", "Archive", "Count statistics", "Batch export", "Design", "Resign the file", "Task", "Mask faces",
)  # fmt: skip


@pytest.mark.parametrize("name", [*HUMAN, *OF_A_MACHINE])
def test_a_task_without_type_is_an_error_where_its_name_means_a_person(tmp_path: Path, name: str) -> None:
    for path in (*BPMN.glob("*.bpmn"), *BPMN.glob("*.dmn"), BPMN / "review-stages.json"):
        shutil.copy(path, tmp_path)
    model = tmp_path / "review.bpmn"
    text = model.read_text(encoding="utf-8")
    old = '<bpmn:endEvent id="Event_Decided"'
    model.write_text(text.replace(old, f'<bpmn:task id="New" name="{name}" />{old}'), encoding="utf-8")

    [found] = lint_check.find(tmp_path, discover())

    assert found.rule == ("undefined-human-task" if name in HUMAN else "undefined-task")
    assert name in found.text.en
