"""Batches of disposal over random cases: decidable, whole, few, and hidden from whom they concern (R52, T8)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from amount import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from written_directory import directory_of

from services.domain.access.parts import CaseFacts
from services.domain.storage import disposal_batches
from services.domain.storage.disposal_batches import Batch, Deciders

OPERATORS = tuple(f"operator-{number}" for number in range(5))
SIGNERS = ("security-head", "security-deputy", "board-head")
OFFICE = ("office-head", "office-deputy", "counsel")  # sign where Security is concerned
STAFF = (*OPERATORS, "storage-head", *SIGNERS, *OFFICE)
MOST = 40
DECIDED = "security"  # a duty besides the two of a disposal
DIRECTORY = directory_of(*((person, "storage", "storage-operator") for person in OPERATORS))
CASE = CaseFacts(application_id="", department_id="works", done={})
some = st.sets(st.sampled_from(STAFF), max_size=3)


@st.composite
def cases(draw: st.DrawFn) -> list[tuple[CaseFacts, frozenset[str]]]:
    """Draw cases: who has a part in each, whom it concerns, and who has decided what."""
    kinds = draw(st.lists(st.tuples(some, some, some, st.booleans()), min_size=1, max_size=8))
    drawn = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=200))
    made = []
    for number, (parties, subjects, decided, concerns) in enumerate(drawn):
        near = {person: DIRECTORY.departments_of(person) for person in subjects} if concerns else {}
        done = {DECIDED: decided}
        case = replace(CASE, application_id=str(number), done=done, custodians=parties)
        made.append((replace(case, subjects=subjects, near=near) if concerns else case, frozenset(parties)))
    return made


def deciders_of(given: Sequence[tuple[CaseFacts, frozenset[str]]]) -> list[tuple[str, Deciders]]:
    return [(case.application_id, disposal_batches.deciders_of(DIRECTORY, case, parties)) for case, parties in given]


@pytest.mark.requirement("R52", "R61", refuses=True)
@settings(max_examples=examples(sample=60, full=2_000), deadline=None)
@given(cases())
def test_each_batch_has_two_who_may_decide_all_of_it_and_only_what_nobody_could_decide_is_left(
    drawn: list[tuple[CaseFacts, frozenset[str]]],
) -> None:
    due = deciders_of(drawn)
    batches, left = disposal_batches.group(DIRECTORY, due, MOST)

    by_case = {case.application_id: (case, parties) for case, parties in drawn}
    own = dict(due)
    assert sorted(left + [one for batch in batches for one in batch.master_ids]) == sorted(by_case)
    assert not any(disposal_batches.can_be_decided(DIRECTORY, own[one]) for one in left)
    for batch in batches:
        assert 1 <= len(batch.master_ids) <= MOST
        first, second = _two_who_decide(batch)
        assert not DIRECTORY.departments_of(first) & DIRECTORY.departments_of(second)
        for person in (first, second):
            for case, parties in map(by_case.__getitem__, batch.master_ids):
                assert person not in {*parties, *case.subjects, *case.done[DECIDED]}
        assert {own[one].hidden_from for one in batch.master_ids} == {batch.deciders.hidden_from}
        for stage, barred in batch.deciders.barred.items():
            free = batch.deciders.free[disposal_batches.ASKED.index(stage)]
            assert not free & set(barred)
            assert not batch.deciders.hidden_from & set(barred)


@pytest.mark.requirement("R52")
@settings(max_examples=examples(sample=60, full=2_000), deadline=None)
@given(cases())
def test_batches_are_few(drawn: list[tuple[CaseFacts, frozenset[str]]]) -> None:
    """No two that could be one remain apart: but for full batches, their number does not grow with the cases."""
    batches, _ = disposal_batches.group(DIRECTORY, deciders_of(drawn), len(drawn))
    for place, batch in enumerate(batches):
        for other in batches[place + 1 :]:
            both = batch.deciders.joined(other.deciders)
            assert both is None or not disposal_batches.can_be_decided(DIRECTORY, both)
    full, _ = disposal_batches.group(DIRECTORY, deciders_of(drawn), MOST)
    assert len(full) <= len(batches) + len(drawn) // MOST


def _two_who_decide(batch: Batch) -> tuple[str, str]:
    proposers, confirmers = batch.deciders.free
    return next(
        (first, second)
        for first in sorted(proposers)
        for second in sorted(confirmers)
        if not DIRECTORY.departments_of(first) & DIRECTORY.departments_of(second)
    )
