"""Floor plans, favourites and listed cameras as pages, without a script: refused is what is wrong, and typed stays."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from apply_browser import filled, value_of
from photographs import jpeg, png, told_png, with_exif
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import HOSTILE, text_of

from services.database.tables.cameras import Camera, CameraPin, FavouriteCamera, FloorPlan
from services.domain.cameras import photographs
from services.domain.storage import sites
from services.domain.storage.schemas import SiteBody
from services.recorders.protocol import ListedCamera, RecorderDown

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"


class Lister:
    """A recorder that lists these cameras, or fails."""

    cameras: list[ListedCamera] | RecorderDown = RecorderDown("a page", "not-a-recorder")

    async def list_cameras(self) -> list[ListedCamera]:
        if isinstance(self.cameras, RecorderDown):
            raise self.cameras
        return self.cameras


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    desk.run(lambda uow: sites.add(uow, SiteBody(name="东区", address="东路 1 号", uses=["viewing"])), by="admin")
    yield desk
    desk.close()


@pytest.fixture
def lister() -> Lister:
    return Lister()


@pytest.fixture
async def portal(desk: ReviewDesk, lister: Lister) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda *_: lister) as opened:
        yield opened


async def uploaded(browser: httpx.AsyncClient, address: str, content: bytes, token: str | None = None) -> str:
    """What the plan's page says after its form was sent with this file."""
    data = {"csrf_token": browser.headers["X-CSRF-Token"] if token is None else token}
    answer = await browser.post(
        f"{address}/picture", data=data, files={"file": ("plan.png", content)}, headers={"X-CSRF-Token": ""}
    )
    if answer.status_code != 303:
        return str(answer.status_code)
    return text_of(await browser.get(answer.headers["location"]))


async def test_a_plan_is_uploaded_like_other_pictures_and_pinned_by_numbers(
    desk: ReviewDesk, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await portal.signed_in("admin")
    site = desk.run(lambda uow: sites.list_open(uow)[0][0])
    typed = {"siteId": site, "floorZh": HOSTILE, "floorEn": "Floor 2", "level": "2"}
    wrong = await admin.post("/admin/plans/new", data={**typed, "level": "2.5"})
    assert (wrong.status_code, HOSTILE in wrong.text, value_of(wrong.text, "floorEn")) == (422, False, "Floor 2")
    address = (await admin.post("/admin/plans/new", data=typed)).headers["location"]

    assert "PDF" in await uploaded(admin, address, PDF)
    assert "JPEG" in await uploaded(admin, address, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert "40" in await uploaded(admin, address, told_png(100_000, 100_000, b"\0"))  # so many pixels are not decoded
    assert await uploaded(admin, address, png(), token="x") == "403"
    monkeypatch.setattr(photographs, "MAX_BYTES", 1000)
    assert "MiB" in await uploaded(admin, address, jpeg())
    monkeypatch.undo()
    assert desk.the(FloorPlan).sha256 is None
    await uploaded(admin, address, with_exif(jpeg(3000, 2000), 6, b"GPS 31.2N 121.5E"))
    plan = desk.the(FloorPlan)
    assert (plan.width, plan.height) == (1600, 2400)  # upright, and smaller
    picture = await admin.get(f"/api/plans/{plan.id}/picture")
    assert (picture.headers["content-type"], picture.headers["cache-control"]) == ("image/jpeg", "no-store")
    assert b"GPS" not in picture.content
    drafter = await portal.signed_in("drafter")
    assert (await drafter.get(f"/api/plans/{plan.id}/picture")).status_code == 404  # nothing on it is asked for yet
    assert "<svg" not in (await drafter.get("/api/plans")).text

    found = await admin.post(f"{address}/pins", data={"act": "find", "find": "大门"})
    assert "add-camera" in (await admin.get(found.headers["location"])).text
    await admin.post(f"{address}/pins", data={"act": "add-camera"})
    for x in ("101", "-1", "1e3", "nan", ""):
        refused = await admin.post(f"{address}/pins", data={"act": "save", "x-camera": x, "y-camera": "10"})
        assert refused.status_code == 422, x
    assert (await admin.post(f"{address}/pins", data={"act": "add-none"})).status_code == 404
    await admin.post(f"{address}/pins", data={"act": "save", "x-camera": "37,5", "y-camera": "100"})
    pin = desk.the(CameraPin)
    assert (pin.x, pin.y) == (375, 1000)
    [shown] = (await drafter.get("/api/plans")).json()
    assert (await drafter.get(f"/api/plans/{shown['id']}")).json()["pins"] == [
        {"cameraId": "camera", "x": 375, "y": 1000}
    ]
    assert (await drafter.get(f"/api/plans/{plan.id}/picture")).status_code == 200
    assert (await drafter.get(address)).status_code == 403


async def test_the_picker_goes_on_where_it_was_without_a_script(desk: ReviewDesk, portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")
    form = filled(**{"items__0__cameraId": "", "cameraSearch": "大门"})
    starred = await drafter.post("/apply", data={**form, "act": "star-0-camera"})
    assert starred.status_code == 303
    page = (await drafter.get(starred.headers["location"].partition("#")[0])).text
    assert value_of(page, "cameraSearch") == "大门"
    assert 'value="unstar-0-camera"' in page
    assert desk.the(FavouriteCamera).person_id == "drafter"
    assert [one["id"] for one in (await drafter.get("/api/cameras?favourites=true")).json()] == ["camera"]
    assert (await drafter.delete("/api/cameras/camera/favourite")).status_code == 204
    assert (await drafter.put("/api/cameras/none/favourite")).status_code == 404
    for place in ("x", "W10", "A" * 2000):  # a place that somebody wrote is the first page, or refused
        assert (await drafter.get("/cameras", params={"place": place})).status_code in (200, 422)
    first = await drafter.get("/apply?camera=camera")
    assert value_of(first.text, "items-0-cameraId") == "camera"
    assert value_of((await drafter.get("/apply?camera=none")).text, "items-0-cameraId") == ""


@pytest.mark.requirement("R7")
async def test_listed_cameras_are_registered_only_as_a_person_says(
    desk: ReviewDesk, portal: Portal, lister: Lister
) -> None:
    admin = await portal.signed_in("admin")
    address = "/admin/recorders/recorder/listed"
    for code, said in (("login", "用户名"), ("not-a-recorder", "类型"), ("broken-off", "断开"), ("no-list", "API")):
        lister.cameras = RecorderDown("wrong", code)
        assert said in text_of(await admin.post(address)), code
    assert desk.the(Camera, id="camera").unlisted_at is None  # no list says that a camera is gone
    lister.cameras = [ListedCamera("21", HOSTILE), ListedCamera("22", "")]
    offered = await admin.post(address)
    assert HOSTILE not in offered.text
    assert 'value="Channel 22"' in offered.text
    assert 'value="通道 22"' in offered.text
    assert not re.search(r"rows-0-take[^>]*checked", offered.text)

    row = {"rows-0-channel": "21", "rows-0-take": "true", "rows-0-nameZh": "西门", "rows-0-nameEn": "West gate"}
    shared = {
        "placeZh": "西侧",
        "placeEn": "west",
        "retentionDays": "30",
        "siteId": "recorder",
        "cameraClass": "sensitive",
    }
    for left_out in ("siteId", "cameraClass", "placeZh", "retentionDays"):
        refused = await admin.post(f"{address}/register", data={**row, **shared, left_out: ""})
        assert refused.status_code == 422, left_out
        assert value_of(refused.text, "rows-0-nameZh") == "西门"
    other = {"rows-1-channel": "22", "rows-1-take": "true", "rows-1-nameZh": "", "rows-1-nameEn": "x"}
    assert (await admin.post(f"{address}/register", data={**row, **shared, **other})).status_code == 422
    assert desk.all(Camera, channel="21") == []  # all or none
    assert (await admin.post(f"{address}/register", data={**row, **shared})).status_code == 303
    west = desk.the(Camera, channel="21")
    assert (west.camera_class, west.site_id, west.name_en) == ("sensitive", None, "West gate")
    lower = {**row, **shared, "cameraClass": "ordinary"}
    assert (await admin.post(f"{address}/register", data=lower)).status_code == 409
    assert desk.the(Camera, channel="21").camera_class == "sensitive"
    assert "录像机未列出" in text_of(await admin.get("/admin/cameras"))  # the desk's own camera
