"""People from the organisation's directory, by LDAP from a server on the loopback."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ldap_server import PASSWORD, READER, Tree, ldap_server
from notice_servers import certificate
from portal_client import Portal, problem
from review_desk import ReviewDesk
from typer.testing import CliRunner

from services.app import doctor
from services.cli.main import app
from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.tables.staffing import DirectoryPerson, Leaving
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.change_requests import queries
from services.domain.change_requests import service as change_requests
from services.domain.staffing import directory_import, directory_links, ldap_client, leaving
from services.domain.staffing.directory_import import Plan
from services.domain.staffing.ldap_client import Entry
from services.domain.work_orders import requested_acts
from services.runtime.errors import Fatal, Refused
from services.runtime.settings import Settings, SettingsError
from services.runtime.settings.directory import DirectorySettings

ADMIN = Actor("person", "admin")
SETTINGS = DirectorySettings(host="ldap.example", base="ou=people,dc=example", most_leaving_percent=40)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def department_of(desk: ReviewDesk, person_id: str) -> str:
    return desk.the(Department, id=desk.the(Person, id=person_id).department_id).name_zh


def entry(desk: ReviewDesk, person_id: str, **changed: str) -> Entry:
    """The entry of somebody who is here, as they are here."""
    row = desk.the(Person, id=person_id)
    values = {"login": row.login, "name": row.name, "department": department_of(desk, person_id)}
    values["email"] = row.email or ""
    return Entry(f"id-{person_id}", f"uid={row.login},{SETTINGS.base}", {**values, **changed})


def new(desk: ReviewDesk, login: str, entry_id: str = "", **changed: str) -> Entry:
    values = {"login": login, "name": "新人", "department": department_of(desk, "drafter"), "email": ""}
    return Entry(entry_id or f"id-{login}", f"uid={login},{SETTINGS.base}", {**values, **changed})


def preview(desk: ReviewDesk, *entries: Entry, by: Actor = ADMIN) -> Plan:
    return desk.database.run_now(by, directory_import.preview, SETTINGS, entries)


def take_over(desk: ReviewDesk, *entries: Entry, by: Actor = ADMIN, **named: Any) -> Plan:
    plan, _ = asyncio.run(directory_import.take_over(desk.database, by, SETTINGS, entries, **named))
    return plan


@pytest.mark.requirement("R2", refuses=True)
def test_people_come_and_change_and_nobody_gets_a_post(desk: ReviewDesk) -> None:
    entries = (new(desk, "new.one"), entry(desk, "drafter", name="改名"), entry(desk, "head", name="另一个名字"))
    before, posts = desk.all(Person), desk.all(Post)
    seen = preview(desk, *entries)
    assert (seen.count("new"), seen.count("changed"), seen.count("leaves"), seen.unchanged) == (1, 1, 0, 0)
    # who decides is changed by hand, with a second person; nothing else of the plan is stopped by it
    [left_out] = seen.left_out
    assert "second person" in left_out.why.en
    assert len(desk.all(Person)) == len(before)

    assert take_over(desk, *entries, fingerprint=seen.fingerprint) == seen
    assert desk.the(Person, id="drafter").name == "改名"
    assert desk.the(Person, id="head").name != "另一个名字"
    assert {post.id for post in desk.all(Post)} == {post.id for post in posts}
    # nobody knows a password of theirs, and all three are known again, the head too
    assert desk.the(Person, login="new.one").must_change_password
    assert len(desk.all(DirectoryPerson)) == 3
    again = preview(desk, *entries)
    assert (again.changes, again.unchanged, len(again.left_out)) == ([], 2, 1)
    with pytest.raises(Refused) as refused:
        take_over(desk, *entries, new(desk, "another"), fingerprint=seen.fingerprint)
    assert refused.value.code == "directory-changed"
    assert desk.all(Person, login="another") == []


@pytest.mark.requirement("R2", refuses=True)
def test_what_cannot_be_taken_over_is_named_and_its_person_does_not_count_as_missing(desk: ReviewDesk) -> None:
    take_over(desk, entry(desk, "drafter"), entry(desk, "keeper"), entry(desk, "reviewer2"))
    seen = preview(
        desk,
        entry(desk, "drafter", department="没有的部门"),
        entry(desk, "keeper", login="renamed"),
        entry(desk, "reviewer2"),
        # somebody else with the username of somebody who is there too
        new(desk, desk.the(Person, id="reviewer2").login, "id-other"),
        new(desk, "NO spaces"),
        new(desk, "twice", "id-1"),
        new(desk, "twice", "id-2"),
    )
    sentences = [one.why.en for one in seen.left_out]
    for part in ("no department", "username changed", "another entry", "2 to 40 lowercase", "occurs twice"):
        assert any(part in sentence for sentence in sentences), (part, sentences)
    assert [change.login for change in seen.changes] == ["twice"]
    with pytest.raises(Refused) as refused:
        preview(desk)
    assert refused.value.code == "directory-empty"
    with pytest.raises(Refused) as refused:
        preview(desk, entry(desk, "drafter"), by=Actor("person", "security-head"))
    assert refused.value.status == 403


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.parametrize("renamed", [False, True])
def test_who_left_is_missing_also_where_the_username_was_given_again(desk: ReviewDesk, *, renamed: bool) -> None:
    """To a new entry, or to that of somebody who is here, whose username changed: each night, not once."""
    drafter, reviewer = entry(desk, "drafter"), desk.the(Person, id="reviewer2")
    take_over(desk, drafter, entry(desk, "reviewer2"), entry(desk, "keeper"))
    other = entry(desk, "keeper", login=reviewer.login) if renamed else new(desk, reviewer.login, "id-other")
    entries = (drafter, other) if renamed else (drafter, other, entry(desk, "keeper"))

    seen = preview(desk, *entries)
    assert [(change.state, change.login) for change in seen.changes] == [("leaves", reviewer.login)]
    [left_out] = seen.left_out
    assert ("username changed" if renamed else f"{reviewer.name}, whose own entry is gone") in left_out.why.en

    assert take_over(desk, *entries, by=directory_import.ACTOR).count("leaves") == 1
    assert not desk.the(Person, id="reviewer2").active
    for _ in range(2):  # the other one never gets that account
        plan = take_over(desk, *entries, by=directory_import.ACTOR)
        assert (plan.changes, len(plan.left_out)) == ([], 1)
        assert not desk.the(Person, id="reviewer2").active
        assert desk.all(DirectoryPerson, entry_id="id-other") == []


@pytest.mark.requirement("R2", refuses=True)
def test_a_new_person_with_the_username_of_one_who_has_left_is_never_taken_for_that_one(desk: ReviewDesk) -> None:
    """The account was made here and is deactivated, before the directory was read a first time."""
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "active", False))
    given_again = new(desk, "keeper", "id-other")
    for _ in range(2):
        plan = take_over(desk, given_again, entry(desk, "drafter"))
        assert ["deactivated" in one.why.en for one in plan.left_out] == [True]
        assert [row.person_id for row in desk.all(DirectoryPerson)] == ["drafter"]

    plan = take_over(desk, new(desk, "keeper2", "id-other"), entry(desk, "drafter"))

    assert [(change.state, change.login) for change in plan.changes] == [("new", "keeper2")]
    assert desk.the(DirectoryPerson, entry_id="id-other").person_id == desk.the(Person, login="keeper2").id
    # who is hired again is found by the username once an administrator has activated the account
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "active", True))
    take_over(desk, new(desk, "keeper2", "id-other"), entry(desk, "drafter"), entry(desk, "keeper"))
    assert desk.the(DirectoryPerson, entry_id="id-keeper").person_id == "keeper"


def link(desk: ReviewDesk, person_id: str, entry_id: str, *entries: Entry, by: str = "admin") -> None:
    desk.run(directory_links.link_again, SETTINGS, entries, person_id, entry_id, by=by)


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_who_decides_is_linked_to_a_new_entry_only_with_a_second_person(desk: ReviewDesk) -> None:
    """Deleted in the directory and made anew: the same username, another identifier."""

    def reached(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "reviewer2").email = "reviewer2@footage.example"

    desk.run(reached)
    both, again = [entry(desk, "reviewer2"), entry(desk, "drafter")], entry(desk, "reviewer2")
    await directory_import.take_over(desk.database, ADMIN, SETTINGS, both)
    remade = [replace(again, id="id-anew", dn="cn=anew,dc=example"), both[1]]
    [left_out] = preview(desk, *remade).left_out
    assert (left_out.person_id, left_out.entry_id) == ("reviewer2", "id-anew")
    assert "link the two" in left_out.why.en

    with pytest.raises(Refused) as refused:
        link(desk, "reviewer2", "id-anew", *remade)
    assert refused.value.code == "second-person-needed"
    assert desk.the(DirectoryPerson, person_id="reviewer2").entry_id == "id-reviewer2"
    request = desk.the(ChangeRequest)
    assert desk.the(Notice, code="change-requested", person_id="reviewer2")
    assert {one.person_id for one in desk.all(Notice, code="change-to-check")} >= {"security-head", "supervisor"}
    with pytest.raises(Refused) as refused:  # neither does one person carry out what one person has asked for
        await requested_acts.carry_out(desk.database, ADMIN, request.id)
    assert refused.value.code == "second-person-awaited"
    with pytest.raises(Refused) as refused:
        desk.run(change_requests.confirm, request.id, by="reviewer2")
    assert refused.value.code == "not-second-person"

    shown = desk.run(queries.list_open, by="security-head").requests[0]
    assert "cn=anew,dc=example" in shown.what_en
    assert "id-reviewer2" in shown.what_zh
    desk.run(change_requests.confirm, request.id, by="security-head")
    await requested_acts.carry_out(desk.database, ADMIN, request.id)
    assert desk.the(DirectoryPerson, person_id="reviewer2").entry_id == "id-anew"
    assert desk.the(Notice, code="change-carried-out", person_id="reviewer2")
    plan = preview(desk, *remade, by=directory_import.ACTOR)
    assert (plan.changes, plan.left_out, plan.unchanged) == ([], [], 2)
    last = [event for event in desk.all(AuditEvent) if event.action == "directory-linked"][-1]
    assert json.loads(last.entry)["detail"] == {"entry": "id-anew", "was": "id-reviewer2"}


@pytest.mark.requirement("R2", refuses=True)
def test_who_decides_nothing_is_linked_by_an_administrator_and_told(desk: ReviewDesk) -> None:
    take_over(desk, entry(desk, "drafter"), entry(desk, "keeper"), entry(desk, "head"))
    remade = [replace(entry(desk, "drafter"), id="id-anew"), entry(desk, "head")]
    elsewhere = [new(desk, "someone", "id-some"), *remade]
    for person_id, entry_id, entries, by, code in (
        ("drafter", "id-head", remade, "admin", "not-to-link"),  # that of somebody else
        ("head", "id-anew", remade, "admin", "not-to-link"),  # whose own entry is there
        ("keeper", "id-anew", remade, "admin", "not-to-link"),  # of another username
        ("inspector", "id-some", elsewhere, "admin", "not-to-link"),  # who was made here
        ("drafter", "id-gone", remade, "admin", "not-to-link"),
        ("drafter", "id-anew", remade, "security-head", "administrators-only"),
    ):
        with pytest.raises(Refused) as refused:
            link(desk, person_id, entry_id, *entries, by=by)
        assert refused.value.code == code, (person_id, entry_id)
    assert desk.the(DirectoryPerson, person_id="drafter").entry_id == "id-drafter"

    link(desk, "drafter", "id-anew", *remade)
    assert desk.the(DirectoryPerson, person_id="drafter").entry_id == "id-anew"
    assert desk.the(Notice, code="account-changed", person_id="drafter")
    assert desk.all(ChangeRequest) == []
    assert [change.login for change in preview(desk, *remade).changes] == ["keeper"]  # who is missing indeed


def test_nobody_links_their_own_account(desk: ReviewDesk) -> None:
    take_over(desk, entry(desk, "admin"), entry(desk, "drafter"))
    remade = [replace(entry(desk, "admin"), id="id-anew"), entry(desk, "drafter")]
    with pytest.raises(Refused, match="your own account"):
        link(desk, "admin", "id-anew", *remade)
    assert desk.all(ChangeRequest) == []


@pytest.mark.requirement("R46", refuses=True)
def test_who_is_missing_leaves_and_with_copies_out_is_kept_until_the_transfer(desk: ReviewDesk) -> None:
    everybody = [entry(desk, person) for person in ("drafter", "keeper", "reviewer2", "head", "operator2")]
    take_over(desk, *everybody)
    application_id = desk.submitted()
    desk.offered(application_id, accepted_at=desk.clock.now())
    staying = [one for one in everybody if one.id not in ("id-keeper", "id-reviewer2")]
    seen = preview(desk, *staying)
    assert {change.login: bool(change.cases) for change in seen.changes} == {"keeper": True, "reviewer2": False}
    take_over(desk, *staying, by=directory_import.ACTOR)
    assert not desk.the(Person, id="reviewer2").active
    assert desk.the(Person, id="keeper").active
    assert desk.the(Leaving, person_id="keeper").source == "directory"
    assert preview(desk, *staying).changes == []
    # accounts that were made here alone never leave by it
    assert desk.the(Person, id="inspector").active
    desk.run(leaving.settle)
    assert desk.the(Person, id="keeper").active

    # more than the share at once: nothing changes, unless an administrator confirms it
    with pytest.raises(Refused) as refused:
        take_over(desk, entry(desk, "operator2"), by=directory_import.ACTOR)
    assert refused.value.code == "too-many-leave"
    assert desk.the(Person, id="drafter").active
    take_over(desk, entry(desk, "operator2"), all_leave=True)
    assert not desk.the(Person, id="head").active


def test_the_last_administrator_does_not_leave_by_the_directory(desk: ReviewDesk) -> None:
    take_over(desk, entry(desk, "admin"), entry(desk, "drafter"), by=directory_import.ACTOR)
    seen = preview(desk, entry(desk, "drafter"), by=directory_import.ACTOR)
    assert seen.changes == []
    assert "last administrator" in seen.left_out[0].why.en


def people(count: int) -> dict[str, Any]:
    return {
        f"uid=p{number},ou=people,dc=example": {
            "entryUUID": str(uuid.UUID(int=number)),
            "uid": f"p{number}",
            "cn": f"人员{number}",
            "ou": "工程部",
            "mail": "",
        }
        for number in range(count)
    }


@contextmanager
def served(
    tmp_path: Path, tree: Tree, security: str = "tls", name: str = "localhost", **changed: Any
) -> Iterator[DirectorySettings]:
    made = certificate(tmp_path, name=name)
    with ldap_server(tree, None if security == "none" else made.context, at_once=security == "tls") as port:
        named = {"bind_dn": READER, "bind_password": PASSWORD, "base": tree.base, "ca_file": made.authority}
        named |= {"host": "localhost", "port": port, "security": security, "page_size": 2, "timeout_seconds": 5}
        yield DirectorySettings(**{**named, **changed})


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_the_list_is_read_page_by_page_and_the_password_never_in_the_clear(tmp_path: Path, security: str) -> None:
    tree = Tree(people(5))
    with served(tmp_path, tree, security) as settings:
        found = ldap_client.read_entries(settings)
        answer = ldap_client.test_connection(settings)
    assert [one.values["login"] for one in found] == [f"p{number}" for number in range(5)]
    assert found[1].values["name"] == "人员1"
    assert found[1].id == str(uuid.UUID(int=1))
    assert (answer.entries, answer.more) == (2, True)
    assert (answer.secured or "").startswith("TLS") is (security != "none")
    assert (PASSWORD.encode() in tree.sent) is (security == "none")


@pytest.mark.parametrize(
    ("tree", "changed", "sentence"),
    [
        ({}, {"bind_password": "wrong"}, "account that reads"),
        ({}, {"base": "ou=nowhere"}, "BASE"),
        ({}, {"filter": "(((no filter"}, "FILTER"),
        ({}, {"id_attribute": "objectGUID"}, "ID_ATTRIBUTE"),
        ({}, {"name": "elsewhere"}, "encrypted"),
        ({}, {"ca_file": None}, "encrypted"),
        ({"starts_tls": False}, {"security": "starttls"}, "encrypted"),
        ({"repeats": True}, {}, "not complete"),
        ({"size_limit": 4}, {}, "not complete"),
    ],
)
def test_a_server_that_answers_otherwise_changes_nothing(
    tmp_path: Path, tree: dict[str, Any], changed: dict[str, Any], sentence: str
) -> None:
    answers = Tree(people(5), **tree)
    with served(tmp_path, answers, **changed) as settings, pytest.raises(Refused) as refused:
        ldap_client.read_entries(settings)
    assert sentence in refused.value.en
    assert PASSWORD not in refused.value.en
    assert PASSWORD.encode() not in answers.sent


def test_what_is_no_directory_cannot_be_reached(tmp_path: Path) -> None:
    with served(tmp_path, Tree(), port=1) as settings, pytest.raises(Refused, match="cannot be reached"):
        ldap_client.read_entries(settings)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": "ldap.example"}, "BASE"),
        ({"host": "ldap.example", "base": "dc=example", "bind_dn": "cn=reader"}, "neither"),
        ({"host": "ldap.example", "base": "dc=example", "security": "none"}, "in the clear"),
    ],
)
def test_settings_that_do_not_agree_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings.load(directory=given)


async def test_an_administrator_tests_checks_and_takes_over_on_the_page(desk: ReviewDesk, tmp_path: Path) -> None:
    tree = Tree(people(3))
    for values in tree.people.values():
        values["ou"] = department_of(desk, "drafter")  # type: ignore[index]  # it is a dict
    with served(tmp_path, tree) as directory:
        settings = Settings.load(directory=directory)
        async with Portal(desk, settings=settings) as portal:
            admin = await portal.signed_in("admin")
            form = {"csrf_token": admin.headers["X-CSRF-Token"]}
            page = await admin.post("/admin/directory/test", data=form)
            assert page.status_code == 200, page.text
            assert "TLS" in page.text
            page = await admin.post("/admin/directory/check", data=form)
            assert "人员2" in page.text
            assert PASSWORD not in page.text
            fingerprint = page.text.partition('name="fingerprint" value="')[2][:64]
            page = await admin.post("/admin/directory", data={**form, "fingerprint": fingerprint, "passwords": "true"})
            assert len(re.findall(r"<code>p\d</code>", page.text)) == 3  # besides first passwords, of any letters
            plan = (await admin.get("/api/admin/directory/plan")).json()
            assert (plan["changes"], plan["unchanged"]) == ([], 3)
            answer = await admin.post("/api/admin/directory/plan", json={"fingerprint": "x"})
            assert answer.status_code == 409
            dn = next(iter(tree.people))
            tree.people[dn] = {**tree.people[dn], "entryUUID": str(uuid.UUID(int=9))}
            page = await admin.post("/admin/directory/check", data=form)
            named = dict(re.findall(r'name="(personId|entryId)" value="([^"]+)"', page.text))
            assert named["entryId"] == str(uuid.UUID(int=9))
            wrong = await admin.post("/admin/directory/link", data={**form, **named, "personId": "head"})
            assert (wrong.status_code, "用户名相同的新条目" in wrong.text) == (409, True)
            linked = await admin.post("/admin/directory/link", data={**form, **named})
            assert linked.status_code == 303, linked.text
            again = await admin.post("/api/admin/directory/links", json=named)
            assert problem(again)[:2] == (409, "not-to-link")
            assert (await admin.get("/api/admin/directory/plan")).json()["leftOut"] == []
            head = await portal.signed_in("head")
            assert (await head.post("/api/admin/directory/links", json=named)).status_code == 403
            assert (await head.get("/admin/directory")).status_code == 403
            assert (await head.get("/api/admin/directory/plan")).status_code == 403
    for event in desk.all(AuditEvent):
        assert PASSWORD not in event.entry


def test_the_nightly_run_says_what_it_did_and_refuses_what_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'database.sqlite3'}"
    desk = ReviewDesk(url)
    try:
        tree = Tree(people(4))
        for values in tree.people.values():
            values["ou"] = department_of(desk, "drafter")  # type: ignore[index]  # it is a dict
        monkeypatch.setenv("FOOTAGE_DESK_DATABASE_URL", url)
        monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path))
        with served(tmp_path, tree) as directory:
            for name, value in directory.model_dump(exclude_defaults=True).items():
                shown = PASSWORD if name == "bind_password" else str(value)
                monkeypatch.setenv(f"FOOTAGE_DESK_DIRECTORY__{name.upper()}", shown)
            run = CliRunner().invoke
            assert "4 new" in run(app, ["people", "from-directory", "--dry-run"]).output
            assert desk.all(DirectoryPerson) == []
            assert run(app, ["people", "from-directory"]).exit_code == 0
            assert len(desk.all(DirectoryPerson)) == 4
            for dn in list(tree.people)[:2]:
                del tree.people[dn]
            refused = run(app, ["people", "from-directory"])
            assert refused.exit_code == 1
            assert "nothing is taken over" in refused.output
            assert all(row.active for row in desk.all(Person))
    finally:
        desk.close()


async def test_the_doctor_says_whether_the_directory_answers(tmp_path: Path) -> None:
    with served(tmp_path, Tree(people(1))) as directory:
        assert "answers, by TLS" in str(await doctor._directory(Settings.load(directory=directory)))
    with pytest.raises(Fatal, match="cannot be reached"):
        await doctor._directory(Settings.load(directory=directory))
