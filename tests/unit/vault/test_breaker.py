"""What a store does not do for one object holds up nothing; three in a row are a store that is away."""

import pytest

from services.vault.store.breaker import Breaker, shuffled
from services.vault.store.protocol import StoreDown, StoreLocked


async def answer(fault: Exception | None = None) -> None:
    if fault is not None:
        raise fault


async def test_the_third_in_a_row_that_a_store_does_not_do_is_a_store_that_is_away() -> None:
    breaker = Breaker()
    first = StoreDown("the first")
    assert not await breaker.is_done(answer(first), "1")
    assert not await breaker.is_done(answer(StoreDown("away")), "2")
    for key in ("3", "4"):  # it stays so until the store has answered
        with pytest.raises(StoreDown, match="away"):
            await breaker.is_done(answer(StoreDown("away")), key)
    assert await breaker.is_done(answer(), "5")
    assert not await breaker.is_done(answer(StoreDown("away")), "6")
    with pytest.raises(StoreDown, match="the first"):
        breaker.raise_first()


@pytest.mark.parametrize("between", [None, StoreLocked("somebody has locked it")])
async def test_objects_that_are_not_given_between_others_are_no_store_that_is_away(between: Exception | None) -> None:
    breaker = Breaker()
    for _ in range(9):
        assert not await breaker.is_done(answer(StoreDown("a bad disk")), "bad")
        assert await breaker.is_done(answer(between), "other") is (between is None)


async def test_what_is_refused_leaves_nothing_to_raise() -> None:
    breaker = Breaker()
    assert not await breaker.is_done(answer(StoreLocked("somebody has locked it")), "1")
    breaker.raise_first()


def test_the_order_leaves_nothing_out() -> None:
    assert sorted(shuffled(range(20))) == list(range(20))
