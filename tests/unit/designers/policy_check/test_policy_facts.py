"""Facts and the rules over them: what a pattern fits, and when a rule is broken."""

from pathlib import Path
from typing import Any

import pytest

from services.designers.policy_check import facts, rules
from services.designers.policy_check.facts import Fact, PatternError
from services.designers.policy_check.rules import Rules
from services.designers.policy_check.yaml_lines import UnreadableFile


def _fact(text: str, **values: Any) -> Fact:
    kind, name, *rest = text.split(" ")
    return Fact(kind, name, " ".join(rest), values)


@pytest.mark.parametrize(
    ("pattern", "fact", "fits"),
    [
        ("job open-case done", _fact("job open-case done"), True),
        ("job open-case done", _fact("job open-case starts"), False),
        ("job a|b starts", _fact("job b starts"), True),
        ("job * starts", _fact("job c starts"), True),
        ("job a error X|Y", _fact("job a error Y"), True),
        ("stage * returned", _fact("stage security returned"), True),
        ("stage security *", _fact("stage security rejected"), True),
        ("job a done where x = true", _fact("job a done", x=True), True),
        ("job a done where x = 1", _fact("job a done", x=True), False),
        ("job a done where x > 0 and y != no", _fact("job a done", x=0.5, y="yes"), True),
        ("job a done where x > 0", _fact("job a done"), False),
        ("job a starts where days > $most", _fact("job a starts", days=20, most=15), True),
        ("job a done where ids contains $id", _fact("job a done", ids=["1", "2"], id="2"), True),
        ("case ends where outcome = null", _fact("case ends"), True),
    ],
)
def test_a_pattern_fits_the_facts_that_it_names(pattern: str, fact: Fact, fits: bool) -> None:
    assert facts.parse(pattern).fits(fact) is fits


@pytest.mark.parametrize("text", ["element X", "job a", "job a begins", "stage a", "case stops", "job a done where x"])
def test_a_pattern_that_names_no_fact_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        facts.parse(text)


def _rules(tmp_path: Path, body: str, items: tuple[str, ...] = ("i1", "i2")) -> Rules:
    path = tmp_path / "policy-rules.yaml"
    head = "afresh: [message again]\nrules:\n  - {id: r, requirements: R2, zh: 规则, en: a rule, "
    path.write_text(f"{head}{body}}}\n", encoding="utf-8")
    return Rules(rules.read(path), items)


@pytest.mark.parametrize(
    ("body", "happened", "broken"),
    [
        ("never: job b starts, before: job a done", "job b starts", True),
        ("never: job b starts, before: job a done", "job a done, job b starts", False),
        ("never: job b starts, before: job a done", "job a done, message again, job b starts", True),
        ("never: job b starts, before: job a done, afresh: []", "job a done, message again, job b starts", False),
        ("never: job b starts, before: job a done, when: stage s yes", "job b starts", False),
        ("never: job b starts, before: job a done, when: stage s yes", "stage s yes, job b starts", True),
        ("never: job b starts, before: [job a done, job c done], all of: true", "job a done, job b starts", True),
        ("never: job b starts, when: [[stage s yes], [stage t yes]]", "stage s yes, job b starts", False),
        ("never: job b starts, when: [[stage s yes], [stage t yes]]", "stage s yes, stage t yes, job b starts", True),
        ("never: job b starts, after: job a done", "job b starts, job a done", False),
        ("never: job b starts, after: job a done", "job a done, job b starts", True),
        ("never: job b starts, after: job a done, until: message m", "job a done, message m, job b starts", False),
        ("after: job a done, comes: job b done", "job a done, case ends", True),
        ("after: job a done, comes: job b done", "job a done, job b done, case ends", False),
        ("after: job a done, comes: job b done, by: message m", "job a done, message m", True),
        ("opens: job a done, closes: stage * *", "job a done, job a done, stage s yes, case ends", True),
        ("opens: job a done, closes: stage * *", "job a done, stage s yes, case ends", False),
        ("opens: job a done, closes: stage * *, clears: job c done", "job a done, job c done, case ends", False),
    ],
)
def test_a_rule_is_broken_by_the_facts_that_it_forbids(tmp_path: Path, body: str, happened: str, broken: bool) -> None:
    watched = _rules(tmp_path, body)

    _, found = watched.step(watched.initial, [_fact(text) for text in happened.split(", ")])

    assert bool(found) is broken


@pytest.mark.requirement("R50")
@pytest.mark.parametrize(
    ("route", "decided", "broken"),
    [
        (["one", "two"], ["one yes", "two yes"], False),
        (["one", "two"], ["two yes", "one yes"], False),
        (["one", "two"], ["one yes"], True),
        (["one", "two"], ["one yes", "two no"], True),
        (["one"], ["one yes", "one no"], False),
        (["one"], [], True),
        ([], ["one yes"], True),
        (None, ["one yes"], True),
        (["one"], ["one yes", "again"], True),
    ],
)
def test_p1_what_each_of_a_list_has_to_approve_is_not_approved_by_an_empty_list(
    tmp_path: Path, route: list[str] | None, decided: list[str], broken: bool
) -> None:
    watched = _rules(
        tmp_path,
        "never: job b starts, before each of: route, before: stage * yes, afresh: [message again]",
    )
    facts_of = [_fact("message again") if text == "again" else _fact(f"stage {text}") for text in decided]

    _, found = watched.step(watched.initial, [*facts_of, _fact("job b starts", route=route)])

    assert bool(found) is broken


def test_a_rule_for_each_item_follows_each_item_by_itself(tmp_path: Path) -> None:
    watched = _rules(
        tmp_path,
        "for each: id, never: job end starts, before: job copy done, when: job take done where part > 0",
    )
    taken = [_fact("job take done", id="i1", part=1), _fact("job take done", id="i2", part=0.5)]

    _, one_copied = watched.step(watched.initial, [*taken, _fact("job copy done", id="i1"), _fact("job end starts")])
    copied = [_fact("job copy done", id=item) for item in ("i1", "i2")]
    _, both_copied = watched.step(watched.initial, [*taken, *copied, _fact("job end starts")])

    assert len(one_copied) == 1
    assert both_copied == []


def test_a_rule_whose_facts_never_happen_is_never_tried(tmp_path: Path) -> None:
    watched = _rules(tmp_path, "never: job b starts, before: job a done")
    assert [rule.id for rule, _ in watched.never_tried()] == ["r"]

    watched.step(watched.initial, [_fact("job b starts")])

    assert list(watched.never_tried()) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("never: element x", "line 3: 'element x'"),
        ("nevr: job a done", "nevr is no word"),
        ("after: job a done", "r says nothing"),
        ("can come: m", "needs from"),
        ("after: job a done, until: job b done, keeps coming: job c done", "at least every"),
        ("never: job a done, floor: soft", "floor is one of"),
        ("never: job a done, before each of: route", "needs before"),
        ("never: job a done, process: 1", "the id of a process"),
        ("never: job a done, process: [a, 1]", "the id of a process"),
        ("never: job a done, process: [a, a]", "different processes"),
        ("never: job a done, process: []", "different processes"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, body: str, sentence: str) -> None:
    with pytest.raises(UnreadableFile, match=r"policy-rules.yaml, line 3") as error:
        _rules(tmp_path, body)

    assert sentence in str(error.value)


def test_a_rule_about_several_processes_is_one_for_each(tmp_path: Path) -> None:
    found = _rules(tmp_path, "never: job a done, process: [one, other]").rules

    assert [(rule.id, rule.process) for rule in found] == [("r", "one"), ("r", "other")]
