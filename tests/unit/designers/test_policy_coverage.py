"""`footage-desk policy coverage`: what it reads of the page, the models and the markers, and what it finds wrong."""

import json
from pathlib import Path

import pytest
from small_checkout import MARK, Checkout
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.designers.policy_coverage.coverage import Coverage, read_coverage
from services.designers.policy_coverage.marks import WrongMark
from services.designers.policy_coverage.policy_page import State, Verb, WrongPage


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def read(checkout: Checkout) -> Coverage:
    return read_coverage(checkout.root)


def test_a_requirement_has_its_verb_its_elements_and_the_tests_that_show_it(checkout: Checkout) -> None:
    checkout.test("more", "def test_seen(): ...\n", '"R4", verb="recorded"', '"R5"')

    found = read(checkout)

    need, kept, word = found.requirements
    assert (need.row.verb, need.row.state, need.elements, need.refusing) == ("enforced", "whole", ("Task_Ask",), 1)
    assert [(name, mark.verb, mark.refuses) for name, mark in need.tests] == [
        ("tests/test_lists.py::test_refused", "enforced", True),
        ("tests/test_more.py::test_seen", "recorded", False),
    ]
    assert [name for name, _ in kept.tests] == ["tests/test_more.py::test_seen", "tests/test_records.py::test_kept"]
    assert (word.row.state, word.tests) == (State.NOT_YET, ())
    assert [found.count_whole(verb) for verb in Verb] == [1, 1, 0]
    assert found.faults == ()


def test_a_mark_of_the_whole_file_counts_for_each_test_and_the_stronger_of_two_counts(checkout: Checkout) -> None:
    text = f'import pytest\npytestmark = [{MARK[1:]}("R4")]\ndef test_a(): ...\n{MARK}("R4", refuses=True)\n'
    checkout.write("tests/test_lists.py", f"{text}async def test_b(): ...\ndef helper(): ...\n")

    [need, *_] = read(checkout).requirements

    assert [(name.partition("::")[2], mark.refuses) for name, mark in need.tests] == [
        ("test_a", False),
        ("test_b", True),
    ]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ({"R4": "enforced | whole", "R5": "recorded | whole", "R6": "attested | whole"}, "R6 is whole in "),
        ({"R4": "enforced | whole", "R5": "enforced | whole"}, "R5 is enforced in docs/policy.md, and no test sees"),
        ({"R4": "enforced | whole", "R5": "enforced | partly: some"}, "R5 is enforced in docs/policy.md, and no test"),
        ({"R4": "enforced | not yet", "R5": "recorded | whole"}, "R4 is not yet in docs/policy.md, and tests show it"),
    ],
)
def test_a_page_that_says_more_or_less_than_the_tests_is_found(
    checkout: Checkout, page: dict[str, str], says: str
) -> None:
    checkout.page(**page)

    [fault] = read(checkout).faults

    assert fault.startswith(says)


def test_a_record_does_not_show_that_something_is_enforced(checkout: Checkout) -> None:
    checkout.test("lists", "def test_refused(): ...\n", '"R4", verb="recorded"')

    [fault] = read(checkout).faults

    assert fault.startswith("R4 is whole in docs/policy.md, and no test shows that it is enforced")


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ("", "it names no requirement"),
        ('"R7"', "'R7' is no requirement of docs/policy.md"),
        ("4", "4 is no requirement"),
        ('"R4", verb="proved"', "its verb is 'proved'; write one of: enforced, recorded, attested"),
        ('"R5", verb="enforced"', "R5 is recorded in docs/policy.md: a test does not show that it is enforced"),
        ('"R5", refuses=True', "R5 is recorded here: refuses=True is for what is enforced"),
        ('"R4", verb="recorded", refuses=True', "R4 is recorded here"),
        ('"R4", refuses=False', "refuses is True, or it is left out"),
        ('"R4", refused=True', "it has no refused"),
        ("NUMBER", "it is read without running it"),
    ],
)
def test_a_marker_that_says_what_it_cannot_is_refused_with_its_place(checkout: Checkout, mark: str, says: str) -> None:
    checkout.test("lists", "def test_refused(): ...\n", mark)

    with pytest.raises(WrongMark, match=r"tests/test_lists\.py:2: @pytest\.mark\.requirement: ") as refused:
        read(checkout)
    assert says in str(refused.value)


def test_a_marker_on_something_else_than_a_test_is_refused(checkout: Checkout) -> None:
    checkout.write(
        "tests/test_lists.py", f'import pytest\nclass TestIt:\n    {MARK}("R4")\n    def test_it(self): ...\n'
    )

    with pytest.raises(WrongMark, match=r"test_lists\.py:3: the marker belongs on a test function"):
        read(checkout)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("E | whole", "the verb of R4 is 'E'; write one of: enforced"),
        ("enforced | done", "the state of R4 is 'done'; write one of: whole, partly, not yet"),
        ("enforced | partly", "write behind 'partly:', and there alone, what lacks"),
        ("enforced | whole: but", "write behind 'partly:', and there alone, what lacks"),
        ("enforced | whole |\n| R4 | a | b | c | d | enforced | whole", "R4 has two rows"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(checkout: Checkout, row: str, says: str) -> None:
    checkout.page(R4=row)

    with pytest.raises(WrongPage, match=says):
        read(checkout)


def run(root: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli_main.app, ["policy", "coverage", "--root", str(root), *arguments])
    return done.exit_code, done.output


@pytest.mark.requirement("R62", verb="recorded")
def test_the_command_prints_each_requirement_and_ends_with_the_sums(checkout: Checkout) -> None:
    code, printed = run(checkout.root)

    assert code == 0
    assert "R4 enforced, whole (一(一))\n    必要\n    elements: Task_Ask\n    tests: 1, refusing: 1\n" in printed
    assert "        tests/test_lists.py::test_refused (refuses)\n" in printed
    assert printed.endswith("2 of 3 whole: 1 enforced, 1 recorded, 0 attested; partly: —; not yet: R6\n")


def test_the_command_exits_with_1_at_what_is_not_shown_and_has_json(checkout: Checkout) -> None:
    checkout.test("lists", "def test_refused(): ...\n", '"R4"')

    code, printed = run(checkout.root, "--json")

    told = json.loads(printed)
    assert code == 1
    assert told["requirements"][0]["tests"] == [
        {"id": "tests/test_lists.py::test_refused", "verb": "enforced", "refuses": False}
    ]
    assert (told["notYet"], len(told["faults"])) == (["R6"], 1)
    assert "✗ R4 is enforced" in run(checkout.root)[1]


def test_the_command_says_what_is_no_checkout_and_which_marker_is_wrong(checkout: Checkout, tmp_path: Path) -> None:
    checkout.test("lists", "def test_refused(): ...\n", '"R99"')

    assert run(checkout.root)[0] == 1
    assert "'R99' is no requirement" in run(checkout.root)[1]
    code, said = run(tmp_path / "nothing")
    assert (code, "run this in a checkout" in said) == (1, True)
