"""Viewing on site: at a station, in a sitting with its companion there, and with the people whom the form names."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import httpx
import pytest
from at_once import at_once
from lent_case import Away
from on_site_case import (
    COMPANION,
    ELSEWHERE,
    OTHER_STATION,
    STATION,
    VIEWER,
    OnSiteDesk,
    lend,
    lent_on_site,
    with_station,
)
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import FORM, PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.people import Person
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms, previews
from services.domain.cases import document_layouts
from services.domain.custody import grants, loan_documents, recipient_access, returns, sittings, suspensions, viewings
from services.domain.reviews.scopes import Granting
from services.rendering import pdf
from services.runtime import stations
from services.runtime.errors import NotFound, Refused

TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def loan(any_database_url: str) -> Iterator[OnSiteDesk]:
    desk, ids = prepared_desk(any_database_url, lent_on_site)
    yield OnSiteDesk(desk, ids)
    desk.close()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    return caught.value.code


def give_back(loan: OnSiteDesk) -> None:
    loan.desk.run(
        returns.return_copies,
        loan.ids["hand_over_id"],
        return_to="security",
        fates=[],
        no_other_copies=True,
        proof=Proof(password=PASSWORD),
        by=COMPANION,
    )


@pytest.mark.requirement("R41", "R56", "R58")
def test_a_sitting_from_the_door_to_the_sheet(loan: OnSiteDesk) -> None:
    assert {(row.person_id, row.action) for row in loan.desk.all(Grant)} == {(COMPANION, "view")}
    sitting = loan.begin()
    viewing_id = loan.view()
    loan.read(viewing_id, 0, 1500)
    loan.read(viewing_id, 3500, 100)
    loan.desk.clock.turn(timedelta(minutes=4))
    drawn = tuple((x, 50) for x in range(20))
    leaves = [replace(leave, how="drawn", strokes=(drawn,)) for leave in loan.leaves(sitting)[:1]]
    loan.end(sitting, leaves=[*leaves, *loan.leaves(sitting)[1:]], note="看至三号门")

    document = loan.desk.the(Document, kind="sitting")
    assert (document.number, document.number[:8]) == (sitting.number, "CY-2031-")
    content = json.loads(document.content)
    assert [person["name"] for person in content["outsiders"]] == ["李警官", "周警官"]
    assert "012345" not in document.content
    [shown] = content["shown"]
    # the first two fragments of two seconds each, and the one a minute later
    assert [span[0][11:19] for span in shown["spans"]] == ["10:00:00", "10:01:00"]
    assert shown["spans"][0][1][11:19] == "10:00:04"
    events = [entry.event for entry in loan.desk.all(CustodyEntry)]
    assert events[-3:] == ["sitting-opened", "viewed", "sitting-closed"]
    [signed] = loan.desk.all(AuditEvent, action="sitting-signed")
    assert json.loads(signed.entry)["detail"]["statement_sha256"] == content["statement"]

    page = document_layouts.render_page(document.kind, document.number, document.sha256, content)
    for said in (
        "视频录像查阅登记表",
        "监控室",
        "李警官",
        "警官证尾号 2345",
        "已核对",
        "离场签字",
        "陪同人签字",
        "看至三号门",
        "polyline",
    ):
        assert said in page, said
    sheet = document_layouts.sheet_of(document.kind, document.number, document.sha256, content)
    assert pdf.render(sheet, document.content, document.made_at).startswith(b"%PDF")

    give_back(loan)
    assert code_of(loan.begin) == "copy-returned"


@pytest.mark.both_databases
@pytest.mark.requirement("R41", refuses=True)
def test_of_two_sittings_that_a_companion_begins_at_once_for_two_loans_one_is_refused(
    loan: OnSiteDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = OnSiteDesk(loan.desk, lend(loan.desk))
    both, require_confirmed = Barrier(2), viewings.require_confirmed

    def require_confirmed_together(confirmed: bool) -> None:
        """Wait for the other one to have looked as well; in vain where it waits for this one to end."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        require_confirmed(confirmed)

    monkeypatch.setattr(viewings, "require_confirmed", require_confirmed_together)
    ended = at_once(loan.begin, partial(other.begin, OTHER_STATION))

    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, Refused)
    assert (refusal.code, len(loan.desk.all(Sitting))) == ("companion-elsewhere", 1)


@pytest.mark.requirement("R41", "R55", "R58", refuses=True)
def test_the_copy_opens_at_a_station_in_an_open_sitting_and_nowhere_else(loan: OnSiteDesk) -> None:
    assert code_of(loan.view) == "no-sitting"
    assert code_of(lambda: loan.begin(ELSEWHERE)) == "not-a-station"
    for wrong in ("", "unknown", "10.0.5.21", "::ffff:10.0.5.21"):
        assert code_of(lambda wrong=wrong: loan.begin(wrong)) == "not-a-station"  # type: ignore[misc]
    sitting = loan.begin()
    viewing_id = loan.view()
    confirm = sittings.confirm
    # the companion's own login at home, and at another station
    assert code_of(lambda: loan.view(ELSEWHERE)) == "not-a-station"
    assert code_of(lambda: loan.view(OTHER_STATION)) == "sitting-elsewhere"
    for address, code in ((ELSEWHERE, "not-a-station"), (OTHER_STATION, "sitting-elsewhere")):
        assert code_of(lambda address=address: loan.read(viewing_id, address=address)) == code  # type: ignore[misc]
        assert code_of(lambda a=address: loan.desk.run(confirm, sitting.id, address=a, by=COMPANION)) == code  # type: ignore[misc]
    loan.read(viewing_id)
    # nor does it download, nor does a viewer open it alone
    wish = {"recipient": "", "medium": "disk", "address": STATION, "opens_with": "browser"}
    assert code_of(lambda: loan.desk.run(viewings.list_download, loan.ids["copy_id"], by=COMPANION, **wish)) == (
        "not-granted"
    )
    assert code_of(lambda: loan.desk.run(recipient_access.allow, loan.ids["hand_over_id"], VIEWER, by=COMPANION)) == (
        "on-site-only"
    )
    for stranger in (VIEWER, "reviewer", "security-head", "admin"):
        with pytest.raises(NotFound):
            loan.view(by=stranger)
        with pytest.raises(NotFound):
            loan.begin(by=stranger)
        with pytest.raises(NotFound):
            loan.end(sitting, by=stranger)


@pytest.mark.requirement("R41", "R57", refuses=True)
def test_a_viewers_right_that_something_has_put_there_opens_nothing_alone(loan: OnSiteDesk) -> None:
    loan.begin()

    def behind(uow: UnitOfWork) -> None:
        hand_over = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
        grants.create(uow, hand_over, [uow.session.get_one(Copy, loan.ids["copy_id"])], ("view",), person_id=VIEWER)

    loan.desk.run(behind)
    assert code_of(lambda: loan.view(by=VIEWER)) == "on-site-only"


@pytest.mark.requirement("R55", "R58", refuses=True)
def test_only_who_is_named_and_checked_is_present(loan: OnSiteDesk) -> None:
    officers = loan.officers
    for present, code in (
        (sittings.Present((), officers, officers[:1]), "card-unchecked"),
        (sittings.Present((), (*officers, "somebody"), (*officers, "somebody")), "outsider-not-named"),
        (sittings.Present(("reviewer",), officers, officers), "recipient-not-named"),
        (sittings.Present((COMPANION,), (), ()), "recipient-not-named"),
        (sittings.Present(), "missing"),
    ):
        assert code_of(lambda present=present: loan.begin(present=present)) == code  # type: ignore[misc]
    assert code_of(lambda: loan.begin(purpose_confirmed=False)) == "purpose-not-confirmed"

    def leaves(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, VIEWER).active = False

    loan.desk.run(leaves)
    assert code_of(loan.begin) == "recipient-unfit"
    assert not loan.desk.all(Sitting)


@pytest.mark.requirement("R55", "R58", refuses=True)
def test_a_sitting_closes_by_itself_when_the_companion_does_not_confirm(loan: OnSiteDesk) -> None:
    sitting = loan.begin()
    viewing_id = loan.view()
    for _ in range(3):  # in time, by one click each
        loan.desk.clock.turn(TEN_MINUTES - timedelta(seconds=1))
        loan.read(viewing_id)
        loan.desk.run(sittings.confirm, sitting.id, address=STATION, by=COMPANION)
    loan.desk.clock.turn(TEN_MINUTES)
    assert code_of(lambda: loan.read(viewing_id)) == "sitting-lapsed"
    assert code_of(loan.view) == "sitting-lapsed"
    # too late, and no second one begins before the first is signed
    assert code_of(lambda: loan.desk.run(sittings.confirm, sitting.id, address=STATION, by=COMPANION)) == (
        "sitting-lapsed"
    )
    assert code_of(loan.begin) == "sitting-open"
    assert code_of(lambda: give_back(loan)) == "sitting-open"
    loan.end(sitting)
    content = json.loads(loan.desk.the(Document, kind="sitting").content)
    assert content["closedItselfAt"] is not None
    page = document_layouts.render_page("sitting", sitting.number, "0" * 64, content)
    assert "自动关闭" in page
    loan.begin()


@pytest.mark.requirement("R41", "R55", refuses=True)
def test_after_everybody_has_left_nothing_is_shown_and_all_have_signed(loan: OnSiteDesk) -> None:
    sitting = loan.begin()
    viewing_id = loan.view()
    everybody = loan.leaves(sitting)
    stranger = sittings.Leave("somebody", "sheet")
    dot = replace(everybody[0], how="drawn", strokes=(((1, 1),),))
    outside = replace(everybody[0], how="drawn", strokes=(tuple((x, 900) for x in range(20)),))
    for wrong, code in (
        ([], "missing"),
        (everybody[:1], "missing"),
        ([*everybody, stranger], "missing"),
        ([*everybody, everybody[0]], "missing"),
        ([dot, *everybody[1:]], "signature-unreadable"),
        ([outside, *everybody[1:]], "signature-unreadable"),
    ):
        assert code_of(lambda wrong=wrong: loan.end(sitting, leaves=wrong)) == code  # type: ignore[misc]
    assert code_of(lambda: loan.end(sitting, proof=Proof(password="wrong"))) == "password-wrong"
    loan.read(viewing_id)
    loan.end(sitting)
    loan.end(sitting)
    assert len(loan.desk.all(Document, kind="sitting")) == 1
    for act in (lambda: loan.read(viewing_id), loan.view):
        assert code_of(act) == "no-sitting"
    assert code_of(lambda: loan.desk.run(sittings.confirm, sitting.id, address=STATION, by=COMPANION)) == (
        "sitting-ended"
    )
    # nor does the viewing of the first sitting go on in a second one
    loan.begin()
    assert code_of(lambda: loan.read(viewing_id)) == "no-sitting"


@pytest.mark.requirement("R41", "R55", refuses=True)
def test_one_window_shows_the_copy_at_a_time(loan: OnSiteDesk) -> None:
    loan.begin()
    first, second = loan.view(), loan.view()
    assert code_of(lambda: loan.read(first)) == "viewing-superseded"
    loan.read(second)
    assert [row.ended_at is None for row in loan.desk.all(Viewing) if row.id == first] == [False]


@pytest.mark.requirement("R55", "R58", refuses=True)
def test_the_companion_is_of_security_or_storage_and_in_one_room(loan: OnSiteDesk) -> None:
    def moved(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, COMPANION).department_id = "works"

    sitting = loan.begin()
    viewing_id = loan.view()
    loan.desk.run(moved)
    for act in (lambda: loan.read(viewing_id), loan.view):
        assert code_of(act) == "no-companion"
    loan.end(sitting)
    assert code_of(loan.begin) == "no-companion"
    asked = {"toPersonId": "office-head", "conditions": ""}
    assert code_of(lambda: loan.ask("custody-transfer", COMPANION, **asked)) == "not-now"


@pytest.mark.requirement("R44", "R55", refuses=True)
def test_what_closes_the_copies_closes_the_sitting_too(loan: OnSiteDesk) -> None:
    sitting = loan.begin()
    viewing_id = loan.view()
    loan.desk.run(
        lambda uow: (
            suspensions.open_once(uow, uow.session.get_one(HandOver, loan.ids["hand_over_id"]), suspensions.PROBLEM).id
        )
    )
    assert code_of(lambda: loan.read(viewing_id)) == "copy-frozen"
    loan.end(sitting)
    assert code_of(loan.begin) == "copy-closed"


@pytest.mark.requirement("R47", "R56")
def test_a_sitting_that_nobody_signs_is_on_paper_when_the_loan_ends(loan: OnSiteDesk) -> None:
    sitting = loan.begin()
    loan.desk.clock.turn(timedelta(days=1))
    loan.desk.run(lambda uow: loan_documents.write_at_end(uow, uow.session.get_one(HandOver, loan.ids["hand_over_id"])))
    document = loan.desk.the(Document, kind="sitting")
    content = json.loads(document.content)
    assert (content["closedAs"], content["signature"]) == ("loan-ended", None)
    assert "查阅" in document_layouts.render_page("sitting", document.number, document.sha256, content)
    loan.end(sitting)  # nothing more to sign
    assert len(loan.desk.all(Document, kind="sitting")) == 1


@pytest.mark.requirement("R46", "R56")
def test_the_end_of_a_sitting_is_signed_by_who_has_accompanied_it_or_by_nobody(loan: OnSiteDesk) -> None:
    sitting = loan.begin()
    offer = {"toPersonId": "operator2", "conditions": ""}
    for by in (COMPANION, "security-head"):  # while people are there
        assert code_of(lambda by=by: loan.ask("custody-transfer", by, **offer)) == "not-now"  # type: ignore[misc]
    loan.desk.clock.turn(TEN_MINUTES)
    assert code_of(lambda: loan.ask("custody-transfer", COMPANION, **offer)) == "not-now"

    matter_id = loan.ask("custody-transfer", "security-head", **offer)  # in the place of who does not answer
    loan.agreed(matter_id, ("custody-receipt", "operator2"))
    assert loan.apply(matter_id)
    content = json.loads(loan.desk.the(Document, kind="sitting").content)
    assert (content["closedAs"], content["signature"], content["closedBy"]) == ("custody-transferred", None, None)
    assert content["companion"]["id"] == COMPANION
    assert loan.end(sitting, by="operator2").closed_by is None, "nothing more to sign"
    assert loan.begin(by="operator2").companion_id == "operator2"


@pytest.mark.requirement("R56")
def test_an_offer_of_copies_waits_for_the_signature_of_a_sitting_that_was_begun_after_it(loan: OnSiteDesk) -> None:
    matter_id = loan.ask("custody-transfer", COMPANION, toPersonId="operator2", conditions="")
    loan.check(matter_id)
    sitting = loan.begin()
    review_id = loan.open(matter_id, "custody-receipt")
    receipt = (review_id, matter_id, "custody-receipt", "operator2")
    assert code_of(lambda: loan.answer(*receipt)) == "not-now"
    loan.end(sitting)
    loan.answer(*receipt)
    assert loan.apply(matter_id)


@pytest.mark.requirement("R21", refuses=True)
def test_t9_each_step_up_is_argued_and_a_companion_keeps_what_is_viewed_on_site(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)

    def blocking(**changes: Any) -> set[str]:
        found = desk.run(previews.preview, replace(FORM, **{"way_of_use_because": "", **changes}), by="drafter")
        return {finding.code for finding in found if finding.severity == "blocks"}

    step = {"way-not-argued"}
    argued = {"way_of_use_because": "须逐帧放大核对车牌号码"}
    # without a station viewing is the default, and a download one step up
    assert blocking(way_of_use="") == set()
    assert blocking(way_of_use="view") == set()
    assert blocking(way_of_use="download") == step
    assert blocking(way_of_use="download", **argued) == set()
    assert blocking(way_of_use="on-site", custodian_id="operator2", recipient_ids=("head",)) == {"station-missing"}

    with_station(desk)
    assert blocking(way_of_use="view") == step
    assert blocking(way_of_use="view", **argued) == set()
    assert blocking(way_of_use="view", way_of_use_because=None) == set()  # handed in before it was asked
    on_site = {"custodian_id": "operator2", "recipient_ids": ("head",)}
    assert blocking(way_of_use="", **on_site) == set()
    assert blocking(way_of_use="on-site", **{**on_site, "custodian_id": "keeper"}) == {"custodian-no-companion"}
    assert blocking(way_of_use="on-site", **{**on_site, "recipient_ids": ()}) == {"viewers-missing"}

    # the form says why, and one that is as it was has the hash that it had
    argued_form = desk.submitted(way_of_use="download", **argued)
    plain = desk.submitted(way_of_use="view", way_of_use_because=None)
    texts = [desk.run(lambda uow, i=i: dict(forms.current_revision(uow, i).form)) for i in (argued_form, plain)]  # type: ignore[union-attr,misc]
    assert (texts[0]["wayOfUseBecause"], "wayOfUseBecause" in texts[1]) == (argued["way_of_use_because"], False)

    # Security grants less and never more, and on site only to a companion
    review = desk.opened(plain, "security")
    for wanted, code in (("download", "way-of-use"), ("publish", "way-of-use"), ("on-site", "custodian-no-companion")):
        assert code_of(lambda w=wanted: desk.decide(review, "reviewer", granting=Granting(way_of_use=w))) == code  # type: ignore[misc]
    asked = desk.submitted(way_of_use="on-site", way_of_use_because="", **on_site)
    review = desk.opened(asked, "security")
    assert code_of(lambda: desk.decide(review, "reviewer", granting=Granting(way_of_use="view"))) == "way-of-use"
    desk.decide(review, "reviewer")
    assert desk.the(Application, id=asked).granted_way_of_use == "on-site"
    desk.close()


@pytest.mark.requirement("R55", refuses=True)
def test_stations_are_rooms() -> None:
    assert [one.said for one in stations.parse("10.0.5.20 监控室，fd00:1::/64 North gate")] == [
        "监控室（10.0.5.20）",
        "North gate（fd00:1::/64）",
    ]
    known = stations.parse("10.0.5.0/24")
    assert stations.find(known, "::ffff:10.0.5.9") is not None  # as a dual-stack socket says it
    assert stations.find(known, "10.0.6.9") is None
    for wrong in ("0.0.0.0/0", "10.0.0.0/16", "10.0.5.1/24", "gate", "10.0.5.20 " + "x" * 61, "::/0"):
        with pytest.raises(ValueError):  # of several libraries
            stations.parse(wrong)


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[tuple[Portal, OnSiteDesk]]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_on_site)
    async with Portal(desk, store=Away(), loan_keys=Away()) as portal:
        yield portal, OnSiteDesk(desk, ids)
    desk.close()


@pytest.mark.requirement("R41", "R55", refuses=True)
async def test_the_pages_from_the_door_to_the_return(portal: tuple[Portal, OnSiteDesk]) -> None:
    browsers, loan = portal
    companion = await browsers.signed_in(COMPANION)  # 127.0.0.1, which is a station
    token = {"csrf_token": companion.headers["X-CSRF-Token"]}
    hand_over, watch = f"/hand-overs/{loan.ids['hand_over_id']}", f"/copies/{loan.ids['copy_id']}/watch"
    assert f"{hand_over}/sittings/new" in (await companion.get(hand_over)).text
    barred = await companion.get(watch)
    assert (barred.status_code, f"{hand_over}/sittings/new" in barred.text) == (403, True)
    form = await companion.get(f"{hand_over}/sittings/new")
    assert "李警官" in form.text
    people = {"personIds": VIEWER, "outsiderIds": list(loan.officers), "purposeConfirmed": "true", **token}
    refused = await companion.post(f"{hand_over}/sittings/new", data=people)
    assert (refused.status_code, loan.officers[0] in refused.text) == (422, True)
    begun = await companion.post(f"{hand_over}/sittings/new", data={**people, "checkedIds": list(loan.officers)})
    assert begun.status_code == 303, begun.text
    page = begun.headers["location"]
    assert watch in (await companion.get(page)).text

    player = await companion.post(watch, data={"purposeConfirmed": "true", **token})
    assert player.status_code == 200, player.text
    assert f'hx-post="{page}/presence"' in player.text
    part = await companion.post(f"{page}/presence", data=token, headers={"HX-Request": "true"})
    assert (part.status_code, "<html" in part.text, 'id="presence"' in part.text) == (200, False, True)
    api = await companion.post(f"/api{page}/presence")
    assert (api.status_code, api.json()["state"]) == (200, "open")
    offer = await companion.get(f"/api{hand_over}/sittings/offer")
    assert [one["outsider"] for one in offer.json()["visitors"]] == [False, True, True]

    viewing = loan.desk.all(Viewing)[-1].id
    content = f"/api/copies/{loan.ids['copy_id']}/content?viewing={viewing}"
    loan.desk.clock.turn(TEN_MINUTES)
    assert (await companion.get(content)).json()["code"] == "sitting-lapsed"
    lapsed = await companion.get(page)
    assert f'action="{page}/end"' in lapsed.text
    leaves: dict[str, str] = {}
    for number, leave in enumerate(loan.leaves(loan.desk.the(Sitting))):
        leaves |= {f"leaves-{number}-visitorId": leave.visitor_id, f"leaves-{number}-how": "sheet"}
    wrong = await companion.post(f"{page}/end", data={**leaves, "leaves-0-how": "drawn", "password": PASSWORD, **token})
    assert wrong.status_code == 422
    signed = await companion.post(f"{page}/end", data={**leaves, "password": PASSWORD, **token})
    assert signed.status_code == 303, signed.text
    number = loan.desk.the(Sitting).number
    assert (await companion.get(f"/api/documents/{number}/print")).status_code == 200
    case = await companion.get(f"/cases/{loan.application_id}")
    assert (case.status_code, "现场查阅登记表" in case.text or "Sheet of a viewing on site" in case.text) == (200, True)

    # one form without a question, and the copies are back
    back = await companion.get(f"{hand_over}/return")
    assert re_inputs(back.text) == {"csrf_token", "returnTo", "noOtherCopies", "password"}
    answer = await companion.post(
        f"{hand_over}/return", data={"returnTo": "security", "noOtherCopies": "true", "password": PASSWORD, **token}
    )
    assert answer.status_code == 303, answer.text


def re_inputs(page: str) -> set[str]:
    """The fields of the page's form of the return."""
    form = page.partition("data-keep")[2].partition("</form>")[0]
    return {part.partition('"')[0] for part in form.split('name="')[1:]}


@pytest.mark.requirement("R55", refuses=True)
async def test_a_forwarded_address_counts_from_trusted_proxies_alone(portal: tuple[Portal, OnSiteDesk]) -> None:
    browsers, loan = portal
    remote = httpx.ASGITransport(browsers.app, client=("198.51.100.7", 1))
    async with httpx.AsyncClient(transport=remote, base_url="https://footage.example") as client:
        answer = await client.post("/api/login", json={"login": COMPANION, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
        said = {"X-Forwarded-For": STATION, "Forwarded": f"for={STATION}", "X-Real-IP": STATION}
        offer = await client.get(f"/api/hand-overs/{loan.ids['hand_over_id']}/sittings/offer", headers=said)
        assert (offer.json()["address"], offer.json()["station"]) == ("198.51.100.7", None)
        body = {"personIds": [VIEWER], "purposeConfirmed": True}
        refused = await client.post(f"/api/hand-overs/{loan.ids['hand_over_id']}/sittings", json=body, headers=said)
        assert (refused.status_code, refused.json()["code"]) == (403, "not-a-station")
