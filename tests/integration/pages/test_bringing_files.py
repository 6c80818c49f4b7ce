"""Bringing a file through the API: received and told back, or refused and gone; never anybody else's."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from portal_client import Portal, problem
from portal_store import PortalStore
from review_desk import NOON, ReviewDesk
from sqlalchemy import select
from uploaded_files import NO_FOOTAGE, START, created, fragmented

from services.database.tables.cameras import Camera, Recorder
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.tables.uploads import Upload
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import sessions
from services.domain.retrieval import upload_receiver, upload_sources, uploads
from services.recorders.registry import open_recorder
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.vault.age import generate_identity
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store
from services.workers.vault_actions import sweep_abandoned

pytestmark = pytest.mark.requirement("R8", "R9")

RECORDING = {
    "source": "meeting",
    "title": "三月安全例会",
    "occasion": "例会",
    "place": "三楼会议室",
    "recordedBy": "王芳",
    "start": START.isoformat(),
    "startKnownBy": "会议纪要",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(FolderStore(tmp_path / "store", "test"))
    store.ensure()
    return store


@pytest.fixture
async def portal(desk: ReviewDesk, store: Store) -> AsyncIterator[Portal]:
    _, recipient = generate_identity()
    async with Portal(
        desk, store=PortalStore(store), vault_recipients=lambda: [recipient], recorders=open_recorder
    ) as opened:
        yield opened


@pytest.fixture
async def drafter(portal: Portal) -> httpx.AsyncClient:
    return await portal.signed_in("drafter")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return fragmented(tmp_path_factory.mktemp("film")).path.read_bytes()


async def announced(browser: httpx.AsyncClient, **changes: Any) -> str:
    answer = await browser.post("/api/uploads", json={**RECORDING, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def sent(browser: httpx.AsyncClient, upload_id: str, body: Any, **headers: str) -> httpx.Response:
    return await browser.put(f"/api/uploads/{upload_id}/content", content=body, headers=headers)


def left(store: Store) -> list[str]:
    return list(store.list_keys("quarantine"))


async def test_a_file_is_received_measured_and_told_back(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    upload_id = await announced(drafter, size=len(film))

    told = (await sent(drafter, upload_id, film)).json()

    assert (told["state"], told["sha256"], told["size"]) == ("received", hashlib.sha256(film).hexdigest(), len(film))
    assert (told["start"], told["startKnownBy"], told["outcome"]) == ("2031-03-04T08:00:00Z", "会议纪要", "complete")
    assert told["codecs"] == ["h264", "aac"]
    assert (await drafter.get(f"/api/uploads/{upload_id}")).json() == told
    assert left(store) == [f"quarantine/uploads/{upload_id}"]
    camera, recorder = desk.the(Camera, id=upload_id), desk.the(Recorder, id=upload_id)
    assert (camera.name_zh, recorder.kind, recorder.clock_method) == ("三月安全例会", "upload", "会议纪要")


async def test_a_browsers_form_brings_it_as_well(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)

    answer = await drafter.put(
        f"/api/uploads/{upload_id}/content",
        data={"csrf_token": "x"},
        files={"file": ("../../etc/passwd\r\nX-Evil: 1.html", film, "text/html")},
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["sha256"] == hashlib.sha256(film).hexdigest()
    assert "passwd" not in answer.text


async def test_the_files_own_time_is_used_where_nothing_is_stated(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter, start=None, startKnownBy=None)

    told = (await sent(drafter, upload_id, created(film, START + timedelta(hours=1)))).json()

    assert told["start"] == told["fileStart"] == "2031-03-04T09:00:00Z"
    assert told["startKnownBy"] == "the file's own creation time"


async def test_a_start_that_nobody_knows_is_stated_later_and_moves_the_file_there(
    desk: ReviewDesk, drafter: httpx.AsyncClient, film: bytes
) -> None:
    unknown = created(film, START.replace(year=1970))
    upload_id = await announced(drafter, start=None, startKnownBy=None)
    told = (await sent(drafter, upload_id, unknown)).json()
    assert (told["state"], told["start"], told["end"]) == ("received", None, None)
    assert desk.all(Camera, id=upload_id) == []

    told = (await drafter.put(f"/api/uploads/{upload_id}", json=RECORDING)).json()

    assert told["start"] == "2031-03-04T08:00:00Z"
    assert told["end"].startswith("2031-03-04T08:00:0")
    assert desk.the(Upload).sealed["coverage"]["firstFrame"] == START.isoformat()  # type: ignore[index]  # received


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("kind", NO_FOOTAGE)
async def test_what_only_its_name_and_type_call_an_mp4_is_refused_by_what_it_is(
    drafter: httpx.AsyncClient, store: Store, kind: str
) -> None:
    upload_id = await announced(drafter)

    answer = await sent(drafter, upload_id, NO_FOOTAGE[kind], **{"Content-Type": "video/mp4"})

    assert problem(answer) == (422, "upload-not-footage", "file")
    assert (await drafter.get(f"/api/uploads/{upload_id}")).json()["state"] == "failed"
    assert left(store) == []


async def chunks(data: bytes, *, breaks_off: bool = False) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 20_000):
        yield data[start : start + 20_000]
    if breaks_off:
        raise httpx.ReadError("the line is cut")


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_body_of_another_length_than_was_said_leaves_nothing(
    drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    longer = await announced(drafter, size=len(film) + 1)
    assert problem(await sent(drafter, longer, film)) == (422, "upload-cut", "file")

    header = await announced(drafter)
    answer = await sent(drafter, header, chunks(film), **{"Content-Length": str(len(film) + 5)})
    assert problem(answer) == (422, "upload-cut", "file")
    garbled = await announced(drafter)
    assert problem(await sent(drafter, garbled, film, **{"Content-Length": "-1"}))[1] == "upload-cut"
    assert left(store) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_form_that_ends_too_early_leaves_nothing(drafter: httpx.AsyncClient, store: Store, film: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    for body in (head + film, b"--x\r\nno form at all", head[:30], b"--x--\r\n"):
        upload_id = await announced(drafter)
        answer = await sent(drafter, upload_id, body, **{"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code == 422
    assert left(store) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_what_is_larger_than_the_limit_is_stopped(
    portal: Portal, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    given = portal.app.state.dependencies
    was: Settings = given["settings"]
    limited = was.portal.model_copy(update={"max_upload_mib": 1})
    given["settings"] = was.model_copy(update={"portal": limited})
    upload_id = await announced(drafter)
    assert problem(await sent(drafter, upload_id, bytes(2 << 20)))[:2] == (413, "upload-too-large")

    hidden = await announced(drafter)
    ever = film + bytes(2 << 20)  # its length is told nowhere
    assert problem(await sent(drafter, hidden, chunks(ever)))[:2] == (413, "upload-too-large")
    assert left(store) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_compressed_body_is_not_unpacked(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)

    answer = await sent(drafter, upload_id, film, **{"Content-Encoding": "gzip"})

    assert problem(answer)[1] == "upload-encoded"


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_file_is_sent_once(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)
    assert (await sent(drafter, upload_id, film)).status_code == 200

    assert problem(await sent(drafter, upload_id, film))[:2] == (409, "upload-begun")


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_other_people_find_no_such_upload(portal: Portal, drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)
    for login in ("head", "keeper", "reviewer", "security-head", "admin"):
        stranger = await portal.signed_in(login)
        path = f"/api/uploads/{upload_id}"
        answers = [
            await stranger.get(path),
            await stranger.put(path, json=RECORDING),
            await stranger.put(f"{path}/content", content=film),
            await stranger.delete(path),
        ]
        assert [one.status_code for one in answers] == [404] * 4
        assert (await stranger.get("/api/uploads")).json() == []


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("upload_id", ["..%2F..%2Fetc", "%2e%2e", "a\\b", "x" * 65, "quarantine%2Fuploads%2Fx"])
async def test_ids_are_no_paths(drafter: httpx.AsyncClient, film: bytes, upload_id: str) -> None:
    answer = await drafter.put(f"/api/uploads/{upload_id}/content", content=film)

    assert answer.status_code in (404, 405, 422)


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_nobody_holds_more_than_a_few_open_uploads(drafter: httpx.AsyncClient) -> None:
    for _ in range(uploads.MOST_OPEN):
        upload_id = await announced(drafter)
    assert problem(await drafter.post("/api/uploads", json=RECORDING))[1] == "too-many-uploads"

    assert (await drafter.delete(f"/api/uploads/{upload_id}")).status_code == 204
    assert await announced(drafter)


async def sweep(desk: ReviewDesk, store: Store) -> int:
    return await sweep_abandoned(desk.database, store, None, None, all_open=False)


async def test_a_deleted_upload_is_swept_from_the_vault_which_the_portal_may_not(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    upload_id = await announced(drafter)
    await sent(drafter, upload_id, film)
    by_page = await announced(drafter)
    await sent(drafter, by_page, film)

    assert (await drafter.delete(f"/api/uploads/{upload_id}")).status_code == 204
    answer = await drafter.post(f"/uploads/{by_page}/delete", data={})

    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/uploads")
    assert (await drafter.get("/api/uploads")).json() == []
    assert await sweep(desk, store) == 2
    assert left(store) == []
    assert all(upload.swept_at is not None for upload in desk.all(Upload))
    assert (await drafter.delete(f"/api/uploads/{upload_id}")).status_code == 204
    assert await sweep(desk, store) == 0


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_file_that_comes_after_its_upload_was_given_up_and_swept_is_swept_again(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    upload_id = await announced(drafter)

    async def overtaken() -> AsyncIterator[bytes]:
        async for chunk in chunks(film):
            yield chunk
        desk.run(uploads.abandon, upload_id, "nobody sends it any more")
        desk.run(upload_sources.mark_swept, [upload_id])  # S3 shows nothing of an upload before its end

    assert problem(await sent(drafter, upload_id, overtaken()))[:2] == (409, "upload-gone")

    assert left(store) == [f"quarantine/uploads/{upload_id}"]
    assert await sweep(desk, store) == 1
    assert left(store) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": "film"}, "source"),
        ({"source": "other"}, "description"),
        ({"title": ""}, "title"),
        ({"zone": "Nowhere/Else"}, "zone"),
        ({"start": (NOON + timedelta(days=1)).isoformat()}, "start"),
        ({"startKnownBy": " "}, "startKnownBy"),
        ({"size": 0}, "size"),
    ],
)
async def test_what_a_recording_lacks_is_said_with_its_field(
    drafter: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    answer = await drafter.post("/api/uploads", json={**RECORDING, **changes})

    assert problem(answer)[::2] == (422, field)


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_one_person_does_not_take_all_places_of_a_portal(portal: Portal, film: bytes) -> None:
    drafter, keeper = await portal.signed_in("drafter"), await portal.signed_in("keeper")
    held = [await announced(drafter) for _ in range(upload_receiver.MOST_OF_PERSON)]
    further, others = await announced(drafter), await announced(keeper)
    answers: list[httpx.Response] = []

    async def while_held(left: list[str]) -> AsyncIterator[bytes]:
        """The film, and before its last byte the further uploads, while all before it are being received."""
        yield film[:-1]
        if left:
            answers.append(await sent(drafter, left[0], while_held(left[1:])))
        else:
            answers.extend([await sent(drafter, further, film), await sent(keeper, others, film)])
        yield film[-1:]

    answers.append(await sent(drafter, held[0], while_held(held[1:])))

    assert problem(answers[0])[:2] == (429, "upload-busy")
    assert [answer.status_code for answer in answers[1:]] == [200] * (1 + len(held))
    assert (await sent(drafter, further, film)).status_code == 200, "nothing of it was recorded"


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("ended", ["session", "person"])
async def test_a_file_of_who_was_signed_out_meanwhile_is_not_taken(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes, ended: str
) -> None:
    upload_id = await announced(drafter)

    def end(uow: UnitOfWork) -> None:
        if ended == "session":
            sessions.end_all(uow, "drafter")
        else:
            uow.session.get_one(Person, "drafter").active = False

    async def outlived() -> AsyncIterator[bytes]:
        yield film[:-1]
        desk.run(end)
        yield film[-1:]

    assert problem(await sent(drafter, upload_id, outlived()))[:2] == (401, "logged-out")

    upload = desk.the(Upload, id=upload_id)
    assert (upload.state, upload.sha256, upload.abandoned_because) == ("failed", None, "logged-out")
    assert await sweep(desk, store) == 1
    assert left(store) == []


async def test_a_file_that_takes_longer_than_an_idle_session_is_received(
    desk: ReviewDesk, drafter: httpx.AsyncClient, film: bytes
) -> None:
    upload_id = await announced(drafter)

    def age(uow: UnitOfWork) -> None:
        for row in uow.session.scalars(select(LoginSession).where(LoginSession.person_id == "drafter")):
            row.last_seen_at -= sessions.IDLE_TIMEOUT
            row.expires_at -= sessions.LIFETIME

    async def long() -> AsyncIterator[bytes]:
        yield film[:-1]
        desk.run(age)
        yield film[-1:]

    assert (await sent(drafter, upload_id, long())).status_code == 200


FORM = {
    "reason": "例会上通报的货物丢失，需要确认经过",
    "purpose": "核对会议上说明的人员与时间",
    "purposeCategory": "security-incident",
    "legalBasis": "internal-management",
    "placeOfUse": "办公室",
    "requestedUseDays": 5,
    "custodianId": "keeper",
}


def asking(upload_id: str) -> dict[str, Any]:
    span = {"start": START.isoformat(), "end": (START + timedelta(seconds=3)).isoformat()}
    return {**FORM, "items": [{"uploadId": upload_id, **span}]}


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_an_item_names_it_in_a_cameras_place_and_the_form_says_what_it_is(
    drafter: httpx.AsyncClient, film: bytes
) -> None:
    upload_id = await announced(drafter)
    await sent(drafter, upload_id, film)

    made = await drafter.post("/api/applications", json={**asking(upload_id), "submit": True})

    assert made.status_code == 201, made.text
    case = (await drafter.get(f"/api/cases/{made.json()['id']}")).json()
    [item] = case["form"]["items"]
    assert item["source"]["kind"] == "meeting"
    assert item["source"]["sha256"] == hashlib.sha256(film).hexdigest()
    assert item["camera"]["zh"] == "三月安全例会"
    assert case["overwriteAt"] is None
    for answer in (
        await drafter.delete(f"/api/uploads/{upload_id}"),
        await drafter.put(f"/api/uploads/{upload_id}", json=RECORDING),
    ):
        assert problem(answer)[1] == "upload-used"


async def test_nobody_says_that_a_recorder_was_asked_for_a_file(
    desk: ReviewDesk, portal: Portal, drafter: httpx.AsyncClient, film: bytes
) -> None:
    upload_id = await announced(drafter)
    await sent(drafter, upload_id, film)
    made = await drafter.post("/api/applications", json={**asking(upload_id), "submit": True})
    head = await portal.signed_in("head")
    review_id = desk.opened(made.json()["id"], "preliminary")

    page = (await head.get(f"/reviews/{review_id}/coverage")).text
    [item] = (await head.get(f"/api/reviews/{review_id}/coverage")).json()

    assert (item["uploaded"], item["askedNow"], item["trouble"]) == (True, False, None)
    assert "以上传文件的实测结果为准" in page
    assert "录像机" not in page


async def test_it_is_no_camera_that_others_could_choose(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)
    await sent(drafter, upload_id, film)

    cameras = (await drafter.get("/api/cameras")).json()

    assert [one["id"] for one in cameras] == ["camera"]


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_another_persons_file_and_one_that_is_not_ready_cannot_be_asked_for(
    portal: Portal, drafter: httpx.AsyncClient, film: bytes
) -> None:
    upload_id = await announced(drafter)
    assert problem(await drafter.post("/api/applications", json=asking(upload_id)))[0] == 422
    await sent(drafter, upload_id, film)
    keeper = await portal.signed_in("keeper")

    assert problem(await keeper.post("/api/applications", json=asking(upload_id)))[:2] == (422, "unknown")

    assert (await drafter.post("/api/applications", json=asking(upload_id))).status_code == 201
    again = await drafter.post("/api/applications", json=asking(upload_id))
    assert problem(again)[1] == "upload-elsewhere"


async def test_a_span_beyond_the_file_is_found_before_it_is_handed_in(drafter: httpx.AsyncClient, film: bytes) -> None:
    upload_id = await announced(drafter)
    await sent(drafter, upload_id, film)
    form = asking(upload_id)
    form["items"][0]["end"] = (START + timedelta(minutes=5)).isoformat()

    checked = (await drafter.post("/api/applications/check", json=form)).json()

    assert not checked["complete"]
    assert "span-outside-file" in [one["code"] for one in checked["findings"]]


async def test_what_a_dead_process_or_a_forgotten_draft_has_left_is_swept(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    dead = await announced(drafter)
    desk.database.run_now(Actor("person", "drafter"), uploads.start, dead)
    forgotten = await announced(drafter)
    await sent(drafter, forgotten, film)
    desk.clock.turn(upload_sources.UNUSED_LIFETIME + timedelta(hours=1))

    await sweep_abandoned(desk.database, store, None, None, all_open=False)

    assert left(store) == []
    states = {one.id: one.state for one in desk.all(Upload)}
    assert states == {dead: "failed", forgotten: "removed"}
    assert await sweep_abandoned(desk.database, store, None, None, all_open=True) == 0


async def test_a_file_that_comes_for_days_is_not_swept_under_its_writer(
    desk: ReviewDesk, drafter: httpx.AsyncClient, store: Store, film: bytes
) -> None:
    upload_id = await announced(drafter)
    desk.clock.turn(upload_sources.LONGEST_SILENCE - timedelta(minutes=1))

    async def slowly() -> AsyncIterator[bytes]:
        for place in range(0, len(film), len(film) // 3):
            desk.clock.turn(upload_sources.LONGEST_SILENCE - timedelta(hours=1))
            yield film[place : place + len(film) // 3]
            assert await sweep_abandoned(desk.database, store, None, None, all_open=False) == 0

    told = (await sent(drafter, upload_id, slowly())).json()

    assert (told["state"], left(store)) == ("received", [f"quarantine/uploads/{upload_id}"])


async def test_what_was_said_of_a_file_that_did_not_come_need_not_be_typed_again(
    drafter: httpx.AsyncClient, portal: Portal
) -> None:
    upload_id = await announced(drafter)
    assert (await sent(drafter, upload_id, b"no film")).status_code == 422

    again = await drafter.get(f"/uploads?from={upload_id}")
    strange = await (await portal.signed_in("operator")).get(f"/uploads?from={upload_id}")

    assert f'href="/uploads?from={upload_id}"' in (await drafter.get(f"/uploads/{upload_id}")).text
    for said in ("三月安全例会", "三楼会议室", "王芳", "会议纪要"):
        assert f'value="{said}"' in again.text
    assert strange.status_code == 404
