"""Reviews as tasks: opened once, reminded, widened, closed; the storage office told; the inbox in its order."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from review_desk import FORM, NOON, PASSWORD, STAFF, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import service as agreement_service
from services.domain.cases import inbox as case_inbox
from services.domain.process import outbox, relay
from services.domain.reviews import escalation
from services.domain.reviews import tasks as review_tasks
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Fatal, NotFound, Refused
from services.workers import escalate_review, escalate_to_management, notify_storage, open_review, remind_reviewer


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def _told(desk: ReviewDesk, code: str) -> list[str]:
    return sorted(notice.person_id for notice in desk.all(Notice, code=code))


async def test_a_second_run_of_open_review_finds_the_first_ones_review(desk: ReviewDesk) -> None:
    command = open_review.Command("preliminary", job_key=7, process_instance_key=70, application_id=desk.submitted())

    first = await open_review.handle(command, desk.database)
    desk.clock.turn(timedelta(hours=1))
    second = await open_review.handle(command, desk.database)

    review = desk.the(Review)
    assert first == second
    assert first.first_review_reminder_at == NOON + timedelta(hours=12)
    assert first.review_limit == timedelta(hours=24)
    assert (review.id, review.process_instance_key) == (first.review_id, 70)
    assert _told(desk, "review-opened") == ["head"]


def test_opening_a_review_settles_what_the_process_must_have_taken(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.run(outbox.mark_published, application_id, attempts=0, retry_after=timedelta(minutes=1))
    review_id = desk.opened(application_id, "preliminary")
    desk.decide(review_id, "head")
    message = desk.the(OutboxMessage, correlation_key=review_id)
    desk.run(outbox.mark_published, message.message_id, attempts=message.attempts, retry_after=timedelta(minutes=1))

    desk.opened(application_id, "security")

    assert all(row.settled_at is not None for row in desk.all(OutboxMessage))


def test_a_second_run_does_not_settle_the_decision_of_its_own_review(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    def again() -> str:
        opened = desk.run(review_tasks.open_review, application_id, "preliminary", job_key=5, process_instance_key=1)
        return opened.review_id

    review_id = again()
    desk.decide(review_id, "head")
    message = desk.the(OutboxMessage, correlation_key=review_id)
    desk.run(outbox.mark_published, message.message_id, attempts=message.attempts, retry_after=timedelta(minutes=1))

    assert again() == review_id
    assert desk.the(OutboxMessage, correlation_key=review_id).settled_at is None


def answer(desk: ReviewDesk, review_id: str) -> OutboxMessage:
    return desk.the(OutboxMessage, correlation_key=review_id)


def test_a_decision_that_the_engine_does_not_have_yet_outlasts_the_next_review(desk: ReviewDesk) -> None:
    """Two reviews of one case at once: the branch of the first still waits while that of the second goes on."""
    application_id = desk.submitted()
    first = desk.opened(application_id, "preliminary")
    desk.opened(application_id, "security")
    desk.decide(first, "head")

    desk.opened(application_id, "security-signature")
    assert answer(desk, first).settled_at is None

    desk.run(outbox.mark_published, answer(desk, first).message_id, attempts=0, retry_after=timedelta(minutes=1))
    desk.opened(application_id, "security-signature")
    assert answer(desk, first).settled_because == "the review security-signature is open"


async def test_a_job_that_runs_again_after_the_decision_has_it_sent_again(desk: ReviewDesk) -> None:
    """Its worker died before the process waited, and what was decided expired in the engine meanwhile."""
    command = open_review.Command("preliminary", job_key=7, process_instance_key=70, application_id=desk.submitted())
    opened = await open_review.handle(command, desk.database)
    beside = await open_review.handle(replace(command, job_key=8), desk.database)
    desk.decide(opened.review_id, "head")
    for _ in range(4):
        desk.run(_publish_all)
        desk.clock.turn(timedelta(hours=1))
    assert answer(desk, opened.review_id).settled_because == "published 3 times"

    again = await open_review.handle(command, desk.database)

    assert again.review_id == opened.review_id
    assert (answer(desk, opened.review_id).settled_at, answer(desk, opened.review_id).attempts) == (None, 0)
    desk.opened(command.application_id or "", "security")
    assert answer(desk, opened.review_id).settled_at is None, "it is not published again yet"
    assert {message.correlation_key for message in desk.run(relay.claim_due)} == {opened.review_id}
    await open_review.handle(replace(command, job_key=8), desk.database)
    assert {message.correlation_key for message in desk.run(relay.claim_due)} == {opened.review_id, beside.review_id}


def _publish_all(uow: UnitOfWork) -> None:
    for message in relay.claim_due(uow):
        outbox.mark_published(uow, message.message_id, attempts=message.attempts, retry_after=timedelta(minutes=1))


@pytest.mark.parametrize(("stage", "application"), [("nonsense", None), ("preliminary", "nothing")])
def test_a_job_with_wrong_variables_is_an_incident(desk: ReviewDesk, stage: str, application: str | None) -> None:
    with pytest.raises(Fatal, match="could not open the review"):
        desk.opened(application or desk.submitted(), stage)


@pytest.mark.requirement("R46")
def test_the_receipt_is_the_custodians_until_the_time_to_take_up_is_over(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.offered(application_id, id="hand-over")

    review_id = desk.opened(application_id, "receipt", hand_over_id="hand-over")
    desk.escalate(review_id)

    assert desk.the(Review, id=review_id).due_at == NOON + timedelta(days=7)
    assert _told(desk, "review-opened") == ["keeper"]
    assert _told(desk, "receipt-overdue") == ["head"]
    assert [line.id for line in desk.run(case_inbox.read_waiting, by="keeper").lines] == [review_id]


@pytest.mark.requirement("R30")
async def test_a_reminder_is_sent_once_for_each_job_and_never_after_the_decision(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")

    for _ in range(2):
        await remind_reviewer.handle(remind_reviewer.Command(review_id, 61), desk.database)
    assert _told(desk, "review-reminder") == ["head"]
    await remind_reviewer.handle(remind_reviewer.Command(review_id, 62), desk.database)
    assert _told(desk, "review-reminder") == ["head"], "a flood of jobs reminds once"
    desk.clock.turn(timedelta(days=1))
    await remind_reviewer.handle(remind_reviewer.Command(review_id, 64), desk.database)
    desk.decide(review_id, "head")
    await remind_reviewer.handle(remind_reviewer.Command(review_id, 63), desk.database)

    assert _told(desk, "review-reminder") == ["head", "head"]


@pytest.mark.requirement("R30")
async def test_only_the_claimant_is_reminded(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(review_tasks.claim, review_id, by="reviewer2")

    await remind_reviewer.handle(remind_reviewer.Command(review_id, 64), desk.database)

    assert _told(desk, "review-reminder") == ["reviewer2"]


@pytest.mark.requirement("R30")
async def test_an_escalation_ends_the_claim_and_tells_the_substitutes_once(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(review_tasks.claim, review_id, by="reviewer2")
    desk.clock.turn(timedelta(hours=24))

    for _ in range(2):
        await escalate_review.handle(escalate_review.Command(review_id, 65), desk.database)

    assert desk.the(Review, id=review_id).claimed_by is None
    assert _told(desk, "review-escalated") == ["reviewer", "reviewer2", "security-deputy", "security-head"]


def _unsigned(desk: ReviewDesk, *person_ids: str) -> None:
    def end(uow: UnitOfWork) -> None:
        for agreement in uow.session.query(Agreement).filter(Agreement.person_id.in_(person_ids)):
            agreement.ended_at = uow.now - timedelta(hours=1)

    desk.run(end)


MANAGERS = ("manager", "manager2", "board-head")


@pytest.mark.requirement("R59")
async def test_a_review_waits_for_those_who_have_to_sign_the_agreement_first(desk: ReviewDesk) -> None:
    _unsigned(desk, *MANAGERS)
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "management")

    assert desk.candidates(review_id) == []
    assert _told(desk, "review-opened") == []
    assert _told(desk, "review-needs-agreement") == ["manager", "manager2"]
    opened = json.loads(desk.the(AuditEvent, action="review-opened").entry)
    assert '"without_agreement":["manager","manager2"]' in json.dumps(opened, separators=(",", ":"))
    with pytest.raises(Refused) as refused:
        desk.decide(review_id, "manager")
    assert refused.value.code == "agreement-missing"

    desk.run(agreement_service.sign, desk.rules.agreement_version, Proof(password=PASSWORD), by="manager")

    assert desk.candidates(review_id) == ["manager"]
    await remind_reviewer.handle(remind_reviewer.Command(review_id, job_key=50), desk.database)
    assert _told(desk, "review-reminder") == ["manager"]
    assert _told(desk, "review-needs-agreement") == ["manager", "manager2", "manager2"]
    assert desk.decide(review_id, "manager").published
    assert all(notice.done_at for notice in desk.all(Notice, code="review-needs-agreement"))


@pytest.mark.requirement("R59")
def test_at_the_limit_all_are_asked_to_sign_who_could_decide_then(desk: ReviewDesk) -> None:
    _unsigned(desk, *MANAGERS)
    review_id = desk.opened(desk.submitted(), "management")
    desk.escalate(review_id)
    assert {*_told(desk, "review-needs-agreement")} == {*MANAGERS}


@pytest.mark.requirement("R59")
def test_the_head_is_asked_to_sign_where_a_substitute_decides_meanwhile(desk: ReviewDesk) -> None:
    _unsigned(desk, "head")
    review_id = desk.opened(desk.submitted(), "preliminary")
    assert desk.candidates(review_id) == ["deputy"]
    assert (_told(desk, "review-opened"), _told(desk, "review-needs-agreement")) == (["deputy"], ["head"])


@pytest.mark.requirement("R27", "R59")
async def test_where_nobody_holds_the_post_a_review_is_an_incident_still(desk: ReviewDesk) -> None:
    _unsigned(desk, "manager")
    desk.away(*MANAGERS)
    application_id = desk.submitted()
    with pytest.raises(Fatal, match="nobody may decide"):
        desk.opened(application_id, "management")
    desk.approved(application_id)
    command = escalate_to_management.Command(application_id, "management", job_key=60)
    with pytest.raises(Fatal, match="no manager may decide"):
        await escalate_to_management.handle(command, desk.database)


async def test_management_is_named_that_has_to_sign_first(desk: ReviewDesk) -> None:
    _unsigned(desk, *MANAGERS)
    application_id = desk.submitted()
    desk.approved(application_id)
    await escalate_to_management.handle(
        escalate_to_management.Command(application_id, "management", job_key=60), desk.database
    )
    assert _told(desk, "management-decides") == ["manager", "manager2"]


def test_closing_a_cases_reviews_leaves_decided_ones_alone(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    decided = desk.opened(application_id, "preliminary")
    desk.decide(decided, "head")
    still_open = desk.opened(application_id, "security")

    assert desk.run(review_tasks.close_open, application_id, "withdrawn") == 1

    assert desk.the(Review, id=decided).closed_because == "decided"
    assert desk.the(Review, id=still_open).closed_because == "withdrawn"


@pytest.mark.requirement("R26")
async def test_management_is_told_once_and_counted(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    command = escalate_to_management.Command(application_id, "management", 66)

    results = [await escalate_to_management.handle(command, desk.database) for _ in range(2)]

    assert [result.deciders for result in results] == [2, 2]
    assert _told(desk, "management-decides") == ["manager", "manager2"]


@pytest.mark.requirement("R30")
async def test_the_storage_office_is_told_once_and_the_time_is_measured(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.filed(application_id)
    desk.clock.turn(timedelta(minutes=61))
    desk.run(
        lambda uow: setattr(uow.session.get_one(Application, application_id), "subject_ids", ["operator2"]),
    )
    command = notify_storage.Command(application_id)

    first = await notify_storage.handle(command, desk.database)
    desk.clock.turn(timedelta(hours=1))
    second = await notify_storage.handle(command, desk.database)

    event = desk.the(AuditEvent, action="storage-notified")
    assert first == second
    assert first.storage_notified_at == desk.the(Application, id=application_id).storage_notified_at
    assert _told(desk, "storage-prepare") == ["operator"], "whom the case concerns hears nothing of it (T8)"
    assert '"seconds_after_approval":3660' in event.entry
    assert '"in_time":false' in event.entry


@pytest.mark.requirement("R29", refuses=True)
def test_the_storage_office_hears_of_nothing_that_is_not_filed(desk: ReviewDesk) -> None:
    with pytest.raises(Fatal, match="no filed approved form"):
        desk.run(escalation.notify_storage, desk.submitted())


def test_the_inbox_shows_first_what_is_overwritten_first(desk: ReviewDesk) -> None:
    def short_lived(uow: UnitOfWork) -> None:
        camera = uow.session.get_one(Camera, "camera")
        values = {column.name: getattr(camera, column.name) for column in Camera.__table__.columns}
        uow.session.add(Camera(**{**values, "id": "brief", "retention_days": 2, "channel": "yard"}))

    desk.run(short_lived)
    later = desk.opened(desk.submitted(), "security")
    sooner = desk.opened(desk.submitted(items=(replace(FORM.items[0], camera_id="brief"),)), "security")
    desk.opened(desk.submitted(), "preliminary")

    lines = desk.run(case_inbox.read_waiting, by="reviewer").lines

    assert [line.id for line in lines] == [sooner, later]
    assert lines[0].overwrite_at == NOON - timedelta(hours=2) + timedelta(days=2)
    assert desk.run(case_inbox.read_waiting, by="admin").lines == []


@pytest.mark.parametrize("stage", [code for code in STAGES if code != "receipt" and STAGES[code].phase != "matter"])
def test_whoever_may_decide_finds_the_review_in_the_inbox(desk: ReviewDesk, stage: str) -> None:
    review_id = desk.opened(desk.submitted(), stage)
    desk.escalate(review_id)

    who = desk.candidates(review_id)

    assert {
        name for name in STAFF if [line.id for line in desk.run(case_inbox.read_waiting, by=name).lines] == [review_id]
    } == set(who)
    assert who


def test_a_review_is_read_by_those_concerned_and_the_look_is_on_the_trail(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")

    to_decide = desk.run(case_inbox.get_review, review_id, by="head")
    to_wait = desk.run(case_inbox.get_review, review_id, by="deputy")
    own = desk.run(case_inbox.get_review, review_id, by="drafter")
    for stranger in ("keeper", "admin"):
        with pytest.raises(NotFound):
            desk.run(case_inbox.get_review, review_id, by=stranger)

    assert to_decide.why_not is None
    assert to_wait.why_not is not None
    assert to_wait.why_not.code == "not-yet"
    assert own.why_not is not None
    assert [event.actor_id for event in desk.all(AuditEvent, action="review-read")] == ["head", "deputy", "drafter"]
