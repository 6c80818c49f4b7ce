"""A number that the models compare a count with is reached, though the count has no end."""

import operator
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import amount
import pytest
from edited_models import Model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from other_processes import WORK_ORDER, alone

from services.designers.policy_check.check import check
from services.designers.policy_check.report import ExitCode, Report
from services.designers.policy_check.world import NAME as WORLD
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.jobs.worker import discover

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_MOST = 5
Comparison = tuple[str, int]


def _accepts(model: Model, otherwise: str) -> None:
    """Take a work order for done in some attempts, whatever the verifier says."""
    model.condition("Flow_Accepted", f'=decision = "verified" or {otherwise}')
    model.condition("Flow_Again", f'=decision = "again" and not({otherwise})')


def _skips_the_third(model: Model) -> None:
    model.condition("Flow_ToVerify", "=verified = true and attempt < 3")
    model.condition("Flow_NotToVerify", "=verified = false or attempt >= 3")


def _checked(folder: Path, edit: Callable[[Model], None]) -> Report:
    models = alone(folder, WORK_ORDER)
    model = Model(models, f"{WORK_ORDER}.bpmn")
    edit(model)
    model.save()
    return check(models, discover())


@pytest.mark.requirement("R64")
@pytest.mark.parametrize(
    "edit", [partial(_accepts, otherwise="attempt >= 3"), _skips_the_third], ids=["accepted", "skipped"]
)
def test_a_third_attempt_that_nobody_has_to_verify_is_found(edit: Callable[[Model], None], tmp_path: Path) -> None:
    report = _checked(tmp_path / "models", edit)

    assert "work-order-verified-before-closed" in {verdict.rule for verdict in report.broken}


def test_a_count_that_is_used_otherwise_than_by_a_comparison_is_not_decided(tmp_path: Path) -> None:
    report = _checked(tmp_path / "models", partial(_accepts, otherwise="modulo(attempt, 3) = 0"))

    assert report.exit_code == ExitCode.UNDECIDED
    assert [en for _, en in report.unseen if "Flow_Accepted" in en and "depends on attempt, a count" in en]


@given(comparisons=st.lists(st.tuples(st.sampled_from(sorted(_SIGNS)), st.integers(0, _MOST)), min_size=1, max_size=3))
@settings(
    max_examples=amount.examples(sample=8, full=200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_holds_in_some_attempt_is_found_and_nothing_else(
    comparisons: list[Comparison], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What the reduced walk finds is what counting the attempts one by one finds."""
    text = " and ".join(f"attempt {sign} {number}" for sign, number in comparisons)
    holds = any(all(_SIGNS[sign](attempt, number) for sign, number in comparisons) for attempt in range(1, 2 * _MOST))

    report = _checked(tmp_path_factory.mktemp("attempts") / "models", partial(_accepts, otherwise=f"({text})"))

    assert ("work-order-verified-before-closed" in {verdict.rule for verdict in report.broken}) == holds


def test_a_world_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", WORK_ORDER)
    path = models / WORLD
    text = path.read_text(encoding="utf-8")
    earlier = text.replace('attempt: "@attempt"', "attempt: 2").replace("  attempt: work-order-again\n", "")
    assert len(text) - len(earlier) > 30
    path.write_text(earlier, encoding="utf-8")

    assert check(models, discover()).exit_code == ExitCode.CLEAN


def test_a_count_that_the_register_does_not_keep_is_refused(tmp_path: Path) -> None:
    models = alone(tmp_path / "models", WORK_ORDER)
    path = models / WORLD
    text = path.read_text(encoding="utf-8").replace("attempt: work-order-again", "attempt: work-order-done")
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableFile, match="the register does not count work-order-done"):
        check(models, discover())
