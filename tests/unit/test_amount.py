"""One variable says how much is tested."""

import amount
import pytest


def test_without_the_variable_a_sample_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(amount.VALUES, amount.VARIABLE, raising=False)
    monkeypatch.delitem(amount.VALUES, amount.SEEDS, raising=False)
    assert not amount.all_of_it()
    assert amount.examples(sample=5, full=60) == 5
    assert amount.seeds(sample=[1], full=range(1, 6)) == [1]


def test_all_is_tested_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(amount.VALUES, amount.VARIABLE, "all")
    monkeypatch.delitem(amount.VALUES, amount.SEEDS, raising=False)
    assert amount.all_of_it()
    assert amount.examples(sample=5, full=60) == 60
    assert amount.seeds(sample=[1], full=range(1, 6)) == [1, 2, 3, 4, 5]


def test_seeds_that_are_named_take_the_place_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(amount.VALUES, amount.SEEDS, "7,8")
    assert amount.seeds(sample=[1], full=range(1, 6)) == [7, 8]


def test_a_value_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(amount.VALUES, amount.VARIABLE, "ALL")
    with pytest.raises(ValueError, match="set it to 'all'"):
        amount.all_of_it()
