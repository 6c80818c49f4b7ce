"""Named recipients: they view under their own names what the custodian lets them, and nobody else does."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lent_case import Away, Parts
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk
from sqlalchemy import select

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Download, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person, Post
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import people_import, staff
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.custody import grants, hand_overs, queries, recipient_access, returns, suspensions, viewings
from services.runtime.errors import NotFound, Refused

VIEWER, OTHER = "office-head", "operator2"


def with_recipients(desk: ReviewDesk) -> dict[str, str]:
    """A loan whose form names two viewers, an administrator and a person concerned; nobody may view yet."""
    return lent(desk, Parts(recipient_ids=(VIEWER, OTHER, "admin", "deputy")))


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, with_recipients)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[tuple[Portal, LoanDesk]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", with_recipients)
    async with Portal(desk, store=Away(), loan_keys=Away()) as portal:
        yield portal, LoanDesk(desk, ids)
    desk.close()


def allow(loan: LoanDesk, person_id: str = VIEWER, by: str = "keeper") -> None:
    loan.desk.run(recipient_access.allow, loan.ids["hand_over_id"], person_id, by=by)


def view(loan: LoanDesk, by: str = VIEWER) -> str:
    """Open a viewing and read of it; the viewing's id."""
    sitting = loan.desk.run(
        viewings.open_viewing, loan.ids["copy_id"], purpose_confirmed=True, address="10.0.0.7", by=by
    )
    loan.desk.run(viewings.record_read, loan.ids["copy_id"], sitting.viewing_id, 0, 100, by=by)
    return sitting.viewing_id


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    return caught.value.code


def rights(loan: LoanDesk) -> list[tuple[str, str]]:
    """Whose right to what is open, besides the custodian's."""
    held = loan.desk.all(Grant, ended_at=None)
    return sorted((grant.person_id, grant.action) for grant in held if grant.person_id != loan.loan.custodian_id)


@pytest.mark.requirement("R2", "R57", refuses=True)
async def test_the_account_of_who_may_view_or_is_heard_is_not_taken_over_by_one_administrator(loan: LoanDesk) -> None:
    """To watch takes no signature: a new initial password would make an administrator a viewer."""
    desk = loan.desk

    async def reset(person_id: str) -> str:
        try:
            await staff.reset_password(desk.database, Actor("person", "admin"), person_id)
        except Refused as refused:
            return refused.code
        return "reset"

    def without_posts(uow: UnitOfWork) -> None:
        uow.session.query(Post).filter(Post.person_id.in_((VIEWER, OTHER)), Post.kind != "member").delete()

    desk.run(without_posts)
    assert await reset(VIEWER) == "second-person-needed", "the form of an open case names them"
    allow(loan)
    desk.run(lambda uow: uow.session.query(Application).update({"recipient_ids": []}))
    assert await reset(VIEWER) == "second-person-awaited", "they may view"
    assert await reset(OTHER) == "reset"
    line = f"login,name,department,email,language\n{VIEWER},{VIEWER},office,mine@example.org,zh\n"
    planned = desk.run(people_import.preview, line.encode(), by="admin")
    assert [one.line for one in planned.wrong] == [2]

    matter_id = loan.ask("custody-transfer", "security-head", toPersonId=OTHER)
    assert await reset(OTHER) == "second-person-needed", "they are to take the copies over"
    desk.run(lambda uow: uow.session.query(Matter).filter_by(id=matter_id).update({"closed_at": uow.now}))
    assert await reset(OTHER) == "reset"


def on_loan(loan: LoanDesk, act: Callable[..., Any], *args: Any) -> Any:
    return loan.desk.run(lambda uow: act(uow, uow.session.get_one(HandOver, loan.ids["hand_over_id"]), *args))


@pytest.mark.requirement("R47", "R55", "R57")
def test_each_look_of_a_named_recipient_is_booked_under_the_own_name(loan: LoanDesk) -> None:
    allow(loan)
    allow(loan)
    assert rights(loan) == [(VIEWER, "view")]
    viewing_id = view(loan)

    entries = sorted(loan.desk.all(CustodyEntry), key=lambda entry: entry.seq)
    allowed, viewed = entries[-2:]
    assert (allowed.event, allowed.person_id, allowed.detail["to"]) == (
        "view-allowed",
        "keeper",
        {"id": VIEWER, "name": VIEWER},
    )
    assert (viewed.event, viewed.person_id, viewed.detail["viewing"]) == ("viewed", VIEWER, viewing_id)
    [read] = [row for row in loan.desk.all(AuditEvent, action="footage-read") if row.actor_id == VIEWER]
    assert json.loads(read.entry)["detail"]["viewing"] == viewing_id
    assert [notice.code for notice in loan.desk.all(Notice, person_id=VIEWER)] == ["view-allowed"]
    # the custodian's own right is as it was, and a viewing is its opener's alone
    assert on_loan(loan, grants.actions_of) == ("view", "download")
    with pytest.raises(NotFound):
        loan.desk.run(viewings.record_read, loan.ids["copy_id"], viewing_id, 0, 100, by="keeper")


@pytest.mark.requirement("R55", "R57", refuses=True)
@pytest.mark.parametrize(
    ("person_id", "code"),
    [
        ("reviewer", "recipient-not-named"),
        ("nobody", "recipient-not-named"),
        ("keeper", "recipient-not-named"),
        ("admin", "recipient-unfit"),
        ("deputy", "recipient-unfit"),
    ],
)
def test_the_custodian_shows_nothing_to_others(loan: LoanDesk, person_id: str, code: str) -> None:
    entries = len(loan.desk.all(CustodyEntry))
    assert code_of(lambda: allow(loan, person_id)) == code
    assert (rights(loan), len(loan.desk.all(CustodyEntry))) == ([], entries)
    with pytest.raises((NotFound, Refused)):
        view(loan, "reviewer")


@pytest.mark.requirement("R57", refuses=True)
def test_nobody_but_the_custodian_lets_others_view(loan: LoanDesk) -> None:
    allow(loan)
    for person in ("head", "security-head", "supervisor", VIEWER):
        with pytest.raises(NotFound):
            allow(loan, OTHER, by=person)
        with pytest.raises(NotFound):
            loan.desk.run(recipient_access.withdraw, loan.ids["hand_over_id"], VIEWER, by=person)
    assert rights(loan) == [(VIEWER, "view")]


@pytest.mark.requirement("R41", "R57", refuses=True)
def test_to_be_named_is_not_to_be_shown_and_a_viewer_downloads_nothing(loan: LoanDesk) -> None:
    with pytest.raises(NotFound):
        view(loan)
    allow(loan)
    downloads = len(loan.desk.all(Download))

    def download() -> None:
        loan.desk.run(
            viewings.list_download,
            loan.ids["copy_id"],
            recipient="",
            medium="disk",
            address="x",
            opens_with="browser",
            by=VIEWER,
        )

    assert code_of(download) == "not-granted"
    with pytest.raises(NotFound):
        loan.desk.run(viewings.start_download, loan.ids["download_id"], by=VIEWER)
    assert len(loan.desk.all(Download)) == downloads
    with pytest.raises(NotFound):  # nor does the viewer see the loan, its log or its copies otherwise
        loan.desk.run(queries.get_mine, loan.ids["hand_over_id"], by=VIEWER)
    with pytest.raises(NotFound):
        loan.desk.run(queries.get_log, loan.ids["hand_over_id"], by=VIEWER)


def _narrow(uow: UnitOfWork, application_id: str, recipient_ids: list[str], *, submitted: bool) -> None:
    application = uow.session.get_one(Application, application_id)
    application.recipient_ids = recipient_ids
    if submitted:
        application.round += 1
        forms.freeze(uow, application, "drafter")


@pytest.mark.requirement("R57", refuses=True)
def test_the_newest_signed_form_says_who_is_named(loan: LoanDesk) -> None:
    loan.desk.run(_narrow, loan.application_id, [OTHER], submitted=True)
    assert code_of(lambda: allow(loan)) == "recipient-not-named"
    allow(loan, OTHER)
    # what nobody has signed names nobody
    loan.desk.run(_narrow, loan.application_id, [OTHER, "manager"], submitted=False)
    assert code_of(lambda: allow(loan, "manager")) == "recipient-not-named"


@pytest.mark.requirement("R57", refuses=True)
def test_a_right_that_the_form_does_not_name_opens_nothing(loan: LoanDesk) -> None:
    """Whatever has put the row there."""
    allow(loan)
    loan.desk.run(_narrow, loan.application_id, [OTHER], submitted=True)
    with pytest.raises(NotFound):
        view(loan)


@pytest.mark.requirement("R51", "R55", "R57", refuses=True)
def test_after_the_use_period_nobody_is_shown_anything(loan: LoanDesk) -> None:
    allow(loan)
    loan.desk.clock.turn(timedelta(days=15, hours=1))
    assert code_of(lambda: view(loan)) == "use-period-over"
    assert code_of(lambda: allow(loan, OTHER)) == "use-period-over"
    assert loan.desk.run(queries.list_shown, by=VIEWER) == []


@pytest.mark.requirement("R44", "R55", "R57", refuses=True)
@pytest.mark.parametrize("cause", suspensions.CAUSES)
def test_what_closes_the_copies_ends_the_viewing_until_the_custodian_allows_it_again(
    loan: LoanDesk, cause: str
) -> None:
    allow(loan)
    on_loan(loan, suspensions.open_once, cause)
    assert rights(loan) == []
    assert code_of(lambda: allow(loan)) == "copy-closed"
    assert code_of(lambda: view(loan)) == "grant-ended"

    on_loan(loan, lambda uow, hand_over: suspensions.lift(uow, suspensions.list_open(uow, hand_over)[0]))
    loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    assert code_of(lambda: view(loan)) == "grant-ended"
    allow(loan)
    view(loan)


def test_a_suspended_person_is_shown_nothing_and_shows_nothing(loan: LoanDesk) -> None:
    allow(loan)
    loan.desk.run(suspensions.open_for_person, VIEWER, suspensions.VIOLATION)
    assert code_of(lambda: view(loan)) == "copy-closed"
    assert code_of(lambda: allow(loan)) == "recipient-suspended"
    # a row of before that nothing has ended: the open suspension alone keeps it closed
    loan.desk.run(suspensions.open_for_person, "keeper", suspensions.AGREEMENT)
    assert rights(loan) == []
    assert code_of(lambda: allow(loan, OTHER)) == "copy-closed"


@pytest.mark.requirement("R44", "R57", refuses=True)
def test_an_open_suspension_closes_a_right_that_was_not_ended(loan: LoanDesk) -> None:
    allow(loan)

    def behind(uow: UnitOfWork) -> None:
        uow.session.add(Suspension(hand_over_id=loan.ids["hand_over_id"], cause=suspensions.PROBLEM, since=uow.now))

    loan.desk.run(behind)
    assert rights(loan) == [(VIEWER, "view")]
    assert code_of(lambda: view(loan)) == "copy-closed"


@pytest.mark.requirement("R57", "R59", refuses=True)
def test_without_an_agreement_or_an_account_nothing_opens(loan: LoanDesk) -> None:
    allow(loan)
    viewing_id = view(loan)

    def end_agreement(uow: UnitOfWork) -> None:
        for row in uow.session.scalars(select(Agreement).where(Agreement.person_id == VIEWER)):
            row.ended_at = uow.now

    loan.desk.run(end_agreement)
    again = (viewings.record_read, loan.ids["copy_id"], viewing_id, 0, 100)
    assert code_of(lambda: loan.desk.run(*again, by=VIEWER)) == "agreement-missing"
    assert code_of(lambda: allow(loan)) == "recipient-agreement"

    allow(loan, OTHER)
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Person, OTHER), "active", False))
    assert code_of(lambda: view(loan, OTHER)) == "grant-ended"
    assert code_of(lambda: allow(loan, OTHER)) == "recipient-unfit"


def _return(loan: LoanDesk) -> None:
    fates = [returns.AttestedFate(loan.ids["download_id"], "destroyed")]
    loan.desk.run(
        returns.return_copies,
        loan.ids["hand_over_id"],
        return_to="security",
        fates=fates,
        no_other_copies=True,
        proof=Proof("", PASSWORD),
        by="keeper",
    )


def _lose(loan: LoanDesk) -> None:
    hand_over_id = loan.ids["hand_over_id"]
    loan.desk.run(hand_overs.report_loss, hand_over_id, kind="lost", what_happened="丢失", by="keeper")


def _transfer(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId="drafter")
    loan.agreed(matter_id, ("custody-receipt", "drafter"))
    assert loan.apply(matter_id)


def _change_purpose(loan: LoanDesk) -> None:
    matter_id = loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="view")
    loan.agreed(
        matter_id, ("preliminary", "board-head"), ("security", "reviewer"), ("security-signature", "security-head")
    )
    assert loan.apply(matter_id)


def _recall(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    assert rights(loan) == []
    loan.agreed(matter_id, ("recall", "security-head"))
    assert loan.apply(matter_id)


def _withdraw(loan: LoanDesk) -> None:
    for _ in range(2):
        loan.desk.run(recipient_access.withdraw, loan.ids["hand_over_id"], VIEWER, by="keeper")
    assert [entry.detail["to"]["id"] for entry in loan.desk.all(CustodyEntry, event="view-ended")] == [VIEWER]


@pytest.mark.requirement("R41", "R55", "R57", refuses=True)
@pytest.mark.parametrize("ending", [_withdraw, _return, _lose, _transfer, _change_purpose, _recall])
def test_the_viewing_ends_with_what_it_was_given_for(loan: LoanDesk, ending: Callable[[LoanDesk], None]) -> None:
    allow(loan)
    view(loan)
    ending(loan)
    assert rights(loan) == []
    assert code_of(lambda: view(loan)) == "grant-ended"
    [notice] = loan.desk.all(Notice, person_id=VIEWER, code="view-allowed")
    assert notice.done_at is not None
    if loan.loan.returned_at or loan.loan.lost_at:
        assert code_of(lambda: allow(loan)) in ("copy-returned", "copy-lost")


@pytest.mark.requirement("R50", "R57")
def test_an_extension_lets_the_viewers_go_on(loan: LoanDesk) -> None:
    allow(loan)
    matter_id = loan.ask("extension", dueAt=loan.later(7))
    loan.agreed(matter_id, ("extension", "reviewer"))
    assert loan.apply(matter_id)
    loan.desk.clock.turn(timedelta(days=16))
    view(loan)


@pytest.mark.requirement("R55", "R57", refuses=True)
async def test_a_viewer_opens_the_player_with_the_own_watermark_and_finds_nothing_else(
    portal: tuple[Portal, LoanDesk],
) -> None:
    browsers, loan = portal
    keeper, viewer = await browsers.signed_in("keeper"), await browsers.signed_in(VIEWER)
    hand_over, watch = f"/hand-overs/{loan.ids['hand_over_id']}", f"/copies/{loan.ids['copy_id']}/watch"
    assert (await viewer.get(watch)).status_code == 404
    page = await keeper.get(hand_over)
    assert f'action="{hand_over}/viewing"' in page.text
    refused = await keeper.post(
        f"{hand_over}/viewing", data={"personId": "reviewer", "csrf_token": keeper.headers["X-CSRF-Token"]}
    )
    assert refused.status_code == 422
    allowed = await keeper.post(
        f"{hand_over}/viewing", data={"personId": VIEWER, "csrf_token": keeper.headers["X-CSRF-Token"]}
    )
    assert allowed.status_code == 303, allowed.text
    assert f'action="{hand_over}/viewing/end"' in (await keeper.get(hand_over)).text

    listed = await viewer.get("/hand-overs")
    assert watch in listed.text
    assert hand_over not in listed.text
    asked = await viewer.get(watch)
    assert (asked.status_code, hand_over in asked.text) == (200, False)
    confirmed = {"purposeConfirmed": "true", "csrf_token": viewer.headers["X-CSRF-Token"]}
    unread = await viewer.post(watch, data={"csrf_token": viewer.headers["X-CSRF-Token"]})
    assert unread.status_code == 422
    player = await viewer.post(watch, data=confirmed)
    assert player.status_code == 200, player.text
    assert f'data-mark="{VIEWER} · ' in player.text
    for path in (hand_over, f"{hand_over}/custody-log", f"/cases/{loan.application_id}"):
        assert (await viewer.get(path)).status_code == 404
    download = await viewer.get(f"/copies/{loan.ids['copy_id']}/download")
    assert (download.status_code, loan.loan.id in download.text) == (403, False)
    log = await keeper.get(f"{hand_over}/custody-log")
    assert log.text.count(VIEWER) >= 2

    ended = await keeper.post(
        f"{hand_over}/viewing/end", data={"personId": VIEWER, "csrf_token": keeper.headers["X-CSRF-Token"]}
    )
    assert ended.status_code == 303
    for answer in (await viewer.get(watch), await viewer.post(watch, data=confirmed)):
        assert (answer.status_code, loan.loan.id in answer.text) == (403, False)
    assert watch not in (await viewer.get("/hand-overs")).text
    denied = loan.desk.all(AuditEvent, action="access-denied")
    assert {row.actor_id for row in denied} == {VIEWER}


@pytest.mark.requirement("R57", refuses=True)
async def test_the_api_lets_a_viewer_view_and_ends_it(portal: tuple[Portal, LoanDesk]) -> None:
    browsers, loan = portal
    keeper, viewer = await browsers.signed_in("keeper"), await browsers.signed_in(VIEWER)
    recipients = f"/api/hand-overs/{loan.ids['hand_over_id']}/recipients"
    assert problem(await keeper.post(recipients, json={"personId": "reviewer"})) == (
        422,
        "recipient-not-named",
        "personId",
    )
    assert problem(await viewer.post(recipients, json={"personId": OTHER}))[0] == 404
    assert (await viewer.get("/api/shown-loans")).json() == []
    answer = await keeper.post(recipients, json={"personId": VIEWER})
    assert answer.status_code == 200, answer.text
    named = {one["id"]: one["viewsSince"] for one in answer.json()["recipients"]}
    assert (named[VIEWER] is None, named[OTHER]) == (False, None)
    assert set(answer.json()["copies"][0]["actions"]) == {"view", "download"}

    [shown] = (await viewer.get("/api/shown-loans")).json()
    assert (shown["custodian"], [copy["actions"] for copy in shown["copies"]]) == ("keeper", [["view"]])
    opened = await viewer.post(f"/api/copies/{loan.ids['copy_id']}/viewings", json={"purposeConfirmed": True})
    assert opened.status_code == 201, opened.text

    assert (await keeper.delete(f"{recipients}/{VIEWER}")).status_code == 200
    assert (await viewer.get("/api/shown-loans")).json() == []
    assert problem(await viewer.get(opened.json()["content"]))[:2] == (403, "grant-ended")
