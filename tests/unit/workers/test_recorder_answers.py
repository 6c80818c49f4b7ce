"""What a recorder may answer, taken through retrieve-footage and encrypt-copy as far as item, record, label and copy.

What is true is told by the camera that made the footage. Nothing wrong is ever called complete, in none of the books.
"""

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from custody_desk import ASKED, FILMED, Case, Desk
from footage_maker import Camera, Picture, Written, truncate

from services.database.tables.applications import Item
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.domain.cameras import measurements
from services.recorders.protocol import RecorderDown
from services.runtime.errors import Outcome
from services.runtime.spans import Span
from services.vault.age import Unwrapper
from services.vault.coverage import WrongFootage
from services.vault.packets import packet_hashes, part_of
from services.vault.sealing import TOLERANCE_MS, Sealed, open_sealed
from services.workers import encrypt_copy, retrieve_footage

MILLISECOND = timedelta(milliseconds=1)
HTML = b"<html>sign in</html>" * 2000


@dataclass(frozen=True)
class Kept:
    """A sealed object with its label, and the hashes of the packets of pictures that it holds."""

    sealed: Sealed
    label: dict[str, Any]
    pictures: list[str]


@pytest.fixture
def gate(desk: Desk) -> list[Written]:
    """The channel gate, recorded anew, so that each picture is known; segments of four seconds."""
    shutil.rmtree(desk.recordings / "gate")
    return Camera(desk.recordings, "gate").record(FILMED.start, 24)


async def retrieve(desk: Desk, case: Case) -> float:
    result = await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    return float(result.coverage)


def record(desk: Desk) -> dict[str, Any]:
    [document] = [row for row in desk.rows(Document) if row.kind == "retrieval-record"]
    content: dict[str, Any] = json.loads(document.content)
    return content


def kept(desk: Desk, told: dict[str, Any], unwrapper: Unwrapper) -> Kept:
    sealed = Sealed.from_json(told)
    reader = open_sealed(desk.store, sealed.location, unwrapper)
    pictures = [one for part in sealed.coverage.parts for one in packet_hashes(part_of(reader, part), "video")]
    return Kept(sealed, desk.label_of(told)["predicate"], pictures)


def lacking(pictures: Sequence[Picture], got: Sequence[str], asked: Span) -> list[Picture]:
    """Pictures of the asked span that were filmed and are not there; at the very edge time stamps are too rough."""
    edge, there = timedelta(milliseconds=TOLERANCE_MS), set(got)
    return [one for one in pictures if asked.start + edge <= one.at < asked.end - edge and one.sha256 not in there]


async def assert_honest(desk: Desk, filmed: Sequence[Written], case: Case, asked: Span = ASKED) -> Kept:
    """Retrieve and issue the item, and hold item, record, labels, master and copy against what was filmed."""
    share = await retrieve(desk, case)
    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item())
    [master_row], [copy_row], item, content = (
        desk.rows(Master),
        desk.rows(Copy),
        desk.row(Item, case.item()),
        record(desk),
    )
    master = kept(desk, master_row.sealed, desk.vault_keys.unwrapper())
    copy = kept(desk, copy_row.sealed, desk.loan_keys.unwrapper(copy_row.id))

    pictures = [picture for one in filmed for picture in one.pictures]
    moments = sorted(picture.at for picture in pictures if asked.start <= picture.at < asked.end)
    whole = len(moments) == round(asked.duration.total_seconds() * 10)
    for one in (master, copy):
        assert set(one.pictures) <= {picture.sha256 for picture in pictures}
        lost = lacking(pictures, one.pictures, asked)
        for picture in lost:
            moment = Span(picture.at - MILLISECOND, picture.at + 2 * MILLISECOND)
            assert any(moment.intersect(hole) for hole in one.sealed.coverage.gaps), f"no gap tells of {picture.at}"
        assert one.sealed.outcome == ("complete" if whole and not lost else "partial")
        assert one.label["outcome"] == one.sealed.outcome == item.outcome == content["outcome"]
        assert one.label["gaps"] == one.sealed.coverage.to_json()["gaps"]
    given = {one["name"]: one["sha256"] for one in copy.label["database"]["recorderSegments"]}
    on_disk = [one.path for one in filmed if one.path.name in given]
    assert given == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in on_disk}
    assert (share == 1.0) is (master.sealed.outcome == "complete")
    assert item.coverage == content["coverage"] == share
    assert content["obtained"]["gaps"] == master.label["gaps"]
    return master


@pytest.mark.requirement("R35", "R37")
async def test_whole_footage_is_complete_in_every_book(desk: Desk, gate: list[Written]) -> None:
    master = await assert_honest(desk, gate, desk.case("gate").approve())

    assert master.sealed.outcome == "complete"


@pytest.mark.requirement("R35", "R37")
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95, 0.999])
async def test_a_truncated_segment_is_partial_in_every_book(desk: Desk, gate: list[Written], share: float) -> None:
    truncate(gate[2].path, share)

    master = await assert_honest(desk, gate, desk.case("gate").approve())

    assert master.sealed.outcome == "partial"


async def test_a_gap_inside_the_span_is_partial_in_every_book(desk: Desk, gate: list[Written]) -> None:
    gate[2].path.unlink()

    master = await assert_honest(desk, [*gate[:2], *gate[3:]], desk.case("gate").approve())

    [gap] = master.sealed.coverage.gaps
    assert abs(gap.start - gate[2].start) < timedelta(milliseconds=TOLERANCE_MS)
    assert abs(gap.end - gate[2].end) < timedelta(milliseconds=TOLERANCE_MS)


async def test_a_start_inside_a_gap_is_partial_in_every_book(desk: Desk, gate: list[Written]) -> None:
    gate[2].path.unlink()
    asked = Span(gate[2].start + timedelta(seconds=1), gate[4].end)

    master = await assert_honest(desk, [*gate[:2], *gate[3:]], desk.case("gate", span=asked).approve(), asked)

    [gap] = master.sealed.coverage.gaps
    assert gap.start == asked.start
    assert master.sealed.coverage.first_frame >= gate[3].start - timedelta(milliseconds=TOLERANCE_MS)


@pytest.mark.parametrize("body", [b"", HTML], ids=["an empty file", "a page that asks to sign in"])
async def test_a_segment_that_is_no_footage_is_a_gap_among_footage(
    desk: Desk, gate: list[Written], body: bytes
) -> None:
    gate[2].path.write_bytes(body)

    await assert_honest(desk, gate, desk.case("gate").approve())


async def test_nothing_recorded_is_missing_in_every_book(desk: Desk, gate: list[Written]) -> None:
    for one in gate:
        one.path.unlink()
    case = desk.case("gate").approve()

    with pytest.raises(Outcome) as caught:
        await retrieve(desk, case)

    assert caught.value.code == "FOOTAGE_MISSING"
    assert (desk.row(Item, case.item()).outcome, record(desk)["outcome"]) == ("missing", "missing")
    assert record(desk)["files"] == desk.everything() == []


async def test_a_recorder_that_is_down_decides_nothing_until_it_is_back(desk: Desk, gate: list[Written]) -> None:
    case = desk.case("gate").approve()
    away = desk.recordings.rename(desk.root / "away")

    with pytest.raises(RecorderDown):
        await retrieve(desk, case)
    assert desk.row(Item, case.item()).outcome is None
    assert desk.everything() == []

    away.rename(desk.recordings)
    desk.clock.turn(measurements.ASKED_APART)
    await assert_honest(desk, gate, case)


async def test_footage_of_another_channel_is_never_kept_and_the_right_one_is_taken_afterwards(
    desk: Desk, gate: list[Written]
) -> None:
    known = desk.case("gate").approve()
    await retrieve(desk, known)  # the first retrieval learns what the camera's pictures are like
    case = desk.case("gate").approve()
    gate_folder, hall_folder = desk.recordings / "gate", desk.recordings / "hall"
    before = desk.everything()
    gate_folder.rename(desk.root / "gate")
    shutil.copytree(hall_folder, gate_folder)

    with pytest.raises(WrongFootage, match="is not from the camera that is known there"):
        await retrieve(desk, case)
    assert desk.row(Item, case.item()).outcome is None
    assert desk.everything() == before

    shutil.rmtree(gate_folder)
    (desk.root / "gate").rename(gate_folder)
    assert await retrieve(desk, case) == 1.0


def _remove(segment: Written, _chance: random.Random) -> None:
    segment.path.unlink()


def _cut(segment: Written, chance: random.Random) -> None:
    truncate(segment.path, chance.uniform(0.05, 0.99))


def _overwrite(segment: Written, _chance: random.Random) -> None:
    segment.path.write_bytes(HTML)


DAMAGES: tuple[Callable[[Written, random.Random], None], ...] = (_remove, _cut, _overwrite)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_wrong_with_a_recorders_files_no_book_calls_it_complete(
    desk: Desk, gate: list[Written], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # a choice of damages, no secret
    for segment in chance.sample(gate[1:5], chance.randint(1, 2)):
        chance.choice(DAMAGES)(segment, chance)

    await assert_honest(desk, gate, desk.case("gate").approve())
