"""Deadlines towards people outside: the original letter, the answer to who was filmed, the end of the card numbers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from behalf_case import DRAFTER, LETTER, OFFICERS, drafted
from portal_client import Portal
from prepared_desk import prepared_desk
from provided_case import DECIDERS, ProvidingDesk, lent_to_security
from review_desk import ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.disclosures import Disclosure
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.notices import Notice
from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import on_behalf, outside_deadlines, outsiders
from services.domain.applications import service as application_service
from services.domain.applications.on_behalf import Letter
from services.domain.cases import document_layouts, overview, queries
from services.domain.custody import closing
from services.domain.disclosures import service as disclosures
from services.domain.matters import held as legal_holds
from services.domain.retrieval import preservations
from services.runtime.errors import Refused
from services.web import menu

ASKED = replace(LETTER, title="", number="", dated=None, seal_checked=False, first="phone")
URGENT = {"urgent_because": "嫌疑人即将离境，情况紧急"}
REQUEST = Letter()


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.fixture
def loan(any_database_url: str) -> Iterator[ProvidingDesk]:
    desk, ids = prepared_desk(any_database_url, lent_to_security)
    yield ProvidingDesk(desk, ids)
    desk.close()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    return caught.value.code


def submit(desk: ReviewDesk, application_id: str) -> Application:
    desk.run(application_service.submit, application_id, by=DRAFTER)
    return desk.the(Application, id=application_id)


def blocking(desk: ReviewDesk, application_id: str) -> set[str]:
    def act(uow: UnitOfWork) -> set[str]:
        application = uow.session.get_one(Application, application_id)
        return {finding.code for finding in outsiders.check(uow, application) if finding.severity == "blocks"}

    return desk.run(act, by=DRAFTER)


def asked_by_phone(loan: ProvidingDesk) -> None:
    """What was lent had been asked for by telephone, an hour ago."""

    def act(uow: UnitOfWork) -> None:
        application = uow.session.get_one(Application, loan.application_id)
        application.letter_first, application.letter_due_at = "phone", uow.now + timedelta(hours=23)

    loan.desk.run(act)


@pytest.mark.requirement("R3")
def test_an_authority_asks_by_telephone_and_the_letter_has_a_day(desk: ReviewDesk) -> None:
    application_id = drafted(desk, letter=ASKED)
    assert blocking(desk, application_id) == {"urgency-missing"}
    desk.run(lambda uow: setattr(uow.session.get_one(Application, application_id), "urgent_because", "嫌疑人即将离境"))
    assert blocking(desk, application_id) == set()
    row = submit(desk, application_id)
    assert row.letter_due_at == desk.clock.now() + timedelta(hours=24)
    form = desk.run(lambda uow: queries.get_case(uow, application_id), by="reviewer")
    assert [one.kind for one in form.outside_deadlines] == ["letter"]
    assert form.form["onBehalf"]["letter"]["first"] == "phone"

    # nothing before it is overdue; then the head of Security is told once, and sees it in the overview
    desk.run(outside_deadlines.remind)
    assert not desk.all(Notice, code="letter-overdue")
    desk.clock.turn(timedelta(hours=24, minutes=1))
    for _ in range(2):
        desk.run(outside_deadlines.remind)
    assert sorted(row.person_id for row in desk.all(Notice, code="letter-overdue")) == [DRAFTER, "security-head"]
    watching = frozenset(menu.WATCHES)
    [line] = desk.run(overview.get_overview, watching, by="security-head").outside
    assert (line.kind, line.application_id) == ("letter", application_id)

    assert desk.run(overview.get_overview, watching, by="head").outside == []  # who does not see the case

    desk.run(on_behalf.enter_original, application_id, LETTER, by=DRAFTER)
    entered = desk.the(Application, id=application_id).original_letter
    assert entered is not None
    assert (entered["number"], entered["late"], entered["enteredBy"]) == (LETTER.number, True, DRAFTER)
    assert all(row.done_at for row in desk.all(Notice, code="letter-overdue"))
    assert desk.run(overview.get_overview, watching, by="security-head").outside == []


@pytest.mark.requirement("R21", "R58", refuses=True)
def test_only_an_authority_asks_before_its_letter_and_who_enters_it(desk: ReviewDesk) -> None:
    for kind in ("filmed-person", "counterpart", None):
        assert code_of(lambda kind=kind: drafted(desk, kind=kind, letter=ASKED, people=())) == "missing"  # type: ignore[misc]
    assert code_of(lambda: drafted(desk, letter=replace(ASKED, first="pigeon"))) == "missing"
    waiting = drafted(desk, letter=ASKED, **URGENT)
    enter = on_behalf.enter_original
    assert code_of(lambda: desk.run(enter, waiting, LETTER, by=DRAFTER)) == "letter-not-awaited"
    submit(desk, waiting)
    for by in ("head", "keeper", "admin"):
        assert code_of(lambda by=by: desk.run(enter, waiting, LETTER, by=by)) == "not-found"  # type: ignore[misc]
    for wrong, field in (
        (replace(LETTER, title=" "), "title"),
        (replace(LETTER, number=""), "number"),
        (replace(LETTER, dated=None), "date"),
        (replace(LETTER, dated=desk.clock.now().date() + timedelta(days=2)), "date"),
        (replace(LETTER, seal_checked=False), "sealChecked"),
    ):
        with pytest.raises(Refused) as caught:
            desk.run(enter, waiting, wrong, by=DRAFTER)
        assert caught.value.field == field
    desk.run(enter, waiting, LETTER, by="reviewer")
    assert code_of(lambda: desk.run(enter, waiting, LETTER, by=DRAFTER)) == "letter-entered"
    whole = drafted(desk)
    submit(desk, whole)
    assert code_of(lambda: desk.run(enter, whole, LETTER, by=DRAFTER)) == "letter-not-awaited"


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_nothing_is_provided_before_the_original_letter(loan: ProvidingDesk) -> None:
    asked_by_phone(loan)
    assert code_of(loan.asked) == "not-now"
    # nor where it was allowed before somebody found that the letter is lacking
    loan.desk.run(on_behalf.enter_original, loan.application_id, LETTER, by=DRAFTER)
    matter_id = loan.asked()
    loan.agreed(matter_id, *DECIDERS)
    facts = loan.matter(matter_id).facts
    assert facts["before"]["originalLetter"]["number"] == LETTER.number
    assert loan.apply(matter_id)

    def lost(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, loan.application_id).original_letter = None

    loan.desk.run(lost)
    fetch = disclosures.list_download
    assert (
        code_of(lambda: loan.desk.run(fetch, matter_id, loan.ids["copy_id"], address="x", by="reviewer2"))
        == "letter-missing"
    )
    assert loan.desk.the(Disclosure).received_at is None


@pytest.mark.requirement("R3", "R58", verb="recorded")
def test_a_person_who_was_filmed_has_an_answer_in_fifteen_working_days(desk: ReviewDesk) -> None:
    application_id = drafted(desk, kind="filmed-person", letter=REQUEST, people=OFFICERS[:1])
    row = submit(desk, application_id)
    assert row.answer_due_at is not None
    # three weeks of five days, whatever the hour
    assert timedelta(days=20) < row.answer_due_at - desk.clock.now() < timedelta(days=22)
    desk.clock.turn(timedelta(days=23))
    desk.run(outside_deadlines.remind)
    assert {row.person_id for row in desk.all(Notice, code="answer-overdue")} == {DRAFTER, "security-head"}

    review = desk.opened(application_id, "credentials")
    assert code_of(lambda: desk.decide(review, "reviewer2", outcome="rejected", reason=" ")) == "missing"
    desk.decide(review, "reviewer2", outcome="rejected", reason="画面中有其他人，无法遮盖")
    desk.run(closing.release_case, application_id, "rejected")
    desk.run(closing.release_case, application_id, "rejected")
    notice = desk.the(Document, kind="refusal-notice")
    content = json.loads(notice.content)
    assert (notice.number[:2], content["reason"]) == ("GZ", "画面中有其他人，无法遮盖")
    page = document_layouts.render_page(notice.kind, notice.number, notice.sha256, content)
    for said in ("录像查阅复制请求答复告知书", "不予同意", "画面中有其他人", "李警官", "复核"):
        assert said in page
    answered = desk.the(Application, id=application_id)
    assert answered.answered_at == desk.clock.now()
    [event] = desk.all(AuditEvent, action="filmed-person-answered")
    assert json.loads(event.entry)["detail"]["late"] is True
    assert all(row.done_at for row in desk.all(Notice, code="answer-overdue"))
    assert "refusal-notice" in {row.kind for row in desk.run(queries.get_case, application_id, by="reviewer").documents}


def test_a_correction_moves_no_deadline_and_others_have_none(desk: ReviewDesk) -> None:
    filmed = drafted(desk, kind="filmed-person", letter=REQUEST, people=OFFICERS[:1])
    first = submit(desk, filmed).answer_due_at
    desk.clock.turn(timedelta(days=2))
    desk.run(lambda uow: outsiders.begin_deadlines(uow, uow.session.get_one(Application, filmed)))
    assert desk.the(Application, id=filmed).answer_due_at == first
    for own in (desk.submitted(), drafted(desk)):
        row = submit(desk, own) if desk.the(Application, id=own).submitted_at is None else desk.the(Application, id=own)
        assert (row.answer_due_at, row.letter_due_at) == (None, None)
        desk.run(closing.filmed_answers.close, row, "rejected")
    assert not desk.all(Document, kind="refusal-notice")


@pytest.mark.requirement("R3", "R58", verb="recorded")
def test_what_people_outside_ask_for_is_preserved_from_its_registration(desk: ReviewDesk) -> None:
    """Though its recorder would keep it for a month."""

    def at_ease(uow: UnitOfWork) -> None:
        uow.session.get_one(Camera, "camera").retention_days = 365

    desk.run(at_ease)
    own, theirs = desk.submitted(), drafted(desk)
    submit(desk, theirs)
    needs = {case: desk.run(preservations.list_needs, case)[1] for case in (own, theirs)}
    [item] = desk.all(Item, application_id=theirs)
    assert (needs[own], [need.item_id for need in needs[theirs]]) == ([], [item.id])


@pytest.mark.requirement("R5", refuses=True)
def test_card_numbers_are_deleted_after_their_time_and_not_while_the_case_is_held(desk: ReviewDesk) -> None:
    application_id = drafted(desk)
    submit(desk, application_id)
    number = str(desk.the(Application, id=application_id).number)

    def numbers() -> list[str | None]:
        return [card for _, card in desk.run(on_behalf.card_numbers, application_id, by="reviewer")]

    def purged() -> int:
        return desk.run(outsiders.purge, 50)

    desk.clock.turn(timedelta(days=90))
    assert purged() == 0  # the case runs
    review = desk.opened(application_id, "credentials")
    desk.decide(review, "reviewer2", outcome="rejected", reason="文书无效")
    desk.run(closing.release_case, application_id, "rejected")
    hold = desk.run(legal_holds.place, number, cause="manual", reason="复议", by="security-deputy")
    desk.clock.turn(timedelta(days=31))
    assert (purged(), numbers()) == (0, ["012345", "067890"])

    def lift(uow: UnitOfWork) -> None:
        row = uow.session.get_one(Hold, hold.id)
        row.lifted_at = uow.now

    desk.run(lift)
    assert (purged(), purged()) == (2, 0)
    rows = desk.all(Outsider, application_id=application_id)
    assert {(row.card_sealed, row.purged_at is not None) for row in rows} == {("", True)}
    assert {row.card_tail for row in rows} == {"2345", "7890"}
    assert numbers() == [None, None]
    events = desk.all(AuditEvent, action="card-number-deleted")
    assert [event.application_id for event in events] == [application_id] * 2


@pytest.mark.requirement("R5", refuses=True)
def test_numbers_of_drafts_and_of_cases_of_before_end_too(desk: ReviewDesk) -> None:
    draft = drafted(desk)
    closed = drafted(desk)
    submit(desk, closed)

    def of_before(uow: UnitOfWork) -> None:
        """It had ended before numbers had an end."""
        uow.session.get_one(Application, closed).closed_at = uow.now
        for row in outsiders.list_of(uow, closed):
            row.purge_after = None

    desk.run(of_before)
    desk.clock.turn(timedelta(days=29))
    assert desk.run(outsiders.purge, 50) == 0
    desk.clock.turn(timedelta(days=1, minutes=1))
    assert desk.run(outsiders.purge, 50) == 4
    assert "card-number-gone" in blocking(desk, draft)


@pytest.mark.requirement("R3")
async def test_the_letter_is_entered_on_the_page_of_the_case(tmp_path: Path) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'books.db'}")
    application_id = drafted(desk, letter=ASKED, **URGENT)
    submit(desk, application_id)
    async with Portal(desk) as portal:
        client = await portal.signed_in(DRAFTER)
        token = {"csrf_token": client.headers["X-CSRF-Token"]}
        case, page = f"/cases/{application_id}", f"/applications/{application_id}/on-behalf"
        assert page in (await client.get(case)).text
        assert f"/applications/{application_id}/original-letter" in (await client.get(page)).text
        letter = {"letterTitle": "调取证据通知书", "letterNumber": "12号", "letterDate": "2031-03-03"}
        act = f"/applications/{application_id}/original-letter"
        refused = await client.post(act, data={**letter, **token})
        assert (refused.status_code, "12号" in refused.text) == (422, True)
        entered = await client.post(act, data={**letter, "letterSealChecked": "true", **token})
        assert entered.status_code == 303, entered.text
        assert "12号" in (await client.get(case)).text
        told = (await client.get(f"/api/applications/{application_id}/on-behalf")).json()
        assert (told["letterDueAt"], told["mayEnterLetter"], told["original"]["number"]) == (None, False, "12号")
        body = {"title": "x", "number": "x", "date": "2031-03-03", "sealChecked": True}
        again = await client.put(f"/api/applications/{application_id}/original-letter", json=body)
        assert again.json()["code"] == "letter-entered"
    desk.close()
