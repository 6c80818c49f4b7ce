"""What the applicant's side may do at the edges of a phase, and what the automatic checks leave behind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Department, Person, Post
from services.database.tables.reviews import Decision, Finding, Review
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.applications import completeness, forms, security_check
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.cases import states as case_states
from services.domain.custody import copies
from services.domain.process import outbox, permissions
from services.domain.process.messages import APPLICATION_WITHDRAWN, REVIEW_DECIDED
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused, Retryable

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
CLERK = Actor("system", "test")
DRAFTER = Actor("person", "drafter")
ITEM = ItemAsked("camera", NOON - timedelta(hours=2), NOON - timedelta(hours=1), "Asia/Shanghai")
FORM = Form(
    reason="三号门货物丢失，需要确认经过",
    purpose="核对出入库人员与时间的记录",
    purpose_category="security-incident",
    legal_basis="internal-management",
    way_of_use="view",
    place_of_use="安全保卫部办公室",
    requested_use_days=20,
    custodian_id="keeper",
    items=(ITEM,),
)


@pytest.fixture
def database(database: Database) -> Database:
    database.run_now(CLERK, _seed)
    return database


def _seed(uow: UnitOfWork) -> None:
    uow.session.add_all(Department(id=kind, name_zh=kind, name_en=kind, kind=kind) for kind in ("business", "storage"))
    uow.session.flush()
    for person_id, department in (("drafter", "business"), ("keeper", "business"), ("operator", "storage")):
        uow.session.add(
            Person(id=person_id, login=person_id, name=person_id, department_id=department, password_hash="-")
        )
    uow.session.add(Recorder(id="recorder", name="r", site="s", kind="folder", configuration={}, zone="UTC"))
    uow.session.flush()
    uow.session.add(Post(person_id="operator", department_id="storage", kind="storage-operator", since=NOON))
    uow.session.add(
        Camera(
            id="camera",
            recorder_id="recorder",
            channel="gate",
            name_zh="门",
            name_en="gate",
            place_zh="门",
            place_en="gate",
            retention_days=30,
        )
    )


def submitted(database: Database, form: Form = FORM) -> str:
    draft = database.run_now(DRAFTER, application_service.create_draft, form)
    database.run_now(DRAFTER, application_service.submit, draft.id)
    return str(draft.id)


def rows(database: Database, kind: type) -> list[Any]:
    return database.run_now(CLERK, lambda uow: list(uow.session.scalars(select(kind))))


def retrieved_with_copy(uow: UnitOfWork, application_id: str) -> None:
    item = uow.session.scalars(select(Item).where(Item.application_id == application_id)).one()
    item.outcome, item.coverage = "complete", 1.0
    for purpose in ("master", "copy"):
        uow.session.add(
            UploadAttempt(
                id=purpose,
                purpose=purpose,
                application_id=application_id,
                item_id=item.id,
                subject_id=item.id,
                job_key=1,
                bucket=purpose,
                key=purpose,
                started_at=NOON,
            )
        )
    uow.session.flush()
    sealed: dict[str, Any] = {}
    uow.session.add(
        Master(
            id="master",
            application_id=application_id,
            item_id=item.id,
            attempt_id="master",
            retrieved_at=NOON,
            sealed=sealed,
            origin="recorder",
        )
    )
    uow.session.flush()
    uow.session.add(
        Copy(
            id="copy",
            application_id=application_id,
            item_id=item.id,
            master_id="master",
            attempt_id="copy",
            made_at=NOON,
            sealed=sealed,
        )
    )


def test_a_case_is_withdrawn_until_its_last_copy_is_made(database: Database) -> None:
    application_id = submitted(database)

    withdrawn = database.run_now(DRAFTER, application_service.withdraw, application_id, "")

    assert withdrawn.withdrawn_at == NOON
    assert database.run_now(CLERK, case_states.states_of, [withdrawn])[withdrawn.id] == case_states.State(
        "closed", "withdrawn"
    )


def test_nobody_withdraws_when_all_copies_are_made_and_the_hand_over_is_near(database: Database) -> None:
    application_id = submitted(database)
    database.run_now(CLERK, retrieved_with_copy, application_id)
    assert database.run_now(CLERK, copies.list_of_application, application_id)

    with pytest.raises(Refused) as refused:
        database.run_now(DRAFTER, application_service.withdraw, application_id, "")

    assert refused.value.code == "copies-ready"
    assert {row.name for row in rows(database, OutboxMessage)} == {"application-submitted"}


@pytest.mark.requirement("R26", refuses=True)
def test_a_mark_can_be_taken_back_in_a_draft_and_no_more_once_it_was_submitted(database: Database) -> None:
    marked = replace(FORM, high_impact=True)
    draft = database.run_now(DRAFTER, application_service.create_draft, marked)
    redrafted = database.run_now(DRAFTER, application_service.update_draft, draft.id, FORM)
    assert redrafted.high_impact is False

    application_id = submitted(database, marked)

    def returned(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, application_id).correction_until = NOON + timedelta(days=1)

    database.run_now(CLERK, returned)
    assert database.run_now(DRAFTER, application_service.correct, application_id, FORM).high_impact is True


@pytest.mark.requirement("R22")
def test_the_drafter_is_told_once_that_the_form_is_incomplete(database: Database) -> None:
    application_id = submitted(database, replace(FORM, custodian_id=None))

    first = database.run_now(CLERK, completeness.review, application_id)
    again = database.run_now(CLERK, completeness.review, application_id)

    assert (first, again) == (False, False)
    assert [(row.person_id, row.code) for row in rows(database, Notice)] == [("drafter", "application-incomplete")]


@pytest.mark.requirement("R24", "R59")
def test_security_reads_that_no_operator_could_touch_the_footage(database: Database) -> None:
    application_id = submitted(database)

    checked = database.run_now(CLERK, security_check.review, application_id)

    codes = [row.code for row in rows(database, Finding)]
    assert "operator-agreement-missing" in codes
    assert checked.findings == len(codes)


def test_a_withdrawal_stays_in_the_outbox_whatever_job_runs_meanwhile(database: Database) -> None:
    application_id = submitted(database)
    database.run_now(DRAFTER, application_service.withdraw, application_id, "")

    def published(uow: UnitOfWork) -> None:
        for message in uow.session.scalars(select(OutboxMessage)):
            outbox.mark_published(uow, message.message_id, attempts=0, retry_after=timedelta(minutes=1))

    database.run_now(CLERK, published)
    with pytest.raises(Retryable, match="was withdrawn"):
        database.run_now(CLERK, security_check.review, application_id)

    open_messages = {row.name for row in rows(database, OutboxMessage) if row.settled_at is None}
    assert APPLICATION_WITHDRAWN in open_messages


def decided(uow: UnitOfWork, application_id: str) -> None:
    revision = forms.current_revision(uow, application_id)
    assert revision is not None
    for number, (stage, outcome) in enumerate((stage, STAGES[stage].favourable) for stage in permissions.ORDER[:3]):
        uow.session.add(
            Review(
                id=stage,
                application_id=application_id,
                stage=stage,
                round=0,
                job_key=number,
                process_instance_key=1,
                opened_at=NOON,
                due_at=NOON,
                closed_at=NOON,
            )
        )
        uow.session.flush()
        uow.session.add(
            Decision(
                review_id=stage,
                application_id=application_id,
                stage=stage,
                round=0,
                outcome=outcome,
                decided_by="operator",
                decided_at=NOON,
                answers={},
                variables={},
                form_sha256=revision.sha256,
                statement_sha256="0" * 64,
                signature={},
            )
        )
        outbox.publish(uow, REVIEW_DECIDED, stage, application_id=application_id, message_id=stage, variables={})
        outbox.mark_published(uow, stage, attempts=0, retry_after=timedelta(minutes=1))


@pytest.mark.requirement("R28", "R49", "R50")
def test_the_filed_form_grants_no_more_days_than_the_class_allows(database: Database) -> None:
    application_id = submitted(database)
    database.run_now(CLERK, decided, application_id)
    classification = Classification("important", False, True, True, 15)

    filed = database.run_now(CLERK, filing.file, application_id, classification)
    again = database.run_now(CLERK, filing.file, application_id, classification)

    assert filed == again
    assert filed.use_period_days == 15
    assert '"useDays":15' in rows(database, Document)[0].content
    assert all(row.settled_at for row in rows(database, OutboxMessage) if row.name == REVIEW_DECIDED)
