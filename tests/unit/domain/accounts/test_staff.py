"""People, posts and departments: by administrators only, each act told as old and new, and none who sees footage."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from authenticator import Authenticator
from review_desk import NOON, PASSWORD, ReviewDesk
from second_person import confirmed, confirmed_password

from services.database.listing import Listing
from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.people import Absence, Department, Person, Post
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import absences, posts, second_factors, sessions, staff, staff_queries
from services.domain.accounts import login as account_login
from services.domain.accounts.client import Client
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.staff import Details
from services.domain.accounts.staff_queries import PeopleFilter
from services.domain.change_requests import holds
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound, Refused

HERE = Client("browser", "192.0.2.1")
ADMIN = Actor("person", "admin")
DAY = timedelta(days=1)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def refused(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str = "admin", **named: Any) -> str:
    with pytest.raises(Refused) as found:
        desk.run(act, *args, by=by, **named)
    return found.value.code


@pytest.mark.parametrize(
    ("act", "args"),
    [
        (staff.change_person, ("keeper", Details("x", "works"))),
        (staff.deactivate, ("keeper",)),
        (staff.activate, ("keeper",)),
        (staff.unlock, ("keeper",)),
        (staff.reset_second_factor, ("keeper",)),
        (staff.list_departments, ()),
        (staff_queries.get_person, ("keeper",)),
        (staff_queries.get_person, ("nobody",)),
        (staff_queries.list_people, (PeopleFilter(),)),
        (posts.assign, ("keeper", PostRequest("member", "works"))),
        (posts.end, ("nothing",)),
    ],
)
@pytest.mark.requirement("R2", refuses=True)
def test_only_administrators_keep_people(desk: ReviewDesk, act: Callable[..., Any], args: tuple[Any, ...]) -> None:
    for somebody in ("head", "security-head", "supervisor", "keeper"):
        assert refused(desk, act, *args, by=somebody) == "administrators-only"


async def test_a_new_person_signs_in_with_a_password_that_must_be_changed(desk: ReviewDesk) -> None:
    initial = await staff.add_person(
        desk.database, ADMIN, "newcomer", Details("新人", "works", "new@example.org", "en")
    )

    signed_in = await account_login.log_in(desk.database, "newcomer", initial.password, HERE)

    assert signed_in.pending_step == "password"
    assert desk.the(Person, login="newcomer").email == "new@example.org"
    trail = desk.the(AuditEvent, action="person-added").entry
    assert "newcomer" in trail
    assert initial.password not in trail


@pytest.mark.parametrize(
    ("login", "code"),
    [("head", "login-taken"), ("Head", "login-malformed"), ("a", "login-malformed"), ("a b", "login-malformed")],
)
async def test_a_login_is_one_persons_and_plain(desk: ReviewDesk, login: str, code: str) -> None:
    with pytest.raises(Refused) as found:
        await staff.add_person(desk.database, ADMIN, login, Details("x", "works"))
    assert found.value.code == code


async def test_whoever_leaves_is_out_at_once_and_stays_in_the_books(desk: ReviewDesk) -> None:
    session = await account_login.log_in(desk.database, "head", PASSWORD, HERE)
    desk.run(staff.deactivate, "head", by="admin")

    with pytest.raises(Refused):
        desk.run(lambda uow: sessions.get_person(uow, session.token, HERE.browser))
    with pytest.raises(Refused):
        await account_login.log_in(desk.database, "head", PASSWORD, HERE)
    assert desk.run(_holders, "works", "head") == []
    assert desk.the(Person, id="head").active is False

    confirmed(desk, staff.activate, "head")
    assert desk.run(_holders, "works", "head") == ["head"]


@pytest.mark.requirement("R52")
async def test_an_unlocked_person_tries_again(desk: ReviewDesk) -> None:
    for _ in range(5):
        with pytest.raises(Refused):
            await account_login.log_in(desk.database, "head", "guess", HERE)
    assert desk.run(staff_queries.get_person, "head", by="admin").login_delayed

    confirmed(desk, staff.unlock, "head")

    assert (await account_login.log_in(desk.database, "head", PASSWORD, HERE)).pending_step is None
    assert desk.the(AuditEvent, action="account-unlocked").actor_id == "admin"


@pytest.mark.requirement("R52", refuses=True)
async def test_a_reset_second_factor_and_a_new_password_end_the_sessions(desk: ReviewDesk) -> None:
    app = Authenticator(desk, "head")
    half = await account_login.log_in(desk.database, "head", PASSWORD, HERE)
    session = await account_login.submit_code(desk.database, half.token, HERE, app.next_code())

    confirmed(desk, staff.reset_second_factor, "head")

    with pytest.raises(Refused):
        desk.run(lambda uow: sessions.get_person(uow, session.token, HERE.browser))
    assert desk.run(second_factors.get_factor, "head") is None
    assert app.secret not in "".join(event.entry for event in desk.all(AuditEvent))
    initial = await confirmed_password(desk, "head")
    with pytest.raises(Refused):
        await account_login.log_in(desk.database, "head", PASSWORD, HERE)
    assert (await account_login.log_in(desk.database, "head", initial.password, HERE)).pending_step == "password"


async def test_administrators_do_none_of_it_to_themselves(desk: ReviewDesk) -> None:
    for act in (staff.deactivate, staff.reset_second_factor):
        assert refused(desk, act, "admin") == "not-oneself"
    assert refused(desk, posts.assign, "admin", PostRequest("member", "works")) == "not-oneself"
    with pytest.raises(Refused) as found:
        await staff.reset_password(desk.database, ADMIN, "admin")
    assert found.value.code == "not-oneself"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("kind", sorted(set(STAGES.posts) - set(posts.POSTS_WITHOUT_FOOTAGE)))
def test_no_administrator_gets_a_post_that_sees_footage(desk: ReviewDesk, kind: str) -> None:
    confirmed(desk, posts.assign, "keeper", PostRequest("administrator", "works"))

    assert refused(desk, posts.assign, "keeper", PostRequest(kind, "works")) == "administrator-sees-no-footage"
    later = PostRequest(kind, "works", since=NOON + DAY)
    assert refused(desk, posts.assign, "keeper", later) == "administrator-sees-no-footage"


@pytest.mark.requirement("R2", refuses=True)
def test_nobody_with_a_post_that_sees_footage_becomes_administrator_until_it_ends(desk: ReviewDesk) -> None:
    asked = PostRequest("administrator", "security")
    assert refused(desk, posts.assign, "reviewer", asked) == "administrator-sees-no-footage"
    assert desk.run(access_queries.list_posts, "reviewer")[0].kind == "security-reviewer"

    desk.run(posts.end, desk.the(Post, person_id="reviewer").id, by="admin")
    confirmed(desk, posts.assign, "reviewer", asked)

    assert [post.kind for post in desk.run(access_queries.list_posts, "reviewer")] == ["administrator"]


def test_posts_one_after_the_other_do_not_meet(desk: ReviewDesk) -> None:
    confirmed(desk, posts.assign, "keeper", PostRequest("administrator", "works", until=NOON + DAY))

    given = confirmed(desk, posts.assign, "keeper", PostRequest("deputy", "works", since=NOON + DAY))

    assert given.since == NOON + DAY


@pytest.mark.requirement("R16")
def test_a_post_says_who_gave_it_and_when_it_ends(desk: ReviewDesk) -> None:
    post = confirmed(desk, posts.assign, "keeper", PostRequest("deputy", "works", until=NOON + 3 * DAY))
    assert desk.run(_holders, "works", "deputy") == ["deputy", "keeper"]

    desk.clock.turn(4 * DAY)

    assert desk.run(_holders, "works", "deputy") == ["deputy"]
    view = desk.run(staff_queries.get_person, "keeper", by="admin")
    assert [(one.post.kind, one.assigned_by, one.holds_now) for one in view.posts] == [
        ("deputy", "admin", False),
        ("member", None, True),
    ]
    assert '"new":{"department":"works","kind":"deputy"' in desk.the(AuditEvent, action="post-assigned").entry
    assert refused(desk, posts.end, post.id) == "ended"


def test_a_post_is_given_once_and_in_order(desk: ReviewDesk) -> None:
    assert refused(desk, posts.assign, "keeper", PostRequest("member", "works")) == "held-already"
    backwards = PostRequest("deputy", "works", since=NOON + DAY, until=NOON)
    assert refused(desk, posts.assign, "keeper", backwards) == "until-before-since"
    assert refused(desk, posts.assign, "keeper", PostRequest("king", "works")) == "kind"
    assert refused(desk, posts.assign, "keeper", PostRequest("deputy", "nowhere")) == "no-such-department"
    assert refused(desk, posts.assign, "nobody", PostRequest("deputy", "works")) == "not-found"


def test_the_last_administrator_stays(desk: ReviewDesk) -> None:
    post_id = desk.the(Post, person_id="admin").id
    assert refused(desk, posts.end, post_id) == "last-administrator"

    confirmed(desk, posts.assign, "keeper", PostRequest("administrator", "works"))
    desk.run(posts.end, post_id, by="admin")

    assert desk.run(_holders, None, "administrator") == ["keeper"]
    assert refused(desk, staff.list_departments) == "administrators-only"


def test_there_is_always_an_administrator_without_an_end(desk: ReviewDesk) -> None:
    """One whose own post ends in a week is none who stays."""
    confirmed(desk, posts.assign, "keeper", PostRequest("administrator", "works", since=NOON + 3 * DAY))
    admin, keeper = desk.the(Post, person_id="admin").id, desk.the(Post, person_id="keeper", kind="administrator").id
    assert refused(desk, posts.end, admin) == "last-administrator"  # for three days there would be none
    desk.run(posts.end, admin, at=NOON + 7 * DAY, by="admin")
    desk.clock.turn(3 * DAY)

    assert refused(desk, staff.deactivate, "keeper") == "last-administrator"
    assert refused(desk, posts.end, keeper) == "last-administrator"
    assert refused(desk, posts.end, keeper, at=NOON + 30 * DAY) == "last-administrator"

    desk.clock.turn(5 * DAY)
    assert desk.run(_holders, None, "administrator") == ["keeper"]


@pytest.mark.requirement("R52", refuses=True)
async def test_a_sole_administrator_is_let_in_again_from_the_machine_and_it_is_told(desk: ReviewDesk) -> None:
    operator = Actor("system", "administrator-reset")
    Authenticator(desk, "admin")
    session = await account_login.log_in(desk.database, "admin", PASSWORD, HERE)

    for nobody in ("security-head", "drafter", "who"):
        with pytest.raises(Refused) as found:
            await staff.rescue_administrator(desk.database, operator, nobody)
        assert found.value.code == "not-administrator"
    initial = await staff.rescue_administrator(desk.database, operator, "admin")

    assert desk.the(LoginSession, person_id="admin").ended_at is not None, session
    half = await account_login.log_in(desk.database, "admin", initial.password, HERE)
    assert half.pending_step == "password"  # and no code
    assert {notice.person_id for notice in desk.all(Notice, code="account-changed")} == {
        "admin", "security-head", "supervisor",
    }  # fmt: skip
    assert [hold.person_id for hold in desk.run(holds.list_current)] == ["admin"]
    assert '"kind":"system"' in desk.the(AuditEvent, action="password-reset").entry
    assert desk.the(AuditEvent, action="second-factor-reset").subject_id == "admin"


async def test_where_nobody_administers_any_more_somebody_who_did_is_let_in_again(desk: ReviewDesk) -> None:
    """An installation of an earlier release may have come to that."""

    def leave(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "admin").active = False

    desk.run(leave)
    operator = Actor("system", "administrator-reset")
    with pytest.raises(Refused):
        await staff.rescue_administrator(desk.database, operator, "keeper")

    await staff.rescue_administrator(desk.database, operator, "admin")

    assert desk.run(_holders, None, "administrator") == ["admin"]


def test_a_change_is_told_as_old_and_new(desk: ReviewDesk) -> None:
    desk.run(staff.change_person, "keeper", Details("新名", "works"), by="admin")
    desk.run(staff.change_person, "keeper", Details("新名", "works"), by="admin")

    entry = desk.the(AuditEvent, action="person-changed").entry
    assert '"new":{"name":"新名"},"old":{"name":"keeper"}' in entry


def test_departments_do_not_go_round_in_a_circle(desk: ReviewDesk) -> None:
    named = {"name_zh": "车间", "name_en": "Shop", "kind": "business"}
    below = desk.run(staff.add_department, **named, superior_id="works", by="admin")

    for department_id, superior_id in (("works", below.id), ("works", "works"), ("board", below.id)):
        code = refused(desk, staff.change_department, department_id, **named, superior_id=superior_id)
        assert code == "circle"
    desk.run(staff.change_department, below.id, **{**named, "name_zh": "新车间"}, superior_id=None, by="admin")
    assert desk.the(Department, id=below.id).name_zh == "新车间"


def test_people_are_found_by_name_login_department_and_post(desk: ReviewDesk) -> None:
    desk.run(staff.deactivate, "reviewer2", by="admin")

    def find(text: str = "", **wanted: Any) -> list[str]:
        found = desk.run(staff_queries.list_people, PeopleFilter(**wanted), Listing(text), by="admin")
        assert found.total == len(found.lines)
        return [line.person.id for line in found.lines]

    assert find("REVIEW") == ["reviewer", "reviewer2"]
    assert find("review", active=True) == ["reviewer"]
    assert find("100%") == []
    assert find(department_id="office") == ["admin", "office-head", "supervisor"]
    assert find(post="manager") == ["manager", "manager2"]
    page = desk.run(staff_queries.list_people, PeopleFilter(), Listing(limit=2, offset=2), by="admin")
    assert (len(page.lines), page.total) == (2, len(desk.all(Person)))


@pytest.mark.requirement("R16")
@pytest.mark.parametrize("by", ["keeper", "head", "deputy", "admin"])
def test_an_absence_is_entered_by_oneself_the_head_or_an_administrator(desk: ReviewDesk, by: str) -> None:
    row = desk.run(absences.add, "keeper", since=NOON - DAY, until=NOON + DAY, by=by)

    desk.clock.turn(timedelta() if by in ("keeper", "admin") else absences.NOTICE)
    assert desk.run(access_queries.is_absent, "keeper")
    assert (row.added_by, desk.the(AuditEvent, action="absence-added").actor_id) == (by, by)
    desk.run(absences.end, row.id, by=by)
    assert not desk.run(access_queries.is_absent, "keeper")
    assert refused(desk, absences.end, row.id, by=by) == "over"


@pytest.mark.parametrize("by", ["drafter", "security-head", "office-head", "supervisor"])
def test_others_find_nobody_to_have_away(desk: ReviewDesk, by: str) -> None:
    row = desk.run(absences.add, "keeper", since=NOON + DAY, until=NOON + 2 * DAY, by="keeper")

    for act in (
        lambda: desk.run(absences.add, "keeper", since=NOON, until=NOON + DAY, by=by),
        lambda: desk.run(absences.list_absences, "keeper", by=by),
        lambda: desk.run(absences.end, row.id, by=by),
    ):
        with pytest.raises(NotFound):
            act()


def test_an_absence_that_is_called_off_never_was(desk: ReviewDesk) -> None:
    row = desk.run(absences.add, "keeper", since=NOON + DAY, until=NOON + 3 * DAY, by="keeper")
    desk.run(absences.end, row.id, by="keeper")
    desk.clock.turn(2 * DAY)

    assert not desk.run(access_queries.is_absent, "keeper")
    assert desk.run(absences.list_absences, "keeper", by="keeper") == []
    assert len(desk.all(Absence)) == 1


def test_the_first_administrator_enters_books_that_have_nobody(desk: ReviewDesk) -> None:
    with pytest.raises(Refused) as found:
        desk.run(staff.create_first_administrator, "root2", "x", "hash")
    assert found.value.code == "not-empty"


def _holders(uow: UnitOfWork, department_id: str | None, *kinds: str) -> list[str]:
    return access_queries.load_directory(uow).holders(department_id, *kinds)
