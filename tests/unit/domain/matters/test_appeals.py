"""Appeals of violations: by who is accused, once, in time, and decided by nobody who has a part in it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from test_violations_to_their_end import (
    DECIDER,
    GRAVE,
    LEAK,
    WARNING,
    Handled,
    due_dates,
    leaked,
    two_loans,
    violated,
)

from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Sanction
from services.database.unit_of_work import UnitOfWork
from services.domain.holds import queries as holds
from services.domain.matters import queries
from services.domain.matters import tasks as matter_tasks
from services.domain.matters.violations import acts, documents, tasks
from services.domain.process import messages, outbox
from services.domain.process.relay import claim_due
from services.domain.reviews.given_judgements import Judgement
from services.rendering.formatting import JsonView
from services.runtime.errors import NotFound, NotPermitted, Refused

STAGE, MANAGER = "violation-appeal", "manager"


def upheld(desk: ReviewDesk) -> dict[str, str]:
    """A violation that was upheld with a warning, and whose process has ended."""
    ids = violated(desk)
    case = Handled(desk, ids)
    case.heard()
    case.judge()
    case.record()
    case.end()
    return ids


class Appealed(Handled):
    """A violation that is appealed, as its people do."""

    def appeal(self, by: str = "keeper") -> str:
        return self.ask("appeal", by, violationId=self.id)

    def refused(self, by: str = "keeper") -> str:
        with pytest.raises((Refused, NotFound)) as caught:
            self.appeal(by)
        return caught.value.code

    def decided(self, appeal_id: str, outcome: str, by: str = MANAGER) -> None:
        self.desk.run(matter_tasks.check, appeal_id, self.instance + 1)
        self.decide(appeal_id, STAGE, by, outcome)

    def answers(self, review_id: str) -> list[dict[str, Any]]:
        """What the process of a review is told."""
        return [row.variables for row in self.messages(messages.REVIEW_DECIDED) if row.correlation_key == review_id]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Appealed]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", upheld)
    yield Appealed(desk, ids)
    desk.close()


@pytest.fixture
def open_one(tmp_path: Path) -> Iterator[Appealed]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", leaked)
    yield Appealed(desk, ids)
    desk.close()


def sheets(case: Appealed) -> list[tuple[str, dict[str, Any]]]:
    rows = case.desk.all(Document, kind="violation")
    return [(row.number, json.loads(row.content)) for row in sorted(rows, key=lambda row: row.number)]


@pytest.mark.requirement("R65", "R66")
def test_an_appeal_that_is_granted_clears_the_violation_and_revokes_its_sanctions(case: Appealed) -> None:
    before, number = case.loan.due_at, case.matter(case.id).number
    appeal_id = case.appeal()
    assert "violation" in [one.cause for one in case.desk.run(holds.list_holdings, case.application_id)]
    case.decided(appeal_id, "approved")

    assert case.apply(appeal_id) is True
    assert case.apply(appeal_id) is True  # sent twice

    assert (case.violation.closed_as, case.matter(case.id).closed_as) == ("cleared", "cleared")
    [sanction] = case.desk.all(Sanction)
    assert (sanction.kind, sanction.revoked_at is not None) == ("warning", True)
    assert not [row for row in case.desk.all(Suspension) if row.lifted_at is None]
    after = case.loan.due_at
    assert before is not None
    assert after is not None
    assert after > before, "the days are given back"
    assert len(case.messages(messages.USE_PERIOD_CHANGED)) == 1
    assert [one for one, _ in sheets(case)] == [number, f"{number}/1"]
    assert "appeal" not in sheets(case)[0][1]
    assert sheets(case)[1][1]["appeal"]["granted"] is True
    assert sheets(case)[1][1]["sanctions"][0]["revokedAt"]
    assert case.desk.all(Notice, person_id="keeper", code="appeal-granted")
    assert case.desk.run(holds.list_holdings, case.application_id) == []


@pytest.mark.requirement("R66")
def test_an_appeal_that_is_refused_leaves_the_sanction(case: Appealed) -> None:
    appeal_id = case.appeal("head")
    case.decided(appeal_id, "rejected")
    with pytest.raises(NotPermitted, match="decided against it"):
        case.apply(appeal_id)
    case.close(appeal_id, "refused")

    assert (case.violation.closed_as, case.matter(appeal_id).closed_as) == ("upheld", "refused")
    assert [row.revoked_at for row in case.desk.all(Sanction)] == [None]
    assert sheets(case)[1][1]["appeal"]["granted"] is False
    assert [row.lifted_at for row in case.desk.all(Suspension, violation_id=case.violation.id)] == [None]


@pytest.mark.requirement("R65", "R66")
def test_an_appeal_is_made_by_the_accused_or_their_head_once_and_in_time(case: Appealed) -> None:
    for by, code in (("reviewer2", "not-yours"), ("security-head", "not-yours"), ("operator2", "not-found")):
        assert case.refused(by) == code
    case.desk.clock.turn(case.desk.rules.violation_appeal_period)  # at the last moment
    appeal_id = case.appeal()
    assert case.refused() == "appealed-already"
    case.desk.clock.turn(timedelta(days=1))  # the time is over while it is decided
    case.decided(appeal_id, "rejected")
    case.close(appeal_id, "refused")
    assert case.refused() == "appealed-already"


@pytest.mark.requirement("R65", "R66")
@pytest.mark.parametrize(("first", "second"), [("head", "keeper"), ("keeper", "head")])
def test_an_appeal_of_the_head_does_not_take_away_that_of_the_accused(case: Appealed, first: str, second: str) -> None:
    number = case.matter(case.id).number
    earlier = case.appeal(first)
    assert case.refused(second) == "appeal-undecided", "one at a time"
    case.desk.clock.turn(case.desk.rules.violation_appeal_period + timedelta(days=1))
    case.decided(earlier, "rejected")
    case.close(earlier, "refused")
    view = case.desk.run(queries.get, case.id, by=second)
    assert view.violation is not None
    assert view.violation.appeal is not None
    assert (view.violation.appeal.state, view.violation.may_appeal) == ("refused", True)

    later = case.appeal(second)
    for party in (first, second):
        assert case.refused(party) == "appealed-already"
        assert {case.desk.run(queries.get, one, by=party).number for one in (earlier, later)} == {
            case.matter(one).number for one in (earlier, later)
        }, "both are seen"
    assert "violation" in [one.cause for one in case.desk.run(holds.list_holdings, case.application_id)]
    case.decided(later, "approved")
    assert case.apply(later) is True

    assert case.violation.closed_as == "cleared"
    written = dict(sheets(case))
    assert sorted(written) == [number, f"{number}/1", f"{number}/2"]
    last = written[f"{number}/2"]
    assert (last["appeal"]["granted"], [one["granted"] for one in last["earlierAppeals"]]) == (True, [False])
    assert "earlierAppeals" not in written[f"{number}/1"]
    printed = str(documents.lay_out_violation(JsonView(last, "Asia/Shanghai")))
    assert all(case.matter(one).number in printed for one in (earlier, later))
    shown = {one: case.desk.run(queries.get, one, by="reviewer2").document for one in (case.id, earlier, later)}
    assert set(shown.values()) == {f"{number}/2"}


@pytest.mark.requirement("R65", "R66")
def test_who_lets_the_time_pass_after_an_appeal_appeals_no_more(case: Appealed) -> None:
    earlier = case.appeal("head")
    case.decided(earlier, "rejected")
    case.close(earlier, "refused")
    case.desk.clock.turn(case.desk.rules.violation_appeal_period + timedelta(minutes=1))
    assert case.refused("keeper") == "appeal-too-late"


@pytest.mark.requirement("R66")
def test_an_appeal_after_its_time_is_refused(case: Appealed) -> None:
    case.desk.clock.turn(case.desk.rules.violation_appeal_period + timedelta(minutes=1))
    assert case.refused() == "appeal-too-late"
    view = case.desk.run(queries.get, case.id, by="keeper")
    assert view.violation is not None
    assert not view.violation.may_appeal


@pytest.mark.requirement("R66")
def test_there_is_no_appeal_before_a_sanction(open_one: Appealed) -> None:
    assert open_one.refused() == "nothing-to-appeal"
    open_one.heard(LEAK)
    assert open_one.refused() == "nothing-to-appeal"


@pytest.mark.requirement("R66")
@pytest.mark.parametrize(
    ("by", "code"),
    [("keeper", "was-accused"), (DECIDER, "was-violation"), ("head", "was-opener"), ("supervisor", "")],
)
def test_an_appeal_is_not_decided_by_who_has_a_part_in_it(case: Appealed, by: str, code: str) -> None:
    appeal_id = case.appeal("head")
    case.desk.run(matter_tasks.check, appeal_id, case.instance + 1)
    case.desk.post(by, "manager", "board")
    review_id = case.open(appeal_id, STAGE)
    if not code:  # somebody else with the post decides
        case.answer(review_id, appeal_id, STAGE, by, "approved")
        return
    with pytest.raises(Refused) as caught:
        case.answer(review_id, appeal_id, STAGE, by, "approved")
    assert caught.value.code in (code, "was-preliminary")


@pytest.mark.requirement("R66")
def test_jobs_by_hand_grant_no_appeal(case: Appealed) -> None:
    appeal_id = case.appeal()
    with pytest.raises(NotPermitted, match="has not decided it"):
        case.apply(appeal_id)
    for stage in ("violation-management", "violation-security", "management", "legal"):
        with pytest.raises(NotPermitted, match="is not about appeal"):
            case.open(appeal_id, stage)
    for closed_as in ("refused", "moot"):
        with pytest.raises(NotPermitted, match="nobody has decided against it"):
            case.close(appeal_id, closed_as)
    case.decided(appeal_id, "approved")

    def change(uow: UnitOfWork) -> None:
        row = uow.session.get_one(Matter, appeal_id)
        row.facts = {**row.facts, "openedAt": "2031-01-01T00:00:00+00:00"}

    case.desk.run(change)
    with pytest.raises(NotPermitted, match="not those that were signed"):
        case.apply(appeal_id)
    assert case.violation.closed_as == "upheld"


def referred(case: Appealed) -> None:
    """Uphold the violation with a loss and a referral, which is decided."""
    case.heard(LEAK)
    case.judge(GRAVE, MANAGER, "violation-management")
    case.record()
    case.decide(case.id, "referral", "manager2", judgement=Judgement(authority="公安"))


def granted(case: Appealed) -> str:
    """Appeal the violation, and grant it by a manager who has no part in it; the id of the appeal."""
    appeal_id = case.appeal()
    case.desk.post("supervisor", "manager", "board")
    case.decided(appeal_id, "approved", "supervisor")
    assert case.apply(appeal_id) is True
    return appeal_id


def publish(case: Appealed) -> set[str]:
    """Publish as the relay does; return the names of what went to the process of the violation."""
    own, names = {row.message_id for row in case.desk.all(OutboxMessage, matter_id=case.id)}, set()
    for message in case.desk.run(claim_due):
        case.desk.run(
            outbox.mark_published, message.message_id, attempts=message.attempts, retry_after=timedelta(minutes=1)
        )
        if message.message_id in own:
            names.add(message.name)
    return names


@pytest.mark.requirement("R66", "R67")
def test_the_process_of_an_open_violation_hears_that_an_appeal_has_cleared_it(open_one: Appealed) -> None:
    case = open_one
    referred(case)
    assert publish(case) == {messages.REVIEW_DECIDED}
    case.desk.run(tasks.begin_referral, case.id)
    granted(case)

    ends = {messages.LOSS_SETTLED, messages.REFERRAL_RECEIVED}
    assert publish(case) == ends
    case.desk.clock.turn(timedelta(minutes=1))
    assert publish(case) == ends, "again, until the process has ended"

    case.end()
    case.desk.clock.turn(timedelta(minutes=1))
    assert publish(case) == set()


@pytest.mark.requirement("R66")
def test_an_appeal_is_granted_while_the_process_closes_what_is_settled(open_one: Appealed) -> None:
    case = open_one
    referred(case)
    case.desk.run(tasks.begin_referral, case.id)
    named = {
        "authority": "公安",
        "receipt": "1号",
        "package_sha256": "ab" * 32,
        "unknown_package_because": "一并制作。",
    }
    case.desk.run(acts.record_referral, case.id, handed_at=case.desk.clock.now(), by="security-deputy", **named)
    case.desk.run(acts.settle, case.id, account="已转账", amount=None, by="security-head")
    granted(case)

    assert [row.correlation_key for row in case.messages(messages.LOSS_SETTLED)] == [case.id]


@pytest.mark.requirement("R66", "R67")
def test_a_decision_that_an_appeal_overtakes_still_reaches_its_process(open_one: Appealed) -> None:
    referred(open_one)
    granted(open_one)
    assert messages.REVIEW_DECIDED in publish(open_one)


@pytest.mark.requirement("R66", "R67")
def test_an_appeal_reaches_a_process_that_comes_late_to_its_referral(open_one: Appealed) -> None:
    case = open_one
    referred(case)
    granted(case)
    while messages.REFERRAL_RECEIVED in publish(case):
        case.desk.clock.turn(timedelta(minutes=1))
    case.desk.clock.turn(outbox.TIME_TO_LIVE)

    assert case.desk.run(tasks.begin_referral, case.id) == ""
    assert messages.REFERRAL_RECEIVED in publish(case)


@pytest.mark.requirement("R66", "R67")
def test_a_referral_that_was_made_is_not_undone_and_the_page_says_so(open_one: Appealed) -> None:
    case = open_one
    referred(case)
    case.desk.run(tasks.begin_referral, case.id)
    named = {
        "authority": "公安",
        "receipt": "1号",
        "package_sha256": "ab" * 32,
        "unknown_package_because": "由公安机关封存时一并制作。",
    }
    case.desk.run(acts.record_referral, case.id, handed_at=case.desk.clock.now(), by="security-deputy", **named)
    appeal_id = granted(case)

    assert case.violation.referral is not None
    assert case.violation.referral["receipt"] == "1号"
    # its process waits for the money: it is told that nothing is waited for, and ends
    assert [row.correlation_key for row in case.messages(messages.LOSS_SETTLED)] == [case.id]
    case.end()
    assert all(row.settled_at for row in case.messages(messages.LOSS_SETTLED))
    view = case.desk.run(queries.get, case.id, by="keeper")
    assert view.violation is not None
    assert view.violation.appeal is not None
    assert (view.violation.appeal.state, view.violation.may_appeal) == ("applied", False)
    results = case.desk.run(queries.get, appeal_id, by="keeper").results
    assert any("referral is not undone" in line.en for line in results)


@pytest.mark.requirement("R66", "R67")
def test_an_appeal_that_is_granted_answers_what_the_process_still_asks(open_one: Appealed) -> None:
    case = open_one
    case.heard(LEAK)
    case.judge(GRAVE, MANAGER, "violation-management")
    case.record()
    review_id = case.open(case.id, "referral")  # Legal has not answered yet
    appeal_id = case.appeal()
    case.decided(appeal_id, "approved", "manager2")
    assert case.apply(appeal_id) is True

    review = case.desk.the(Review, id=review_id)
    assert (review.closed_at is not None, review.closed_because) == (True, "matter-cleared")
    assert case.answers(review_id) == [{"decision": "rejected"}], "its process goes on, and comes to its end"
    case.end()
    assert all(row.settled_at for row in case.desk.all(OutboxMessage, matter_id=case.id))


@pytest.mark.requirement("R66", "R67")
def test_what_the_process_asks_after_a_granted_appeal_is_put_to_nobody(open_one: Appealed) -> None:
    case = open_one
    case.heard(LEAK)
    case.judge(GRAVE, MANAGER, "violation-management")
    case.record()
    appeal_id = case.appeal()
    case.decided(appeal_id, "approved", "manager2")
    assert case.apply(appeal_id) is True

    key = next(case.desk.keys)
    job = {"job_key": key, "process_instance_key": case.instance + key}
    opened = case.desk.run(matter_tasks.open_review, case.id, "referral", **job)
    again = case.desk.run(matter_tasks.open_review, case.id, "referral", **job)  # sent twice
    assert again.review_id == opened.review_id
    review = case.desk.the(Review, id=opened.review_id)
    assert (review.closed_at is not None, review.closed_because) == (True, "matter-cleared")
    assert case.answers(review.id) == [{"decision": "rejected"}]
    assert not case.desk.all(Notice, code="review-opened", subject_id=review.id)
    with pytest.raises(Refused) as caught:
        case.answer(review.id, case.id, "referral", "manager2", judgement=Judgement(authority="公安"))
    assert caught.value.code == "review-closed"


def test_a_violation_that_was_never_upheld_asks_nothing_after_its_end(open_one: Appealed) -> None:
    case = open_one
    case.heard(LEAK)
    case.decide(case.id, "violation-management", MANAGER, "unfounded")
    case.desk.run(tasks.clear, case.id)
    with pytest.raises(NotPermitted, match="closed as cleared"):
        case.open(case.id, "referral")


@pytest.mark.requirement("R65", "R66")
def test_an_appeal_that_is_granted_before_the_settlement_gives_all_days_back(open_one: Appealed) -> None:
    case = open_one
    before = case.loan.due_at
    assert before is not None
    case.heard(LEAK)
    case.judge(GRAVE, MANAGER, "violation-management")
    case.record()
    case.desk.clock.turn(timedelta(days=6))
    appeal_id = case.appeal()
    case.desk.clock.turn(timedelta(days=4))
    case.desk.post("supervisor", "manager", "board")
    case.decided(appeal_id, "approved", "supervisor")
    assert case.apply(appeal_id) is True

    assert case.loan.due_at == before + timedelta(days=10)
    assert len(case.messages(messages.USE_PERIOD_CHANGED)) == 1


@pytest.mark.requirement("R65", "R66")
def test_an_appeal_that_is_granted_gives_back_what_a_decided_violation_had_taken_of_other_loans(
    tmp_path: Path,
) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", two_loans)
    case = Appealed(desk, ids)
    before = due_dates(case)
    case.heard(LEAK)
    desk.clock.turn(timedelta(days=2))
    case.judge(WARNING, MANAGER, "violation-management")
    case.record()
    case.end()  # the person is suspended no longer, the loan is
    desk.clock.turn(timedelta(days=5))
    appeal_id = case.appeal()
    desk.post("supervisor", "manager", "board")
    case.decided(appeal_id, "approved", "supervisor")
    for _ in range(2):
        assert case.apply(appeal_id) is True

    moved = [after - due_at for after, due_at in zip(due_dates(case), before, strict=True) if after and due_at]
    assert moved == [timedelta(days=7), timedelta(days=2)]
    desk.close()


@pytest.mark.requirement("R65", "R66")
async def test_the_page_of_a_violation_has_its_appeal(case: Appealed) -> None:
    async with Portal(case.desk) as portal:
        keeper = await portal.signed_in("keeper")
        csrf = {"csrf_token": keeper.headers["X-CSRF-Token"]}
        address = f"/matters/{case.id}"
        assert f'action="{address}/appeal"' in (await keeper.get(address)).text
        assert (await keeper.post(f"{address}/appeal", data={"reason": "", **csrf})).status_code == 422
        sent = await keeper.post(f"{address}/appeal", data={"reason": "当时住院。", **csrf})
        assert sent.status_code == 303, sent.text
        assert "当时住院。" in (await keeper.get(sent.headers["location"])).text
        assert f"{address}/appeal" not in (await keeper.get(address)).text
        again = await keeper.post(
            "/api/matters",
            json={
                "kind": "appeal",
                "applicationId": case.application_id,
                "asked": {"violationId": case.id, "reason": "再次"},
            },
        )
        assert again.status_code == 409, again.text
        assert (await keeper.get(f"/matters/new/appeal?case={case.application_id}")).status_code == 404
        [appeal] = case.desk.all(Matter, kind="appeal")
        review_id = case.open(appeal.id, STAGE)
        manager = await portal.signed_in(MANAGER)
        assert "当时住院。" in (await manager.get(f"/reviews/{review_id}")).text


def test_nobody_else_sees_an_appeal(case: Appealed) -> None:
    appeal_id = case.appeal()
    for by in ("operator2", "drafter", "admin"):
        with pytest.raises(NotFound):
            case.desk.run(queries.get, appeal_id, by=by)
    for by in ("keeper", "head", "reviewer2", "supervisor"):
        assert case.desk.run(queries.get, appeal_id, by=by).number.startswith("SS-")
