"""What `make test-zeebe` compares: shown with an engine of ours in the broker's place, whole, blind, and broken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_difference import Comparison, compare, own_engine, own_side
from golden_gateway import GatewayEngine
from golden_outcome import Outcome
from golden_steps import Refused

from services.engine.state.records import Record

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayEngine]:
    with own_side(tmp_path_factory.mktemp("ours")) as side:
        yield side


@pytest.fixture(scope="module")
def standing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """A second engine of ours; what a broker would be named by."""
    with own_engine(tmp_path_factory.mktemp("theirs")) as named:
        yield named


@pytest.fixture
def broker(standing_in: tuple[str, str, Path]) -> Iterator[GatewayEngine]:
    side = GatewayEngine(*standing_in)
    yield side
    side.close()


@pytest.mark.parametrize(
    "name",
    ["inst_with_result", "job_backoff", "call_cancel_parent", "timer_cycle_r3", "mod_move_token", "dmn_collect"],
)
def test_engines_that_do_the_same_are_compared_in_full(ours: GatewayEngine, broker: GatewayEngine, name: str) -> None:
    assert compare(GOLDEN / name, ours, broker) == Comparison(name, [], "")


@pytest.mark.parametrize(
    ("name", "clock", "partly"),
    [
        ("msg_buffered_order", False, "the answers alone: there are no records"),
        ("timer_catch_duration", True, "the answers alone: there are no records"),
        ("timer_catch_duration", False, "step 3 (advanceClock) needs a clock"),
        ("job_retries_incident", False, "step 11 (resolveIncident) needs the key of an incident"),
    ],
)
def test_a_broker_that_tells_less_is_compared_as_far_as_it_goes(
    ours: GatewayEngine, standing_in: tuple[str, str, Path], name: str, clock: bool, partly: str
) -> None:
    address, clock_of_theirs, _ = standing_in
    blind = GatewayEngine(address, clock_of_theirs if clock else None)

    comparison = compare(GOLDEN / name, ours, blind)
    blind.close()

    assert comparison == Comparison(name, [], partly)


def test_a_start_timer_that_is_scheduled_again_is_open_in_no_instance() -> None:
    """A broker writes the instance that the firing before it began into the next timer."""
    process = {"processInstanceKey": 7, "elementId": "p", "bpmnElementType": "PROCESS", "bpmnProcessId": "p"}
    process |= {"version": 1, "parentElementInstanceKey": -1, "processDefinitionKey": 3}
    timer = {"elementInstanceKey": -1, "processInstanceKey": 7, "processDefinitionKey": 3, "targetElementId": "start"}
    records = [
        Record(1, 0, 3, "PROCESS", "CREATED", {"bpmnProcessId": "p"}),
        Record(2, 0, 7, "PROCESS_INSTANCE", "ELEMENT_ACTIVATED", process),
        Record(3, 0, 8, "TIMER", "CREATED", timer),
    ]

    report = Outcome([(1, record) for record in records], {}, "list").report()

    assert report["instances"]["p#1"]["open"] == {}
    assert report["startTimers"] == [["p", "start"]]


class _Broken(GatewayEngine):
    """Gives jobs a wrong number of retries, loses what a message brings, and finds no instance to cancel."""

    def call(self, method: str, request: Any) -> Any:
        if method == "PublishMessage":
            request.variables = "{}"
        if method == "CancelProcessInstance":
            super().call(method, request)
            raise Refused("NOT_FOUND", "it is gone")
        return super().call(method, request)

    def fetch(self, request: Any, expected: int) -> list[Any]:
        found = super().fetch(request, expected)
        for job in found:
            job.retries += 1
        return found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("job_backoff", "step 3 (activate) jobs [1] retries\n    ours:   3\n    theirs: 4"),
        ("msg_catch_correlation", "variables"),
        ("inst_cancel", "(cancel) status\n    ours:   OK\n    theirs: NOT_FOUND"),
    ],
)
def test_a_difference_is_told_with_its_step_and_both_sides(
    ours: GatewayEngine, standing_in: tuple[str, str, Path], name: str, told: str
) -> None:
    broken = _Broken(*standing_in)

    comparison = compare(GOLDEN / name, ours, broken)
    broken.close()

    assert str(comparison).startswith(f"{name}\n")
    assert told in str(comparison)
