"""What lacks by the numbers of H.264's pictures, whatever order and structure an encoder gives them."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from services.vault.clip.picture_numbers import Numbering, PictureCounter, numbering_of

ORDERED = Numbering(hevc=False, bits=6, planes=False, leans=True, order=6)
LAYERED = replace(ORDERED, order=0)


@dataclass(frozen=True)
class One:
    """A picture: by which number it is shown, and whether it begins anew or others lean on it."""

    order: int
    anew: bool = False
    leaned_on: bool = True
    field: int | None = None  # 1 where it is the bottom one


def group(sizes: Iterable[int]) -> list[One]:
    """A key frame, then for each size as many B pictures before the P picture that they lean on, as decoded."""
    found, shown = [One(0, anew=True)], 0
    for size in sizes:
        shown += size + 1
        found.append(One(2 * shown))
        found += [One(2 * (shown - size + place), leaned_on=False) for place in range(size)]
    return found


def as_fields(pictures: Iterable[One]) -> list[One]:
    """Each picture as two, the second of a key frame being none."""
    return [
        replace(one, order=one.order + bottom, anew=one.anew and not bottom, field=bottom)
        for one in pictures
        for bottom in (0, 1)
    ]


def slices(pictures: Iterable[One], numbering: Numbering) -> list[bytes]:
    """The beginning of each picture's first slice."""
    found, number, before = [], 0, None
    for one in pictures:
        if one.anew:
            number = 0
        elif before is not None and before.leaned_on and not (one.field and one.order == before.order + 1):
            number += 1
        bits = "1" + "00110" + "1" + f"{number % (1 << numbering.bits):0{numbering.bits}b}"
        if numbering.fields:
            bits += "0" if one.field is None else f"1{one.field}"
        bits += "1" * one.anew
        if numbering.order:
            bits += f"{one.order % (1 << numbering.order):0{numbering.order}b}"
        bits += "1" * (-len(bits) % 8 + 8)
        body = int(bits, 2).to_bytes(len(bits) // 8, "big")
        found.append(bytes([0x60 * one.leaned_on | (5 if one.anew else 1)]) + body.replace(b"\0\0", b"\0\0\3"))
        before = one
    return found


def counted(units: Iterable[bytes], numbering: Numbering, slower: float = 0) -> PictureCounter:
    counter = PictureCounter(numbering)
    for unit in units:
        counter.add(unit)
    counter.finish(slower)
    return counter


def without(units: list[bytes], gone: Iterable[int]) -> list[bytes]:
    left_out = set(gone)
    return [unit for place, unit in enumerate(units) if place not in left_out]


def recording(seed: int, most: int = 3) -> list[One]:
    """Some groups, each with its own numbers of B pictures."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [one for _ in range(6) for one in group(chance.randint(0, most) for _ in range(chance.randint(1, 12)))]


SETS = {  # as x264 writes them
    "6742c00ada0a3684000003000400000300503c489a80": Numbering(hevc=False, bits=4, planes=False, leans=True),
    "674d400af6146d08000003000800000300a0789129c0": Numbering(
        hevc=False, bits=4, planes=False, leans=True, reorders=True, order=4
    ),
    "674d4015eca14db0f6a02040480000030008000003019301000f420003d09498601f142996": Numbering(  # interlaced, with HRD
        hevc=False, bits=4, planes=False, leans=True, reorders=True, order=6, fields=True
    ),
}


@pytest.mark.parametrize(("given", "numbering"), SETS.items())
def test_parameter_sets_say_how_pictures_are_numbered(given: str, numbering: Numbering) -> None:
    assert numbering_of("h264", [bytes.fromhex(given)]) == numbering
    cut = numbering_of("h264", [bytes.fromhex(given)[:12]])
    assert cut in (None, replace(numbering, reorders=False)), "what is said behind the cut is not known"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("fields", [False, True])
def test_a_whole_recording_lacks_nothing_wherever_it_is_cut(seed: int, fields: bool) -> None:
    numbering = replace(ORDERED, fields=fields, reorders=seed % 2 == 0)
    pictures = recording(seed)
    units = slices(as_fields(pictures) if fields and seed % 3 else pictures, numbering)
    for end in range(1, len(units)):
        found = counted(units[:end], numbering, slower=1)
        assert (found.lost, found.places) == (0, 0), f"cut behind {end} pictures"


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("seed", range(8))
def test_b_pictures_that_lack_are_counted_to_the_picture(seed: int) -> None:
    pictures = [*recording(seed), *group([0])]
    every = [place for place, one in enumerate(pictures) if not one.leaned_on]
    units = slices(pictures, ORDERED)
    for share in (1, 2, 5):
        gone = random.Random(seed).sample(every, len(every) // share)  # noqa: S311 - no secret
        numbering = replace(ORDERED, reorders=share == 1)  # where none is left, the parameter sets alone tell
        assert counted(without(units, gone), numbering).lost == len(gone)


@pytest.mark.requirement("R32")
@pytest.mark.parametrize(
    ("slower", "reorders", "lost"), [(2, False, 40), (1, True, 0), (0, True, 40), (0, False, 0), (1, False, 0)]
)
def test_b_pictures_that_all_lack_are_told_by_the_rate_or_the_parameter_sets(
    slower: float, reorders: bool, lost: int
) -> None:
    pictures = [*group([1] * 20), *group([1] * 20), *group([0])]
    units = [unit for unit, one in zip(slices(pictures, ORDERED), pictures, strict=True) if one.leaned_on]
    kept = units[:-1]  # of the last group the key frame alone
    assert counted(kept, replace(ORDERED, reorders=reorders), slower).lost == lost


@pytest.mark.requirement("R32")
def test_both_fields_of_a_b_picture_that_lack_are_one_picture() -> None:
    numbering = replace(ORDERED, fields=True)
    pictures = as_fields([*group([2] * 10), *group([0])])
    units = slices(pictures, numbering)
    gone = [place for place, one in enumerate(pictures) if one.order // 2 in (4, 11)]
    assert len(gone) == 4
    assert counted(without(units, gone), numbering).lost == 2


def test_a_camera_whose_order_follows_a_clock_may_leave_pictures_out() -> None:
    clock = random.Random(3)  # noqa: S311 - no secret
    orders = [0]
    for _ in range(60):
        orders.append(orders[-1] + 2 * clock.choice([1, 1, 2, 3]))
    units = slices([One(order, anew=not order) for order in orders], ORDERED)
    assert counted(units, ORDERED, slower=1).lost == 0


@pytest.mark.requirement("R32")
def test_a_picture_that_others_lean_on_is_missed_by_either_number() -> None:
    pictures = group([1] * 20)
    units = slices([*pictures, *group([0])], ORDERED)
    assert counted(without(units, [9]), ORDERED).lost == 1
    assert counted(without(units, [9, 10]), ORDERED).lost == 2


def test_what_lacks_before_the_asked_start_does_not_count() -> None:
    units = slices([*group([1] * 20), *group([0])], ORDERED)
    counter = PictureCounter(ORDERED)
    for place, unit in enumerate(units):
        if place in (4, 8, 14):
            continue
        counter.add(unit)
        if place < 10:
            counter.disregard()
    counter.finish(1)
    assert counter.lost == 1


@pytest.mark.requirement("R32")
def test_where_layers_have_no_order_a_number_that_goes_on_is_no_proof() -> None:
    # frame_num of a picture that none leans on is that of the next one.
    pictures = [One(0, anew=True), *(One(0, leaned_on=place % 2 == 1) for place in range(20))]
    units = slices(pictures, LAYERED)
    assert counted(units, LAYERED).known == 20
    assert counted(without(units, [9, 13]), LAYERED).known == 16  # two lack, and two that are there are no proof
    assert counted(without(units, [10]), LAYERED).lost == 1


def test_rare_pictures_that_none_leans_on_take_no_proof_from_the_others() -> None:
    pictures = [One(0, anew=True), *(One(0, leaned_on=place % 10 != 9) for place in range(60))]
    units = slices(pictures, LAYERED)
    assert counted(units, LAYERED).known == 60
