"""Functions by the Camunda version that a file names: what its cluster does not have is refused at deployment."""

from datetime import UTC, datetime

import pytest
from bpmn_makers import diagram, job, start

from services.engine.errors import Failure, InvalidModel
from services.engine.model.dmn import parse_dmn
from services.engine.model.parse import parse_bpmn
from services.engine.processing.decision_engine import evaluate_decision

MODELER = 'xmlns:modeler="http://camunda.org/schema/modeler/1.0" modeler:executionPlatform="Camunda Cloud"'
DMN = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def _named(version: str) -> str:
    return f'{MODELER} modeler:executionPlatformVersion="{version}"' if version else ""


def bpmn(expression: str, version: str) -> bytes:
    mapping = f'<zeebe:ioMapping><zeebe:input source="={expression}" target="v" /></zeebe:ioMapping>'
    content = diagram(start() + job("t", more=mapping), "s>t")
    return content.replace(b"<bpmn:definitions ", f"<bpmn:definitions {_named(version)} ".encode(), 1)


def dmn(expression: str, version: str) -> bytes:
    logic = f"<literalExpression><text>{expression}</text></literalExpression>"
    return (
        f'<definitions xmlns="{DMN}" id="g" name="G" namespace="n" {_named(version)}>'
        f'<decision id="d" name="D">{logic}</decision></definitions>'
    ).encode()


def problems(content: bytes) -> list[str]:
    try:
        (parse_dmn if DMN.encode() in content else parse_bpmn)(content)
    except InvalidModel as error:
        return list(error.problems)
    return []


CASES = [
    ("is blank(x)", "8.6.0", "the function 'is blank' is of Camunda 8.8 and later, and the file is for 8.6"),
    ("partition(x, 2)", "8.7.3", "the function 'partition' is of Camunda 8.8 and later, and the file is for 8.7"),
    ("[partition(x, 2)]", "", "the file names no version and may run on 8.6: give it executionPlatformVersion"),
    ("is blank(x)", "8.8.0", None),
    ("partition(x, 2)", "8.10.0", None),
    ("count(x[is(item, 1)])", "8.8.0", "the function 'is' is in DMN's text alone and null on a Camunda cluster"),
    ("list replace(x, 1, 2)", "8.9.0", "the function 'list replace' is in DMN's text alone"),
    ("to json(x)", "8.6.0", "the function 'to json' is of Camunda 8.9 and later, which this engine does not follow"),
    ("from json(x)", "8.9.0", "the function 'from json' is of Camunda 8.9 and later"),
    ("{is: function(a, b) a = b, r: is(1, 2)}.r", "8.6.0", None),
    ("upper case(x)", "8.6.0", None),
    ("unknown to everybody(x)", "8.6.0", None),
]


@pytest.mark.parametrize("make", [bpmn, dmn])
@pytest.mark.parametrize(("expression", "version", "sentence"), CASES)
def test_a_function_is_taken_by_the_version_of_the_file(
    make: object, expression: str, version: str, sentence: str | None
) -> None:
    found = problems(make(expression, version))  # type: ignore[operator]  # one of the two above
    if sentence is None:
        assert found == []
    else:
        assert len(found) == 1
        assert sentence in found[0]


@pytest.mark.parametrize("make", [bpmn, dmn])
def test_a_file_that_an_earlier_release_deployed_is_read_all_the_same(make: object) -> None:
    content = make("to json(x)", "8.6.0")  # type: ignore[operator]  # as above
    assert (parse_dmn if make is dmn else parse_bpmn)(content, deployed=True)


def test_a_decision_that_cannot_be_read_any_more_fails_with_a_sentence_and_the_others_go_on() -> None:
    content = dmn("a", "").replace(
        b"</definitions>",
        b'<decision id="e" name="E"><literalExpression><text>x + 1</text></literalExpression></decision></definitions>',
    )
    stored = parse_dmn(content.replace(b">a<", b">risk level + 1<"), deployed=True)

    failed = evaluate_decision(stored, "d", {}, lambda: datetime.now(UTC))

    assert "The expression 'risk level + 1' cannot be read" in failed.failure_message
    assert evaluate_decision(stored, "e", {"x": 1}, lambda: datetime.now(UTC)).output == 2


def test_a_mapping_that_cannot_be_read_any_more_fails_with_a_sentence_where_it_is_reached() -> None:
    stored = parse_bpmn(bpmn("function(a) external {java: {class: 'C'}}", "8.6.0"), deployed=True)[0]

    inputs = stored.elements["t"].inputs
    assert inputs is not None
    with pytest.raises(Failure, match="a function in Java cannot be called"):
        inputs.evaluate({}, lambda: datetime.now(UTC))
