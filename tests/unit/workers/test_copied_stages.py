"""A stage that was reached once and copied: each copy is a desk of its own, and goes on as the first would have."""

from pathlib import Path

from custody_desk import Desk

from services.database.tables.custody import HandOver


def test_each_copy_stands_at_the_stage_and_knows_nothing_of_the_others(tmp_path: Path, footage: Path) -> None:
    first, second = (Desk.at_stage("offer", tmp_path / name, footage, "gate") for name in ("first", "second"))

    [offered] = first.desk.rows(HandOver)
    first.accept(offered.id)

    assert first.desk.row(HandOver, offered.id).accepted_at is not None
    assert second.desk.row(HandOver, offered.id).accepted_at is None
    [key] = second.desk.objects("copies")
    first.desk.damage("copies", key)
    assert read(first.desk, key) != read(second.desk, key)


async def test_a_copy_goes_on_with_keys_and_a_recorder_of_its_own(tmp_path: Path, footage: Path) -> None:
    case = Desk.at_stage("lend", tmp_path / "desk", footage, "gate")

    another = case.desk.case("yard")
    hand_over_id = await another.lend()

    assert another.id != case.id
    assert case.desk.row(HandOver, hand_over_id).accepted_at is not None
    assert {path.name for path in (tmp_path / "desk").iterdir()} >= {"recorder", "store", "loans", "keys"}


def read(desk: Desk, key: str) -> bytes:
    return b"".join(desk.store.get("copies", key))
