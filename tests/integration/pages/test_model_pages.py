"""The pages of the process models, in both languages: upload, result, request, objection, and what is on no record."""

import httpx
import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of
from second_person import newest

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.deployments import ModelSet
from services.domain.change_requests import service as change_requests
from services.domain.deployments import service, uploads, versions
from services.domain.deployments.versions import Definition
from services.runtime.places import BPMN

EDITED = (BPMN / "review.bpmn").read_bytes() + b"<!-- edited -->"
STEP = {"zh": "第一步", "en": "the first step"}
FOUND = {
    **{"verdict": "broken", "rules": 36, "rules_sha256": "ab", "states": 1735, "undecided": [], "lint": []},
    "broken": [
        {
            **{
                "zh": "先签字",
                "en": "Signed first",
                "requirements": ["R25"],
                "why_zh": "",
                "why_en": "",
                "steps": [STEP],
            },
            **{
                "floor_zh": "登记系统会拒绝",
                "floor_en": "The register refuses it",
                "expected_zh": "",
                "expected_en": "",
            },
        }
    ],
    "changes": [{"zh": "改了条件 <b>", "en": "a condition <b>"}],
    "more_changes": 0,
}


async def upload(browser: httpx.AsyncClient, *files: tuple[str, bytes]) -> httpx.Response:
    named = [("files", (name, content, "application/octet-stream")) for name, content in files]
    return await browser.post("/admin/models", files=named)


async def in_english(browser: httpx.AsyncClient, page: str) -> httpx.Response:
    browser.cookies.set("footage_desk_language", "en")
    answer = await browser.get(page)
    browser.cookies.delete("footage_desk_language")
    return answer


@pytest.mark.requirement("R2", refuses=True)
async def test_models_are_uploaded_read_and_asked_for_and_the_second_person_reads_all(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser, second = await portal.signed_in("admin"), await portal.signed_in("supervisor")
    done = await upload(browser, ("review.bpmn", EDITED))
    page = done.headers["location"]
    row = desk.the(ModelSet)
    assert (done.status_code, page) == (303, f"/admin/models/{row.id}")
    waiting = await browser.get(page)
    assert "正在检查模型" in text_of(waiting)
    assert 'hx-trigger="every 2s"' in waiting.text
    desk.run(service.keep_result, row.id, FOUND)
    over = await browser.get(page, headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"

    bare = await browser.post(page, data={"reason": "修订制度"})
    assert bare.status_code == 422
    assert "请更正，或简要说明" in text_of(bare)
    asked = await browser.post(page, data={"reason": "修订制度", "unchecked": "规则按新制度修订中"})
    assert asked.status_code == 409
    assert "等待不能代替复核" in text_of(asked)

    shown = text_of(await second.get(page))
    for part in ("先签字", "第一步", "登记系统会拒绝", "改了条件 <b>", "修订制度", "规则按新制度修订中", "review.bpmn"):
        assert part in shown
    english = text_of(await in_english(second, page))
    for part in ("Signed first", "the first step", "a condition <b>", "confirmation requested", "Why all the same"):
        assert part in english
    listed = await second.get("/requests")
    assert page in listed.text
    assert "部署流程模型" in text_of(listed)

    request = newest(desk)
    silent = await second.post(f"/requests/{request}/object", data={})
    assert silent.status_code == 422
    await second.post(f"/requests/{request}/object", data={"reason": "会绕过签字"})
    assert desk.the(ChangeRequest).objection_reason == "会绕过签字"
    assert "会绕过签字" in text_of(await browser.get(page))


async def test_a_confirmed_set_is_carried_out_and_downloaded(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")
    page = (await upload(browser, ("set.zip", uploads.pack({"review.bpmn": EDITED})))).headers["location"]
    desk.run(service.keep_result, desk.the(ModelSet).id, {**FOUND, "verdict": "clean", "broken": []})
    await browser.post(page, data={"reason": "修订制度"})
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    carried = await browser.post(f"/requests/{newest(desk)}/carry-out", data={})
    assert carried.status_code == 303
    assert "正在部署模型" in text_of(await browser.get(page))
    packed = await browser.get(f"{page}.zip")
    assert uploads.unpack(packed.content)["review.bpmn"] == EDITED


@pytest.mark.requirement("R52", refuses=True)
async def test_what_is_no_model_is_refused_with_a_sentence_and_nothing_is_kept(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("admin")
    for files in ((), (("a.sh", b""),), (("a.zip", b"PK"),), (("a.bpmn", b"<a>"),)):
        answer = await upload(browser, *files)
        assert answer.status_code == 422, files
        assert 'role="alert"' in answer.text
    large = await upload(browser, ("a.bpmn", b" " * (3 << 20)))
    assert large.status_code == 413
    assert desk.all(ModelSet) == []
    for login, status in (("drafter", 403), ("supervisor", 403)):
        person = await portal.signed_in(login)
        assert (await upload(person, ("review.bpmn", EDITED))).status_code == status
    assert (await (await portal.signed_in("drafter")).get("/admin/models")).status_code == 403


@pytest.mark.requirement("R52", verb="recorded")
async def test_versions_on_no_record_are_on_the_overview_and_the_page(desk: ReviewDesk, portal: Portal) -> None:
    desk.run(versions.enter, [Definition("review", 1, 1)], "shipped")
    desk.run(versions.note_unrecorded, Definition("hostile", 1, 2**60))
    browser = await portal.signed_in("security-head")
    assert "1 个未经登记的部署" in text_of(await browser.get("/admin"))
    assert "1 deployed without a record" in text_of(await in_english(browser, "/admin"))
    shown = text_of(await browser.get("/admin/models"))
    assert "hostile" in shown
    assert str(2**60) in shown
    assert "Their jobs are refused" in text_of(await in_english(browser, "/admin/models"))
