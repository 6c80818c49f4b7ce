"""The book of rules: a change holds in every process from the next unit of work on, and history stays."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk
from second_person import newest
from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.people import Department
from services.database.tables.reviews import Review
from services.database.tables.rule_changes import RuleChange
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.change_requests import service as change_requests
from services.domain.rules import service as rule_service
from services.domain.rules.catalogue import RULES
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.errors import NotFound, Refused
from services.runtime.rules import Rules, rules_of
from services.runtime.settings import Settings

pytestmark = pytest.mark.both_databases


@pytest.fixture
def any_desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def change(desk: ReviewDesk, name: str, value: str | None, *, was: str | None, by: str = "admin") -> Any:
    """The change, by two where it needs two."""
    act = partial(desk.run, rule_service.change_rule, name, value, "management has decided so", was=was, by=by)
    try:
        return act()
    except Refused as refusal:
        if refusal.code != "second-person-needed":
            raise
        desk.run(change_requests.confirm, newest(desk), by="security-head")
        return act()


def rules(database: Database) -> Rules:
    return database.run_now(Actor("system", "test"), lambda uow: uow.rules)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.zh
    return refusal.value.code


def test_a_rule_changed_in_one_process_holds_in_another_from_its_next_unit_on(any_desk: ReviewDesk) -> None:
    desk = any_desk
    other = open_database(desk.url, FixedClock(NOON), desk.rules)
    assert rules(other).review_limit == timedelta(hours=24)

    change(desk, "review_limit", "PT36H", was="P1D")
    change(desk, "max_items", "5", was="20")

    assert (rules(other).review_limit, rules(other).max_items) == (timedelta(hours=36), 5)
    change(desk, "review_limit", None, was="PT36H")
    assert rules(other) == replace(desk.rules, max_items=5)
    other.close()


def test_a_unit_keeps_the_rules_that_it_has_looked_at(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> tuple[int, int]:
        before = uow.rules.max_items
        rule_service.change_rule(uow, "max_items", "7", "because of the test", was="20")
        return before, uow.rules.max_items

    assert desk.run(act, by="admin") == (20, 20)
    assert rules(desk.database).max_items == 7


def test_a_change_that_is_rolled_back_never_held(any_desk: ReviewDesk) -> None:
    desk = any_desk

    def act(uow: UnitOfWork) -> None:
        rule_service.change_rule(uow, "max_items", "7", "because of the test", was="20")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        desk.run(act, by="admin")
    assert rules(desk.database).max_items == 20
    change(desk, "max_items", "8", was="20")
    assert rules(desk.database).max_items == 8


def test_a_change_that_follows_one_rolled_back_under_its_number_holds(desk: ReviewDesk) -> None:
    later = FixedClock(NOON + timedelta(microseconds=1))
    other = open_database(desk.url, later, desk.rules)

    def set_and_read(uow: UnitOfWork, most: str) -> int:
        uow.session.add(
            RuleChange(at=uow.now, changed_by="admin", rule="max_items", old="20", new=most, reason="a test")
        )
        uow.session.flush()
        return uow.rules.max_items

    def undone(uow: UnitOfWork) -> None:
        assert set_and_read(uow, "7") == 7
        raise RuntimeError

    with pytest.raises(RuntimeError):
        desk.run(undone)
    assert other.run_now(Actor("system", "test"), set_and_read, "8") == 8
    assert rules(desk.database).max_items == 8
    other.close()


def test_reading_the_rules_writes_nothing_that_is_half_done(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> int:
        half_done = Department(id="new", name_zh="新", name_en="new", kind=None)
        uow.session.add(half_done)
        most = uow.rules.max_items
        half_done.kind = "business"
        return most

    assert desk.run(act) == 20


@pytest.mark.requirement("R49", refuses=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("review_limit", "24"),
        ("review_limit", "PT0S"),
        ("review_limit", "-PT1H"),
        ("review_limit", "PT90S"),
        ("review_limit", "P99999999D"),
        ("review_limit", "a day"),
        ("grace_period", "-P1D"),
        ("max_use_days", "0"),
        ("max_use_days", "36501"),
        ("max_use_days", "1.5"),
        ("max_use_days", "١e3"),
        ("max_span_hours", "0"),
        ("max_items", "0"),
        ("max_items", "201"),
        ("preservation", "sometimes"),
        ("organisation", ""),
        ("ordinary_retention_days", "nan"),
    ],
)
def test_a_value_that_the_environment_could_not_have_is_refused(desk: ReviewDesk, name: str, value: str) -> None:
    was = RULES[name].text(desk.rules)

    assert refused(lambda: change(desk, name, value, was=was)) == "rule-value"
    assert desk.all(RuleChange) == []


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("review_limit", "PT36H", "review_limit", timedelta(hours=36)),
        ("grace_period", "PT0S", "grace_period", timedelta()),
        ("max_use_days", "60", "max_use_days", 60),
        ("max_span_hours", "48", "max_span", timedelta(hours=48)),
        ("preservation", "never", "preserve", "never"),
        ("important_retention_days", "1000", "important_retention", timedelta(days=1000)),
        ("organisation", "新名称", "organisation", "新名称"),
    ],
)
def test_a_rule_is_applied_to_what_the_books_read(
    desk: ReviewDesk, name: str, value: str, field: str, expected: object
) -> None:
    was = RULES[name].text(desk.rules)
    change(desk, name, value, was=was)

    assert getattr(rules(desk.database), field) == expected
    assert RULES[name].describe(value).zh


def test_every_rule_can_be_set_in_the_environment_and_written_as_it_is_there() -> None:
    given = rules_of(Settings.load(rules={"max_use_days": 30}))

    for rule in RULES.values():
        text = rule.text(given)
        assert text is not None
        assert rule.normalise(text) == text
        assert rule.apply(given, text) == given


def test_history_tells_who_when_why_and_is_never_rewritten(any_desk: ReviewDesk) -> None:
    desk = any_desk
    change(desk, "max_items", "5", was="20")
    change(desk, "max_items", "6", was="5")

    told = desk.run(rule_service.list_changes, by="supervisor")
    assert [(one.by, one.row.old, one.row.new, one.row.reason) for one in told] == [
        ("admin", "5", "6", "management has decided so"),
        ("admin", "20", "5", "management has decided so"),
    ]

    def rewrite(uow: UnitOfWork) -> None:
        uow.session.scalars(select(RuleChange)).first().reason = "another"  # type: ignore[union-attr]  # there are two

    def erase(uow: UnitOfWork) -> None:
        uow.session.delete(uow.session.scalars(select(RuleChange)).first())

    for act in (rewrite, erase):
        with pytest.raises(TypeError, match="history"):
            desk.run(act)
    assert len(desk.all(RuleChange)) == 2
    events = desk.all(AuditEvent, action="rule-changed")
    assert len(events) == 2
    assert '"new":"5"' in events[0].entry
    assert '"old":"20"' in events[0].entry


def test_nobody_overwrites_what_somebody_else_has_just_changed(desk: ReviewDesk) -> None:
    change(desk, "max_items", "5", was="20")

    assert refused(lambda: change(desk, "max_items", "6", was="20")) == "rule-changed"
    assert refused(lambda: change(desk, "max_items", "5", was="5")) == "rule-same"
    assert refused(lambda: change(desk, "review_limit", None, was="P1D")) == "rule-same"


def test_important_footage_is_kept_no_shorter_than_ordinary(desk: ReviewDesk) -> None:
    assert refused(lambda: change(desk, "ordinary_retention_days", "731", was="365")) == "retention-order"


@pytest.mark.requirement("R2", refuses=True)
def test_administrators_change_rules_and_only_a_few_read_them(desk: ReviewDesk) -> None:
    for person in ("drafter", "head", "reviewer", "manager", "security-head", "supervisor"):
        assert refused(lambda by=person: change(desk, "max_items", "5", was="20", by=by)) == "administrators-only"  # type: ignore[misc]
    for person in ("admin", "supervisor", "security-head", "security-deputy"):
        assert len(desk.run(rule_service.list_rules, by=person)) == len(RULES)
    for person in ("drafter", "head", "reviewer", "manager", "office-head"):
        assert refused(lambda by=person: desk.run(rule_service.list_rules, by=by)) == "readers-only"  # type: ignore[misc]
    with pytest.raises(NotFound):
        change(desk, "replica_required", "false", was=None)
    assert refused(lambda: change(desk, "agreement_version", "2027", was="2026")) == "rule-follows"


@pytest.mark.requirement("R49")
def test_a_running_case_keeps_what_it_was_promised(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.classed(application_id, correction_seconds=7 * 86400)
    review_id = desk.opened(application_id, "preliminary")
    due = desk.the(Review, id=review_id).due_at

    change(desk, "review_limit", "PT1H", was="P1D")
    change(desk, "correction_period", "P1D", was="P7D")
    desk.decide(review_id, "head", "returned")

    assert desk.the(Review, id=review_id).due_at == due == NOON + timedelta(hours=24)
    assert desk.the(Application, id=application_id).correction_until == NOON + timedelta(days=7)
    fresh = desk.opened(desk.submitted(), "preliminary")
    assert desk.the(Review, id=fresh).due_at == NOON + timedelta(hours=1)
