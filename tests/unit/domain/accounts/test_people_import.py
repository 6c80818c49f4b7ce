"""People by a CSV file: a preview, all lines or none, and nothing that needs a second person."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor
from services.domain.accounts import people_import
from services.domain.accounts.staff import InitialPassword
from services.domain.staffing import leaving
from services.runtime.errors import Refused

HEAD = "login,name,department,email,language\n"
ADMIN = Actor("person", "admin")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


def preview(desk: ReviewDesk, text: str, by: str = "admin") -> people_import.Preview:
    return desk.run(people_import.preview, (HEAD + text).encode(), by=by)


def take_over(desk: ReviewDesk, text: str) -> list[InitialPassword]:
    return asyncio.run(
        people_import.take_over(desk.database, ADMIN, (HEAD + text).encode(), leave=leaving.leave_by_list)
    )


def department(desk: ReviewDesk, login: str) -> str:
    return desk.the(Department, id=desk.the(Person, id=login).department_id).name_zh


@pytest.mark.requirement("R2")
def test_a_preview_changes_nothing_and_says_what_would_change(desk: ReviewDesk) -> None:
    works = department(desk, "drafter")
    before = [(row.login, row.name, row.email) for row in desk.all(Person)]
    known = desk.the(Person, id="drafter")
    text = f"new.one,新人,{works},new@footage.example,en\n"
    text += f"{known.login},改名,{works},{known.email or ''},{known.locale}\n"
    seen = preview(desk, text)
    assert (seen.count("new"), seen.count("changed"), seen.unchanged, list(seen.wrong)) == (1, 1, 0, [])
    [_, changed] = seen.changes
    assert changed.changes == {"name": (known.name, "改名")}
    assert [(row.login, row.name, row.email) for row in desk.all(Person)] == before

    [initial] = take_over(desk, text)
    assert initial.login == "new.one"
    assert desk.the(Person, login="new.one").must_change_password
    assert desk.the(Person, id="drafter").name == "改名"
    again = preview(desk, text)
    assert (again.count("new"), again.count("changed"), again.unchanged) == (0, 0, 2)
    assert take_over(desk, text) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("UPPER,x,{d},,", "username"),
        ("a b,x,{d},,", "username"),
        ("x.y,,{d},,", "name is missing"),
        ("x.y,x,,,", "department is missing"),
        ("x.y,x,No such,,", "no department No such"),
        ("x.y,x,{d},not a mail,", "email is not valid"),
        ("x.y,x,{d},,xx", "language is not valid"),
        ("one,x,{d},,\none,y,{d},,", "occurs twice"),
        ("{head},改名,{d},,", "with a second person"),
    ],
)
@pytest.mark.requirement("R2", refuses=True)
def test_one_wrong_line_is_named_and_nothing_is_taken_over(desk: ReviewDesk, line: str, sentence: str) -> None:
    head = desk.the(Person, id="head").login
    text = f"right.one,好的,{department(desk, 'drafter')},,zh\n" + line.format(d=department(desk, "drafter"), head=head)
    seen = preview(desk, text)
    [wrong] = seen.wrong
    assert wrong.line == text.count("\n") + 2
    assert sentence in wrong.en
    with pytest.raises(Refused) as refusal:
        take_over(desk, text)
    assert f"Line {wrong.line}" in refusal.value.message.en
    assert desk.all(Person, login="right.one") == []
    assert desk.all(ChangeRequest) == []


def test_whoever_was_deactivated_is_not_let_in_again(desk: ReviewDesk) -> None:
    def leave(uow) -> None:  # type: ignore[no-untyped-def]
        uow.session.get_one(Person, "drafter").active = False

    place = department(desk, "drafter")
    desk.run(leave)
    login = desk.the(Person, id="drafter").login
    [wrong] = preview(desk, f"{login},x,{place},,").wrong
    assert "was deactivated" in wrong.en


def test_administrators_alone_import_people(desk: ReviewDesk) -> None:
    for person in ("head", "security-head", "supervisor", "drafter"):
        with pytest.raises(Refused) as refusal:
            preview(desk, "", by=person)
        assert refusal.value.status == 403


async def test_the_page_shows_the_preview_and_the_passwords_once(desk: ReviewDesk) -> None:
    place = department(desk, "drafter")
    file = ("people.csv", (HEAD + f"paged,页面,{place},,zh\n").encode("gb18030"), "text/csv")
    async with Portal(desk) as portal:
        browser = await portal.signed_in("admin")
        form = {"csrf_token": browser.headers["X-CSRF-Token"]}
        page = await browser.post("/admin/people/list", data=form, files={"file": file})
        assert page.status_code == 200, page.text
        assert "新人员" in page.text
        assert desk.all(Person, login="paged") == []
        page = await browser.post("/admin/people/list", data={**form, "enter": "true"}, files={"file": file})
        assert page.status_code == 200, page.text
        assert "paged" in page.text
        assert desk.the(Person, login="paged").name == "页面"
        page = await browser.post("/admin/people/list", data={**form, "enter": "true"}, files={"file": file})
        assert "<code>paged" not in page.text
        wrong = ("people.csv", (HEAD + "paged,,,,\n").encode(), "text/csv")
        page = await browser.post("/admin/people/list", data=form, files={"file": wrong})
        assert page.status_code == 422
        assert "1 行有误" in page.text or "有误" in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_list_that_is_saved_is_edited_and_imported_again(desk: ReviewDesk, language: str) -> None:
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "locale", "en"))
    async with Portal(desk) as portal:
        admin = await portal.signed_in("admin")
        await admin.post("/language", data={"language": language, "csrf_token": admin.headers["X-CSRF-Token"]})
        saved = (await admin.get("/admin/people.csv")).text
    assert ("用户名" in saved, "Username" in saved) == ((True, False) if language == "zh" else (False, True))

    def read(text: str) -> people_import.Preview:
        return desk.run(people_import.preview, text.encode(), by="admin")

    same = read(saved)
    assert (same.changes, same.unchanged, list(same.wrong)) == ([], len(desk.all(Person, active=True)), [])
    edited = read(saved.replace("keeper,keeper", "keeper,改名"))
    assert [(one.login, one.changes) for one in edited.changes] == [("keeper", {"name": ("keeper", "改名")})]
    with pytest.raises(Refused, match="must name the columns"):
        read(saved.replace("drafter,drafter", "", 1).replace("用户名", "账号").replace("Username", "Account"))
