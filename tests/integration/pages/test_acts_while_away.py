"""An act that cannot be done now keeps what was typed: its page sends the same form again, without a script."""

import re
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk
from review_pages import HOSTILE, decision, text_of

from services.database.tables.reviews import Decision
from services.recorders.registry import KINDS
from services.runtime.errors import Busy, Retryable
from services.web.refusal_pages import SECRETS

SERVICES = Path(__file__).parents[3] / "services"
BUSY = Busy("the database did not answer in time", away="database")
AWAY = Retryable("the connection to the database broke", away="database")


class Form(HTMLParser):
    """The form of a page as a browser reads it: hidden fields in order, and those that a person fills in."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.action, self.encoding = "", ""
        self.hidden: list[tuple[str, str]] = []
        self.asked: dict[str, str] = {}
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert found["method"] == "post"
            self.action, self.encoding = found["action"], found.get("enctype", "")
        elif tag == "input" and found["type"] == "hidden":
            self.hidden.append((found["name"], found["value"]))
        elif tag == "input":
            assert not found.get("value")
            self.asked[found["name"]] = found["type"]

    def filled(self, **asked: str) -> dict[str, list[str]]:
        fields: dict[str, list[str]] = {}
        for name, value in (*self.hidden, *asked.items()):
            fields.setdefault(name, []).append(value)
        return fields


async def by_browser(client: httpx.AsyncClient, path: str, fields: dict[str, object]) -> httpx.Response:
    """Send a form as a page without a script does, with its token among the fields."""
    token = client.headers["X-CSRF-Token"]
    return await client.post(path, data={"csrf_token": token, **fields}, headers={"X-CSRF-Token": ""})


@pytest.mark.parametrize(("error", "told"), [(BUSY, "操作没有执行。"), (AWAY, "据系统所知，操作没有执行。")])
async def test_a_decision_that_was_not_taken_is_sent_again_from_the_page_that_says_so(
    desk: ReviewDesk, portal: Portal, error: Retryable, told: str
) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    reviewer = await portal.signed_in("head")
    typed = {**decision(desk, review_id, "returned", reason=f"请补充地点\n第二行 {HOSTILE}")}

    with patch.object(desk.database, "run", side_effect=error):
        refused = await by_browser(reviewer, f"/reviews/{review_id}/decide", typed)

    form = Form(refused)
    assert (refused.status_code, "location" in refused.headers, form.action) == (
        503,
        False,
        f"/reviews/{review_id}/decide",
    )
    assert refused.headers["retry-after"]
    assert refused.headers["cache-control"] == "no-store"
    for sentence in (told, "您填写的内容保留在本页", "密码和验证码不予保留"):
        assert sentence in text_of(refused)
    assert HOSTILE not in refused.text
    assert "<script>alert" not in refused.text
    assert PASSWORD not in refused.text
    assert form.asked == {"password": "password"}
    assert {name for name, _ in form.hidden} == {"csrf_token", *typed} - {"password"}

    assert desk.all(Decision) == []
    done = await reviewer.post(form.action, data=form.filled(password=PASSWORD), headers={"X-CSRF-Token": ""})
    assert done.status_code == 303, text_of(done)
    [row] = desk.all(Decision)
    assert row.reason.replace("\r\n", "\n") == typed["reason"]


async def test_the_token_is_needed_again_and_nothing_is_kept_without_it(desk: ReviewDesk, portal: Portal) -> None:
    reviewer = await portal.signed_in("reviewer")
    with patch.object(desk.database, "run", side_effect=BUSY), patch.object(desk.database, "read", side_effect=BUSY):
        foreign = await reviewer.post("/account/language", data={"language": "en"}, headers={"X-CSRF-Token": ""})
        own = await by_browser(reviewer, "/account/language?x=1", {"language": ["en", "zh"]})

    assert (foreign.status_code, own.status_code) == (403, 503)
    form = Form(own)
    assert (form.action, form.filled()["language"]) == ("/account/language?x=1", ["en", "zh"])


async def test_a_part_of_a_page_says_it_where_messages_are_shown(desk: ReviewDesk, portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")
    with patch.object(desk.database, "run", side_effect=BUSY):
        answer = await drafter.post("/apply", data={"purpose": "x"}, headers={"HX-Request": "true"})

    assert answer.status_code == 503
    # the form selects itself out of the answers, and would select nothing of this one
    told = ("#callouts", "unset")
    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reselect"]) == told
    assert "您填写的内容仍在本页" in text_of(answer)


async def test_a_file_has_to_be_chosen_again(desk: ReviewDesk, portal: Portal) -> None:
    admin = await portal.signed_in("admin")
    token = admin.headers["X-CSRF-Token"]
    with patch.object(desk.database, "run", side_effect=BUSY), patch.object(desk.database, "read", side_effect=BUSY):
        answer = await admin.post(
            "/admin/cameras/list",
            data={"csrf_token": token, "act": "check"},
            files={"file": ("cameras.csv", b"secret,content", "text/csv")},
            headers={"X-CSRF-Token": ""},
        )

    form = Form(answer)
    assert (form.encoding, form.asked) == ("multipart/form-data", {"file": "file"})
    assert dict(form.hidden) == {"csrf_token": token, "act": "check"}
    assert "文件不予保留" in text_of(answer)
    assert "secret,content" not in answer.text


async def test_who_logs_in_types_the_password_again(desk: ReviewDesk, portal: Portal) -> None:
    browser = portal.anonymous()
    login = await browser.get("/login")
    token = re.search('name="csrf_token" value="([^"]+)"', login.text)
    assert token is not None
    with patch.object(desk.database, "run", side_effect=BUSY):
        data = {"csrf_token": token[1], "login": "reviewer", "password": PASSWORD}
        answer = await browser.post("/login", data=data)

    form = Form(answer)
    assert (answer.status_code, PASSWORD in answer.text, form.asked) == (503, False, {"password": "password"})
    assert (await browser.post(form.action, data=form.filled(password=PASSWORD))).status_code == 303


async def test_a_page_that_cannot_be_read_now_is_asked_for_again(desk: ReviewDesk, portal: Portal) -> None:
    reviewer = await portal.signed_in("reviewer")
    with patch.object(desk.database, "read", side_effect=BUSY):
        answer = await reviewer.get("/inbox?text=%22%3Cb%3E")

    assert answer.status_code == 503
    assert '<a class="button" href="/inbox?text=%22%3Cb%3E">重试</a>' in answer.text


def test_no_secret_of_any_form_is_repeated() -> None:
    named = {
        name.rpartition("-")[2]
        for template in SERVICES.rglob("templates/**/*.html")
        if template.name != "unsent.html"
        for tag in re.findall(r"<input[^>]*>|kit\.field\(.*?\}\}", template.read_text(encoding="utf-8"))
        if 'type="password"' in tag or "one-time-code" in tag
        for name in re.findall(r'name="([^"{]+)"|kit\.field\("([^"]+)"', tag)
        for name in name
        if name
    }
    of_recorders = {name for kind in KINDS.values() for name in kind.schema.secrets}
    assert {"password", "code", "newPassword", "repeat"} <= named
    assert named | of_recorders <= SECRETS.keys()
