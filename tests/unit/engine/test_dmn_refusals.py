"""DMN files that are refused, each with a sentence that names the id."""

import pytest

from services.engine.errors import InvalidModel
from services.engine.model.dmn import parse_dmn

HEAD = '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="drg" name="DRG" namespace="n">'
INPUT = '<input id="i"><inputExpression><text>x</text></inputExpression></input>'
RULE = '<rule id="r"><inputEntry id="e"><text>1</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>'


def decision(content: str, attributes: str = 'id="d" name="D"') -> str:
    return f"<decision {attributes}>{content}</decision>"


def table(content: str, attributes: str = "") -> str:
    return decision(f"<decisionTable {attributes}>{content}</decisionTable>")


def literal(expression: str, attributes: str = "") -> str:
    return decision(f"<literalExpression {attributes}><text>{expression}</text></literalExpression>")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "no decision"),
        (decision(""), "Decision 'd' has no logic"),
        (decision("<context/>"), "Decision 'd': the boxed expression 'context'"),
        (decision("<invocation/>"), "'invocation' is not supported"),
        ('<businessKnowledgeModel id="b" name="B"/>' + literal("1"), "Business knowledge model 'b'"),
        ('<import namespace="other" importType="x"/>' + literal("1"), "import of 'other'"),
        (literal("1 +"), "Decision 'd': The expression '1 +' cannot be read"),
        (literal(""), "Decision 'd': the expression must not be empty"),
        (literal("1", 'expressionLanguage="groovy"'), "language 'groovy' is not supported"),
        (literal("x instance of list&lt;number&gt;"), "Camunda's FEEL"),
        (decision("<literalExpression><text>1</text></literalExpression>", 'name="D"'), "'D' needs an id"),
        (decision("<literalExpression><text>1</text></literalExpression>", 'id="d"'), "Decision 'd' needs a name"),
        (table(INPUT + '<output id="o" name="y"/>' + RULE, 'hitPolicy="BEST"'), "Decision 'd': the hit policy 'BEST'"),
        (table(INPUT + '<output name="y"/>', 'hitPolicy="COLLECT" aggregation="AVG"'), "the aggregation 'AVG'"),
        (table(INPUT + '<output name="y"/><output name="z"/>', 'hitPolicy="COLLECT" aggregation="SUM"'), "one output"),
        (table(INPUT + '<output name="y"/><output/>'), "each output of several needs a name"),
        (table(INPUT), "has no output"),
        (table('<input id="i"/><output name="y"/>'), "input 'i' has no expression"),
        (table(INPUT + INPUT + '<output name="y"/>' + RULE), "rule 'r' has 1 input and 1 output entries"),
        (table(INPUT + '<output name="y"/>' + RULE.replace(">1<", ">&lt; &lt;<", 1)), "rule 'r', entry 'e'"),
        (
            decision(
                '<informationRequirement><requiredDecision href="#gone"/></informationRequirement>'
                "<literalExpression><text>1</text></literalExpression>"
            ),
            "'d' requires the decision 'gone'",
        ),
        (
            decision(
                '<informationRequirement><requiredDecision href="#d"/></informationRequirement>'
                "<literalExpression><text>1</text></literalExpression>"
            ),
            "Decision 'd' requires itself",
        ),
    ],
)
def test_is_refused_with_a_sentence(content: str, sentence: str) -> None:
    with pytest.raises(InvalidModel) as caught:
        parse_dmn(f"{HEAD}{content}</definitions>".encode())
    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_are_told_at_once() -> None:
    content = literal("1 +") + decision("", 'id="e" name="E"')
    with pytest.raises(InvalidModel) as caught:
        parse_dmn(f"{HEAD}{content}</definitions>".encode())
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not xml", "not XML"),
        (b"<definitions/>", "not DMN"),
        (b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>', "not DMN"),
    ],
)
def test_is_no_dmn(content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidModel, match=sentence):
        parse_dmn(content)


def test_an_entity_is_not_resolved() -> None:
    content = (
        '<!DOCTYPE definitions [<!ENTITY secret SYSTEM "file:///etc/hostname">]>'
        f"{HEAD}{literal('&secret;')}</definitions>"
    ).encode()
    with pytest.raises(InvalidModel, match="must not be empty"):
        parse_dmn(content)
