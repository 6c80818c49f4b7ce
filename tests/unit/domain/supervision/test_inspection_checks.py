"""The named checks of the system: a case in order passes each, and of each its wrong thing is found (R63)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lent_case import Parts, lend
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import log
from services.domain.supervision import case_evidence, checks
from services.domain.supervision.checks import Found

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Plant = Callable[[UnitOfWork, dict[str, str]], object]


def in_order(desk: ReviewDesk) -> dict[str, str]:
    """A case from its application to the archive, with management's decision and all that a check looks at."""
    ids = lend(desk, Parts(manager="manager"))
    desk.classed(ids["application_id"], importance="important", management_needed=True, second_person=True)
    desk.clock.turn(2 * DAY)
    desk.run(_finish, ids)
    return ids


def _finish(uow: UnitOfWork, ids: dict[str, str]) -> None:
    case = uow.session.get_one(Application, ids["application_id"])
    item, loan = uow.session.get_one(Item, ids["item_id"]), uow.session.get_one(HandOver, ids["hand_over_id"])
    form = uow.session.scalars(select(Document).filter_by(application_id=case.id, kind="application-form")).one()
    record = uow.session.scalars(select(Document).filter_by(application_id=case.id, kind="retrieval-record")).one()
    item.outcome, item.coverage = "complete", 1.0
    of_form = {"number": form.number, "sha256": form.sha256}
    record.content = json.dumps({"form": of_form, "recorderClock": {"offsetMs": 12}})
    label = {"number": "BQ-1", "kind": "label", "application_id": case.id, "subject_id": ids["copy_id"]}
    uow.session.add(Document(content="{}", sha256="0" * 64, made_at=uow.now, demo=False, **label))
    release = uow.session.scalars(select(Review).filter_by(application_id=case.id, stage="storage-release")).one()
    approved = uow.session.scalars(select(Decision).filter_by(application_id=case.id, stage="preliminary")).one()
    columns = {one.key: getattr(approved, one.key) for one in Decision.__mapper__.column_attrs}
    released = {"id": new_id(), "review_id": release.id, "stage": release.stage, "decided_by": "operator"}
    uow.session.add(Decision(**{**columns, **released}))
    signed = {"statement_sha256": "0" * 64, "signature": {}, "confirmed_at": uow.now}
    uow.session.add(Confirmation(review_id=release.id, person_id="operator2", **signed))
    told = {one.id: {"fate": "destroyed", "note": ""} for one in uow.session.scalars(select(Download))}
    uow.session.add(
        Return(
            hand_over_id=loan.id,
            returned_by=loan.custodian_id,
            returned_at=uow.now,
            return_to="security",
            attestation={"downloads": told, "noOtherCopies": True},
            statement_sha256="0" * 64,
            signature={},
        )
    )
    uow.session.add(Inspection(hand_over_id=loan.id, inspected_at=uow.now, hashes={ids["copy_id"]: True}, findings=[]))
    loan.returned_at = loan.ended_at = case.closed_at = uow.now
    for grant in uow.session.scalars(select(Grant)):
        grant.ended_at = uow.now
    uow.session.get_one(Copy, ids["copy_id"]).key_destroyed_at = uow.now
    for master in uow.session.scalars(select(Master)):
        master.archived_at, master.dispose_after = uow.now, uow.now + 365 * DAY
    violation = {"application_id": case.id, "kind": "overdue", "opened_at": uow.now, "facts": {}}
    uow.session.add(Violation(closed_as="cleared", closed_at=uow.now, **violation))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[tuple[ReviewDesk, dict[str, str]]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", in_order)
    yield desk, ids
    desk.close()


def run(desk: ReviewDesk, ids: dict[str, str], name: str) -> Found:
    return checks.run(name, desk.run(case_evidence.load, ids["application_id"]))


@pytest.mark.requirement("R63")
def test_a_case_in_order_passes_each_check(case: tuple[ReviewDesk, dict[str, str]]) -> None:
    desk, ids = case
    answers = {name: run(desk, ids, name) for name in checks.CHECKS}
    assert {name: found for name, found in answers.items() if found.answer != "yes"} == {}
    planted = {name for name, *_ in PLANTED}
    assert planted == set(checks.CHECKS)


def change(table: Any, of: str, **values: Any) -> Plant:
    """Set columns of the row whose id is among those of the case as ``of``."""

    def plant(uow: UnitOfWork, ids: dict[str, str]) -> None:
        row = uow.session.get_one(table, ids[of])
        for name, value in values.items():
            setattr(row, name, value(row, uow) if callable(value) else value)

    return plant


def of_case(table: Any, act: Callable[[UnitOfWork, Any], object], **by: Any) -> Plant:
    """Do something with each row of the case, such as its decisions of one stage."""

    def plant(uow: UnitOfWork, ids: dict[str, str]) -> None:
        for row in uow.session.scalars(select(table).filter_by(application_id=ids["application_id"], **by)):
            act(uow, row)

    return plant


def each(table: Any, act: Callable[[UnitOfWork, Any], object], **by: Any) -> Plant:
    def plant(uow: UnitOfWork, ids: dict[str, str]) -> None:
        for row in uow.session.scalars(select(table).filter_by(**by)).all():
            act(uow, row)

    return plant


def put(name: str, value: Any) -> Callable[[UnitOfWork, Any], object]:
    """Set a column; what is callable is called with the unit of work and the row."""
    return lambda uow, row: setattr(row, name, value(uow, row) if callable(value) else value)


def remove(uow: UnitOfWork, row: Any) -> None:
    uow.session.delete(row)


def rewrite(**content: Any) -> Callable[[UnitOfWork, Any], object]:
    return lambda _uow, row: setattr(row, "content", json.dumps({**json.loads(row.content), **content}))


def look(at: str, by: timedelta, *, what: str = "viewing") -> Plant:
    """Somebody looks at the copy so long after a moment of its loan."""

    def plant(uow: UnitOfWork, ids: dict[str, str]) -> None:
        loan = uow.session.get_one(HandOver, ids["hand_over_id"])
        moment = getattr(loan, at) + by
        if what == "sent-again":
            uow.now = moment
            uow.actor = Actor("person", loan.custodian_id)
            audit_trail.record(
                uow, "download-sent", "copy", ids["copy_id"], application_id=ids["application_id"], sendings=2
            )
        elif what == "still":
            uow.now = moment
            log.append(uow, loan, "still-saved", person_id=loan.custodian_id, copy_id=ids["copy_id"])
        elif what == "read-on":
            uow.session.get_one(Viewing, ids["viewing_id"]).last_read_at = moment
        elif what == "sent-late":
            uow.session.get_one(Download, ids["download_id"]).finished_at = moment
        elif what == "download":
            uow.session.get_one(Download, ids["download_id"]).asked_at = moment
        else:
            uow.session.get_one(Viewing, ids["viewing_id"]).opened_at = moment

    return plant


def lost_without_a_return(uow: UnitOfWork, _ids: dict[str, str]) -> None:
    """The loan ended otherwise, and nobody has accounted for its download."""
    for table in (Inspection, Return):
        for row in uow.session.scalars(select(table)):
            uow.session.delete(row)


def late_beside_an_open_one(uow: UnitOfWork, ids: dict[str, str]) -> None:
    """The first loan was late, and a second one is not over yet."""
    first = uow.session.get_one(HandOver, ids["hand_over_id"])
    first.due_at = first.returned_at - DAY
    columns = {one.key: getattr(first, one.key) for one in HandOver.__mapper__.column_attrs}
    open_one = {"id": new_id(), "issue": 0, "returned_at": None, "ended_at": None, "due_at": uow.now + DAY}
    uow.session.add(HandOver(**{**columns, **open_one}))


def agreement_of_another(uow: UnitOfWork, ids: dict[str, str]) -> None:
    own, other = (
        uow.session.scalars(select(Agreement).filter_by(person_id=person)).one() for person in ("keeper", "operator")
    )
    own.expires_at = own.signed_at
    uow.session.get_one(HandOver, ids["hand_over_id"]).agreement_id = other.id


def received_before_an_agreement(uow: UnitOfWork, ids: dict[str, str]) -> None:
    """By a custody transfer, after which the loan names the new custodian's agreement."""
    loan = uow.session.get_one(HandOver, ids["hand_over_id"])
    agreement = uow.session.scalars(select(Agreement).filter_by(person_id="manager")).one()
    agreement.signed_at, loan.custodian_id, loan.agreement_id = uow.now + HOUR, "manager", agreement.id
    log.append(uow, loan, "received", person_id="manager")


def by_somebody_else(uow: UnitOfWork, ids: dict[str, str]) -> None:
    uow.session.get_one(Viewing, ids["viewing_id"]).person_id = "manager"


NEVER_LENT = change(HandOver, "hand_over_id", accepted_at=None)
PLANTED: list[tuple[str, Plant]] = [
    ("purpose-stated", change(Application, "application_id", purpose=lambda row, _uow: row.reason)),
    ("scope-within-request", change(Item, "item_id", granted_end=lambda row, _uow: row.asked_end + HOUR)),
    (
        "scope-within-request",
        change(Item, "item_id", granted_end=None, granted_start=lambda row, _uow: row.asked_start - HOUR),
    ),
    ("applicant-confirmed", of_case(Decision, put("decided_by", "drafter"), stage="preliminary")),
    ("applicant-confirmed", of_case(Decision, remove, stage="preliminary")),
    ("sensitivities-declared", change(Application, "application_id", sensitivities=["personal-privacy"])),
    ("stages-complete", of_case(Decision, remove, stage="security")),
    ("stages-complete", of_case(Decision, put("decided_at", lambda uow, _row: uow.now), stage="management")),
    (
        "stages-complete",
        of_case(Document, put("made_at", lambda _uow, row: row.made_at - DAY), kind="application-form"),
    ),
    ("deciders-differ", of_case(Decision, put("decided_by", "reviewer"), stage="security-signature")),
    ("deciders-differ", of_case(Decision, put("decided_by", "drafter"), stage="management")),
    (
        "deciders-differ",
        lambda uow, ids: (
            of_case(Decision, put("decided_by", "reviewer"), stage="management")(uow, ids),
            of_case(Decision, put("round", 7), stage="management")(uow, ids),
        ),
    ),
    ("signatures-bound", of_case(Decision, put("form_sha256", "f" * 64), stage="security")),
    ("signatures-bound", of_case(Decision, put("signature", {"sha256": "f" * 64}), stage="security")),
    ("management-where-needed", of_case(Decision, remove, stage="management")),
    ("management-where-needed", of_case(Decision, put("outcome", "rejected"), stage="management")),
    (
        "management-where-needed",
        lambda uow, ids: (
            of_case(Decision, remove, stage="management")(uow, ids),
            change(Application, "application_id", management_needed=False)(uow, ids),
        ),
    ),
    ("decided-in-time", of_case(Review, put("due_at", lambda _uow, row: row.opened_at - DAY), stage="security")),
    (
        "decided-in-time",
        lambda uow, ids: (
            of_case(Decision, remove, stage="security")(uow, ids),
            of_case(Review, put("closed_at", lambda _uow, row: row.due_at + DAY), stage="security")(uow, ids),
        ),
    ),
    ("retrieved-on-filed-form", of_case(Document, rewrite(form={"number": "SQ-0"}), kind="retrieval-record")),
    ("retrieved-on-filed-form", of_case(Document, remove, kind="retrieval-record")),
    ("two-people-where-needed", each(Confirmation, remove)),
    ("two-people-where-needed", each(Confirmation, put("person_id", "operator"))),
    ("two-people-where-needed", of_case(Decision, remove, stage="storage-release")),
    ("clock-measured", of_case(Document, rewrite(recorderClock={"offsetMs": None}), kind="retrieval-record")),
    ("clock-measured", of_case(Document, remove, kind="retrieval-record")),
    ("gaps-recorded", change(Item, "item_id", outcome="partial")),
    (
        "gaps-recorded",
        lambda uow, ids: (
            change(Item, "item_id", outcome="missing")(uow, ids),
            of_case(Document, remove, kind="retrieval-record")(uow, ids),
        ),
    ),
    ("labels-complete", of_case(Document, remove, kind="label")),
    ("custodian-signed", NEVER_LENT),
    ("custodian-signed", each(CustodyEntry, remove, event="received")),
    ("agreement-valid", each(Agreement, put("expires_at", lambda uow, _row: uow.now - 3 * DAY), person_id="keeper")),
    ("agreement-valid", agreement_of_another),
    ("agreement-valid", received_before_an_agreement),
    ("viewed-by-the-allowed", by_somebody_else),
    ("viewed-by-the-allowed", each(Grant, remove, action="download")),
    ("viewed-by-the-allowed", each(Grant, put("until", lambda _uow, row: row.since - HOUR))),
    ("viewed-by-the-allowed", look("ended_at", HOUR, what="sent-again")),
    (
        "viewed-by-the-allowed",
        lambda uow, ids: (NEVER_LENT(uow, ids), each(Grant, remove)(uow, ids)),
    ),
    ("use-period-kept", look("due_at", HOUR)),
    ("use-period-kept", look("due_at", HOUR, what="read-on")),
    ("use-period-kept", look("due_at", HOUR, what="download")),
    ("use-period-kept", look("due_at", HOUR, what="sent-late")),
    ("use-period-kept", look("due_at", HOUR, what="sent-again")),
    ("use-period-kept", look("due_at", HOUR, what="still")),
    ("use-period-kept", look("accepted_at", -HOUR)),
    ("use-period-kept", look("accepted_at", -HOUR, what="download")),
    ("use-period-kept", look("returned_at", HOUR, what="sent-again")),
    ("use-period-kept", NEVER_LENT),
    ("no-violation", each(Violation, put("closed_as", "upheld"))),
    ("returned-in-time", change(HandOver, "hand_over_id", due_at=lambda row, _uow: row.returned_at - DAY)),
    ("returned-in-time", change(HandOver, "hand_over_id", lost_at=lambda _row, uow: uow.now)),
    ("returned-in-time", late_beside_an_open_one),
    ("downloads-accounted", each(Return, put("attestation", {"downloads": {}, "noOtherCopies": True}))),
    ("downloads-accounted", lost_without_a_return),
    ("hashes-equal", each(Inspection, lambda _uow, row: setattr(row, "hashes", dict.fromkeys(row.hashes, False)))),
    ("hashes-equal", each(Inspection, put("hashes", {}))),
    ("access-ended", each(Grant, put("ended_at", None))),
    ("access-ended", change(Copy, "copy_id", key_destroyed_at=None)),
    ("retention-set", of_case(Master, put("dispose_after", None))),
]


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=[f"{name}-{n}" for n, (name, _) in enumerate(PLANTED)])
def test_what_is_wrong_is_found(case: tuple[ReviewDesk, dict[str, str]], name: str, plant: Plant) -> None:
    desk, ids = case
    desk.run(plant, ids)
    found = run(desk, ids, name)
    assert found.answer == "no", found
    assert found.seen


@pytest.mark.requirement("R63")
def test_a_custody_transfer_is_measured_by_the_agreement_of_who_received(
    case: tuple[ReviewDesk, dict[str, str]],
) -> None:
    """The loan names the new custodian's agreement, which may be younger than the first receipt."""
    desk, ids = case

    def transfer(uow: UnitOfWork) -> None:
        loan = uow.session.get_one(HandOver, ids["hand_over_id"])
        new = uow.session.scalars(select(Agreement).filter_by(person_id="manager")).one()
        new.signed_at = uow.now - HOUR
        loan.custodian_id, loan.agreement_id = "manager", new.id
        log.append(uow, loan, "received", person_id="manager")

    desk.run(transfer)
    assert run(desk, ids, "agreement-valid").answer == "yes"
