"""Due dates: each waits for whom it waits, on its day; a calendar program reads them at an address with a secret."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from behalf_case import add_legal
from icalendar import Calendar, Event
from lent_case import lend
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import NOON, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.calendar_addresses import CalendarAddress
from services.database.tables.custody import HandOver
from services.database.tables.evidence_packages import EvidencePackage
from services.database.tables.holds import Hold
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import calendar_addresses, staff
from services.domain.cases import due_calendar, due_dates, due_file
from services.domain.cases.due_dates import DueDates, Period
from services.domain.cases.schemas.lists import DueDate
from services.domain.matters import held
from services.domain.packages import policy

DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[tuple[ReviewDesk, str]]:
    desk, ids = prepared_desk(any_database_url, lend)
    yield desk, ids["application_id"]
    desk.close()


def kinds(desk: ReviewDesk, by: str, *, watched: bool = False) -> set[str]:
    def read(uow: UnitOfWork) -> DueDates:
        return due_dates.list_due(uow, Period(uow.now, uow.now + 400 * DAY, before=True), watched=watched)

    found = desk.run(read, by=by)
    return {one.kind for one in (*found.before, *found.due)}


@pytest.mark.both_databases
def test_a_loan_is_due_for_its_custodian_and_for_who_watches_and_for_nobody_else(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, case = desk
    assert "use-period" in kinds(books, "keeper")
    assert "use-period" not in kinds(books, "reviewer")
    assert "use-period" in kinds(books, "reviewer", watched=True)
    for other in ("office-head", "manager", "admin"):
        assert "use-period" not in kinds(books, other, watched=True)

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, case).subject_ids = ["reviewer"]

    books.run(concern)
    assert kinds(books, "reviewer", watched=True) == set()  # T8


def test_a_day_is_that_of_the_organisation_and_days_off_are_marked(desk: tuple[ReviewDesk, str]) -> None:
    books, case = desk

    def due_at_midnight(uow: UnitOfWork) -> None:
        loan = uow.session.query(HandOver).filter_by(application_id=case).one()
        loan.due_at = datetime(2031, 3, 31, 16, 30, tzinfo=UTC)  # 00:30 of 1 April in Shanghai

    books.run(due_at_midnight)

    def month(uow: UnitOfWork, day: str = "2031-03-10", view: due_calendar.View = "month") -> due_calendar.DueCalendar:
        return due_calendar.read_calendar(uow, view=view, day=datetime.fromisoformat(day).date(), watched=False)

    march = books.run(month, by="keeper")
    assert (march.first.isoformat(), march.last.isoformat()) == ("2031-02-24", "2031-04-06")
    [first_of_april] = [one for one in march.days if one.due]
    assert first_of_april.day.isoformat() == "2031-04-01"
    assert not first_of_april.inside
    assert [one.day.weekday() for one in march.days if not one.works] == [5, 6] * 6  # no year is imported: Mon to Fri
    assert [one.day.isoformat() for one in march.days if one.today] == ["2031-03-04"]
    week = books.run(month, "2031-04-03", "week", by="keeper")
    assert (len(week.days), week.number, week.next.isoformat()) == (7, 1, "2031-04-07")
    books.clock.turn(60 * DAY)
    may = books.run(month, "2031-05-10", by="keeper")
    assert [one.kind for one in may.overdue] == ["use-period"]
    assert books.run(month, "2031-07-10", by="keeper").overdue == []


async def fetched(portal: Portal, address: str) -> httpx.Response:
    return await portal.anonymous().get(address)


async def test_the_address_is_shown_once_and_gives_numbers_and_kinds_alone_until_it_is_replaced_or_withdrawn(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, case = desk
    async with Portal(books) as portal:
        keeper = await portal.signed_in("keeper")
        page = (await keeper.post("/due-dates/address")).text
        [address] = re.findall(r"https://footage\.example(/due-dates/[A-Za-z0-9_-]{43}\.ics)<", page)
        assert address not in (await keeper.get("/due-dates")).text
        answer = await fetched(portal, address)
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))
        [event] = [
            one for one in Calendar.from_ical(answer.content).walk("VEVENT") if "使用期限" in str(one["summary"])
        ]
        loan = books.run(lambda uow: uow.session.query(HandOver).filter_by(application_id=case).one().due_at)
        number = books.run(lambda uow: uow.session.get_one(Application, case).number)
        assert event["dtstart"].dt == loan.replace(microsecond=0)
        assert event["dtstart"].dt.astimezone(SHANGHAI).utcoffset() == timedelta(hours=8)
        assert str(event["summary"]) == f"{number} 使用期限届满，归还副本"
        names = books.run(lambda uow: [*uow.session.query(Person.name), *uow.session.query(Person.login)])
        text = answer.content.decode().replace("\r\n ", "")
        assert not any(value in text for (value,) in names if value not in ("keeper",))
        assert case not in text
        again = Calendar.from_ical((await fetched(portal, address)).content).walk("VEVENT")
        assert event["uid"] in {one["uid"] for one in again}
        assert "A program last read" in (await keeper.get("/due-dates", headers={"cookie": _english(keeper)})).text

        replaced = (await keeper.post("/due-dates/address")).text
        [other] = re.findall(r"https://footage\.example(/due-dates/[A-Za-z0-9_-]{43}\.ics)<", replaced)
        assert (await fetched(portal, address)).status_code == 404
        assert (await fetched(portal, other)).status_code == 200
        for wrong in (other[:-5] + "x.ics", "/due-dates/x.ics", "/due-dates/%00.ics"):
            assert (await fetched(portal, wrong)).status_code == 404
        assert (await keeper.post("/due-dates/address/withdraw")).status_code == 303
        assert (await fetched(portal, other)).status_code == 404
    kept = books.run(lambda uow: [row.secret_sha256 for row in uow.session.query(CalendarAddress)])
    assert not any(secret in address + other for secret in kept)
    assert len(kept) == 2


def _english(client: httpx.AsyncClient) -> str:
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return f"{cookies}; footage_desk_language=en"


@pytest.mark.both_databases
async def test_who_is_deactivated_gets_nothing_and_not_with_the_account_given_back(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, _ = desk
    secret = books.run(calendar_addresses.make, by="reviewer2")
    async with Portal(books) as portal:
        assert (await fetched(portal, f"/due-dates/{secret}.ics")).status_code == 200
        books.run(staff.deactivate, "reviewer2", by="admin")
        assert (await fetched(portal, f"/due-dates/{secret}.ics")).status_code == 404

        def give_back(uow: UnitOfWork) -> None:
            uow.session.get_one(Person, "reviewer2").active = True

        books.run(give_back)
        assert (await fetched(portal, f"/due-dates/{secret}.ics")).status_code == 404


def test_long_lines_are_folded_and_a_moved_date_keeps_its_name() -> None:
    one = DueDate(kind="use-period", id="1", number="SQ-2031-" + "0" * 80, at=NOON, path="/", own=True)
    moved = one.model_copy(update={"at": NOON + DAY})
    for language in ("zh", "en"):
        first, second = (
            due_file.write(DueDates([each], [], cut=False, before_cut=False), language=language, now=NOON)
            for each in (one, moved)
        )
        assert max(len(line) for line in first.split(b"\r\n")) <= 75
        [event], [later] = (Calendar.from_ical(content).walk("VEVENT") for content in (first, second))
        assert event["uid"] == later["uid"]
        assert later["dtstart"].dt == NOON + DAY
        assert str(event["summary"]).startswith(one.number)


def events(content: bytes) -> list[Event]:
    return list(Calendar.from_ical(content).walk("VEVENT"))


def lent_often(desk: ReviewDesk, until: list[datetime]) -> None:
    """Loans of one case more, due at these moments; the keeper holds them."""

    def add(uow: UnitOfWork) -> None:
        case = uow.session.query(HandOver).one()
        for number, due_at in enumerate(until):
            uow.session.add(
                HandOver(
                    application_id=case.application_id,
                    issue=number + 2,
                    custodian_id="keeper",
                    offered_at=case.offered_at,
                    take_up_until=case.take_up_until,
                    accepted_at=case.accepted_at,
                    use_days=case.use_days,
                    due_at=due_at,
                )
            )

    desk.run(add)


@pytest.mark.both_databases
async def test_more_than_is_read_is_said_and_hides_no_later_month(
    desk: tuple[ReviewDesk, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is due tomorrow fills a month, and not the next."""
    books, _ = desk
    monkeypatch.setattr(due_dates, "MOST", 3)
    tomorrow, next_month = NOON + DAY, NOON + 40 * DAY
    lent_often(books, [tomorrow] * 4 + [next_month])

    def month(uow: UnitOfWork, day: datetime) -> due_calendar.DueCalendar:
        return due_calendar.read_calendar(uow, view="month", day=day.date(), watched=True)

    def loans(calendar: due_calendar.DueCalendar) -> list[datetime]:
        return [one.at for day in calendar.days for one in day.due if one.kind == "use-period"]

    now, later = (books.run(month, day, by="reviewer") for day in (NOON, next_month))
    assert (loans(now), now.cut, now.overdue_cut) == ([tomorrow] * 3, True, False)
    assert (loans(later), later.cut) == ([next_month], False)
    async with Portal(books) as portal:
        reviewer = await portal.signed_in("reviewer")
        pages = [
            (await reviewer.get(f"/due-dates?whose=seen&day={day.date().isoformat()}")).text
            for day in (NOON, next_month, NOON + 400 * DAY)
        ]
    assert ["未全部显示" in page for page in pages] == [True, False, False]
    assert ["本月没有到期事项" in page for page in pages] == [False, False, True]


@pytest.mark.both_databases
async def test_what_is_overdue_takes_no_room_from_the_present_month_and_the_file_says_that_it_is_cut(
    desk: tuple[ReviewDesk, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    books, _ = desk
    monkeypatch.setattr(due_dates, "MOST", 3)
    lent_often(books, [NOON - 40 * DAY] * 4 + [NOON + DAY])

    found = books.run(
        lambda uow: due_dates.list_due(uow, Period(uow.now - DAY, uow.now + 2 * DAY, before=True), watched=True),
        by="reviewer",
    )

    assert [one.at for one in found.before] == [NOON - 40 * DAY] * 3
    assert [one.at for one in found.due] == [NOON + DAY]
    assert (found.before_cut, found.cut) == (True, False)
    summaries = [str(one["summary"]) for one in events(due_file.write(found, language="zh", now=NOON))]
    assert [one for one in summaries if one.startswith("未全部显示")] == [summaries[-1]]
    whole = DueDates(found.before, found.due, cut=False, before_cut=False)
    assert len(events(due_file.write(whole, language="zh", now=NOON))) == len(summaries) - 1


async def test_the_page_shows_fifty_of_what_is_overdue_and_says_that_there_is_more(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, _ = desk

    async def shown() -> tuple[int, bool]:
        async with Portal(books) as portal:
            page = (await (await portal.signed_in("keeper")).get("/due-dates")).text
        overdue = page.partition('id="overdue"')[2].partition('aria-labelledby="period"')[0]
        return overdue.count('<li class="due '), "未全部显示：仅显示最前面的 50 项" in overdue

    lent_often(books, [NOON - 40 * DAY] * 50)
    assert await shown() == (50, False)
    books.run(lambda uow: uow.session.query(HandOver).filter_by(issue=1).update({"due_at": NOON - 41 * DAY}))
    assert await shown() == (50, True)


@pytest.mark.both_databases
@pytest.mark.requirement("R2", refuses=True)
def test_the_review_of_a_hold_is_due_for_its_owner_and_for_those_who_watch_and_read_holds(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, case = desk
    number = books.the(Application, id=case).number
    hold = {"cause": "authority", "reason": "来函要求保留", "owner_id": "reviewer"}
    books.run(held.place, number, by="security-head", **hold)
    assert "hold-review" in kinds(books, "reviewer")
    assert "hold-review" not in kinds(books, "security-head")
    assert "hold-review" in kinds(books, "security-head", watched=True)
    for other in ("head", "keeper", "drafter", "operator", "manager", "admin"):
        assert "hold-review" not in kinds(books, other, watched=True), other

    def change(name: str, value: object) -> None:
        books.run(lambda uow: setattr(uow.session.query(Application).filter_by(id=case).one(), name, value))

    change("subject_ids", ["reviewer"])
    assert kinds(books, "reviewer", watched=True) == set()  # T8
    change("subject_ids", [])
    books.run(lambda uow: setattr(uow.session.query(Hold).one(), "lifted_at", uow.now))
    assert "hold-review" not in kinds(books, "reviewer", watched=True)


@pytest.mark.both_databases
def test_what_others_owe_takes_no_room_from_what_waits_for_the_reader(
    desk: tuple[ReviewDesk, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    books, case = desk
    monkeypatch.setattr(due_dates, "MOST", 2)
    number = books.the(Application, id=case).number
    hold = {"cause": "authority", "reason": "来函要求保留", "owner_id": "reviewer"}
    books.run(held.place, number, by="security-head", **hold)

    def add_others(uow: UnitOfWork) -> None:
        own = uow.session.query(Hold).one()
        own.review_at = NOON + 4 * DAY
        columns = {column.key: getattr(own, column.key) for column in Hold.__table__.columns}
        for place in range(3):
            other = {"id": f"hold-{place}", "owner_id": "security-head", "review_at": NOON + (place + 1) * DAY}
            uow.session.add(Hold(**{**columns, **other}))

    books.run(add_others)
    for watched, expected in ((False, [True]), (True, [False, False, True])):
        found = books.run(
            lambda uow, watched=watched: due_dates.list_due(
                uow, Period(uow.now, uow.now + 9 * DAY, before=True), watched=watched
            ),
            by="reviewer",
        )
        assert [one.own for one in found.due if one.kind == "hold-review"] == expected
        assert found.cut is watched


def asked_for(uow: UnitOfWork, case: str) -> None:
    """Somebody of Security has asked for a package with footage in clear."""
    asked = {"recipient_kind": "authority", "recipient": "某某公安分局", "reason": "移送需要", "log_keys": []}
    row = EvidencePackage(id="package", application_id=case, footage="clear", asked_by="reviewer", **asked)
    row.asked_at = uow.now
    uow.session.add(row)


@pytest.mark.both_databases
@pytest.mark.requirement("R67")
async def test_a_package_that_waits_for_an_approval_is_due_and_listed_for_who_can_approve_it(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, case = desk
    add_legal(books)
    books.run(asked_for, case)
    assert "package" in kinds(books, "counsel")
    for other in ("reviewer", "security-head", "supervisor", "keeper", "admin"):
        assert "package" not in kinds(books, other, watched=True), other
    link = 'href="/packages/package"'
    async with Portal(books) as portal:
        counsel, head = await portal.signed_in("counsel"), await portal.signed_in("security-head")
        overview = (await counsel.get("/")).text
        assert link in overview
        assert re.search(r'href="/inbox\?decisions=true"><b>1</b>', overview)
        assert link in (await counsel.get("/inbox?decisions=true")).text
        assert link in (await counsel.get("/due-dates")).text
        for address in ("/", "/inbox", "/due-dates?whose=seen"):
            assert link not in (await head.get(address)).text
        books.clock.turn(policy.WAITS_FOR)
        later = await portal.signed_in("counsel")
        assert link not in (await later.get("/inbox")).text, "nobody can approve it any more"
    assert "package" not in kinds(books, "counsel")


@pytest.mark.requirement("R2", refuses=True)
async def test_the_page_shows_the_title_to_who_may_see_the_case_and_the_file_does_not(
    desk: tuple[ReviewDesk, str],
) -> None:
    books, case = desk
    title = "三号门夜间盗窃"
    books.run(lambda uow: setattr(uow.session.get_one(Application, case), "title", title))
    add_legal(books)
    books.run(asked_for, case)
    async with Portal(books) as portal:
        keeper, counsel = await portal.signed_in("keeper"), await portal.signed_in("counsel")
        assert title in (await keeper.get("/due-dates")).text
        assert title in (await keeper.get("/due-dates?view=week&day=2031-03-19")).text
        shown = (await counsel.get("/due-dates")).text
        assert 'href="/packages/package"' in shown
        assert title not in shown, "who approves a package sees it by its number alone"
        secret = books.run(calendar_addresses.make, by="keeper")
        file = (await fetched(portal, f"/due-dates/{secret}.ics")).content.decode().replace("\r\n ", "")
        assert title not in file
