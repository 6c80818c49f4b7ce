"""How many transactions a whole case writes: the figure by which docs/capacity.md reckons from the register's own."""

import pytest
from case_people import People
from whole_desk import Desk

from services.bench.submissions import WHOLE_CASE
from services.database.unit_of_work import Database


async def test_a_whole_case_is_as_many_transactions_as_the_benchmark_reckons_with(
    desk: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"all": 0, "looks": 0}
    once, look = Database._once, Desk.look

    def count(self: Database, *given: object, **named: object) -> object:
        counted["all"] += not named.get("reading")  # who only reads takes no writer's turn
        return once(self, *given, **named)  # type: ignore[arg-type]

    def count_look(self: Desk, *given: object) -> object:
        before = counted["all"]
        answer = look(self, *given)  # type: ignore[arg-type]
        counted["looks"] += counted["all"] - before
        return answer

    monkeypatch.setattr(Database, "_once", count)
    monkeypatch.setattr(Desk, "look", count_look)
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)

    assert counted["all"] - counted["looks"] == pytest.approx(WHOLE_CASE, rel=0.25)
