"""The paths that a check writes: a folder for each, however many break one rule."""

import json
from pathlib import Path

from other_processes import MATTER, alone

from services.designers.policy_check import listing
from services.designers.policy_check.report import BROKEN, Counterexample, Report, Step, Verdict


def _finding(rule: str, number: int, process: str = "") -> Verdict:
    step = Step(1, "一步", "a step", MATTER, "Task_CheckMatter")
    path = Counterexample((step,), ("", ""), {"number": number})
    return Verdict(rule, ("R2",), "规则", "a rule", BROKEN, counterexample=path, process=process)


def test_findings_of_one_rule_have_a_folder_each(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", MATTER)
    found = [_finding("missing", 1), _finding("missing-2", 2), _finding("missing", 3), _finding("missing", 4, MATTER)]

    listing.write_paths(Report(tuple(found), (), (), ()), models, tmp_path / "paths", "en")

    written = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["number"]
        for path in (tmp_path / "paths").glob("*/scenario.json")
    }
    assert written == {"missing": 1, "missing-2": 2, "missing-3": 3, "missing-4": 4}
