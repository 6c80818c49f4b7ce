"""Which element of a model is which of another version: by its id, or by what it does."""

import pytest
from bpmn_makers import diagram, end, job, message, message_catch, start

from services.designers.policy_check.version_mapping import difference, map_elements, pairs
from services.engine.model.bpmn import Process
from services.engine.model.parse import parse_bpmn

_M = message("M", "paid", "=key")


def _process(inside: str, flows: str, before: str = "") -> Process:
    [process] = parse_bpmn(diagram(start() + inside + end(), flows, before=before))
    return process


OLD = _process(job("one", "work") + job("two", "rest"), "s>one one>two two>e")


def test_what_kept_its_id_is_the_same_whatever_it_does_now() -> None:
    new = _process(job("one", "other") + job("two", "rest"), "s>one one>two two>e")
    assert map_elements(OLD, new)["one"] == "one"


def test_another_id_is_found_by_the_job_type_and_its_flows_by_their_ends() -> None:
    new = _process(job("uno", "work") + job("two", "rest"), "s>uno uno>two two>e")
    ids = map_elements(OLD, new)
    assert (ids["one"], ids["f_s_one"], ids["f_one_two"]) == ("uno", "f_s_uno", "f_uno_two")


@pytest.mark.parametrize(
    ("inside", "flows"),
    [
        (job("a", "work") + job("b", "work") + job("two", "rest"), "s>a a>b b>two two>e"),  # either could be it
        (job("two", "rest"), "s>two two>e"),
        (
            f'<bpmn:subProcess id="sub">{start("i")}{job("uno", "work")}'
            '<bpmn:sequenceFlow id="f_i" sourceRef="i" targetRef="uno" /></bpmn:subProcess>' + job("two", "rest"),
            "s>sub sub>two two>e",
        ),
    ],
)
def test_what_is_not_there_or_in_another_scope_or_twice_has_no_counterpart(inside: str, flows: str) -> None:
    assert "one" not in map_elements(OLD, _process(inside, flows))


def test_an_event_with_another_message_or_key_is_awaited_anew() -> None:
    old = _process(message_catch("m", "M"), "s>m m>e", _M)
    same = _process(message_catch("m", "M"), "s>m m>e", message("M", "paid", "=key"))
    other = _process(message_catch("m", "M"), "s>m m>e", message("M", "paid", "=other"))
    assert map_elements(old, same)["m"] == "m"
    assert "m" not in map_elements(old, other)


def test_a_mapping_is_kept_by_what_it_changes() -> None:
    new = _process(job("uno", "work"), "s>uno uno>e")
    ids = map_elements(OLD, new)
    kept = difference(OLD, ids)
    assert kept.changed["one"] == "uno"
    assert "two" in kept.without
    assert dict(pairs(OLD, kept)) == ids
