"""The slots of a process at its database: no more at once, the others in order, and not for ever."""

import asyncio

import pytest

from services.database.slots import NoSlot, Slots
from services.runtime import metrics

PATIENCE = 30.0


async def hold(
    slots: Slots, begun: "asyncio.Queue[int]", number: int, end: asyncio.Event, person: str | None = None
) -> None:
    async with slots.one(person):
        begun.put_nowait(number)
        await end.wait()


async def test_who_finds_none_free_waits_in_order() -> None:
    slots, begun, ends = Slots(2, PATIENCE), asyncio.Queue[int](), [asyncio.Event() for _ in range(4)]
    holding = [asyncio.create_task(hold(slots, begun, number, end)) for number, end in enumerate(ends)]
    assert [await begun.get(), await begun.get()] == [0, 1]
    await asyncio.sleep(0)
    assert metrics.REGISTRY.get_sample_value("footage_desk_database_connections_waited_for") == 2
    for ended, next_one in ((1, 2), (0, 3)):
        assert begun.empty()
        ends[ended].set()
        assert await begun.get() == next_one
    for end in ends:
        end.set()
    await asyncio.gather(*holding)
    assert metrics.REGISTRY.get_sample_value("footage_desk_database_connections_waited_for") == 0


async def test_who_waits_too_long_is_sent_away_and_takes_no_slot() -> None:
    slots, begun, end = Slots(1, 0.001), asyncio.Queue[int](), asyncio.Event()
    holding = asyncio.create_task(hold(slots, begun, 0, end))
    await begun.get()
    for _ in range(3):
        with pytest.raises(NoSlot):
            async with slots.one():
                pass
    end.set()
    await holding
    async with slots.one():
        pass


async def test_one_person_has_half_of_them_at_most_and_the_others_go_on() -> None:
    slots, begun, end = Slots(4, PATIENCE), asyncio.Queue[int](), asyncio.Event()
    many = [asyncio.create_task(hold(slots, begun, number, end, "wulei")) for number in range(9)]
    assert [await begun.get(), await begun.get()] == [0, 1]
    others = [
        asyncio.create_task(hold(slots, begun, number, end, person)) for number, person in ((10, "lina"), (11, None))
    ]
    assert {await begun.get(), await begun.get()} == {10, 11}
    await asyncio.sleep(0)
    assert begun.empty()
    end.set()
    await asyncio.gather(*many, *others)
    async with slots.one("wulei"):
        pass


async def test_one_whose_holder_is_cancelled_is_free_again() -> None:
    slots, begun = Slots(1, PATIENCE), asyncio.Queue[int]()
    holding = asyncio.create_task(hold(slots, begun, 0, asyncio.Event()))
    waiting = asyncio.create_task(hold(slots, begun, 1, asyncio.Event()))
    await begun.get()
    waiting.cancel()
    holding.cancel()
    await asyncio.wait({holding, waiting})
    async with slots.one():
        pass


async def test_they_hang_where_all_are_taken_and_none_moves() -> None:
    now = [0.0]
    slots, begun, end = Slots(2, PATIENCE, monotonic=lambda: now[0]), asyncio.Queue[int](), asyncio.Event()
    holding = [asyncio.create_task(hold(slots, begun, number, end)) for number in range(2)]
    await begun.get()
    now[0] = 100.0
    assert slots.hung_seconds() in (0.0, 100.0)
    await begun.get()
    now[0] = 700.0
    assert slots.hung_seconds() >= 600.0
    end.set()
    await asyncio.gather(*holding)
    assert slots.hung_seconds() == 0.0


def test_each_event_loop_has_its_own() -> None:
    slots = Slots(1, 0.001)

    async def both() -> str:
        begun, end = asyncio.Queue[int](), asyncio.Event()
        holding = asyncio.create_task(hold(slots, begun, 0, end))
        await begun.get()
        with pytest.raises(NoSlot):
            async with slots.one():
                pass
        end.set()
        await holding
        return "held"

    assert [asyncio.run(both()), asyncio.run(both())] == ["held", "held"]
