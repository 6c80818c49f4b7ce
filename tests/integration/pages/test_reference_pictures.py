"""The photograph by which people know a camera: administrators bring it, whoever applies sees it, nothing foreign is
kept."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from photographs import BLUE, RED, colours, jpeg, near, png, told_png, with_exif, zipped_behind
from portal_client import Portal, problem
from review_desk import NOON, Box, ReviewDesk
from review_pages import Lens
from sqlalchemy import select
from uploaded_files import NO_FOOTAGE

from services.database import schema as database_schema
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import CameraPicture
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.demo.recordings import Recordings
from services.domain.applications import directory
from services.domain.cameras import photographs, reference_pictures
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras import service as camera_service
from services.domain.retrieval import uploads
from services.domain.retrieval.uploads import Facts
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules

PICTURE = "/api/admin/cameras/camera/picture"
PAGE = "/admin/cameras/camera"
REFERENCE = "/api/cameras/camera/reference"


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    lens = Lens()
    async with Portal(desk, recorders=lambda *_: lens) as opened:
        yield opened


@pytest.fixture
async def admin(portal: Portal) -> httpx.AsyncClient:
    return await portal.signed_in("admin")


async def by_form(browser: httpx.AsyncClient, content: bytes, token: str | None = None) -> httpx.Response:
    """As a browser sends the page's form; the header that programs send does not come with it."""
    token = browser.headers["X-CSRF-Token"] if token is None else token
    return await browser.post(
        f"{PAGE}/picture",
        data={"csrf_token": token},
        files={"file": ('"><script>.html', content, "text/html")},
        headers={"X-CSRF-Token": ""},
    )


async def said(browser: httpx.AsyncClient, answer: httpx.Response) -> str:
    """What the page says to which an answer leads."""
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE), answer.text
    page = (await browser.get(PAGE)).text
    found = re.search(r'<p class="callout[^>]*>([^<]*)</p>', page)
    return found[1] if found else ""


async def test_it_is_brought_shown_to_all_replaced_and_removed(
    desk: ReviewDesk, portal: Portal, admin: httpx.AsyncClient
) -> None:
    drafter = await portal.signed_in("drafter")
    assert (await drafter.get(REFERENCE)).status_code == 404

    brought = await admin.put(PICTURE, content=jpeg(), headers={"Content-Type": "image/jpeg"})
    assert (brought.status_code, brought.json()["hasPicture"]) == (200, True)
    shown = await drafter.get(REFERENCE)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    width, height, spots = colours(shown.content)
    assert (width, height) == (480, 360)
    assert near(spots["left"], RED)
    assert near(spots["right"], BLUE)
    [line] = (await drafter.get("/api/cameras")).json()
    assert line["referencePicture"] is True

    assert (await by_form(admin, png(1280, 720))).status_code == 303
    assert colours((await admin.get(REFERENCE)).content)[:2] == (640, 360)

    assert (await admin.delete(PICTURE)).status_code == 204
    assert problem(await admin.delete(PICTURE))[:2] == (404, "not-found")
    assert (await drafter.get(REFERENCE)).status_code == 404
    events = desk.all(AuditEvent, subject_id="camera")
    assert [event.action for event in events] == [
        "camera-picture-uploaded",
        "camera-picture-uploaded",
        "camera-picture-removed",
    ]
    assert {event.actor_id for event in events} == {"admin"}


async def test_it_is_encrypted_in_the_database(desk: ReviewDesk, admin: httpx.AsyncClient) -> None:
    await admin.put(PICTURE, content=jpeg())

    row = desk.the(CameraPicture, camera_id="camera")
    assert row.encrypted.startswith("camera-picture camera:")  # as the test's box seals
    assert row.uploaded_by == "admin"


async def test_pages_show_it_where_the_camera_is_named(
    desk: ReviewDesk, portal: Portal, admin: httpx.AsyncClient
) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    drafter, head = await portal.signed_in("drafter"), await portal.signed_in("head")
    supervisor = await portal.signed_in("supervisor")
    places = [
        (admin, PAGE),
        (supervisor, PAGE),
        (drafter, "/apply"),
        (drafter, "/apply/cameras?row=0"),
        (head, f"/reviews/{review_id}/coverage"),
    ]
    for browser, path in places:
        page = await browser.get(path)
        assert (page.status_code, REFERENCE in page.text) == (200, False), path

    await by_form(admin, jpeg())

    for browser, path in places:
        assert f'src="{REFERENCE}"' in (await browser.get(path)).text, path
    assert "/picture" not in (await supervisor.get(PAGE)).text
    assert f'action="{PAGE}/picture/remove"' in (await admin.get(PAGE)).text


async def test_a_retired_camera_has_none_to_show_and_takes_none(desk: ReviewDesk, admin: httpx.AsyncClient) -> None:
    await admin.put(PICTURE, content=jpeg())
    for retire in (
        lambda active: desk.run(camera_service.set_active, "camera", active, by="admin"),
        lambda active: desk.run(camera_recorders.set_active, "recorder", active, by="admin"),
    ):
        retire(False)
        assert (await admin.get(REFERENCE)).status_code == 404
        assert problem(await admin.put(PICTURE, content=jpeg()))[:2] == (409, "camera-retired")
        page = (await admin.get(PAGE)).text
        assert REFERENCE not in page
        assert "参考图已保留" in page
        retire(True)
        assert (await admin.get(REFERENCE)).status_code == 200

    desk.run(camera_service.set_active, "camera", False, by="admin")
    assert (await admin.post(f"{PAGE}/picture/remove", data={})).status_code == 303
    assert desk.all(CameraPicture) == []


async def test_a_file_that_a_person_brought_is_no_camera_to_be_photographed(
    desk: ReviewDesk, admin: httpx.AsyncClient
) -> None:
    facts = Facts("meeting", "例会", "", "会议室", "王芳", "", "UTC")
    upload_id = desk.run(uploads.announce, facts, None, by="drafter").id

    for camera_id in (upload_id, "nobody"):
        assert (await admin.put(f"/api/admin/cameras/{camera_id}/picture", content=jpeg())).status_code == 404
        assert (await admin.delete(f"/api/admin/cameras/{camera_id}/picture")).status_code == 404
        assert (await admin.get(f"/api/cameras/{camera_id}/reference")).status_code == 404


@pytest.mark.requirement("R2", refuses=True)
async def test_nobody_else_brings_one_and_their_file_is_not_even_taken(
    desk: ReviewDesk, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "read_photograph", None)

    for login in ("drafter", "operator", "supervisor", "security-head"):
        browser = await portal.signed_in(login)
        assert (await browser.put(PICTURE, content=jpeg())).status_code == 403
        assert (await browser.delete(PICTURE)).status_code == 403
        assert (await by_form(browser, jpeg())).status_code == 403
        assert (await browser.post(f"{PAGE}/picture/remove", data={})).status_code == 403
    assert (await portal.anonymous().put(PICTURE, content=jpeg())).status_code == 401
    assert (await portal.anonymous().get(REFERENCE)).status_code == 401
    assert desk.all(CameraPicture) == []


@pytest.mark.requirement("R52", refuses=True)
async def test_no_picture_comes_or_goes_without_the_forms_token(desk: ReviewDesk, admin: httpx.AsyncClient) -> None:
    for content in (jpeg(), b""):
        for token in ("", "0" * 64, "é"):
            assert (await by_form(admin, content, token)).status_code == 403
    behind = await admin.post(  # a token that comes after the file comes too late
        f"{PAGE}/picture",
        files=[("file", ("a.jpg", jpeg(), "image/jpeg")), ("csrf_token", (None, admin.headers["X-CSRF-Token"]))],
    )
    assert behind.status_code == 403
    for kind in ("image/jpeg", "application/x-www-form-urlencoded"):
        bare = await admin.post(f"{PAGE}/picture", content=jpeg(), headers={"Content-Type": kind})
        assert bare.status_code == 403
    assert (await admin.put(PICTURE, content=jpeg(), headers={"X-CSRF-Token": ""})).status_code == 403
    assert desk.all(CameraPicture) == []

    await by_form(admin, jpeg())
    assert (await admin.delete(PICTURE, headers={"X-CSRF-Token": "0" * 64})).status_code == 403
    assert (await admin.post(f"{PAGE}/picture/remove", headers={"X-CSRF-Token": ""})).status_code == 403
    assert len(desk.all(CameraPicture)) == 1


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (NO_FOOTAGE["svg"], "picture-kind", "SVG 图形"),
        (NO_FOOTAGE["html"], "picture-kind", "网页"),
        (b"GIF89a" + bytes(100), "picture-kind", "其他格式的图片"),
        (b"", "picture-kind", "空文件"),
        (told_png(60_000, 60_000, bytes(1000)), "picture-size", "60000×60000"),
        (jpeg()[:3000], "picture-damaged", "已损坏"),
    ],
    ids=["svg", "html", "gif", "empty", "bomb", "cut"],
)
async def test_what_is_no_picture_is_refused_with_a_sentence_and_the_one_before_stays(
    desk: ReviewDesk, admin: httpx.AsyncClient, content: bytes, code: str, words: str
) -> None:
    await admin.put(PICTURE, content=jpeg())
    before = desk.the(CameraPicture).sha256

    assert problem(await admin.put(PICTURE, content=content, headers={"Content-Type": "image/jpeg"})) == (
        422,
        code,
        "file",
    )
    assert words in await said(admin, await by_form(admin, content))
    assert desk.the(CameraPicture).sha256 == before
    assert len(desk.all(AuditEvent, subject_id="camera")) == 1


async def test_more_bytes_than_allowed_are_refused_whatever_was_told(
    desk: ReviewDesk, admin: httpx.AsyncClient
) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        yield jpeg()
        for _ in range(photographs.MAX_BYTES // (1 << 20) + 1):
            yield bytes(1 << 20)

    large = jpeg() + bytes(photographs.MAX_BYTES)
    assert problem(await admin.put(PICTURE, content=large)) == (413, "picture-too-large", "file")
    assert problem(await admin.put(PICTURE, content=unannounced())) == (413, "picture-too-large", "file")
    assert "8 MiB" in await said(admin, await by_form(admin, large))
    short = await admin.put(PICTURE, content=jpeg(), headers={"Content-Length": str(len(jpeg()) + 5)})
    assert problem(short)[:2] == (422, "upload-cut")
    assert desk.all(CameraPicture) == []


async def test_a_picture_with_a_file_behind_it_is_kept_without_the_file(admin: httpx.AsyncClient) -> None:
    hidden = zipped_behind(with_exif(jpeg(), 1, b"31.2304N 121.4737E"))

    assert (await by_form(admin, hidden)).status_code == 303

    kept = (await admin.get(REFERENCE)).content
    assert colours(kept)[:2] == (480, 360)
    assert not any(foreign in kept for foreign in (b"PK\x03\x04", b"alert", b"Exif", b"31.2304N"))


def test_the_demo_has_one_for_each_of_its_cameras(tmp_path: Path) -> None:
    database = open_database(
        f"sqlite:///{tmp_path / 'demo.db'}", FixedClock(NOON), Rules(max_use_days=30), secrets=Box()
    )
    database_schema.migrate(database.engine)
    clerk = Actor("system", "demo")
    database.run_now(clerk, organisation.seed_demo, tmp_path)
    for _ in range(2):  # again changes nothing
        database.run_now(clerk, organisation.seed_pictures, Recordings(tmp_path))

    def read(uow: UnitOfWork) -> list[tuple[int, int]]:
        cameras = [line for line in directory.cameras(uow) if line.reference_picture]
        return [colours(reference_pictures.read(uow, line.id))[:2] for line in cameras]

    assert database.run_now(clerk, read) == [(640, 360), (640, 360)]
    events = database.run_now(clerk, lambda uow: uow.session.scalars(select(AuditEvent.action)).all())
    assert events.count("camera-picture-uploaded") == 2
    database.close()
