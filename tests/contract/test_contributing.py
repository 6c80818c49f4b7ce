"""The ten tasks of CONTRIBUTING.md: the files that they name are there, and each stays in one folder of services/."""

import re

import pytest

from services.runtime.places import ROOT

TASKS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
][1:]
KIT = ("services/database/", "services/web/", "services/runtime/")  # named beside a task, for what lies below it


def named(text: str) -> list[str]:
    """The files and folders of a cell."""
    return [name for name in re.findall(r"`([^`]+)`", text) if "/" in name]


def test_there_are_ten_tasks() -> None:
    assert len(TASKS) == 10


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task[0])
def test_the_files_of_a_task_exist(task: list[str]) -> None:
    assert [name for cell in task for name in named(cell) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task[0])
def test_a_task_stays_in_one_folder(task: list[str]) -> None:
    changed = [name for name in named(task[1]) if not name.startswith(KIT)]
    packages = {"/".join(name.split("/")[: 3 if "/domain/" in name else 2]) for name in changed}

    assert len(packages) <= (2 if task[0] == "a new job type" else 1)
