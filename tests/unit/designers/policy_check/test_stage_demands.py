"""The review stages and checklists against what the policy asks of them: each weakening is told by its rule."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edited_models import change_stage

from services.designers.policy_check import files, stage_demands
from services.runtime.places import BPMN

LATE = {"disclosure": {"questions": []}}


def _sanction_without_legal(folder: Path) -> None:
    _change(folder / "review-stages.json", lambda content: content["sanctions"]["fine"].pop("rule"))


def _milder_checklists(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for question in content["approval"]["questions"]:
            question["severityIfNo"] = "minor"

    _change(folder / "checklists.json", change)


def _shorter_checklists(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["return"]["questions"] = content["return"]["questions"][:1]

    _change(folder / "checklists.json", change)


def _checked_by_another(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["use"]["questions"][2].pop("system")

    _change(folder / "checklists.json", change)


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def _stage(code: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: change_stage(folder, code, **changes)


MANAGERS = [{"posts": ["manager"], "departments": "any"}]
LEGAL_BESIDE = [{"posts": ["head"], "departments": "legal"}, {"posts": ["security-reviewer"], "departments": "legal"}]


@pytest.mark.requirement("R24", "R26", "R58", "R63", "R65", "R67")
@pytest.mark.parametrize(
    ("edit", "rule", "said"),
    [
        pytest.param(_stage("legal", instead=LATE), "legal-answers", "(disclosure)", id="disclosure"),
        pytest.param(_stage("legal", instead={"hold": {}}), "legal-answers", "(hold)", id="hold"),
        pytest.param(_stage("legal", candidates=LEGAL_BESIDE), "legal-answers", "other posts", id="posts"),
        pytest.param(_stage("security", instead=LATE), "security-answers", "(disclosure)", id="security"),
        pytest.param(
            _stage("security", limit="P7D", limitCounts="working-time"),
            "security-answers",
            "working",
            id="working-time",
        ),
        pytest.param(_stage("security-signature", limit="PT1M"), "head-of-security-signs", "shorter", id="minute"),
        pytest.param(_stage("partial-footage", duty="verification"), "security-accepts-partial", "duty", id="duty"),
        pytest.param(_stage("receipt", duty="verification"), "custodian-signs", "duty", id="receipt"),
        pytest.param(_stage("credentials", mayRaise=None), "credentials-are-answered", "raise", id="raise"),
        pytest.param(
            _stage("violation-security", sanctions=[]), "security-decides-violations", "impose", id="sanctions"
        ),
        pytest.param(_sanction_without_legal, "legal-reviews-sanctions", "fine", id="legal"),
        pytest.param(_milder_checklists, "group-inspects", "approval-1", id="milder"),
        pytest.param(_stage("referral", candidates=MANAGERS), "legal-decides-referrals", "first", id="first"),
        pytest.param(
            _stage("legal-sanction", limit="PT1M"), "legal-reviews-sanctions", "shorter", id="minute-of-legal"
        ),
        pytest.param(
            _stage("violation-legal", instead={"violation": {}}), "legal-decides-violations", "(violation)", id="heard"
        ),
        pytest.param(_stage("problem", instead={"problem": {}}), "security-answers-problems", "without", id="problem"),
        pytest.param(
            _stage("recall", limit="P1D", limitCounts="working-time"), "head-of-security-recalls", "longer", id="recall"
        ),
        pytest.param(_checked_by_another, "group-inspects", "use-3", id="checked"),
        pytest.param(_shorter_checklists, "group-inspects", "return-2", id="shorter"),
    ],
)
def test_a_stage_that_asks_less_is_told_by_its_rule(
    edit: Callable[[Path], None], rule: str, said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(BPMN, folder, ignore=shutil.ignore_patterns("node_modules"))
    before = files.read(folder)
    assert list(stage_demands.find_unmet(before.rules, before)) == []

    edit(folder)

    after = files.read(folder)
    assert [(found.id, said in why[1]) for found, why in stage_demands.find_unmet(after.rules, after)] == [(rule, True)]


def test_the_outcomes_that_the_product_acts_on_stay_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(BPMN, folder, ignore=shutil.ignore_patterns("node_modules"))
    change_stage(folder, "redaction-check", outcomes=["again", "approved"])

    assert any("redaction-check" in problem for problem in files.read(folder).stage_problems)
