"""Nobody becomes everybody alone: what an administrator does to people who decide needs a second person."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from review_desk import PASSWORD, ReviewDesk
from second_person import asked, confirmed, confirmed_password, newest
from sqlalchemy import delete

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import login as account_login
from services.domain.accounts import posts, requested_acts, staff
from services.domain.accounts.client import Client
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.signatures.given import Proof
from services.domain.accounts.staff import Details
from services.domain.agreements import service as agreements
from services.domain.change_requests import holds
from services.domain.change_requests import service as change_requests
from services.domain.rules import service as rules
from services.domain.rules.catalogue import RULES
from services.runtime.errors import Refused

pytestmark = pytest.mark.requirement("R2")
HERE = Client("browser", "192.0.2.1")
ADMIN = Actor("person", "admin")
HOUR = timedelta(hours=1)
DEPUTY = PostRequest("deputy", "works")


def refused(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str, **named: Any) -> str:
    with pytest.raises(Refused) as found:
        desk.run(act, *args, by=by, **named)
    return found.value.code


def told(desk: ReviewDesk, code: str) -> set[str]:
    return {notice.person_id for notice in desk.all(Notice, code=code)}


@pytest.mark.requirement("R2", refuses=True)
async def test_an_administrator_alone_takes_over_no_head(desk: ReviewDesk) -> None:
    with pytest.raises(Refused) as found:
        await staff.reset_password(desk.database, ADMIN, "head")

    assert found.value.code == "second-person-needed"
    assert (await account_login.log_in(desk.database, "head", PASSWORD, HERE)).pending_step is None
    assert told(desk, "change-requested") == {"head"}
    assert told(desk, "change-to-check") == {"security-head", "supervisor"}
    desk.clock.turn(23 * HOUR)
    with pytest.raises(Refused) as found:
        await staff.reset_password(desk.database, ADMIN, "head")
    assert found.value.code == "second-person-awaited"
    assert len(desk.all(ChangeRequest)) == 1


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    "kind", ["head", "deputy", "security-reviewer", "storage-operator", "supervisor", "administrator"]
)
def test_a_post_that_decides_is_given_by_two(desk: ReviewDesk, kind: str) -> None:
    post = confirmed(desk, posts.assign, "keeper", PostRequest(kind, "works"))

    assert (post.assigned_by, post.kind) == ("admin", kind)
    assert [one.outcome for one in desk.all(ChangeRequest)] == ["carried-out"]
    assert told(desk, "change-carried-out") == {"keeper", "security-head", "supervisor"}
    assert refused(desk, posts.assign, "drafter", PostRequest(kind, "works"), by="admin") == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("second", ["admin", "keeper", "office-head", "supervisor", "head", "manager", "operator"])
def test_only_a_second_person_of_another_department_confirms(desk: ReviewDesk, second: str) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)

    # the supervisor belongs to the administrator's own department; the others have no say or are the person concerned
    with pytest.raises(Refused) as found:
        desk.run(change_requests.confirm, request, by=second)
    assert found.value.code in ("not-second-person", "not-found")
    assert refused(desk, posts.assign, "keeper", DEPUTY, by="admin") == "second-person-awaited"


def test_an_administrator_of_another_department_is_a_second_person(desk: ReviewDesk) -> None:
    desk.post("manager2", "administrator", "board")

    confirmed(desk, posts.assign, "keeper", DEPUTY, second="manager2")

    assert desk.the(ChangeRequest).confirmed_by == "manager2"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    ("who", "outcome"),
    [("keeper", "objected"), ("security-deputy", "objected"), ("supervisor", "objected"), ("admin", "withdrawn")],
)
def test_an_objection_ends_it_even_after_a_confirmation(desk: ReviewDesk, who: str, outcome: str) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    desk.run(change_requests.confirm, request, by="security-head")
    for nobody in ("drafter", "head", "manager"):
        assert refused(desk, change_requests.object_to, request, by=nobody) == "not-found"

    desk.run(change_requests.object_to, request, by=who)

    assert desk.the(ChangeRequest).outcome == outcome
    assert refused(desk, change_requests.confirm, request, by="security-head") == "request-over"
    assert refused(desk, posts.assign, "keeper", DEPUTY, by="admin") == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_what_nobody_objects_to_is_open_after_a_day_and_lapses(desk: ReviewDesk) -> None:
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    desk.clock.turn(24 * HOUR)

    await requested_acts.carry_out(desk.database, ADMIN, request)

    assert [post.kind for post in desk.run(access_queries.list_posts, "keeper")].count("deputy") == 1
    lapsed = asked(desk, posts.assign, "drafter", DEPUTY)
    desk.clock.turn(timedelta(days=9))
    with pytest.raises(Refused, match="has expired"):
        await requested_acts.carry_out(desk.database, ADMIN, lapsed)
    assert asked(desk, posts.assign, "drafter", DEPUTY) != lapsed


@pytest.mark.requirement("R2", refuses=True)
async def test_a_confirmation_is_for_this_change_and_for_whoever_asked(desk: ReviewDesk) -> None:
    desk.post("manager2", "administrator", "board")
    request = asked(desk, posts.assign, "keeper", DEPUTY)
    desk.run(change_requests.confirm, request, by="security-head")

    assert refused(desk, posts.assign, "keeper", PostRequest("head", "works"), by="admin") == "second-person-needed"
    assert refused(desk, posts.assign, "keeper", DEPUTY, by="manager2") == "asked-otherwise"
    with pytest.raises(Refused, match="Only the requester"):
        await requested_acts.carry_out(desk.database, Actor("person", "manager2"), request)


@pytest.mark.requirement("R2", refuses=True)
def test_what_only_ends_power_and_what_concerns_a_member_is_done_at_once_and_told(desk: ReviewDesk) -> None:
    desk.run(posts.end, desk.the(Post, person_id="reviewer").id, by="admin")
    desk.run(staff.deactivate, "manager", by="admin")
    desk.run(staff.change_person, "keeper", Details("keeper", "works", "new@example.org"), by="admin")

    assert told(desk, "account-changed") == {"reviewer", "manager", "keeper", "security-head", "supervisor"}
    assert refused(desk, staff.activate, "manager", by="admin") == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_the_account_of_a_custodian_is_worth_the_copy(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.offered(application_id)

    with pytest.raises(Refused) as found:
        await staff.reset_password(desk.database, ADMIN, "keeper")

    assert found.value.code == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
def test_a_changed_address_tells_the_old_one_for_a_month(desk: ReviewDesk) -> None:
    desk.run(_address, "keeper", "old@example.org")
    desk.run(_address, "head", "head@example.org")
    desk.database.rules = replace(desk.rules, notice_channels=("mail",))

    desk.run(staff.change_person, "keeper", Details("keeper", "works", "thief@example.org"), by="admin")
    assert (
        refused(desk, staff.change_person, "head", Details("head", "works", "thief@example.org"), by="admin")
        == "second-person-needed"
    )

    assert [row.address for row in desk.all(Delivery) if row.address] == ["old@example.org"]
    desk.clock.turn(timedelta(days=29))
    desk.run(staff.unlock, "keeper", by="admin")
    desk.run(change_requests.notify_change, "keeper", by="admin")
    assert [row.address for row in desk.all(Delivery) if row.address] == ["old@example.org"] * 2
    desk.clock.turn(timedelta(days=2))
    desk.run(change_requests.notify_change, "keeper", by="admin")
    assert len([row for row in desk.all(Delivery) if row.address]) == 2


@pytest.mark.requirement("R2", refuses=True)
def test_an_empty_installation_is_set_up_by_one_and_never_returns_to_that(desk: ReviewDesk) -> None:
    desk.run(lambda uow: uow.session.execute(delete(Post).where(Post.person_id != "admin")))
    desk.run(posts.assign, "keeper", PostRequest("member", "works"), by="admin")

    first = desk.run(posts.assign, "security-head", PostRequest("head", "security"), by="admin")
    assert desk.run(holds.list_current) == []  # so that the head confirms the rest

    assert refused(desk, posts.assign, "keeper", DEPUTY, by="admin") == "second-person-needed"
    desk.run(change_requests.object_to, newest(desk), by="admin")
    desk.run(posts.end, first.id, by="admin")
    desk.run(staff.deactivate, "security-head", by="admin")
    assert refused(desk, posts.assign, "keeper", DEPUTY, by="admin") == "second-person-needed"


@pytest.mark.requirement("R2", refuses=True)
async def test_a_reset_person_signs_after_a_day_or_when_the_head_confirms(desk: ReviewDesk) -> None:
    await staff.reset_password(desk.database, ADMIN, "keeper")
    desk.run(_password_again, "keeper")
    version = desk.rules.agreement_version
    with pytest.raises(Refused) as found:
        desk.run(agreements.sign, version, Proof(password=PASSWORD), by="keeper")
    assert (found.value.code, found.value.status) == ("signature-held", 403)
    assert "2031-03-05 20:00" in found.value.en
    assert "所在部门负责人" in found.value.zh

    [hold] = desk.run(holds.list_current)
    for nobody in ("keeper", "admin", "deputy", "security-head"):
        assert refused(desk, holds.release, hold.id, by=nobody) == "not-found"
    desk.run(holds.release, hold.id, by="head")
    assert desk.run(agreements.sign, version, Proof(password=PASSWORD), by="keeper").version == version


@pytest.mark.requirement("R2", refuses=True)
async def test_of_a_head_security_confirms_and_nobody_who_was_reset_himself(desk: ReviewDesk) -> None:
    await confirmed_password(desk, "head")
    await confirmed_password(desk, "security-head", second="security-deputy")
    holding = {hold.person_id: hold.id for hold in desk.run(holds.list_current)}

    assert refused(desk, holds.release, holding["head"], by="security-head") == "signature-held"
    assert refused(desk, holds.release, holding["security-head"], by="security-head") == "not-found"
    asked(desk, posts.assign, "keeper", DEPUTY)
    assert refused(desk, change_requests.confirm, newest(desk), by="security-head") == "signature-held"
    assert refused(desk, holds.release, holding["security-head"], by="supervisor") == "not-found"
    desk.post("manager2", "supervisor", "board")  # of another department than the administrator
    desk.run(holds.release, holding["security-head"], by="manager2")
    desk.run(holds.release, holding["head"], by="security-head")
    desk.clock.turn(24 * HOUR)
    assert desk.run(holds.list_current) == []


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.requirement("R49")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_use_days", "31"), ("preservation", "never"), ("ordinary_retention_days", "364"),
        ("important_retention_days", "729"), ("grace_period", "P30D"), ("max_span_hours", "25"), ("max_items", "21"),
        ("notify_limit", "PT2H"), ("review_limit", "PT1M"), ("review_limit", "P2D"), ("release_limit", "PT1M"),
        ("correction_period", "PT1M"), ("take_up_period", "PT1M"), ("ordinary_retention_days", "366"),
    ],
)  # fmt: skip
def test_a_rule_is_weakened_by_two(desk: ReviewDesk, name: str, value: str) -> None:
    was = desk.run(rules.get_rule, name, by="admin").value
    confirmed(desk, rules.change_rule, name, value, "because of a test", was=was)

    assert desk.run(rules.get_rule, name, by="admin").value == value
    if RULES[name].weakened_by == "both":
        desk.run(change_requests.object_to, asked(desk, rules.change_rule, name, was, "a test", was=value), by="admin")
        confirmed(desk, rules.change_rule, name, was, "stronger again", was=value)
    else:
        desk.run(rules.change_rule, name, was, "stronger again", was=value, by="admin")
    assert told(desk, "change-to-check") == {"security-head", "supervisor"}
    asked(desk, rules.change_rule, name, None, "back to the environment", was=was)


@pytest.mark.parametrize(("name", "value"), [("first_reminder_after", "PT1H"), ("reminder_lead", "P1D")])
def test_a_rule_that_protects_nobody_is_changed_by_one(desk: ReviewDesk, name: str, value: str) -> None:
    was = desk.run(rules.get_rule, name, by="admin").value
    assert desk.run(rules.change_rule, name, value, "because of a test", was=was, by="admin").new == value


@pytest.mark.requirement("R2", refuses=True)
def test_a_department_with_people_becomes_no_other_kind_by_one(desk: ReviewDesk) -> None:
    named = {"name_zh": "works", "name_en": "works", "superior_id": "board"}
    request = asked(desk, staff.change_department, "works", kind="security", **named)
    desk.run(change_requests.object_to, request, by="security-head")
    desk.run(staff.change_department, "works", kind="business", **named, by="admin")  # nothing to change
    assert desk.the(Department, id="works").kind == "business"


def test_each_step_is_on_the_trail(desk: ReviewDesk) -> None:
    confirmed(desk, posts.assign, "keeper", DEPUTY)
    steps = [event.action for event in desk.all(AuditEvent) if event.subject_kind == "change-request"]
    assert steps == ["change-requested", "change-confirmed", "change-carried-out"]


def _address(uow: UnitOfWork, person_id: str, address: str) -> None:
    uow.session.get_one(Person, person_id).email = address


def _password_again(uow: UnitOfWork, person_id: str) -> None:
    person = uow.session.get_one(Person, person_id)
    person.password_hash = uow.session.get_one(Person, "head").password_hash
