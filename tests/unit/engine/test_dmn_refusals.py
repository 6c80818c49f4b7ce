"""DMN files that are refused, each with a sentence that names the id."""

import pytest

from services.engine.errors import InvalidModel
from services.engine.model.dmn import parse_dmn

HEAD = '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="drg" name="DRG" namespace="n">'
INPUT = '<input id="i"><inputExpression><text>x</text></inputExpression></input>'
RULE = '<rule id="r"><inputEntry id="e"><text>1</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>'


LITERAL = "<literalExpression><text>1</text></literalExpression>"


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
        (decision("<context/>"), "Decision 'd': the context has no entry"),
        (decision("<context><contextEntry/></context>"), "entry '' of the context has no expression"),
        (decision("<conditional/>"), "Decision 'd': the boxed expression 'conditional' is not supported"),
        (decision("<invocation/>"), "Decision 'd': the invocation names no business knowledge model"),
        (
            decision("<invocation><literalExpression><text>b</text></literalExpression></invocation>"),
            "Decision 'd' calls 'b': require the business knowledge model",
        ),
        (
            decision("<relation><column name='a'/><row/></relation>"),
            "Decision 'd': row 1 of the relation has 0 expressions, the relation 1 columns",
        ),
        ('<businessKnowledgeModel name="B"/>' + literal("1"), "Business knowledge model 'B' needs an id and a name"),
        (
            '<businessKnowledgeModel id="b" name="B"><knowledgeRequirement><requiredKnowledge href="#b"/>'
            "</knowledgeRequirement></businessKnowledgeModel>" + literal("1"),
            "Business knowledge model 'b' requires itself",
        ),
        (
            decision(
                '<knowledgeRequirement><requiredKnowledge href="#gone"/></knowledgeRequirement>'
                "<literalExpression><text>1</text></literalExpression>"
            ),
            "requires the business knowledge model 'gone', which the file does not have",
        ),
        (literal("1") + literal("2"), "The id 'd' is used twice"),
        (literal("1") + decision(LITERAL, 'id="1d" name="E"'), "The id '1d' is no valid XML name"),
        ('<import namespace="other" importType="x"/>' + literal("1"), "import of 'other'"),
        (literal("1 +"), "Decision 'd': The expression '1 +' cannot be read"),
        (literal(""), "Decision 'd': the expression must not be empty"),
        (literal("1", 'expressionLanguage="groovy"'), "language 'groovy' is not supported"),
        (decision("<literalExpression><text>1</text></literalExpression>", 'name="D"'), "'D' needs an id"),
        (decision("<literalExpression><text>1</text></literalExpression>", 'id="d"'), "Decision 'd' needs a name"),
        (table(INPUT + '<output id="o" name="y"/>' + RULE, 'hitPolicy="BEST"'), "Decision 'd': the hit policy 'BEST'"),
        (table(INPUT + '<output name="y"/>', 'hitPolicy="COLLECT" aggregation="AVG"'), "the aggregation 'AVG'"),
        (table(INPUT + '<output name="y"/><output name="z"/>', 'hitPolicy="COLLECT" aggregation="SUM"'), "one output"),
        (table(INPUT + '<output name="y"/><output/>'), "each output of several needs a name"),
        (table(INPUT + '<output name="y"/><output name="y"/>'), "two outputs have the same name"),
        (
            table(INPUT + '<output name="y"/>' + RULE.replace("<text>1</text></outputEntry>", "<text/></outputEntry>")),
            "Decision 'd', rule 'r': the expression must not be empty; write null",
        ),
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


ENTRIES = RULE.replace('<rule id="r">', "").replace("</rule>", "")
OUTPUT = '<output id="o" name="y"/>'
INPUT_ENTRY, OUTPUT_ENTRY = ENTRIES[: ENTRIES.index("<outputEntry>")], ENTRIES[ENTRIES.index("<outputEntry>") :]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (decision(LITERAL + "<thing/>"), "Element 'd': a 'decision' cannot hold 'thing'"),
        (literal("1") + "<thing/>", "Element 'drg': a 'definitions' cannot hold 'thing'"),
        (decision(LITERAL, 'id="d" name="D" colour="red"'), "Element 'd': a 'decision' has no attribute 'colour'"),
        (decision(LITERAL + '<variable name="d"/>'), "Element 'd': 'variable' is too late"),
        (decision(LITERAL * 2), "Element 'd': it can contain only one 'literalExpression'"),
        (decision("<informationRequirement/>" + LITERAL), "a 'informationRequirement' needs 'requiredDecision'"),
        (decision("hello" + LITERAL), "Element 'd': the text 'hello' is between its elements"),
        (decision('<z:a xmlns:z="z"/>' + LITERAL), "Element 'd': 'a' belongs inside 'extensionElements'"),
        (table(OUTPUT + INPUT + RULE), "Element 'd', 'decisionTable': 'input' is too late"),
        (
            table(INPUT + OUTPUT + f'<rule id="r">{OUTPUT_ENTRY}{INPUT_ENTRY}</rule>'),
            "'r': 'inputEntry' is too late",
        ),
        (
            table(INPUT + OUTPUT + RULE.replace("<text>1</text></inputEntry>", "</inputEntry>")),
            "Element 'e': a 'inputEntry' needs 'text'",
        ),
        (literal("1") + '<inputData id="x"/>', "Element 'x': an 'inputData' needs a name"),
    ],
)
def test_what_the_schema_forbids_is_refused(content: str, sentence: str) -> None:
    with pytest.raises(InvalidModel) as caught:
        parse_dmn(f"{HEAD}{content}</definitions>".encode())
    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    "content",
    [
        decision('<extensionElements><z:a xmlns:z="z"/></extensionElements>' + LITERAL),
        decision(LITERAL, 'id="d" name="D" z:a="1" xmlns:z="z"'),
        decision("<description>why</description><question>what</question><variable name='d'/>" + LITERAL),
        '<itemDefinition id="t" name="t"><typeRef>string</typeRef></itemDefinition>' + literal("1"),
        literal("1") + '<knowledgeSource id="k" name="k"/>',
        table(INPUT + OUTPUT + '<annotation name="a"/>' + RULE, 'preferredOrientation="Rule-as-Row"'),
    ],
)
def test_what_the_schema_allows_is_accepted(content: str) -> None:
    parse_dmn(f"{HEAD}{content}</definitions>".encode())


FUNCTION = "<functionDefinition><formalParameter name='n'/>{}</functionDefinition>"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (literal("x instance of list&lt;number&gt;"), "an operator or the end is expected, found '&lt;'"),
        (literal("x instance of tRisk"), "no value has the type 'tRisk' in Camunda's FEEL; name one of Any, boolean"),
        (literal('"x"[1]'), "a string is filtered as if it were a list, which is null in Camunda's FEEL"),
        (
            literal("risk level + 1", "").replace("<literal", "<variable name='risk level'/><literal"),
            "in 'risk level + 1' the name 'risk level' has a blank or a hyphen, and Camunda's FEEL reads it in",
        ),
        (
            literal("risk-level", "").replace("<literal", "<variable name='risk-level'/><literal"),
            "the name 'risk-level' has a blank or a hyphen",
        ),
        (decision(FUNCTION.format(LITERAL)), "Zeebe evaluates no decision that is a function"),
        (
            decision(f"<list>{FUNCTION.format('<list>' + LITERAL + '</list>')}</list>"),
            "Zeebe takes a function definition with a literal expression only",
        ),
        (
            f'<businessKnowledgeModel id="b" name="B"><encapsulatedLogic>{FUNCTION.format(LITERAL)}</encapsulatedLogic>'
            "</businessKnowledgeModel>" + literal("1"),
            "Zeebe takes neither a function nor an invocation as its logic",
        ),
        (
            decision('<knowledgeRequirement><requiredKnowledge href="#s"/></knowledgeRequirement>' + LITERAL)
            + '<decisionService id="s" name="S"/>',
            "requires the business knowledge model 's', which the file does not have",
        ),
    ],
)
def test_what_no_cluster_reads_is_refused(content: str, sentence: str) -> None:
    with pytest.raises(InvalidModel) as caught:
        parse_dmn(f"{HEAD}{content}</definitions>".encode())
    assert any(sentence.replace("&lt;", "<") in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_are_reported_at_once() -> None:
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
