"""Footage goes out on a medium of the register alone, which is free, and the register shows who has it since (R39)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from lent_case import lend
from loan_matter import LoanDesk
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security, with_medium
from review_desk import PASSWORD, ReviewDesk

from services.database.listing import Listing
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Download
from services.database.tables.devices import Medium, MediumEvent
from services.database.tables.disclosures import DisclosureDownload
from services.database.tables.matters import Matter
from services.database.tables.sites import Site
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import numbered_media, returns, viewings
from services.domain.disclosures import queries, service
from services.domain.matters import queries as matter_queries
from services.domain.storage import media
from services.domain.storage.schemas import HandOutBody, MediumEndBody, ScanBody
from services.domain.work_orders import downloads
from services.domain.work_orders.downloads import Account
from services.domain.work_orders.service import Answered, Done
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Refused

NUMBERS = ("JZ-001", "JZ-002", "JZ-003", "JZ-004")


def lent_with_media(desk: ReviewDesk) -> dict[str, str]:
    with_medium(desk, *NUMBERS)
    return lend(desk)


def provided_with_media(desk: ReviewDesk) -> dict[str, str]:
    with_medium(desk, *NUMBERS)
    return lent_to_security(desk)


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, lent_with_media)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def providing(any_database_url: str) -> Iterator[ProvidingDesk]:
    desk, ids = prepared_desk(any_database_url, provided_with_media)
    yield ProvidingDesk(desk, ids)
    desk.close()


def download(loan: LoanDesk, number: str = "", words: str = "", by: str = "keeper") -> Download:
    named = {"recipient": "", "opens_with": "browser", "address": "x", "medium": words, "medium_number": number}
    return loan.desk.run(viewings.list_download, loan.ids["copy_id"], **named, by=by)


def code(act: Callable[..., object], *arguments: Any, **named: Any) -> str:
    """The code of the refusal, which has a sentence in both languages."""
    with pytest.raises(Refused) as caught:
        act(*arguments, **named)
    assert caught.value.zh != caught.value.en
    return caught.value.code


def place(loan: LoanDesk, number: str) -> tuple[str, str | None]:
    """What the register shows of a medium: its state, and who has it."""
    lines = loan.desk.run(media.read, Listing(), by="operator").lines
    return next((line.state, line.holder) for line in lines if line.number == number)


def out_of_the_register(loan: LoanDesk) -> None:
    """One is with somebody else, one is destroyed, and one belongs to a site that is closed."""
    desk = loan.desk
    ids = {row.number: row.id for row in desk.all(Medium)}
    desk.run(media.hand_out, ids["JZ-002"], HandOutBody(person_id="head"), by="operator")
    desk.run(media.end, ids["JZ-003"], MediumEndBody(state="destroyed", note="粉碎"), by="operator")

    def close(uow: UnitOfWork) -> None:
        site = Site(name="旧介质室", address="厂区西路9号", uses=[], area="", closed_at=uow.now)
        site.entered_by, site.entered_at = "operator", uow.now
        uow.session.add(site)
        uow.session.flush()
        uow.session.get_one(Medium, ids["JZ-004"]).site_id = site.id

    desk.run(close)


@pytest.mark.both_databases
@pytest.mark.requirement("R39", refuses=True)
def test_a_download_goes_onto_a_medium_of_the_register_that_is_free_and_onto_no_other(loan: LoanDesk) -> None:
    out_of_the_register(loan)
    for number, because in (
        ("JZ-009", "medium-unknown"),
        ("JZ-002", "medium-elsewhere"),
        ("JZ-003", "medium-out-of-use"),
        ("JZ-004", "medium-site-closed"),
    ):
        assert code(download, loan, number) == because
        if because != "medium-unknown":  # nor by its number as words
            assert code(download, loan, words=number) == because
    assert code(download, loan) == "medium-missing"
    assert code(download, loan, "JZ-001", "办公电脑") == "medium-twice"
    assert loan.desk.run(numbered_media.list_offered, by="keeper") == [("JZ-001", "JZ-001 · 介质室JZ-001")]
    with pytest.raises(Refused, match="JZ-002 is with head"):
        download(loan, "JZ-002")
    assert [row.id for row in loan.desk.all(Download)] == [loan.ids["download_id"]]  # of the case, in words

    assert download(loan, "JZ-001").medium == "JZ-001"
    assert place(loan, "JZ-001") == ("out", "keeper")
    assert download(loan, "JZ-001").medium == "JZ-001"  # another file of the loan
    assert download(loan, words="办公电脑").medium == "办公电脑"
    events = loan.desk.all(MediumEvent, event="handed-out", holder_id="keeper")
    assert [(event.by, event.note) for event in events] == [("keeper", "SQ-2031-000001")]
    [told] = [json.loads(row.entry) for row in loan.desk.all(AuditEvent, action="medium-handed-out", actor_id="keeper")]
    assert told["detail"] == {"number": "JZ-001", "holder": "keeper"}
    assert loan.desk.run(numbered_media.list_offered, by="head") == [("JZ-002", "JZ-002 · 介质室JZ-001")]
    loan.desk.run(media.scan, ScanBody(number="JZ-001"), by="operator2")
    assert place(loan, "JZ-001") == ("in", None)


@pytest.mark.requirement("R39", refuses=True)
def test_a_medium_that_has_footage_of_something_else_is_given_back_first(loan: LoanDesk) -> None:
    download(loan, "JZ-001")

    def of_another_loan(uow: UnitOfWork) -> None:
        row = uow.session.query(Download).filter_by(medium="JZ-001").one()
        row.hand_over_id = "another"

    loan.desk.run(of_another_loan)
    assert code(download, loan, "JZ-001") == "medium-used"
    loan.desk.clock.turn(timedelta(hours=1))
    loan.desk.run(media.scan, ScanBody(number="JZ-001"), by="operator")
    assert download(loan, "JZ-001").medium == "JZ-001"


@pytest.mark.both_databases
@pytest.mark.requirement("R39", "R47")
def test_with_the_custody_the_media_go_to_the_next_custodian(loan: LoanDesk) -> None:
    download(loan, "JZ-001")
    matter_id = loan.ask("custody-transfer", toPersonId="drafter", conditions="")
    loan.agreed(matter_id, ("custody-receipt", "drafter"))
    assert loan.apply(matter_id)
    assert place(loan, "JZ-001") == ("out", "drafter")
    assert place(loan, "JZ-002") == ("in", None)
    assert loan.desk.the(MediumEvent, holder_id="drafter").note == loan.matter(matter_id).number


def fetch(loan: ProvidingDesk, matter_id: str, by: str = "reviewer2") -> None:
    row = loan.desk.run(service.list_download, matter_id, loan.ids["copy_id"], address="x", by=by)
    loan.desk.run(service.start_download, row.id, by=by)
    loan.desk.run(service.continue_download, row.id, last=True, by=by)


@pytest.mark.both_databases
@pytest.mark.requirement("R39", "R58", refuses=True)
def test_what_is_given_in_clear_goes_onto_a_medium_that_is_free_when_it_is_asked_for_and_when_it_is_fetched(
    providing: ProvidingDesk,
) -> None:
    out_of_the_register(providing)
    wish = {"opensWith": "medium", "endsLoan": False}
    for number, because in (
        ("U盘 7 号，封条 0033", "medium-unknown"),
        ("JZ-002", "medium-elsewhere"),
        ("JZ-003", "medium-out-of-use"),
        ("JZ-004", "medium-site-closed"),
    ):
        assert code(providing.asked, **wish, medium=number, seal="0033") == because
    assert code(providing.asked, **wish, medium="JZ-001") == "missing"
    matter_id = providing.allowed(**wish, medium="JZ-001", seal="0033")
    content = [(line.name_en, line.zh) for line in providing.desk.run(_lines, matter_id)]
    assert ("Medium and seal", "JZ-001 · 0033") in content

    # meanwhile the storage office has handed it to somebody else
    [medium] = providing.desk.all(Medium, number="JZ-001")
    providing.desk.run(media.hand_out, medium.id, HandOutBody(person_id="head"), by="operator")
    assert code(fetch, providing, matter_id) == "medium-elsewhere"
    assert not providing.desk.all(DisclosureDownload)
    providing.desk.run(media.scan, ScanBody(number="JZ-001"), by="operator")
    fetch(providing, matter_id)
    assert place(providing, "JZ-001") == ("out", "reviewer2")
    assert code(fetch, providing, matter_id, by="reviewer") == "medium-elsewhere"
    fetch(providing, matter_id)  # once more by who has it

    people = {"outsider_ids": providing.officers, "attachment_id": None, "note": ""}
    providing.desk.run(service.record_receipt, matter_id, by="reviewer2", **people)
    assert place(providing, "JZ-001") == ("provided", None)
    view = providing.desk.run(queries.get, matter_id, by="reviewer2")
    assert (view.medium, view.seal, {one.medium for one in view.fetched}) == ("JZ-001", "0033", {"JZ-001"})
    [ended] = providing.desk.all(MediumEvent, event="provided")
    assert (ended.holder_id, ended.note) == ("reviewer2", providing.matter(matter_id).number)


def _lines(uow: UnitOfWork, matter_id: str) -> Any:
    return matter_queries.lines_of(uow, uow.session.get_one(Matter, matter_id))


@pytest.mark.requirement("R58")
def test_what_an_earlier_release_has_asked_for_in_words_is_handed_out_as_it_was_signed(
    providing: ProvidingDesk,
) -> None:
    matter_id = providing.asked(opensWith="medium", medium="JZ-001", seal="0033", endsLoan=False)

    def as_before(uow: UnitOfWork) -> None:
        matter = uow.session.get_one(Matter, matter_id)
        asked = {name: value for name, value in matter.facts["asked"].items() if name != "seal"}
        matter.facts = {**matter.facts, "asked": {**asked, "medium": "U盘 7 号，封条 0033"}}
        matter.facts_sha256 = hash_of(matter.facts)

    providing.desk.run(as_before)
    providing.agreed(matter_id, ("security", "reviewer"), ("legal", "counsel"), ("security-signature", "security-head"))
    assert providing.apply(matter_id)
    fetch(providing, matter_id)
    people = {"outsider_ids": providing.officers, "attachment_id": None, "note": ""}
    providing.desk.run(service.record_receipt, matter_id, by="reviewer2", **people)
    view = providing.desk.run(queries.get, matter_id, by="reviewer2")
    assert (view.medium, view.seal) == ("U盘 7 号，封条 0033", "")
    assert {row.state for row in providing.desk.all(Medium)} == {"in"}


@pytest.mark.requirement("R38", "R39", refuses=True)
def test_of_a_file_on_a_numbered_medium_no_other_one_is_given_back(loan: LoanDesk) -> None:
    taken = download(loan, "JZ-001")
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    loan.agreed(matter_id, ("recall", "security-head"))
    loan.apply(matter_id)
    loan.close(matter_id, "applied")
    ids = loan.ids
    loan.desk.run(returns.record_inspection, ids["application_id"], ids["hand_over_id"], {ids["copy_id"]: True})
    order = loan.desk.the(WorkOrder, kind="download-account", closed_at=None)
    of_the_words = Account(ids["download_id"], "given-back", medium="移动硬盘 1")  # of an earlier release

    def say(number: str) -> None:
        said = [of_the_words, Account(taken.id, "given-back", medium=number)]
        done = Done({"each-accounted": Answered("yes"), "no-other-copies": Answered("yes")})
        loan.desk.run(downloads.account, order.id, said, done, Proof(order.facts_sha256, PASSWORD), by="keeper")

    for number in ("JZ-002", "U盘"):
        assert code(say, number) == "account-other-medium"
    say("JZ-001")
    assert place(loan, "JZ-001") == ("out", "keeper")  # until the storage office scans it
