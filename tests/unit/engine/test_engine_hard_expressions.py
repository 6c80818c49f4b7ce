"""Expressions that would take for ever, or give what nothing can hold, fail with a sentence; the engine goes on."""

import json

import pytest
from bpmn_makers import diagram, job, start
from engine_harness import EngineHarness

from services.engine.feel import FeelEvaluationError, compile_expression
from services.engine.feel.builtins import patterns

_SLOW = '"' + "a" * 60 + '!", "(a|aa)+$"'


def _script(expression: str) -> bytes:
    script = f'<zeebe:script expression="={expression.replace(chr(34), "&quot;")}" resultVariable="z" />'
    script = f"<bpmn:extensionElements>{script}</bpmn:extensionElements>"
    return diagram(start() + f'<bpmn:scriptTask id="t">{script}</bpmn:scriptTask>' + job("after"), "s>t t>after")


@pytest.mark.parametrize("call", [f"matches({_SLOW})", f'replace({_SLOW}, "")', f"split({_SLOW})", f"extract({_SLOW})"])
def test_a_pattern_that_backtracks_without_end_times_out(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_MAX_SECONDS", 0.02)

    with pytest.raises(FeelEvaluationError, match=r"given up after 0\.02 s"):
        compile_expression(call).evaluate({})


@pytest.mark.parametrize("expression", [f"matches({_SLOW})", "10**6000", "-(10**6000)", "{a: [10**6000]}", "9" * 4301])
def test_an_expression_with_no_usable_value_is_an_incident(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_MAX_SECONDS", 0.02)
    harness = EngineHarness()
    harness.deploy(_script(expression))

    harness.create("p")

    assert harness.open_incidents() == [("t", "EXTRACT_VALUE_ERROR")]


@pytest.mark.parametrize("expression", ["10**4299", "9" * 4300, "9" * 400 + ".5", "10**-6000"])
def test_the_largest_numbers_are_kept_as_json(expression: str) -> None:
    harness = EngineHarness()
    harness.deploy(_script(expression))

    harness.create("p")

    assert json.dumps(harness.fetch("after")[0].variables, allow_nan=False)
