"""Decision tables by hit policy, literal expressions, requirement graphs, and what EvaluateDecision answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest

from services.engine.model.dmn import parse_dmn
from services.engine.processing.decision_engine import (
    DecisionResult,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
    evaluate_decision,
)

MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
Rules = list[tuple[list[str], list[str]]]


def definitions(*decisions: str) -> bytes:
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="drg" name="DRG" namespace="n">'
        + "".join(decisions)
        + "</definitions>"
    ).encode()


def text(tag: str, content: str, attributes: str = "") -> str:
    return f"<{tag} {attributes}><text>{escape(content)}</text></{tag}>"


def table(rules: Rules, inputs: list[str], outputs: list[str], attributes: str = "") -> str:
    columns = "".join(
        f'<input id="i{n}" label="{escape(source)}">{text("inputExpression", source)}</input>'
        for n, source in enumerate(inputs)
    )
    columns += "".join(
        output if output.startswith("<") else f'<output id="o_{output}" name="{output}"/>' for output in outputs
    )
    rows = "".join(
        f'<rule id="r{n}">'
        + "".join(text("inputEntry", test) for test in tests)
        + "".join(text("outputEntry", value) for value in values)
        + "</rule>"
        for n, (tests, values) in enumerate(rules, 1)
    )
    return (
        f'<decision id="d" name="The d"><decisionTable id="t" {attributes}>{columns}{rows}</decisionTable></decision>'
    )


def literal(name: str, expression: str, before: str = "") -> str:
    return f'<decision id="{name}" name="The {name}">{before}{text("literalExpression", expression)}</decision>'


def requires(*names: str) -> str:
    return "".join(
        f'<informationRequirement><requiredDecision href="#{name}"/></informationRequirement>' for name in names
    )


def evaluate(content: bytes, variables: Mapping[str, object], decision: str = "d") -> DecisionResult:
    return evaluate_decision(parse_dmn(content), decision, variables, lambda: MOMENT)


LEVELS = '"high", "mid", "low"'
GRADES: Rules = [(["> 1"], ['"a"']), (["> 10"], ['"b"']), (["> 100"], ['"c"'])]


@pytest.mark.parametrize(
    ("attributes", "amount", "output"),
    [
        ("", 5, "a"),
        ("", 0, None),
        ('hitPolicy="UNIQUE"', 5, "a"),
        ('hitPolicy="FIRST"', 500, "a"),
        ('hitPolicy="FIRST"', 0, None),
        ('hitPolicy="ANY"', 5, "a"),
        ('hitPolicy="RULE ORDER"', 50, ["a", "b"]),
        ('hitPolicy="RULE ORDER"', 0, None),
        ('hitPolicy="COLLECT"', 500, ["a", "b", "c"]),
        ('hitPolicy="COLLECT"', 5, ["a"]),
        ('hitPolicy="COLLECT"', 0, None),
        ('hitPolicy="COLLECT" aggregation="COUNT"', 50, 2),
        ('hitPolicy="COLLECT" aggregation="COUNT"', 0, None),
    ],
)
def test_hit_policies(attributes: str, amount: int, output: object) -> None:
    result = evaluate(definitions(table(GRADES, ["amount"], ["grade"], attributes)), {"amount": amount})
    assert (result.output, result.failure_message) == (output, "")


@pytest.mark.parametrize(("aggregation", "output"), [("SUM", 7.5), ("MIN", 1), ("MAX", 4), ("COUNT", 3)])
def test_aggregations(aggregation: str, output: object) -> None:
    rules: Rules = [(["-"], ["1"]), (["-"], ["2.5"]), ([""], ["4"]), (["null"], ["9"])]
    attributes = f'hitPolicy="COLLECT" aggregation="{aggregation}"'
    assert evaluate(definitions(table(rules, ["x"], ["y"], attributes)), {"x": 1}).output == output


@pytest.mark.parametrize(("policy", "output"), [("PRIORITY", "high"), ("OUTPUT ORDER", ["high", "mid", "low"])])
def test_priorities_follow_the_list_of_output_values(policy: str, output: object) -> None:
    rules: Rules = [(["-"], ['"low"']), (["-"], ['"high"']), (["-"], ['"mid"'])]
    column = f'<output id="o" name="y">{text("outputValues", LEVELS)}</output>'
    assert evaluate(definitions(table(rules, ["x"], [column], f'hitPolicy="{policy}"')), {}).output == output


@pytest.mark.parametrize(
    ("attributes", "output"),
    [("", {"level": "high", "score": 5}), ('hitPolicy="COLLECT"', [{"level": "high", "score": 5}])],
)
def test_several_outputs_make_a_context(attributes: str, output: object) -> None:
    rules: Rules = [(["[100..500]", '"book","map"'], ['"high"', "amount / 100"]), (["< 100", "-"], ['"low"', "null"])]
    content = definitions(table(rules, ["amount", "kind"], ["level", "score"], attributes))
    assert evaluate(content, {"amount": 500, "kind": "map"}).output == output
    missed = evaluate(content, {"amount": 5, "kind": "map"}).output
    assert missed == ([{"level": "low", "score": None}] if attributes else {"level": "low", "score": None})


@pytest.mark.parametrize(
    ("attributes", "values", "message"),
    [
        ("", ["1", "1"], "UNIQUE"),
        ('hitPolicy="ANY"', ["1", "2"], "ANY"),
        ('hitPolicy="COLLECT" aggregation="SUM"', ["1", '"a"'], "expected number but found 'a'"),
        ('hitPolicy="FIRST"', ['assert(x, x = 2, "x is not two")', "1"], "x is not two"),
    ],
)
def test_a_failure_names_the_decision_and_keeps_what_was_evaluated(
    attributes: str, values: list[str], message: str
) -> None:
    rules: Rules = [(["1"], [value]) for value in values]
    result = evaluate(definitions(table(rules, ["x"], ["y"], attributes)), {"x": 1})
    assert result.output is None
    assert result.failed_decision_id == "d"
    assert result.failure_message.startswith("Expected to evaluate decision 'd', but ")
    assert message in result.failure_message
    assert result.evaluated[0].inputs == (EvaluatedInput("i0", "x", 1),)


def test_any_takes_equal_outputs() -> None:
    rules: Rules = [(["1"], ["[1, {a: 2}]"]), (["-"], ["[1.0, {a: 2}]"])]
    assert evaluate(definitions(table(rules, ["x"], ["y"], 'hitPolicy="ANY"')), {"x": 1}).output == [1, {"a": 2}]


def test_a_default_output_is_used_when_nothing_matches() -> None:
    column = f'<output id="o" name="y">{text("defaultOutputEntry", chr(34) + "none" + chr(34))}</output>'
    assert evaluate(definitions(table([(["2"], ["1"])], ["x"], [column])), {"x": 1}).output == "none"


def test_a_condition_may_read_other_variables_and_the_input_itself() -> None:
    rules: Rules = [(["? > limit and ? < limit * 2"], ['"in"'])]
    content = definitions(table(rules, ["amount"], ["y"]))
    assert evaluate(content, {"amount": 15, "limit": 10}).output == "in"
    assert evaluate(content, {"amount": 25, "limit": 10}).output is None


def test_the_answer_holds_inputs_matched_rules_and_outputs() -> None:
    rules: Rules = [(["2"], ["10"]), (["-"], ["x * 2"])]
    result = evaluate(definitions(table(rules, ["x"], ["y"], 'hitPolicy="COLLECT"')), {"x": 3})
    assert result.evaluated == (
        EvaluatedDecision(
            id="d",
            name="The d",
            type="DECISION_TABLE",
            output=[6],
            inputs=(EvaluatedInput("i0", "x", 3),),
            matched_rules=(MatchedRule("r2", 2, (EvaluatedOutput("o_y", "y", 6),)),),
        ),
    )


def test_columns_without_a_label_go_by_expression_and_name_and_with_one_by_label() -> None:
    column = '<output id="o" name="y" label="Result"/>'
    content = definitions(table([(["-"], ["1"])], ["x + 1000000000 + 2000000000 + 3000000000"], [column]))
    decision = evaluate(content.replace(b'label="x + 1000000000 + 2000000000 + 3000000000"', b""), {"x": 1}).evaluated[
        0
    ]
    assert decision.inputs[0].name == "x + 1000000000 + 2000000000 + "
    assert decision.matched_rules[0].outputs[0].name == "Result"


def test_required_decisions_come_first_and_are_read_by_id() -> None:
    content = definitions(
        literal("d", "base * 2 + tax", requires("base", "tax")),
        literal("tax", "base * 0.1", requires("base")),
        literal("base", "amount"),
    )
    result = evaluate(content, {"amount": 100, "base": "hidden by the decision's result"})
    assert result.output == 210
    assert [decision.id for decision in result.evaluated] == ["base", "base", "tax", "d"]
    assert result.evaluated[-1].type == "LITERAL_EXPRESSION"


def test_a_result_variable_names_the_result_even_with_blanks() -> None:
    content = definitions(
        literal("d", "`base amount` + 1", requires("base")),
        literal("base", "5", '<variable name="base amount" typeRef="number"/>'),
    )
    assert evaluate(content, {}).output == 6


@pytest.mark.parametrize(
    "text", ['"the risk level is high"', '["risk level"]', '{"risk level": 1}', '"a \\"risk level"']
)
def test_a_string_stays_itself_beside_a_variable_of_its_words(text: str) -> None:
    content = definitions(
        literal("d", f"string([{text}, `risk level`])", requires("risk")),
        literal("risk", "3", '<variable name="risk level" typeRef="number"/>'),
        table([(['"the risk level is high"'], ['"risk level"'])], ["`risk level`"], ["y"]).replace(
            'id="d"', 'id="chosen"'
        ),
    )
    assert "`" not in evaluate(content, {}).output
    assert evaluate(content, {"risk level": "the risk level is high"}, "chosen").output == "risk level"


def test_only_what_is_required_is_evaluated() -> None:
    content = definitions(literal("d", "other"), literal("other", "1"))
    result = evaluate(content, {})
    assert result.output is None
    assert [decision.id for decision in result.evaluated] == ["d"]


def test_a_failure_in_a_required_decision_is_the_roots_failure() -> None:
    content = definitions(literal("d", "base", requires("base")), literal("base", "assert(x, false)"))
    result = evaluate(content, {})
    assert result.failed_decision_id == "base"
    assert "decision 'd'" in result.failure_message
    assert [(decision.id, decision.output) for decision in result.evaluated] == [("base", None)]


@pytest.mark.parametrize(
    ("type_ref", "expression", "fits"),
    [
        ("number", "1", True),
        ("number", '"a"', False),
        ("feel:string", '"a"', True),
        ("date", 'date("2024-01-01")', True),
        ("dayTimeDuration", 'duration("P1Y")', False),
        ("number", "null", True),
        ("tSomething", "1", True),
    ],
)
def test_a_result_must_be_of_the_variables_type(type_ref: str, expression: str, fits: bool) -> None:
    result = evaluate(definitions(literal("d", expression, f'<variable name="d" typeRef="{type_ref}"/>')), {})
    assert (result.failure_message == "") is fits


@pytest.mark.parametrize(
    "decision",
    [literal("d", "10**6000"), table([(["-"], ["1"])], ["10**6000"], ["x"]), table([([], ["10**6000"])], [], ["x"])],
)
def test_a_number_too_long_for_json_is_the_decisions_failure(decision: str) -> None:
    result = evaluate(definitions(decision), {})
    assert (result.failed_decision_id, result.output) == ("d", None)
    assert "more than 4300 digits" in result.failure_message


def test_the_clock_is_the_engines() -> None:
    assert evaluate(definitions(literal("d", "today()")), {}).output == "2026-12-01"


def test_an_unknown_decision_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="no decision 'x'"):
        evaluate(definitions(literal("d", "1")), {}, "x")


def test_the_classification_of_the_reference_process() -> None:
    rules: Rules = [(['"important"'], ["true", "true", "30"]), (["-"], ["false", "false", "30"])]
    columns = ["managementNeeded", "backup", "maxDays"]
    content = definitions(table(rules, ["importance"], columns, 'hitPolicy="FIRST"'))
    important = evaluate(content, {"importance": "important"}).output
    assert important == {"managementNeeded": True, "backup": True, "maxDays": 30}
    assert evaluate(content, {}).output == {"managementNeeded": False, "backup": False, "maxDays": 30}
