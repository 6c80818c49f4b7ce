"""Expressions are parsed when a file is deployed, and never again while it runs."""

import pytest
from bpmn_makers import diagram, end, job, start, timer
from engine_harness import EngineHarness
from test_dmn_decisions import definitions, table

from services.engine.feel import api
from services.engine.model.dmn import parse_dmn
from services.engine.processing.decision_engine import evaluate_decision

MAPPED = (
    '<zeebe:ioMapping><zeebe:input source="=n + 1" target="m" /><zeebe:output source="=m" target="n" />'
    "</zeebe:ioMapping>"
)


class CachedModel:
    """Counts how often the parser is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        parser = api.Parser

        def counted(text: str) -> api.Parser:
            self.texts.append(text)
            return parser(text)

        api.compile_expression.cache_clear()
        api.compile_unary_tests.cache_clear()
        monkeypatch.setattr(api, "Parser", counted)


def test_a_process_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = CachedModel(monkeypatch)
    harness = EngineHarness()
    inside = (
        start()
        + job("t", more=MAPPED)
        + timer("w", "timeDuration", "=&quot;PT&quot; + string(n) + &quot;H&quot;")
        + end()
    )
    harness.deploy(diagram(inside, "s>t t>w w>e"))
    deployed = list(parsed.texts)
    assert len(deployed) == len(set(deployed)) == 5

    for number in range(3):
        harness.create("p", n=number)
    for activated in harness.fetch("t"):
        harness.complete(activated.job.key)

    assert parsed.texts == deployed


def test_a_decision_is_parsed_once_and_each_text_of_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = CachedModel(monkeypatch)
    model = parse_dmn(
        definitions(table([(["> 5"], ["n * 2"]), (["> 5"], ["n * 2"])], ["n"], ["y"], 'hitPolicy="FIRST"'))
    )
    assert sorted(parsed.texts) == ["> 5", "n", "n * 2"]

    for number in range(10):
        evaluate_decision(model, "d", {"n": number}, api.system_now)

    assert len(parsed.texts) == 3
