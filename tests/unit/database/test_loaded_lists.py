"""Lists load the rows that theirs refer to on purpose: as many statements for thirty lines as for three."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import selectinload
from statements import statements

from services.app.container import models
from services.database.base import Base
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.copies import Copy, Download, Grant
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Absence, Person, Post
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision, Finding, Review
from services.database.tables.second_factors import SecondFactor
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import staff_queries
from services.domain.cases.stage_times import list_stage_times
from services.domain.custody import queries as custody_queries
from services.domain.process.model_library import ModelLibrary
from services.runtime.models import read

pytestmark = pytest.mark.both_databases

DAY = timedelta(days=1)
COVERAGE = ("asked", "covered", "gaps", "leadInMs", "tailMs", "codecs", "parts", "firstFrame", "lastFrame", "zero")
SEALED = {
    **{"coverage": dict.fromkeys(COVERAGE), "plainSize": 1, "sha256Plain": "", "outcome": "complete"},
    "fragments": [],
}
SIGNED: dict[str, Any] = {"statement_sha256": "", "signature": {}}
MODELS = ModelLibrary(read(path for path in models() if path.suffix == ".bpmn"))
LISTS: dict[str, tuple[str, Callable[[UnitOfWork], list[Any]]]] = {
    "staff": (
        "admin",
        lambda uow: staff_queries.list_people(uow, staff_queries.PeopleFilter(department_id="works")).lines,
    ),
    "accounts of a demo": ("admin", staff_queries.list_demo_accounts),
    "loans": ("keeper", lambda uow: custody_queries.read_mine(uow).lines),
    "stage times": ("reviewer", lambda uow: list_stage_times(uow, MODELS, NOON - DAY, NOON + DAY)),
}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_statements_for_thirty_lines_as_for_three(desk: ReviewDesk, name: str) -> None:
    by, read = LISTS[name]
    desk.run(lambda uow: uow.rules)  # read once, and kept by the database
    desk.run(_write, range(3))
    few, of_few = _counted(desk, by, read)
    desk.run(_write, range(3, 30))
    many, of_many = _counted(desk, by, read)

    assert (of_few, of_many) == (of_few, of_few)
    if name == "stage times":
        assert {(one.stage, one.ended) for one in many} == {("preliminary", 30), ("preservation", 30), ("in-use", 0)}
    else:
        assert len(many) == len(few) + 27


def test_a_row_that_no_query_has_loaded_is_not_asked_for_by_itself(desk: ReviewDesk) -> None:
    def read(uow: UnitOfWork) -> object:
        return uow.session.get_one(Person, "keeper").department

    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        desk.run(read)


def test_every_reference_can_be_loaded_and_none_is_written_through(desk: ReviewDesk) -> None:
    desk.run(_write, range(1))
    references = [(mapper.class_, one) for mapper in Base.registry.mappers for one in mapper.relationships]

    def read(uow: UnitOfWork) -> None:
        for table, one in references:
            uow.session.scalars(select(table).options(selectinload(one.class_attribute))).all()

    desk.run(read)
    assert {(one.lazy, one.viewonly) for _, one in references} == {("raise", True)}


def _counted(desk: ReviewDesk, by: str, read: Callable[[UnitOfWork], list[Any]]) -> tuple[list[Any], int]:
    with statements(desk.database.engine) as sent:
        return desk.run(read, by=by), len(sent)


def _write(uow: UnitOfWork, numbers: range) -> None:
    """For each number a person with everything that an account has, and a case whose copy the keeper holds."""
    for number in numbers:
        for row in (*_account(f"p{number}"), *_case(f"c{number}", number), *_loan(f"c{number}", number)):
            uow.session.add(row)
            uow.session.flush()


def _account(i: str) -> list[Base]:
    return [
        Person(id=i, login=i, name=i, department_id="works", password_hash=""),
        Post(person_id=i, department_id="works", kind="member", since=NOON),
        Absence(person_id=i, since=NOON, until=NOON + DAY),
        Agreement(person_id=i, version="1", signed_at=NOON, expires_at=NOON + DAY),
        SecondFactor(person_id=i, encrypted_secret="", started_at=NOON, confirmed_at=NOON),
    ]


def _case(i: str, number: int) -> list[Base]:
    step = {"process_id": "video-retrieval", "process_instance_key": 1000 + number, "attempts": 1}
    return [
        Application(
            **{"id": i, "number": i, "policy_version": "1", "drafter_id": "drafter", "department_id": "works"},
            **{"custodian_id": "keeper", "created_at": NOON, "submitted_at": NOON, "reason": "", "purpose": ""},
            **{"purpose_category": "", "legal_basis": "", "way_of_use": "view", "place_of_use": ""},
            **{"recipient_ids": ["head", "drafter"], "requested_use_days": 9, "process_instance_key": 1000 + number},
        ),
        Revision(application_id=i, round=0, submitted_by="drafter", submitted_at=NOON, form={}, sha256=i),
        Review(
            **{"id": i, "application_id": i, "stage": "preliminary", "round": 0, "job_key": 1000 + number},
            **{"process_instance_key": 2000 + number, "opened_at": NOON, "due_at": NOON + DAY},
            **{"closed_at": NOON + DAY, "closed_because": "decided"},
        ),
        Decision(
            **{"review_id": i, "application_id": i, "stage": "preliminary", "round": 0, "outcome": "approved"},
            **{"decided_by": "head", "decided_at": NOON + DAY, "answers": {}, "variables": {}, "form_sha256": i},
            **SIGNED,
        ),
        Finding(
            **{"application_id": i, "round": 0, "check": "security-review", "code": "", "severity": "warns"},
            **{"zh": "", "en": "", "found_at": NOON},
        ),
        ProcessStep(
            **{"element_instance_key": 1000 + number, "application_id": i, "element_id": "Task_PreserveFootage"},
            **{"began_at": NOON, "ended_at": NOON, "outcome": "completed", **step},
        ),
    ]


def _loan(i: str, number: int) -> list[Base]:
    attempt = {"application_id": i, "item_id": i, "subject_id": i, "job_key": number, "bucket": "", "started_at": NOON}
    return [
        Item(id=i, application_id=i, position=1, camera_id="camera", zone="UTC", asked_start=NOON, asked_end=NOON),
        *(UploadAttempt(id=f"{i}-{of}", purpose=of, key=f"{i}-{of}", **attempt) for of in ("master", "copy")),
        Master(
            **{"id": i, "application_id": i, "item_id": i, "attempt_id": f"{i}-master", "origin": "recorder"},
            **{"retrieved_at": NOON, "sealed": {}},
        ),
        Document(
            **{"number": f"record {i}", "kind": "retrieval-record", "application_id": i, "item_id": i},
            **{"content": "{}", "sha256": "", "made_at": NOON, "demo": False},
        ),
        HandOver(
            **{"id": i, "application_id": i, "custodian_id": "keeper", "offered_at": NOON, "use_days": 9},
            **{"take_up_until": NOON + DAY, "accepted_at": NOON, "due_at": NOON + DAY},
        ),
        Copy(
            **{"id": i, "application_id": i, "item_id": i, "master_id": i, "attempt_id": f"{i}-copy"},
            **{"made_at": NOON, "sealed": SEALED, "hand_over_id": i},
        ),
        Grant(copy_id=i, person_id="keeper", action="view", since=NOON, until=NOON + DAY),
        Download(copy_id=i, hand_over_id=i, person_id="keeper", recipient="", medium="", address="", asked_at=NOON),
    ]
