"""Floor plans: who may draw them up, who sees them, what they show; favourites; cameras that a recorder lists."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import av
import pytest
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, CameraPin, FloorPlan, FloorPlanPicture
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.applications.directory import CameraSearch
from services.domain.cameras import favourites, listed_cameras, photograph_process, plans, service
from services.domain.cameras.photographs import Picture
from services.domain.cameras.plans import PlanEntry
from services.domain.storage import sites
from services.domain.storage.schemas import SiteBody
from services.recorders.protocol import ListedCamera
from services.runtime.errors import NotFound, Refused

PICTURE = Picture(b"\xff\xd8\xff plan", 800, 600)
ENTRY = service.CameraEntry("recorder", "9", "西门", "West gate", "西侧", "west side", "sensitive", 30)


@pytest.fixture
def desk(tmp_path: object) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path}/database.sqlite3")
    yield desk
    desk.close()


@pytest.fixture
def site(desk: ReviewDesk) -> str:
    body = SiteBody(name="东区", address="东路 1 号", uses=["viewing"])
    return desk.run(lambda uow: sites.add(uow, body).id, by="admin")


@pytest.fixture
def plan(desk: ReviewDesk, site: str) -> str:
    return desk.run(lambda uow: plans.add(uow, entry(site)).id, by="admin")


def entry(site: str, **changes: Any) -> PlanEntry:
    return replace(PlanEntry(site, "三号楼", "Building 3", "二层", "Floor 2", 2), **changes)


def refused(desk: ReviewDesk, act: Any, *args: Any, by: str = "admin", **named: Any) -> str:
    with pytest.raises(Refused) as refusal:
        desk.run(act, *args, by=by, **named)
    return refusal.value.code


@pytest.mark.requirement("R7", "R20")
def test_a_plan_is_seen_by_those_who_may_ask_for_a_camera_on_it(desk: ReviewDesk, plan: str) -> None:
    def shown(by: str = "drafter") -> list[str]:
        return desk.run(lambda uow: [line.row.id for line in plans.list_shown(uow)], by=by)

    desk.run(plans.place, plan, {"camera": (250, 500)}, by="admin")
    assert shown() == []  # it has no picture yet
    desk.run(plans.upload, plan, PICTURE, by="admin")
    assert shown() == [plan]
    assert desk.run(plans.read_picture, plan, by="drafter") == PICTURE.jpeg
    assert PICTURE.jpeg.decode("latin-1") not in desk.the(FloorPlanPicture).encrypted
    found = desk.run(directory.pick_cameras, CameraSearch(plan_id=plan), by="drafter")
    assert [(camera.id, found.plan.numbers[camera.id]) for camera in found.cameras] == [("camera", 1)]
    assert [row.id for row in found.plans["camera"]] == [plan]

    desk.run(service.set_active, "camera", False, by="admin")  # the only camera on it
    assert shown() == []
    assert desk.run(plans.find_shown, plan, by="drafter") is None
    with pytest.raises(NotFound):
        desk.run(plans.read_picture, plan, by="drafter")
    assert desk.run(plans.read_picture, plan, by="supervisor") == PICTURE.jpeg  # who reads the set-up
    everything = desk.run(directory.pick_cameras, CameraSearch(plan_id=plan), by="drafter")
    assert (everything.plan, "camera" in {camera.id for camera in everything.cameras}) == (None, False)


def test_only_administrators_change_plans_and_what_they_do_is_recorded(desk: ReviewDesk, site: str, plan: str) -> None:
    for by in ("drafter", "security-head", "supervisor", "operator"):
        assert refused(desk, plans.add, entry(site, floor_zh="三层"), by=by) == "administrators-only"
        assert refused(desk, plans.upload, plan, PICTURE, by=by) == "administrators-only"
        assert refused(desk, plans.place, plan, {"camera": (1, 1)}, by=by) == "administrators-only"
        assert refused(desk, plans.remove, plan, by=by) == "administrators-only"
    assert refused(desk, plans.list_plans, by="drafter") == "readers-only"

    desk.run(plans.place, plan, {"camera": (250, 500)}, by="admin")
    desk.run(plans.place, plan, {"camera": (250, 500)}, by="admin")  # nothing moved, nothing recorded
    desk.run(plans.change, plan, entry(site, floor_zh="夹层", floor_en="Mezzanine"), by="admin")
    desk.run(plans.take_off, plan, "camera", by="admin")
    desk.run(plans.remove, plan, by="admin")
    events = [event.action for event in desk.all(AuditEvent, subject_kind="floor-plan")]
    assert events == ["plan-added", "plan-cameras-placed", "plan-changed", "plan-camera-removed", "plan-removed"]
    assert (desk.all(FloorPlan), desk.all(CameraPin), desk.the(Camera, id="camera").active) == ([], [], True)


def test_wrong_plans_and_places_are_refused(desk: ReviewDesk, site: str, plan: str) -> None:
    assert refused(desk, plans.add, entry(site)) == "floor-taken"
    assert refused(desk, plans.add, entry("none")) == "site-unknown"
    assert refused(desk, plans.add, entry(site, floor_zh="x", level=301)) == "level-wrong"
    assert refused(desk, plans.place, plan, {"camera": (1001, 0)}) == "pin-outside"
    assert refused(desk, plans.place, plan, {"camera": (0, -1)}) == "pin-outside"
    with pytest.raises(NotFound):
        desk.run(plans.place, plan, {"none": (1, 1)}, by="admin")
    west = desk.run(lambda uow: service.add(uow, replace(ENTRY, site_id=site)).id, by="admin")
    desk.run(sites.close, site, by="admin")
    desk.run(service.change_camera, west, replace(ENTRY, site_id=site, channel="8"), by="admin")  # it stays there
    for site_id in (site, "none"):
        assert refused(desk, service.add, replace(ENTRY, site_id=site_id)) == "site-unknown"
    assert refused(desk, plans.add, entry(site, floor_zh="x")) == "site-unknown"
    desk.run(plans.change, plan, entry(site, level=-1), by="admin")  # it stays at its site
    assert desk.the(FloorPlan).level == -1


@pytest.mark.requirement("R20")
def test_cameras_are_found_by_site_building_and_floor_in_any_order(desk: ReviewDesk, site: str, plan: str) -> None:
    west = desk.run(lambda uow: service.add(uow, replace(ENTRY, site_id=site)).id, by="admin")
    desk.run(plans.upload, plan, PICTURE, by="admin")
    desk.run(plans.place, plan, {west: (1, 1)}, by="admin")

    def found(text: str) -> list[str]:
        return [camera.id for camera in desk.run(directory.find_cameras, text, by="drafter").cameras]

    for text in ("二层", "Floor 2", "东区 西门", "west 三号楼 东区", "　二层　西侧　"):
        assert found(text) == [west], text
    assert found("二层 大门") == []
    [choice] = desk.run(directory.find_cameras, "西门", by="drafter").cameras
    assert choice.site == "东区"  # its own, and not its recorder's


@pytest.mark.requirement("R20")
def test_the_next_cameras_follow_page_after_page(desk: ReviewDesk) -> None:
    def add(uow: UnitOfWork) -> None:
        names = {"name_zh": "机", "name_en": "c", "place_zh": "厅", "place_en": "hall", "retention_days": 30}
        uow.session.add_all(Camera(id=f"c{n:03}", recorder_id="recorder", channel=f"c{n}", **names) for n in range(130))

    desk.run(add)
    place, pages = "", []
    while True:
        found = desk.run(directory.pick_cameras, CameraSearch("厅", place=place), by="drafter")
        pages.append([camera.id for camera in found.cameras])
        place = found.next
        if not place:
            break
    assert [len(page) for page in pages] == [60, 60, 10]
    assert len({camera for page in pages for camera in page}) == 130


def test_favourites_are_a_persons_own_and_come_first(desk: ReviewDesk) -> None:
    for _ in range(2):
        desk.run(favourites.mark, "camera", marked=True, by="drafter")
    own = desk.run(directory.pick_cameras, CameraSearch(), by="drafter")
    assert ([camera.id for camera in own.own], own.favourites) == (["camera"], {"camera"})
    assert desk.run(directory.pick_cameras, CameraSearch(), by="head").favourites == frozenset()
    mine = desk.run(directory.pick_cameras, CameraSearch(favourites=True), by="head")
    assert mine.cameras == []
    with pytest.raises(NotFound):
        desk.run(favourites.mark, "none", marked=True, by="drafter")

    desk.run(favourites.mark, "camera", marked=False, by="drafter")
    desk.submitted()
    often = desk.run(directory.pick_cameras, CameraSearch(), by="drafter")
    assert ([camera.id for camera in often.own], often.favourites) == (["camera"], frozenset())  # chosen before


@pytest.mark.requirement("R7")
def test_a_list_adds_cameras_and_changes_none(desk: ReviewDesk) -> None:
    kept = desk.the(Camera, id="camera")
    listed = [ListedCamera(kept.channel, "else"), ListedCamera("9", "West\u202e\x00 gate", frozenset({"901"}))]
    listed += [ListedCamera("../etc"), ListedCamera(""), ListedCamera("x" * 300)]

    found = desk.run(listed_cameras.record, "recorder", listed, by="admin")
    assert [(one.channel, one.name) for one in found.new] == [("9", "West gate")]
    assert (found.known, found.gone, found.unusable) == (1, [], 3)
    assert desk.the(Camera, id="camera").name_zh == kept.name_zh
    assert refused(desk, listed_cameras.record, "recorder", listed, by="supervisor") == "administrators-only"

    chosen = [(ENTRY, frozenset({"901"}))]
    assert refused(desk, listed_cameras.register, "recorder", chosen, by="operator") == "administrators-only"
    assert refused(desk, listed_cameras.register, "recorder", []) == "nothing-chosen"
    [west] = desk.run(listed_cameras.register, "recorder", chosen, by="admin")
    # A camera out of use is not registered anew with a lower class, nor by another name of its channel.
    desk.run(service.set_active, west.id, False, by="admin")
    for channel, also in (("9", ()), ("901", ("9",))):
        again = [(replace(ENTRY, channel=channel, camera_class="ordinary"), frozenset(also))]
        assert refused(desk, listed_cameras.register, "recorder", again) == "channel-known"
    both = [(replace(ENTRY, channel="10"), frozenset()), (replace(ENTRY, channel=kept.channel), frozenset())]
    assert refused(desk, listed_cameras.register, "recorder", both) == "channel-known"
    assert desk.all(Camera, channel="10") == []  # all or none
    assert [one.id for one in desk.run(listed_cameras.record, "recorder", listed, by="admin").retired] == [west.id]


@pytest.mark.requirement("R7")
def test_cameras_that_are_gone_from_the_recorder_are_marked_until_they_are_listed(desk: ReviewDesk) -> None:
    channel = desk.the(Camera, id="camera").channel
    found = desk.run(listed_cameras.record, "recorder", [ListedCamera("7")], by="admin")
    assert [camera.id for camera in found.gone] == ["camera"]
    since = desk.the(Camera, id="camera").unlisted_at
    assert since == desk.clock.now()
    [event] = desk.all(AuditEvent, action="recorder-cameras-missing")
    assert event.subject_id == "recorder"

    desk.clock.turn(timedelta(minutes=1))
    desk.run(listed_cameras.record, "recorder", [ListedCamera("")], by="admin")  # a list that says nothing
    assert desk.the(Camera, id="camera").unlisted_at == since
    by_track = ListedCamera("7", also=frozenset({channel}))
    assert desk.run(listed_cameras.record, "recorder", [by_track], by="admin").known == 1
    assert desk.the(Camera, id="camera").unlisted_at is None


def test_what_is_transparent_in_a_drawing_becomes_white() -> None:
    clear = av.VideoFrame(200, 200, "rgba")
    [plane] = clear.planes
    plane.update(bytes(plane.buffer_size))  # black and wholly transparent, as programs export a drawing
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 200, 200, "rgba", Fraction(1, 25)
    clear.pts = 0
    content = b"".join(bytes(packet) for packet in [*encoder.encode(clear), *encoder.encode(None)])

    shown = photograph_process.scale_down(photograph_process.decode(content, "png", 1 << 20), 2400, 2400)
    [pixels] = shown.reformat(format="rgb24").planes
    assert min(bytes(pixels)[:3]) > 250
