"""The camera picker searches in the database; a form reads the cameras that it names, and no others."""

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from sqlalchemy import event, insert

from services.database.tables.cameras import Camera
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.applications.pages import form_view, typed_form


@pytest.fixture
def desk(tmp_path: object) -> ReviewDesk:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/database.sqlite3")
    desk.run(_add_cameras, 200)
    return desk


def _add_cameras(uow: UnitOfWork, count: int) -> None:
    rows = [
        {
            **{"id": f"c{n}", "recorder_id": "recorder", "channel": str(n), "name_zh": f"摄像机{n:03}"},
            **{"name_en": f"Camera {n:03}", "place_zh": f"{n % 3}号楼", "place_en": f"Building {n % 3}"},
            **{"camera_class": "ordinary", "retention_days": 30, "active": n != 199, "overwritten": True},
        }
        for n in range(count)
    ]
    uow.session.execute(insert(Camera), rows)


@pytest.mark.requirement("R20")
def test_the_picker_shows_some_and_counts_the_others(desk: ReviewDesk) -> None:
    everything = desk.run(directory.find_cameras, "")
    assert (len(everything.cameras), everything.more) == (60, 140)  # 199 and the desk's own; one is out of use
    one = desk.run(directory.find_cameras, " camera 042 ")
    assert ([camera.id for camera in one.cameras], one.more) == (["c42"], 0)
    of_place = desk.run(directory.find_cameras, "1号楼")
    assert {camera.place_zh for camera in of_place.cameras} == {"1号楼"}
    assert len(of_place.cameras) + of_place.more == 66  # camera 199 would be one
    assert desk.run(directory.find_cameras, "100%").cameras == []


async def test_the_cameras_come_page_by_page_over_http(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")
    whole = (await drafter.get("/api/cameras")).json()
    pages: list[list[dict[str, object]]] = []
    address: str | None = "/api/cameras?limit=60"
    while address:
        answer = await drafter.get(address)
        pages.append(answer.json())
        address = answer.links.get("next", {}).get("url")

    assert [camera for page in pages for camera in page] == whole
    assert [len(page) for page in pages] == [60, 60, 60, 20]
    [one] = (await drafter.get("/api/cameras", params={"text": "摄像机042", "limit": 60})).json()
    assert one["id"] == "c42"


async def test_people_are_found_by_a_part_of_their_name_over_http(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")
    people = (await drafter.get("/api/directory", params={"text": "EEPE"})).json()["people"]
    assert [person["id"] for person in people] == ["keeper"]


def test_a_form_reads_the_cameras_that_it_names(desk: ReviewDesk) -> None:
    read: list[object] = []

    def note(row: object, _context: object) -> None:
        read.append(row)

    typed = typed_form.typed_of({"items-0-cameraId": "c7", "items-0-start": "", "items-0-end": ""})
    event.listen(Camera, "load", note)
    try:
        view = desk.run(form_view.build, "new", typed, version=0, by="drafter")
    finally:
        event.remove(Camera, "load", note)
    assert [row.camera.id for row in view.reading.rows if row.camera] == ["c7"]
    assert len(read) <= directory.SHOWN + 2  # the one named, and one to know whether more follow
