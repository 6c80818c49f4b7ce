"""The file of review stages: what is wrong in it is told with its line and key."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import DEFAULT_FOLDER, STAGES, StageCatalogue
from services.runtime import json_lines
from services.runtime.errors import Fatal

SHIPPED_FILE = DEFAULT_FOLDER / stage_file.NAME
INTERPRETER: dict[str, Any] = {
    "zh": "翻译审核",
    "en": "interpreter's review",
    "phase": "approval",
    "duty": "security",
    "candidates": [{"posts": ["head"], "departments": "legal"}],
    "limit": "PT8H",
    "signature": "password",
    "outcomes": ["approved", "rejected"],
}

Content = dict[str, Any]
BACK = ["approved", "returned"]


def write(folder: Path, change: Callable[[Content], object]) -> Path:
    content = json.loads(SHIPPED_FILE.read_text(encoding="utf-8"))
    change(content)
    path = folder / stage_file.NAME
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def having(code: str, **keys: Any) -> Callable[[Content], object]:
    return lambda stages: stages[code].update(keys)


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if text in line)


def test_the_file_beside_the_models_is_well() -> None:
    assert stage_file.check(SHIPPED_FILE)[1] == []
    assert {*stage_file.POLICY} <= {*STAGES}


def test_every_key_has_the_line_on_which_it_stands() -> None:
    text = '{"a": {"b": [1,\n {"c": "x, }"},\n "y"]},\n "d": "\\"{"}'

    assert json_lines.line_positions(text) == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "b", 0): 1,
        ("a", "b", 1): 2,
        ("a", "b", 1, "c"): 2,
        ("a", "b", 2): 3,
        ("d",): 4,
    }


@pytest.mark.parametrize(
    ("change", "key", "sentence"),
    [
        (lambda stages: stages["security"].pop("zh"), "stages.security.zh", "is missing"),
        (having("security", colour="red"), "stages.security.colour", "no key that is known"),
        (having("security", en="安全审核"), "stages.security.en", "has to be English"),
        (having("security", zh="review"), "stages.security.zh", "has no Chinese"),
        (having("security", limit="8 hours"), "stages.security.limit", "a duration such as PT8H"),
        (having("security", limit="PT0S"), "stages.security.limit", "a duration such as PT8H"),
        (having("security", limitCounts="weekdays"), "stages.security.limitCounts", "input should be 'calendar'"),
        (having("receipt", limitCounts="working-time"), "stages.receipt.limitCounts", "is calendar time"),
        (having("security", duty="cleaning"), "stages.security.duty", "add it there"),
        (having("security", mayRaise="yes"), "stages.security.mayRaise", "is true or false"),
        (having("security", phase="later"), "stages.security.phase", "input should be 'approval'"),
        (having("security", candidates=7), "stages.security.candidates", "is a list in brackets"),
        (having("security", candidates=[]), "stages.security.candidates", "at least 1 item"),
        (
            lambda stages: stages["security"]["candidates"][0].update(posts=["member"]),
            "stages.security.candidates.0.posts.0",
            "member is no post that may decide",
        ),
        (
            lambda stages: stages["security"]["questions"][1].update(code="rules-met"),
            "stages.security.questions.1.code",
            "rules-met is asked already",
        ),
        (lambda stages: stages["security"]["reasonFor"].append("signed"), "stages.security.reasonFor.2", "no outcome"),
        (
            having("management", outcomes=["approved", "adjourned"]),
            "stages.management.outcomes.1",
            "adjourned is not among the outcomes",
        ),
        (having("management", returns=["dueAt"]), "stages.management.returns.0", "receipt alone"),
        (
            lambda stages: stages.update(interpreting={**INTERPRETER, "candidates": "management"}),
            "stages.interpreting.candidates",
            "this rule is the stage management and violation-management and violation-appeal's",
        ),
        (
            lambda stages: stages.update(interpreting=INTERPRETER | {"phase": "custody", "outcomes": BACK}),
            "stages.interpreting.outcomes.1",
            "sent back before copies are handed over",
        ),
        (lambda stages: stages.update(Interpreting=INTERPRETER), "stages.Interpreting", "small letters"),
        (lambda stages: stages.pop("management"), "stages.management", "it has to be there"),
        (having("management", retired=True), "stages.management", "it has to be there"),
        (
            having("preliminary", candidates=INTERPRETER["candidates"]),
            "stages.preliminary.candidates",
            "the policy says who decides it",
        ),
        (lambda stages: stages["receipt"]["outcomes"].reverse(), "stages.receipt.outcomes", "in this order: accepted"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(
    tmp_path: Path, change: Callable[[Content], object], key: str, sentence: str
) -> None:
    path = write(tmp_path, lambda content: change(content["stages"]))

    problems = stage_file.check(path)[1]

    assert any(one.key == key and sentence in one.sentence for one in problems), problems
    with pytest.raises(Fatal, match=r"could not read the review stages \| .*review-stages.json \| line \d+, stages"):
        StageCatalogue(tmp_path).use(tmp_path)


def test_the_line_is_that_of_the_key_or_of_the_object_that_lacks_it(tmp_path: Path) -> None:
    def change(content: Content) -> None:
        content["stages"]["interpreting"] = {**INTERPRETER, "limit": "soon"}
        del content["outcomes"]["returned"]["act"]

    path = write(tmp_path, change)
    (lacking,) = stage_file.check(path)[1]
    assert (lacking.line, lacking.key) == (line_of(path, '"returned": {'), "outcomes.returned.act")

    path = write(tmp_path, lambda content: content["stages"].update(interpreting={**INTERPRETER, "limit": "soon"}))
    (wrong,) = stage_file.check(path)[1]
    assert str(wrong) == (
        f"line {line_of(path, 'soon')}, stages.interpreting.limit: "
        "is review, release, take-up or a duration such as PT8H"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"posts": {},\n "duties": }', "line 2: no JSON: Expecting value"),
        ('{"posts": {}, "posts": {}}', "line 1: the key posts is twice in one object: keep one of them"),
        ("[]", "line 1: is an object in braces"),
        ('{"stages": 3}', "line 1, stages: is an object in braces"),
    ],
)
def test_a_text_of_another_kind_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / stage_file.NAME).write_text(text, encoding="utf-8")

    assert sentence in map(str, stage_file.check(tmp_path / stage_file.NAME)[1])


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / stage_file.NAME
    assert str(stage_file.check(path)[1][0]) == "line 1: the file cannot be read: No such file or directory"
    path.write_bytes(b"\xff\xfe")
    assert str(stage_file.check(path)[1][0]) == "line 1: the file is not UTF-8"


def test_the_words_of_stages_and_outcomes_come_from_the_file() -> None:
    assert (STAGES.label("security"), STAGES.label("nothing")) == (STAGES["security"], None)
    words = STAGES.label("returned")
    assert words is not None
    assert (words.zh, words.en) == ("退回", "returned")
