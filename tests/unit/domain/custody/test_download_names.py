"""What the files of a download are called: by application, camera and time, in letters that no system refuses."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.domain.custody.download_contents import names_of


def copy(id_: str, name: str, first: str = "2026-11-26T14:46:12.500+00:00", channel: str = "ch1") -> Any:
    camera = SimpleNamespace(name_en=name, channel=channel)
    item = SimpleNamespace(camera=camera, zone="Asia/Shanghai")
    return SimpleNamespace(id=id_, item=item, sealed={"coverage": {"firstFrame": first}})


def name(camera: str, **values: str) -> str:
    return names_of("SQ-2026-000014", [copy("one", camera, **values)])["one"]


@pytest.mark.requirement("R37")
def test_the_name_has_application_camera_and_the_time_in_the_cameras_zone() -> None:
    assert name("Workshop A") == "SQ-2026-000014_WorkshopA_2026-11-26_2246"


@pytest.mark.parametrize(
    ("camera", "channel", "part"),
    [
        ("loading bay no. 2", "ch1", "LoadingBayNo2"),
        ('Café / Tür\\..:*?"<>|', "ch1", "CafeTur"),
        ("车间东门", "ch1", "Ch1"),
        ("", "车间", "camera"),
        ("x" * 300, "ch1", "X" + "x" * 39),
    ],
)
def test_letters_that_a_system_may_refuse_are_left_out(camera: str, channel: str, part: str) -> None:
    assert name(camera, channel=channel) == f"SQ-2026-000014_{part}_2026-11-26_2246"


def test_an_applications_number_is_no_folder() -> None:
    assert names_of("SQ/2026/../14", [copy("one", "gate")])["one"] == "SQ-2026-14_Gate_2026-11-26_2246"


def test_copies_of_one_camera_and_minute_have_names_of_their_own() -> None:
    copies = [copy("one", "gate"), copy("two", "Gate"), copy("three", "GATE"), copy("four", "yard")]

    names = list(names_of("SQ-1", copies).values())

    assert names == [
        "SQ-1_Gate_2026-11-26_2246",
        "SQ-1_Gate_2026-11-26_2246_2",
        "SQ-1_GATE_2026-11-26_2246_3",
        "SQ-1_Yard_2026-11-26_2246",
    ]
