"""The administrator's desk as pages: what is typed stays when it is refused, and what is changed has its history."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import NOON, PASSWORD, ReviewDesk
from review_pages import HOSTILE, Lens, text_of
from second_person import newest

from services.app.doctor import Line
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.people import Absence
from services.database.tables.rule_changes import RuleChange
from services.domain.accounts import absences
from services.domain.notifications.deliveries import MAIL
from services.recorders import registry
from services.recorders.configuration_schema import ConfigurationSchema, Field
from services.recorders.kinds import Kind
from services.recorders.outside import Broken, Outside
from services.runtime.rules import Rules
from services.runtime.settings import Settings
from services.runtime.translations import Bilingual, Message

CAMERA = {
    "nameZh": "西门", "nameEn": "West gate", "placeZh": "西侧", "placeEn": "west side",
    "recorderId": "recorder", "channel": "2", "cameraClass": "sensitive", "retentionDays": "45",
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL,)))
    yield desk
    desk.close()


@pytest.fixture
def lens() -> Lens:
    return Lens()


@pytest.fixture
async def portal(desk: ReviewDesk, lens: Lens, tmp_path: Path) -> AsyncIterator[Portal]:
    async def examine() -> list[Line]:
        return [Line("store", False, Message("the bucket {bucket} is gone: mount its disk again.", bucket="masters"))]

    settings = Settings.load(portal={"public_url": "https://footage.example"}, recorders={"roots": str(tmp_path)})
    async with Portal(desk, recorders=lambda *_: lens, doctor=examine, settings=settings) as opened:
        yield opened


async def test_a_recorder_is_entered_where_the_settings_let_it_be_and_what_was_typed_stays(
    desk: ReviewDesk, portal: Portal, tmp_path: Path
) -> None:
    browser = await portal.signed_in("admin")
    typed = {"kind": "folder", "name": HOSTILE, "site": "二期", "zone": "Asia/Shanghai", "configuration-root": "/etc"}

    outside = await browser.post("/admin/recorders/new", data=typed)
    entered = await browser.post("/admin/recorders/new", data={**typed, "configuration-root": str(tmp_path)})

    assert outside.status_code == 422
    assert 'value="/etc"' in outside.text
    assert HOSTILE not in outside.text
    assert "二期" in outside.text
    assert entered.status_code == 303
    assert desk.the(Recorder, site="二期").configuration["root"] == str(tmp_path)


async def test_the_test_button_says_what_is_wrong_and_shows_no_picture(
    desk: ReviewDesk, portal: Portal, lens: Lens
) -> None:
    browser = await portal.signed_in("admin")
    lens.still = desk.clock.now() - timedelta(days=3)

    asked = await browser.post("/admin/recorders/recorder/test", headers={"HX-Request": "true"})
    lens.down = True
    down = await browser.post("/admin/recorders/recorder/test")

    assert "最新录像已超过 2 天" in text_of(asked)
    assert "img" not in asked.text
    assert "没有应答" in text_of(down)
    assert "没有应答" in text_of(await browser.get("/admin/recorders"))
    assert (await (await portal.signed_in("supervisor")).post("/admin/recorders/recorder/test")).status_code == 403


async def test_a_kind_of_another_package_is_shown_as_such_and_a_broken_or_missing_one_says_so(
    desk: ReviewDesk, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await portal.signed_in("admin")
    fields = (Field("address", "address", Bilingual("地址", "address"), schemes=("http",)),)
    schema = ConfigurationSchema("acme-nvr", Bilingual("阿克梅录像机", "Acme recorder"), fields)
    monkeypatch.setitem(registry.KINDS, "acme-nvr", Kind(schema, lambda *_: None, "acme-nvr 2.1"))  # type: ignore[arg-type, return-value]
    broken = Broken("bad-nvr", "bad-nvr 1", Message("What its entry point names is no Kind: correct the entry point."))
    monkeypatch.setattr(registry, "OUTSIDE", Outside({}, (broken,)))

    form = text_of(await browser.get("/admin/recorders/new?kind=acme-nvr"))
    typed = {"kind": "acme-nvr", "name": "NVR", "site": "三期", "zone": "Asia/Shanghai"}
    entered = await browser.post("/admin/recorders/new", data={**typed, "configuration-address": "http://192.168.1.2"})
    listed = text_of(await browser.get("/admin/recorders"))
    shown = text_of(await browser.get(entered.headers["location"]))
    kinds = {one["code"]: one["package"] for one in (await browser.get("/api/admin/recorders/kinds")).json()}

    assert "此类型由软件包 acme-nvr 2.1 提供" in form
    assert desk.the(Recorder, site="三期").kind == "acme-nvr"
    assert "阿克梅录像机（acme-nvr 2.1）" in listed or "阿克梅录像机 (acme-nvr 2.1)" in listed
    assert "bad-nvr (bad-nvr 1): 入口点指向的不是 Kind" in listed
    assert "阿克梅录像机 来自软件包 acme-nvr 2.1" in shown
    assert (kinds["acme-nvr"], kinds["dahua"]) == ("acme-nvr 2.1", None)
    assert "bad-nvr" not in text_of(await (await portal.signed_in("supervisor")).get("/admin/recorders"))

    monkeypatch.delitem(registry.KINDS, "acme-nvr")
    gone = text_of(await browser.get(entered.headers["location"]))
    assert "类型（acme-nvr）没有安装或无法使用" in gone
    assert (await browser.get("/admin/recorders?form=csv")).status_code == 200
    changed = await browser.post(entered.headers["location"], data=typed)
    assert changed.status_code == 422


async def test_a_camera_is_entered_changed_and_retired(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    wrong = await browser.post("/admin/cameras/new", data={**CAMERA, "retentionDays": "ever"})
    entered = await browser.post("/admin/cameras/new", data=CAMERA)
    address = entered.headers["location"]
    waits = await browser.post(address, data={**CAMERA, "retentionDays": "90"})
    changed = await browser.post(address, data={**CAMERA, "retentionDays": "40"})
    retired = await browser.post(f"{address}/active", data={"active": "false"})

    assert wrong.status_code == 422
    assert "西侧" in wrong.text
    assert [one.status_code for one in (entered, changed, retired)] == [303] * 3
    camera = desk.the(Camera, channel="2")
    assert (camera.retention_days, camera.active) == (40, False)
    assert waits.status_code == 409
    assert "需要第二人复核" in text_of(waits)
    assert "由录像机保存 45 天改为录像机保存 90 天" in text_of(await browser.get("/requests"))
    assert "西门" not in (await (await portal.signed_in("drafter")).get("/apply/cameras")).text


async def test_a_rule_is_changed_with_a_reason_and_its_history_tells_who_and_why(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("admin")
    typed = {"was": "30", "value": "20", "reason": "监督小组二月会议决定"}

    silent = await browser.post("/admin/rules/max_use_days", data={**typed, "reason": ""})
    changed = await browser.post("/admin/rules/max_use_days", data=typed)
    late = await browser.post("/admin/rules/max_use_days", data={**typed, "value": "10"})

    assert silent.status_code == 422
    assert 'value="20"' in silent.text
    assert changed.status_code == 303
    assert late.status_code == 409, "somebody changed it meanwhile"
    assert desk.the(RuleChange).new == "20"
    for page in ("/admin/rules/max_use_days", "/admin/rules/history", "/admin/rules/history?form=csv"):
        shown = await (await portal.signed_in("supervisor")).get(page)
        assert "监督小组二月会议决定" in shown.text, page
    assert "20" in text_of(await (await portal.signed_in("drafter")).get("/apply"))


async def test_a_new_text_of_the_agreement_is_to_be_signed_by_everybody(desk: ReviewDesk, portal: Portal) -> None:
    browser, reviewer = await portal.signed_in("admin"), await portal.signed_in("reviewer")
    review_id = desk.opened(desk.submitted(), "security")
    texts = {"textZh": "新的保密协议，请逐条阅读并遵守其中各项义务。", "textEn": "A new agreement with duties to keep."}

    refused = await browser.post("/admin/agreements/issue", data={**texts, "version": "2032"})
    issued = await browser.post("/admin/agreements/issue", data={**texts, "version": "2032", "reason": "法务修订"})

    assert refused.status_code == 422
    assert texts["textZh"] in refused.text
    assert issued.status_code == 303
    assert "保密协议" not in text_of(await reviewer.get(f"/reviews/{review_id}"))
    desk.clock.turn(timedelta(days=14))
    assert "保密协议" in text_of(await reviewer.get(f"/reviews/{review_id}"))
    assert texts["textZh"] in (await reviewer.get("/account/agreement")).text
    for page in ("/inbox", f"/reviews/{review_id}"):
        assert '<a href="/account/agreement">阅读并签订' in (await reviewer.get(page)).text, page


async def test_the_examination_is_a_page_and_the_entrance_leads_to_all_pages(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    examined = text_of(await browser.get("/admin/doctor"))
    entrance = (await browser.get("/admin")).text

    assert "存储桶 masters 已不存在：请重新挂载其磁盘。" in examined
    assert "mount its disk" not in examined
    for place in ("people", "recorders", "cameras", "rules", "agreements", "notices", "doctor"):
        assert f'href="/admin/{place}"' in entrance
        assert (await browser.get(f"/admin/{place}")).status_code == 200


@pytest.mark.requirement("R16", refuses=True)
async def test_the_pages_say_from_when_an_absence_lets_others_sign_and_who_entered_it(
    desk: ReviewDesk, portal: Portal
) -> None:
    desk.run(absences.add, "head", since=NOON, until=NOON + timedelta(days=2), by="deputy")
    (row,) = desk.all(Absence)
    administrator, head, deputy = [await portal.signed_in(name) for name in ("admin", "head", "deputy")]

    page, own = await administrator.get("/admin/people/head"), await head.get("/account")
    for shown in (page, own):
        assert "2031-03-05 08:00" in text_of(shown)
        assert "异议期内" in shown.text
        assert "deputy 登记" in shown.text
        assert f"/absences/{row.id}/confirm" in shown.text
    refused = await deputy.post(f"/account/absences/{row.id}/confirm")
    assert refused.status_code == 403
    assert "缺席须由本人或系统管理员确认" in refused.text
    confirmed = await administrator.post(f"/admin/people/head/absences/{row.id}/confirm")
    assert confirmed.status_code == 303

    page = await administrator.get("/admin/people/head")
    assert "生效中" in page.text
    assert "admin 确认" in page.text
    assert "/confirm" not in page.text
    answer = (await administrator.get("/api/people/head/absences")).json()[0]
    assert (answer["state"], answer["addedBy"], answer["confirmedBy"]) == ("in-force", "deputy", "admin")


@pytest.mark.requirement("R2", refuses=True)
async def test_requests_say_what_would_be_done_what_was_reset_and_when_they_lapse(
    desk: ReviewDesk, portal: Portal
) -> None:
    admin = await portal.signed_in("admin")
    reset = await admin.post("/admin/people/drafter/initial-password")
    assert reset.status_code == 200
    typed = {"kind": "deputy", "postDepartment": "works", "until": "2031-03-07"}
    asked = await admin.post("/admin/people/drafter/posts", data=typed)
    assert asked.status_code == 409

    second = await portal.signed_in("security-head")
    page = text_of(await second.get("/requests"))
    assert "任命岗位 副职（works：业务部门，上级 board），自执行时起，至2031-03-08 00:00为止" in page
    assert "2031-03-04 20:00 UTC+8 重设密码" in page
    assert "失效时间： 2031-03-08 20:00 UTC+8" in page
    change_id = newest(desk)
    assert (await second.post(f"/requests/{change_id}/confirm", data={"password": PASSWORD})).status_code == 303
    assert (await admin.post(f"/requests/{change_id}/carry-out")).status_code == 303

    head = await portal.signed_in("head")
    assert "新任岗位" in text_of(await head.get("/requests"))
