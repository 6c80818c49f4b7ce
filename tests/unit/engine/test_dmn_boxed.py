"""Boxed expressions and business knowledge models, as Zeebe evaluates them."""

from collections.abc import Mapping

import pytest
from test_dmn_decisions import definitions, evaluate, table, text

from services.engine.processing.decision_engine import EvaluatedDecision, EvaluatedInput, EvaluatedOutput, MatchedRule

Variables = Mapping[str, object]


def literal(expression: str) -> str:
    return text("literalExpression", expression)


def entry(name: str, logic: str) -> str:
    variable = f'<variable name="{name}"/>' if name else ""
    return f"<contextEntry>{variable}{logic}</contextEntry>"


def context(*entries: tuple[str, str]) -> str:
    return "<context>" + "".join(entry(name, logic) for name, logic in entries) + "</context>"


def decision(logic: str, *knowledge: str, kind: str = "") -> str:
    required = "".join(
        f'<knowledgeRequirement><requiredKnowledge href="#{name}"/></knowledgeRequirement>' for name in knowledge
    )
    return f'<decision id="d" name="The d"><variable name="d" typeRef="{kind}"/>{required}{logic}</decision>'


def model(name: str, logic: str, *knowledge: str, params: str = "n") -> str:
    parameters = "".join(f'<formalParameter name="{param}" typeRef="number"/>' for param in params)
    required = "".join(
        f'<knowledgeRequirement><requiredKnowledge href="#{other}"/></knowledgeRequirement>' for other in knowledge
    )
    return (
        f'<businessKnowledgeModel id="{name}" name="{name}"><variable name="{name}"/>'
        f"<encapsulatedLogic>{parameters}{logic}</encapsulatedLogic>{required}</businessKnowledgeModel>"
    )


def invocation(name: str, **bindings: str) -> str:
    parts = "".join(
        f'<binding><parameter name="{param}"/>{literal(value)}</binding>' for param, value in bindings.items()
    )
    return f"<invocation>{literal(name)}{parts}</invocation>"


LEVEL = table([(["< 5"], ['"low"']), ([">= 5"], ['"high"'])], ["n"], ["level"])
LEVEL = LEVEL[LEVEL.index("<decisionTable") : LEVEL.index("</decision>")]
DOUBLE = '<functionDefinition><formalParameter name="n" typeRef="number"/>' + literal("n * 2") + "</functionDefinition>"


@pytest.mark.parametrize(
    ("logic", "output", "kind"),
    [
        (context(("a", literal("1")), ("b", literal("a + x"))), {"a": 1, "b": 8}, "CONTEXT"),
        (context(("a", literal("1")), ("", literal("a + x"))), 8, "CONTEXT"),
        (context(("double", DOUBLE), ("", literal("double(x)"))), 14, "CONTEXT"),
        (context(("double", DOUBLE), ("", literal('double("x")'))), None, "CONTEXT"),
        (context(("n", literal("x")), ("level", LEVEL), ("", literal("level"))), "high", "CONTEXT"),
        ("<list>" + literal("1") + context(("a", literal("x"))) + "</list>", [1, {"a": 7}], "LIST"),
        (
            '<relation><column name="p"/><column name="q"/><row>' + literal("1") + literal("x") + "</row></relation>",
            [{"p": 1, "q": 7}],
            "RELATION",
        ),
    ],
)
def test_boxed_expressions(logic: str, output: object, kind: str) -> None:
    result = evaluate(definitions(decision(logic)), {"x": 7})
    assert (result.output, result.failure_message) == (output, "")
    assert result.evaluated == (EvaluatedDecision("d", "The d", kind, output),)


@pytest.mark.parametrize(
    ("models", "logic", "output"),
    [
        ([model("b", literal("n * 2"))], literal("b(x)"), 14),
        ([model("b", literal("n * 2"))], literal("b(n: x)"), 14),
        ([model("b", literal("n * 2"))], literal('b("x")'), None),
        ([model("b", literal("n * 2"))], literal("b(1, 2)"), None),
        ([model("b", literal("n = null"))], literal("b(null)"), True),
        ([model("b", literal("5"), params="")], literal("b()"), 5),
        ([model("b", "", params="")], literal("b()"), None),
        ([model("b", literal("n + x"))], literal("b(1)"), 8),
        ([model("b", LEVEL)], literal("b(x)"), "high"),
        ([model("b", context(("a", literal("n"))))], literal("b(x).a"), 7),
        ([model("c", literal("n + 1")), model("b", literal("c(n) * 2"), "c")], literal("b(x)"), 16),
        ([model("b", literal("n * 2"))], invocation("b", n="x"), 14),
        ([model("b", LEVEL)], invocation("b", n="x"), "high"),
    ],
)
def test_business_knowledge_models_are_functions_of_their_names(models: list[str], logic: str, output: object) -> None:
    result = evaluate(definitions(*models, decision(logic, "b")), {"x": 7})
    assert (result.output, result.failure_message) == (output, "")


def test_a_model_that_is_not_required_is_not_seen() -> None:
    assert evaluate(definitions(model("b", literal("n * 2")), decision(literal("b(1)"))), {}).output is None


@pytest.mark.parametrize(
    ("bindings", "variables", "message"),
    [
        ({}, {}, "no parameter found with name 'n'"),
        ({"n": "x"}, {"x": "seven"}, "expected 'number' but found 'seven'"),
    ],
)
def test_an_invocation_that_does_not_fit_fails_the_decision(
    bindings: dict[str, str], variables: Variables, message: str
) -> None:
    content = definitions(model("b", literal("n * 2")), decision(invocation("b", **bindings), "b"))
    result = evaluate(content, variables)
    assert result.failure_message == f"Expected to evaluate decision 'd', but {message}"
    assert result.failed_decision_id == "d"


def test_a_result_of_another_type_fails_the_decision() -> None:
    result = evaluate(definitions(decision("<list>" + literal("1") + "</list>", kind="number")), {})
    assert "expected 'number' but found '[1]'" in result.failure_message


def test_a_called_model_is_listed_before_the_decision() -> None:
    result = evaluate(definitions(model("b", LEVEL), decision(invocation("b", n="x"), "b")), {"x": 7})
    assert result.evaluated == (
        EvaluatedDecision(
            "b",
            "b",
            "DECISION_TABLE",
            "high",
            (EvaluatedInput("i0", "n", 7),),
            (MatchedRule("r2", 2, (EvaluatedOutput("o_level", "level", "high"),)),),
        ),
        EvaluatedDecision("d", "The d", "INVOCATION", "high"),
    )
