"""Who saw a moment: every way in which footage reaches a person is found, and nothing else."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from loan_matter import lent
from on_site_case import COMPANION, VIEWER, OnSiteDesk, lent_on_site
from prepared_desk import prepared_desk
from statements import statements

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Viewing
from services.database.tables.custody import HandOver
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.emergency_views import EmergencyCopy, EmergencyViewing
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import log, viewings
from services.domain.supervision import footage_viewers
from services.domain.supervision.audit_schemas import FootageLook
from services.domain.supervision.footage_viewers import Question
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span

SECOND = timedelta(seconds=1)
ALWAYS = ("received", "download", "fetched", "provided", "view-allowed")  # all of a copy at once
PURPOSE = "核查泄露线索"


@pytest.fixture
def loan(any_database_url: str) -> Iterator[OnSiteDesk]:
    desk, ids = prepared_desk(any_database_url, lent_on_site)
    yield OnSiteDesk(desk, ids)
    desk.close()


def _fill(uow: UnitOfWork, ids: dict[str, str]) -> None:
    """Every kind of look, on paper; the ranges are of bytes, the fragments those of ``on_site_case``."""
    copy, loan = uow.session.get_one(Copy, ids["copy_id"]), uow.session.get_one(HandOver, ids["hand_over_id"])
    by: dict[str, Any] = {"address": "192.0.2.1"}
    matter = Matter(
        number="TG-2031-000001", kind="disclosure", application_id=copy.application_id, opened_by="reviewer"
    )
    matter.opened_at, matter.facts, matter.facts_sha256 = uow.now, {}, "0" * 64
    uow.session.add(matter)
    uow.session.flush()
    early = EmergencyCopy(
        matter_id=matter.id,
        application_id=copy.application_id,
        item_id=copy.item_id,
        attempt_id=copy.attempt_id,
        made_at=uow.now,
        sealed=copy.sealed,
    )
    given = Disclosure(
        matter_id=matter.id,
        application_id=copy.application_id,
        hand_over_id=loan.id,
        outsider_ids=["one", "two"],
        copy_ids=[copy.id],
        ends_loan=False,
        allowed_at=uow.now,
        received_at=uow.now,
    )
    uow.session.add_all([early, given])
    uow.session.flush()
    read = {"reads": 1, "bytes_read": 1, "opened_at": uow.now, **by}
    asked = {"copy_id": copy.id, "opens_with": "browser", "medium": "d", "asked_at": uow.now, **by}
    of_loan = {**asked, "hand_over_id": loan.id, "recipient": ""}
    uow.session.add_all(
        [
            Viewing(copy_id=copy.id, person_id="reviewer", ranges=[[1000, 1500]], **read),  # seconds 2 to 4
            Viewing(copy_id=copy.id, person_id="head", ranges=[], **{**read, "reads": 0}),  # opened alone
            EmergencyViewing(copy_id=early.id, person_id="operator", ranges=[[0, 999]], **read),  # seconds 0 to 2
            Download(person_id="keeper", reads=1, **of_loan),
            Download(person_id="head", reads=0, **of_loan),  # never sent
            DisclosureDownload(disclosure_id=given.id, person_id="reviewer2", reads=1, **asked),
        ]
    )
    log.append(uow, loan, "view-allowed", person_id=COMPANION, to={"id": VIEWER, "name": VIEWER})
    moment = datetime.fromisoformat(copy.sealed["coverage"]["firstFrame"]) + 10 * SECOND
    audit_trail.record(
        *(uow, "picture-read", "item", copy.item_id),
        application_id=copy.application_id,
        review="none",
        moment=moment.isoformat(),
    )


def _ask(loan: OnSiteDesk, start: float, end: float, by: str = "supervisor", **named: Any) -> list[FootageLook]:
    copy = loan.desk.the(Copy, id=loan.ids["copy_id"])
    first = datetime.fromisoformat(copy.sealed["coverage"]["firstFrame"])
    span = Span(first + start * SECOND, first + end * SECOND)
    asked = Question(named.pop("camera", "camera"), span, named.pop("purpose", PURPOSE))
    return loan.desk.run(footage_viewers.read_page, asked, limit=named.pop("limit", 50), by=by, **named).lines


@pytest.mark.both_databases
@pytest.mark.requirement("R62")
@pytest.mark.requirement("R41", "R52", "R57", verb="recorded")
def test_each_way_in_which_footage_reaches_a_person_is_found_in_its_moments_and_in_no_other(loan: OnSiteDesk) -> None:
    loan.begin()
    viewing = loan.view()
    loan.desk.run(_fill, loan.ids)
    loan.read(viewing, 2000, 500)  # seconds 4 to 60: the fragment goes on to the next one

    def found(start: float, end: float) -> dict[str, str | None]:
        return {look.how: look.person_id for look in _ask(loan, start, end) if look.how not in ALWAYS}

    assert found(-3, -0.001) == {}
    assert found(-3, 0.001) == {"emergency-viewing": "operator"}
    assert found(1.9, 2) == {"emergency-viewing": "operator"}
    assert found(2, 4) == {"viewing": "reviewer"}
    assert found(3.9, 4.1) == {"viewing": "reviewer", "on-site": COMPANION}
    assert found(9.9, 10.1) == {"on-site": COMPANION, "picture": "test"}
    assert "picture" not in found(10.5, 11)
    assert found(60, 61) == {}
    everybody = {look.how: look for look in _ask(loan, 0, 1)}
    assert set(everybody) == {*ALWAYS, "emergency-viewing"}
    assert everybody["received"].person_id == COMPANION
    assert everybody["view-allowed"].person_id == VIEWER
    assert everybody["download"].person_id == "keeper"
    assert everybody["fetched"].person_id == "reviewer2"
    assert (everybody["provided"].person, everybody["provided"].outsiders) == (None, 2)
    [shown] = [look for look in _ask(loan, 20, 21) if look.how == "on-site"]
    assert (shown.present, shown.outsiders) == ([VIEWER], 2)
    assert _ask(loan, -3600, -3500) == []


@pytest.mark.both_databases
@pytest.mark.requirement("R57", "R58", verb="recorded")
def test_of_what_people_outside_got_it_is_said_whether_it_was_the_redacted_copy(loan: OnSiteDesk) -> None:
    """Of one copy, two disclosures of the same moment: one gave the footage itself, the other its redacted copy."""

    def provide(uow: UnitOfWork, number: str, by: str, file: dict[str, Any], **asked: Any) -> None:
        copy = uow.session.get_one(Copy, loan.ids["copy_id"])
        matter = Matter(number=number, kind="disclosure", application_id=copy.application_id, opened_by="reviewer")
        matter.facts = {"asked": asked, "before": {"files": [{"copy": copy.id, "sha256": "a" * 64, **file}]}}
        matter.opened_at, matter.facts_sha256 = uow.now, "0" * 64
        uow.session.add(matter)
        uow.session.flush()
        of_loan = {"application_id": copy.application_id, "hand_over_id": loan.ids["hand_over_id"], "ends_loan": False}
        given = Disclosure(matter_id=matter.id, outsider_ids=[by], copy_ids=[copy.id], **of_loan)
        given.allowed_at, given.received_at = uow.now, uow.now
        uow.session.add(given)
        uow.session.flush()
        of_file = {"copy_id": copy.id, "opens_with": "browser", "medium": "", "address": by, "reads": 1}
        uow.session.add(DisclosureDownload(disclosure_id=given.id, person_id=by, asked_at=uow.now, **of_file))

    loan.desk.run(provide, "TG-2031-000001", "reviewer", {})
    loan.desk.clock.turn(SECOND)
    loan.desk.run(provide, "TG-2031-000002", "reviewer2", {"derived": {"derivative": "one"}}, redacted=True)
    found = [(look.how, look.person_id, look.redacted) for look in _ask(loan, 0, 1) if look.how != "received"]
    assert sorted(found, key=str) == sorted(
        [
            ("fetched", "reviewer", False),
            ("provided", None, False),
            ("fetched", "reviewer2", True),
            ("provided", None, True),
        ],
        key=str,
    )
    newest = [look.redacted for look in _ask(loan, 0, 1) if look.how in ("fetched", "provided")]
    assert newest == [True, True, False, False]


@pytest.mark.both_databases
@pytest.mark.requirement("R41", "R62")
def test_each_look_names_the_purpose_that_held_at_its_moment(any_database_url: str) -> None:
    """The same person reads the same bytes before and after the purpose was changed."""
    desk, ids = prepared_desk(any_database_url, lent)
    loan = OnSiteDesk(desk, ids)

    def view() -> None:
        opened = desk.run(viewings.open_viewing, ids["copy_id"], purpose_confirmed=True, address="x", by="keeper")
        desk.run(viewings.record_read, ids["copy_id"], opened.viewing_id, 0, 10, by="keeper")

    first = desk.the(Application, id=ids["application_id"]).purpose
    view()
    desk.clock.turn(SECOND)
    matter_id = loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="view")
    loan.check(matter_id)
    loan.decide(matter_id, "preliminary", "board-head")
    loan.decide(matter_id, "security", "reviewer")
    desk.clock.turn(SECOND)
    view()  # it is asked for, and not decided
    loan.decide(matter_id, "security-signature", "security-head")
    desk.clock.turn(SECOND)
    assert loan.apply(matter_id)
    desk.clock.turn(SECOND)
    view()
    looks = [look for look in _ask(loan, 0, 1) if look.how == "viewing"]
    assert [look.purpose for look in looks] == ["用于培训", first, first]
    assert {look.purpose for look in _ask(loan, 0, 1) if look.how == "received"} == {first}

    def correct(uow: UnitOfWork) -> None:
        """The form as it stands in the register afterwards says nothing of the looks before it."""
        uow.session.get_one(Application, ids["application_id"]).purpose = "另一用途"

    desk.run(correct)
    looks = [look for look in _ask(loan, 0, 1) if look.how == "viewing"]
    assert [look.purpose for look in looks] == ["用于培训", first, first]
    desk.close()


@pytest.mark.requirement("R62")
def test_what_lacks_in_a_copy_was_seen_by_nobody(loan: OnSiteDesk) -> None:
    loan.desk.run(_fill, loan.ids)

    def with_gap(uow: UnitOfWork) -> None:
        copy = uow.session.get_one(Copy, loan.ids["copy_id"])
        first = datetime.fromisoformat(copy.sealed["coverage"]["firstFrame"])
        gap = [(first + 100 * SECOND).isoformat(), (first + 200 * SECOND).isoformat()]
        copy.sealed = {**copy.sealed, "coverage": {**copy.sealed["coverage"], "gaps": [gap]}}

    loan.desk.run(with_gap)
    assert {look.how for look in _ask(loan, 100, 200)} == set()
    assert {look.how for look in _ask(loan, 99, 101)} == set(ALWAYS)
    assert {look.how for look in _ask(loan, 199, 201)} == set(ALWAYS)


@pytest.mark.requirement("R61", "R62", refuses=True)
def test_who_does_not_supervise_asks_in_vain(loan: OnSiteDesk) -> None:
    for by in ("drafter", "keeper", "head", "reviewer", "operator", "manager", "admin"):
        with pytest.raises(Refused, match="Only supervisors"):
            _ask(loan, 0, 1, by=by)
    assert loan.desk.all(AuditEvent, action="viewers-read") == []


@pytest.mark.requirement("R62", refuses=True)
def test_each_search_has_a_purpose_and_each_page_of_it_is_one_event(loan: OnSiteDesk) -> None:
    loan.desk.run(_fill, loan.ids)
    for purpose in ("", "  x ", "y" * 501):
        with pytest.raises(Refused, match="Say in a few words"):
            _ask(loan, 0, 1, purpose=purpose)
    with pytest.raises(NotFound):
        _ask(loan, 0, 1, camera="none")
    assert loan.desk.all(AuditEvent, action="viewers-read") == []

    copy = loan.desk.the(Copy, id=loan.ids["copy_id"])
    first = datetime.fromisoformat(copy.sealed["coverage"]["firstFrame"])
    asked, place, seen = Question("camera", Span(first, first + SECOND), PURPOSE), "", []
    while True:
        page = loan.desk.run(footage_viewers.read_page, asked, limit=2, place=place, by="security-head")
        seen += [look.how for look in page.lines]
        place = page.next
        if not place:
            break
    assert sorted(seen) == sorted([*ALWAYS, "emergency-viewing"])
    events = loan.desk.all(AuditEvent, action="viewers-read")
    assert len(events) == 3
    assert all(PURPOSE in event.entry and event.actor_id == "security-head" for event in events)
    with pytest.raises(Refused, match="at most one day"):
        footage_viewers.span_of(first, first + timedelta(days=2))


@pytest.mark.requirement("R62", refuses=True)
def test_a_case_that_concerns_the_reader_stays_hidden(loan: OnSiteDesk) -> None:
    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, loan.application_id).subject_ids = ["supervisor"]

    loan.desk.run(_fill, loan.ids)
    assert _ask(loan, 0, 1)
    loan.desk.run(concern)
    assert _ask(loan, 0, 1) == []
    assert _ask(loan, 0, 1, by="security-head")


@pytest.mark.requirement("R62")
def test_a_search_takes_few_statements_however_many_looks_there_are(loan: OnSiteDesk) -> None:
    loan.desk.run(_fill, loan.ids)

    def crowd(uow: UnitOfWork) -> None:
        read = {"reads": 1, "bytes_read": 1, "address": "x", "person_id": "reviewer", "ranges": [[0, 10]]}
        uow.session.add_all(
            Viewing(copy_id=loan.ids["copy_id"], opened_at=uow.now - number * SECOND, **read) for number in range(2000)
        )

    counts = []
    for act in (lambda _uow: None, crowd):
        loan.desk.run(act)
        with statements(loan.desk.database.engine) as sent:
            lines = _ask(loan, 0, 1)
        counts.append(len(sent))
        assert lines
    assert max(counts) <= 25
    assert len(lines) == 50
