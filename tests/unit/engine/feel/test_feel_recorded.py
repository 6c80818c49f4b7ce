"""What the released FEEL engines 1.18 and 1.19 answered is what ours answers, without Java.

`recorded.jsonl` holds their answers to each built-in with arguments that fit, that do not, by name, too few and too
many; to operators between values of all kinds; to unary tests; and to what the grammar takes and refuses.
`record.py` writes it.
"""

import json
from pathlib import Path

import pytest
from feel_reference import ours, variables

from services.engine.feel import compile_expression

ROWS = [json.loads(line) for line in Path(__file__).with_name("recorded.jsonl").read_text("utf-8").splitlines()]
NEW_IN_1_19 = {"is blank", "partition"}


@pytest.mark.parametrize("part", range(8))
def test_our_answers_are_theirs(part: int) -> None:
    known = variables()
    wrong = []
    for case, *answers in ROWS[part::8]:
        found = ours(case if isinstance(case, str) else tuple(case), known)
        if found != answers[-1]:
            wrong.append(f"{case} => {found}, not {answers[-1]}")
    assert not wrong


def test_the_two_versions_differ_in_the_functions_that_the_older_one_does_not_have() -> None:
    differing = [case for case, *answers in ROWS if len(answers) > 1]
    assert differing
    assert all(compile_expression(case).functions & NEW_IN_1_19 for case in differing)


def test_the_table_is_large_and_of_all_kinds() -> None:
    answers = [answer[-1] for answer in ROWS]
    assert len(ROWS) > 10_000
    assert {"PARSE", "FAIL", "= null", "= true"} <= set(answers)
    assert sum(isinstance(case, list) for case, *_ in ROWS) > 500
