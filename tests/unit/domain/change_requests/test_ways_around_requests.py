"""Ways in which one administrator would make somebody a decider in silence, each tried and refused (R2, R16, R52)."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from at_once import at_once
from authenticator import Authenticator
from review_desk import NOON, PASSWORD, ReviewDesk
from second_person import asked, confirmed, confirmed_password, newest

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest, SignatureHold
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import posts, requested_acts, second_factors, staff
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.signatures.given import Proof
from services.domain.accounts.staff import Details
from services.domain.agreements import service as agreements
from services.domain.applications import service as application_service
from services.domain.change_requests import holds, queries
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.schemas import ChangeRequestAnswer
from services.domain.rules import service as rules
from services.runtime.errors import Fatal, Refused, Retryable

pytestmark = pytest.mark.requirement("R2")
ADMIN = Actor("person", "admin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEPUTY = PostRequest("deputy", "works")
LAB = {"name_zh": "实验室", "name_en": "Laboratory", "superior_id": None}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def refused(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str = "admin", **named: Any) -> str:
    with pytest.raises(Refused) as found:
        desk.run(act, *args, by=by, **named)
    return found.value.code


async def refused_password(desk: ReviewDesk, person_id: str) -> str:
    with pytest.raises(Refused) as found:
        await staff.reset_password(desk.database, ADMIN, person_id)
    return found.value.code


async def refused_carry_out(desk: ReviewDesk, change_id: str) -> str:
    with pytest.raises(Refused) as found:
        await requested_acts.carry_out(desk.database, ADMIN, change_id)
    return found.value.code


def shown(desk: ReviewDesk, by: str = "security-head") -> ChangeRequestAnswer:
    [request] = desk.run(queries.list_open, by=by).requests
    return request


def set_values(desk: ReviewDesk, table: type[Any], row_id: str, **values: Any) -> None:
    """Change a row past all checks."""

    def act(uow: UnitOfWork) -> None:
        for name, value in values.items():
            setattr(uow.session.get_one(table, row_id), name, value)

    desk.run(act)


def kinds_of(desk: ReviewDesk, person_id: str) -> list[str]:
    return sorted(post.kind for post in desk.all(Post, person_id=person_id))


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    "changed", [{"kind": "legal"}, {"superior_id": "board"}, {"name_zh": "生产部", "name_en": "Works"}]
)
def test_a_department_for_which_a_post_is_asked_is_changed_by_two(desk: ReviewDesk, changed: dict[str, str]) -> None:
    lab = desk.run(staff.add_department, **LAB, kind="business", by="admin").id
    request = asked(desk, posts.assign, "keeper", PostRequest("head", lab))
    desk.run(change_requests.confirm, request, by="security-head")

    values = {**LAB, "kind": "business", **changed}
    assert refused(desk, staff.change_department, lab, **values) == "second-person-needed"

    assert desk.the(Department, id=lab).kind == "business"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    "changed", [{"kind": "security"}, {"superior_id": "board"}, {"name_zh": "保卫部"}, {"name_en": "Security"}]
)
@pytest.mark.parametrize("under_requests", [True, False])
async def test_a_post_is_void_when_its_department_is_no_longer_what_was_confirmed(
    desk: ReviewDesk, changed: dict[str, str], under_requests: bool
) -> None:
    lab = desk.run(staff.add_department, **LAB, kind="business", by="admin").id
    post = PostRequest("head", lab)
    request = asked(desk, posts.assign, "keeper", post)
    desk.run(change_requests.confirm, request, by="security-head")
    set_values(desk, Department, lab, **changed)

    if under_requests:
        assert await refused_carry_out(desk, request) == "request-outdated"
    else:
        assert refused(desk, posts.assign, "keeper", post) == "request-outdated"

    assert kinds_of(desk, "keeper") == ["member"]
    assert desk.the(ChangeRequest).outcome == "withdrawn"
    assert '"because":"refused"' in desk.the(AuditEvent, action="change-withdrawn").entry
    assert asked(desk, posts.assign, "keeper", post) != request


def test_a_request_names_the_department_as_it_was_when_it_was_asked_for(desk: ReviewDesk) -> None:
    lab = desk.run(staff.add_department, **{**LAB, "superior_id": "works"}, kind="business", by="admin").id
    asked(desk, posts.assign, "keeper", PostRequest("head", lab, until=NOON + 3 * DAY))
    set_values(desk, Department, lab, name_en="Security", kind="security")

    what = shown(desk).what_en

    assert "Laboratory: business, parent works" in what
    assert "from when carried out until 2031-03-07 20:00" in what
    assert "自执行时起，至2031-03-07 20:00为止" in shown(desk).what_zh


@pytest.mark.requirement("R2", refuses=True)
async def test_a_request_of_an_earlier_release_says_what_it_can_and_is_asked_for_anew(desk: ReviewDesk) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    payload = {name: value for name, value in desk.the(ChangeRequest).payload.items() if name != "context"}
    set_values(desk, ChangeRequest, request, payload=payload)
    assert "deputy in works from" in shown(desk).what_en
    desk.run(change_requests.confirm, request, by="security-head")

    assert await refused_carry_out(desk, request) == "request-outdated"
    asked(desk, posts.assign, "keeper", DEPUTY)


@pytest.mark.requirement("R2", refuses=True)
async def test_an_account_is_not_prepared_while_a_post_is_asked_for_it(desk: ReviewDesk) -> None:
    asked(desk, posts.assign, "drafter", DEPUTY)

    assert await refused_password(desk, "drafter") == "second-person-needed"
    assert refused(desk, staff.change_person, "drafter", Details("王芳", "works")) == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_an_account_is_not_prepared_between_two_posts(desk: ReviewDesk) -> None:
    desk.run(posts.end, desk.the(Post, person_id="deputy").id, by="admin")
    desk.clock.turn(29 * DAY)
    assert await refused_password(desk, "deputy") == "second-person-needed"

    desk.clock.turn(2 * DAY)
    assert (await staff.reset_password(desk.database, ADMIN, "deputy")).login == "deputy"


@pytest.mark.requirement("R52")
async def test_a_reset_before_the_post_is_shown_and_holds_the_signatures_anew(desk: ReviewDesk) -> None:
    desk.post("drafter", "return-inspector", "security")
    set_values(desk, Post, desk.the(Post, person_id="drafter", kind="return-inspector").id, until=NOON - DAY * 0.5)
    desk.clock.turn(31 * DAY)
    await staff.reset_password(desk.database, ADMIN, "drafter")
    [hold] = desk.run(holds.list_current, "drafter")
    desk.run(holds.release, hold.id, by="head")
    desk.clock.turn(10 * DAY)

    asked(desk, posts.assign, "drafter", DEPUTY)
    assert [reset.action for reset in shown(desk).resets] == ["password-reset"]
    assert [reset.what_zh for reset in shown(desk).resets] == ["重设密码"]
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    desk.run(posts.assign, "drafter", DEPUTY, by="admin")

    [hold] = desk.run(holds.list_current, "drafter")
    assert (hold.reason, hold.reset_by, hold.until) == ("post-assigned", "admin", NOON + 42 * DAY)


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_whoever_gets_a_first_post_signs_after_a_day_or_when_the_head_confirms(desk: ReviewDesk) -> None:
    initial = await staff.add_person(desk.database, ADMIN, "newcomer", Details("新人", "works"))
    asked(desk, posts.assign, initial.person_id, DEPUTY)
    assert [reset.action for reset in shown(desk).resets] == ["person-added"]
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    desk.run(posts.assign, initial.person_id, DEPUTY, by="admin")
    set_values(desk, Person, initial.person_id, password_hash=desk.the(Person, id="head").password_hash)

    with pytest.raises(Refused) as found:
        desk.run(agreements.sign, desk.rules.agreement_version, Proof(password=PASSWORD), by=initial.person_id)
    assert found.value.code == "signature-held"
    assert "assigned a post" in found.value.en
    [hold] = desk.run(holds.list_current)
    assert refused(desk, holds.release, hold.id) == "not-found"
    desk.run(holds.release, hold.id, by="head")
    assert desk.run(agreements.sign, desk.rules.agreement_version, Proof(password=PASSWORD), by=initial.person_id)


def test_a_second_post_of_somebody_who_was_not_reset_holds_nothing(desk: ReviewDesk) -> None:
    confirmed(desk, posts.assign, "keeper", PostRequest("deputy", "works", since=NOON + 5 * DAY))
    [first] = desk.all(SignatureHold, person_id="keeper")
    assert first.until == NOON + 6 * DAY  # a day from when the post begins

    confirmed(desk, posts.assign, "keeper", PostRequest("return-inspector", "security"))
    assert len(desk.all(SignatureHold)) == 1


@pytest.mark.requirement("R2", refuses=True)
def test_a_department_of_security_or_management_is_added_by_two(desk: ReviewDesk) -> None:
    desk.run(staff.add_department, **LAB, kind="legal", by="admin")
    for kind in ("security", "management"):
        # above Security, the head of works would sign in its place
        request = asked(desk, staff.add_department, **{**LAB, "superior_id": "works"}, kind=kind)
        assert f"Laboratory: {kind}, parent works" in shown(desk).what_en
        desk.run(change_requests.object_to, request, by="security-head")

    request = asked(desk, staff.add_department, **LAB, kind="security")
    desk.clock.turn(DAY)
    asyncio.run(requested_acts.carry_out(desk.database, ADMIN, request))

    assert sorted(row.kind for row in desk.all(Department, name_en="Laboratory")) == ["legal", "security"]


@pytest.mark.requirement("R2", refuses=True)
def test_a_department_above_people_or_of_a_powerful_kind_is_changed_by_two(desk: ReviewDesk) -> None:
    top = desk.run(staff.add_department, **LAB, kind="business", by="admin").id
    works = {"name_zh": "works", "name_en": "works", "kind": "business"}
    confirmed(desk, staff.change_department, "works", **works, superior_id=top)
    moved = {**LAB, "kind": "business", "superior_id": "office"}  # whose head would stand in for the head of works

    assert refused(desk, staff.change_department, top, **moved) == "second-person-needed"
    other = desk.run(staff.add_department, **LAB, kind="business", by="admin").id
    desk.run(staff.change_department, other, **moved, by="admin")
    assert refused(desk, staff.change_department, other, **{**moved, "kind": "security"}) == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
def test_a_department_with_people_is_renamed_by_two(desk: ReviewDesk) -> None:
    renamed = {"name_zh": "安全保卫部", "name_en": "Security", "kind": "business", "superior_id": "board"}

    asked(desk, staff.change_department, "works", **renamed)

    assert "works: business, parent board" in shown(desk).what_en
    assert "to Security: business, parent board" in shown(desk).what_en
    assert desk.the(Department, id="works").name_en == "works"


@pytest.mark.requirement("R2", refuses=True)
async def test_the_account_of_a_custodian_to_be_is_worth_the_copy(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    assert await refused_password(desk, "keeper") == "second-person-needed"

    set_values(desk, Application, application_id, closed_at=NOON)
    assert (await staff.reset_password(desk.database, ADMIN, "keeper")).login == "keeper"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("by", ["admin", "manager2"])
def test_a_post_is_asked_for_once_whatever_its_time(desk: ReviewDesk, by: str) -> None:
    desk.post("manager2", "administrator", "board")
    request = asked(desk, posts.assign, "keeper", DEPUTY)

    for until in (NOON + DAY, NOON + 2 * DAY):
        other = PostRequest("deputy", "works", until=until)
        assert refused(desk, posts.assign, "keeper", other, by=by) == "asked-otherwise"

    desk.run(change_requests.object_to, request, by="security-head")
    assert [row.outcome for row in desk.all(ChangeRequest)] == ["objected"]
    asked(desk, posts.assign, "keeper", PostRequest("deputy", "works", until=NOON + DAY), by=by)


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("by", ["admin", "manager2"])
def test_what_else_waits_for_a_second_person_is_asked_for_once_too(desk: ReviewDesk, by: str) -> None:
    desk.post("manager2", "administrator", "board")
    named = {"name_zh": "works", "name_en": "works", "superior_id": "board"}
    asked(desk, staff.change_person, "head", Details("head", "works", "one@example.org"))
    asked(desk, staff.change_department, "works", kind="security", **named)
    asked(desk, rules.change_rule, "max_use_days", "40", "because of a test", was="30")

    another = Details("head", "works", "two@example.org")
    assert refused(desk, staff.change_person, "head", another, by=by) == "asked-otherwise"
    assert refused(desk, staff.change_department, "works", kind="legal", **named, by=by) == "asked-otherwise"
    reason = "because of another test"
    assert refused(desk, rules.change_rule, "max_use_days", "40", reason, was="30", by=by) == "asked-otherwise"
    asked(desk, staff.change_person, "deputy", another, by=by)


@pytest.mark.requirement("R2", refuses=True)
async def test_a_request_that_was_carried_out_for_nothing_is_over(desk: ReviewDesk) -> None:
    set_values(desk, Person, "head", failed_logins=5, locked_until=desk.real.now() + HOUR)
    request = asked(desk, staff.unlock, "head")
    desk.run(change_requests.confirm, request, by="security-head")
    set_values(desk, Person, "head", failed_logins=0, locked_until=None)

    await requested_acts.carry_out(desk.database, ADMIN, request)

    assert desk.the(ChangeRequest).outcome == "carried-out"
    set_values(desk, Person, "head", failed_logins=5, locked_until=desk.real.now() + HOUR)
    assert refused(desk, staff.unlock, "head") == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_a_request_whose_act_is_refused_is_over(desk: ReviewDesk) -> None:
    Authenticator(desk, "head")
    request = asked(desk, staff.reset_second_factor, "head")
    assert await refused_carry_out(desk, request) == "second-person-awaited"
    assert desk.the(ChangeRequest).outcome is None
    desk.run(change_requests.confirm, request, by="security-head")
    desk.run(second_factors.end, "head", "second-factor-ended", by="head")

    assert await refused_carry_out(desk, request) == "no-second-factor"

    Authenticator(desk, "head")
    assert refused(desk, staff.reset_second_factor, "head") == "second-person-needed"
    assert [row.outcome for row in desk.all(ChangeRequest)].count("withdrawn") == 1


@pytest.mark.requirement("R2", refuses=True)
async def test_what_was_confirmed_lapses_three_days_later(desk: ReviewDesk) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    desk.run(change_requests.confirm, request, by="security-head")
    assert shown(desk).lapses_at == NOON + 3 * DAY
    desk.clock.turn(3 * DAY)

    assert await refused_carry_out(desk, request) == "request-over"
    assert refused(desk, posts.assign, "keeper", DEPUTY) == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("objector", ["keeper", "security-head", "security-deputy", "supervisor"])
def test_nobody_who_may_object_is_put_out_of_office_meanwhile(desk: ReviewDesk, objector: str) -> None:
    desk.post("manager2", "administrator", "board")
    request = asked(desk, posts.assign, "keeper", DEPUTY)

    assert refused(desk, staff.deactivate, objector) == "objector"
    [post] = desk.all(Post, person_id=objector)
    if objector != "keeper":
        assert refused(desk, posts.end, post.id) == "objector"

    desk.run(staff.deactivate, "head", by="admin")  # who has no say
    desk.run(staff.deactivate, objector, by="manager2")
    desk.run(change_requests.object_to, request, by="admin")
    desk.run(posts.end, post.id, by="admin")


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_no_head_of_the_resetters_department_releases_a_hold(desk: ReviewDesk) -> None:
    await confirmed_password(desk, "supervisor")
    [hold] = desk.run(holds.list_current)

    assert refused(desk, holds.release, hold.id, by="office-head") == "not-found"
    assert desk.run(queries.list_open, by="office-head").holds == []
    [line] = desk.run(queries.list_open, by="security-head").holds
    assert (line.person_id, line.reason) == ("supervisor", "password-reset")
    desk.run(holds.release, hold.id, by="security-head")


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("leaving", ["post", "account", "in time"])
async def test_what_somebody_asked_for_who_administers_no_more_is_over_and_blocks_nobody(
    desk: ReviewDesk, leaving: str
) -> None:
    desk.post("manager2", "administrator", "board")
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    post_id = desk.the(Post, person_id="admin").id
    if leaving == "account":
        desk.run(staff.deactivate, "admin", by="manager2")
    else:
        desk.run(posts.end, post_id, at=NOON + HOUR if leaving == "in time" else None, by="manager2")
    desk.clock.turn(2 * HOUR)

    assert desk.run(queries.list_open, by="security-head").requests == []
    assert refused(desk, change_requests.confirm, request, by="supervisor") == "not-second-person"
    assert refused(desk, change_requests.confirm, request, by="security-head") == "request-over"
    assert asked(desk, posts.assign, "keeper", DEPUTY, by="manager2") != request


def test_another_administrator_withdraws_a_request(desk: ReviewDesk) -> None:
    desk.post("manager2", "administrator", "board")
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    assert (shown(desk, "manager2").may_object, shown(desk, "manager2").objects) == (True, False)

    desk.run(change_requests.object_to, request, by="manager2")

    assert (desk.the(ChangeRequest).outcome, desk.the(ChangeRequest).objected_by) == ("withdrawn", "manager2")
    asked(desk, posts.assign, "keeper", DEPUTY, by="manager2")


@pytest.mark.requirement("R2", refuses=True)
def test_a_flood_of_requests_does_not_bury_the_one_that_matters(desk: ReviewDesk) -> None:
    """Withdrawn ones count for a day, or each would make room for the next."""
    desk.post("manager2", "administrator", "board")

    def add(number: int, by: str = "admin") -> str:
        named = {"name_zh": f"保卫{number}", "name_en": f"Security {number}", "superior_id": None}
        return refused(desk, staff.add_department, **named, kind="security", by=by)

    for number in range(change_requests.MAX_ASKED):
        assert add(number) == "second-person-needed"
        if number < 5:
            desk.run(change_requests.object_to, newest(desk), by="admin")

    assert add(100) == "requests-enough"
    assert len(desk.all(Notice, code="change-to-check", person_id="supervisor")) == change_requests.MAX_ASKED
    assert add(101, "manager2") == "second-person-needed"
    desk.run(change_requests.object_to, desk.all(ChangeRequest, outcome=None)[0].id, by="security-head")
    assert add(102) == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_one_administrator_becomes_no_drafter_of_a_running_case_and_ends_it(desk: ReviewDesk) -> None:
    """The preserved footage of a withdrawn case is let go."""
    case = desk.submitted()  # drafted by a plain member

    assert await refused_password(desk, "drafter") == "second-person-needed"

    set_values(desk, Application, case, closed_at=NOON)
    assert (await staff.reset_password(desk.database, ADMIN, "drafter")).login == "drafter"


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_whose_signatures_are_held_ends_no_case_meanwhile(desk: ReviewDesk) -> None:
    case = desk.submitted()
    await confirmed_password(desk, "head")

    assert refused(desk, application_service.withdraw, case, "not needed", by="head") == "signature-held"
    desk.run(application_service.withdraw, case, "not needed", by="drafter")


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("activated", [False, True])
async def test_no_time_takes_the_place_of_a_second_person_for_somebody_who_was_put_out_of_office(
    desk: ReviewDesk, activated: bool
) -> None:
    """Deactivated, a head hears of the request and cannot sign in to object."""
    desk.run(staff.deactivate, "head", by="admin")
    assert await refused_password(desk, "head") == "second-person-needed"
    request = newest(desk)
    desk.clock.turn(23 * HOUR)
    if activated:
        confirmed(desk, staff.activate, "head")
    desk.clock.turn(2 * HOUR)

    assert (shown(desk).only_confirmed, shown(desk, "admin").may_carry_out) == (True, False)
    assert await refused_password(desk, "head") == "second-person-awaited"
    desk.run(change_requests.confirm, request, by="security-head")
    assert (await staff.reset_password(desk.database, ADMIN, "head")).login == "head"


@pytest.mark.requirement("R52", refuses=True)
async def test_who_gets_a_post_later_signs_until_then(desk: ReviewDesk) -> None:
    version = desk.rules.agreement_version
    await confirmed_password(desk, "head")
    desk.clock.turn(2 * DAY)
    set_values(desk, Person, "head", password_hash=desk.the(Person, id="deputy").password_hash)
    begins = desk.clock.now() + 60 * DAY
    for person_id, kind, department in (("keeper", "deputy", "works"), ("head", "manager", "board")):
        confirmed(desk, posts.assign, person_id, PostRequest(kind, department, since=begins))
        desk.run(agreements.sign, version, Proof(password=PASSWORD), by=person_id)

    desk.clock.turn(60 * DAY)
    for person_id in ("keeper", "head"):
        assert refused(desk, agreements.sign, version, Proof(password=PASSWORD), by=person_id) == "signature-held"
    desk.clock.turn(DAY)
    desk.run(agreements.sign, version, Proof(password=PASSWORD), by="keeper")


class Between:
    """A database after whose first unit of work somebody else acts."""

    def __init__(self, desk: ReviewDesk, act: Callable[[], Any]) -> None:
        self.desk, self.acts = desk, [act]

    async def run(self, *args: Any, **named: Any) -> Any:
        found = await self.desk.database.run(*args, **named)
        while self.acts:
            self.acts.pop()()
        return found


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("kind", ["post", "password"])
async def test_an_objection_while_it_is_carried_out_asks_for_nothing_anew(desk: ReviewDesk, kind: str) -> None:
    if kind == "post":
        asked(desk, posts.assign, "keeper", DEPUTY)
    else:
        await refused_password(desk, "head")
    request = newest(desk)
    desk.run(change_requests.confirm, request, by="security-head")
    between: Any = Between(desk, lambda: desk.run(change_requests.object_to, request, by="security-deputy"))

    with pytest.raises(Refused) as found:
        await requested_acts.carry_out(between, ADMIN, request)

    assert found.value.code == "request-over"
    assert [row.outcome for row in desk.all(ChangeRequest)] == ["objected"]


@pytest.mark.both_databases
def test_of_an_objection_and_a_carrying_out_at_one_moment_one_counts(desk: ReviewDesk) -> None:
    for number in range(5):
        request = asked(desk, posts.assign, "keeper", PostRequest("deputy", "works"))
        desk.run(change_requests.confirm, request, by="security-head")

        without_deadlock(
            lambda request=request: asyncio.run(requested_acts.carry_out(desk.database, ADMIN, request)),
            lambda request=request: desk.run(change_requests.object_to, request, by="security-deputy"),
        )

        assert len(desk.all(ChangeRequest)) == number + 1
        outcome = desk.the(ChangeRequest, id=request).outcome
        given = [post for post in desk.all(Post, person_id="keeper", kind="deputy") if post.until is None]
        assert (outcome, len(given)) in (("carried-out", 1), ("objected", 0))
        for post in given:
            desk.run(posts.end, post.id, by="admin")
        desk.clock.turn(number * HOUR + HOUR)


@pytest.mark.both_databases
def test_a_request_carried_out_twice_at_one_moment_gives_one_post(desk: ReviewDesk) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    desk.run(change_requests.confirm, request, by="security-head")

    def carry_out() -> Any:
        return asyncio.run(requested_acts.carry_out(desk.database, ADMIN, request))

    answers = without_deadlock(carry_out, carry_out, lambda: desk.run(posts.assign, "keeper", DEPUTY, by="admin"))

    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert kinds_of(desk, "keeper") == ["deputy", "member"]
    assert [row.outcome for row in desk.all(ChangeRequest)] == ["carried-out"]


@pytest.mark.both_databases
def test_of_requests_for_one_post_at_one_moment_one_is_written(desk: ReviewDesk) -> None:
    desk.post("manager2", "administrator", "board")

    def ask(by: str, days: int) -> Any:
        return desk.run(posts.assign, "keeper", PostRequest("deputy", "works", until=NOON + days * DAY), by=by)

    without_deadlock(
        *(lambda by=by, days=days: ask(by, days) for by, days in (("admin", 1), ("admin", 2), ("manager2", 1)))
    )

    assert len(desk.all(ChangeRequest)) == 1


@pytest.mark.both_databases
@pytest.mark.requirement("R52")
def test_a_reset_and_a_request_for_a_post_at_one_moment_leave_no_account_unheld(desk: ReviewDesk) -> None:
    for person_id in ("drafter", "keeper"):
        without_deadlock(
            lambda person_id=person_id: asyncio.run(staff.reset_password(desk.database, ADMIN, person_id)),
            lambda person_id=person_id: desk.run(posts.assign, person_id, DEPUTY, by="admin"),
        )

        [request] = [row for row in desk.all(ChangeRequest, person_id=person_id) if row.kind == "post"]
        desk.run(change_requests.confirm, request.id, by="security-head")
        desk.run(posts.assign, person_id, DEPUTY, by="admin")
        assert "post-assigned" in {hold.reason for hold in desk.run(holds.list_current, person_id)}


def without_deadlock(*acts: Callable[[], Any]) -> list[Any]:
    answers = at_once(*acts)
    assert not [answer for answer in answers if isinstance(answer, (Fatal, Retryable))]
    return answers
