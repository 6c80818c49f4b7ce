"""Who holds each post, who stands in from when to when, and when nobody does."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from portal_client import Portal
from review_desk import NOON, ReviewDesk

from services.database.tables.people import Absence, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.staffing import posts_overview
from services.domain.staffing.posts_overview import PostView
from services.runtime.errors import Refused

DAY = timedelta(days=1)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def post(desk: ReviewDesk, kind: str, department: str | None = None, by: str = "admin") -> PostView:
    overview = desk.run(posts_overview.get_overview, by=by)
    [found] = [
        one
        for one in overview.posts
        if one.kind == kind and (one.department.id if one.department else None) == department
    ]
    return found


def away(desk: ReviewDesk, person_id: str, first: int, last: int, *, noticed: timedelta | None = None) -> None:
    absence = Absence(person_id=person_id, since=NOON + first * DAY, until=NOON + last * DAY)
    absence.notice_until = NOON + noticed if noticed is not None else None
    desk.run(lambda uow: uow.session.add(absence))


def ended(desk: ReviewDesk, person_id: str, after: int) -> None:
    def act(uow: UnitOfWork) -> None:
        for row in uow.session.query(Post).filter_by(person_id=person_id):
            row.until = NOON + after * DAY

    desk.run(act)


@pytest.mark.requirement("R16")
def test_the_deputy_stands_in_for_the_head_then_the_head_above_and_else_nobody(desk: ReviewDesk) -> None:
    away(desk, "head", 2, 6)
    away(desk, "deputy", 3, 5)
    ended(desk, "board-head", 4)
    found = post(desk, "head", "works")
    assert [(turn.state, *((turn.since - NOON) // DAY, (turn.until - NOON) // DAY)) for turn in found.turns] == [
        ("in-charge", 0, 2),
        ("stands-in", 2, 3),  # the deputy
        ("stands-in", 3, 4),  # the head above
        ("nobody", 4, 5),
        ("stands-in", 5, 6),
        ("in-charge", 6, 14),
    ]
    assert found.has_gap
    assert [(one.since - NOON) // DAY for one in found.holders[0].away] == [2]
    assert {one.kind for one in desk.run(posts_overview.get_overview, only_gaps=True, by="admin").posts} == {"head"}


def test_an_absence_counts_from_when_others_may_sign(desk: ReviewDesk) -> None:
    away(desk, "supervisor", 0, 3, noticed=timedelta(hours=12))
    first, second, third = post(desk, "supervisor").turns
    assert (first.state, second.state, third.state) == ("in-charge", "nobody", "in-charge")
    assert second.since - first.since == timedelta(hours=12)


def test_a_post_that_nobody_holds_or_that_begins_later_is_a_gap(desk: ReviewDesk) -> None:
    ended(desk, "manager", 0)
    ended(desk, "manager2", 0)
    ended(desk, "board-head", 0)
    assert post(desk, "manager").is_vacant
    assert [turn.state for turn in post(desk, "manager").turns] == ["nobody"]
    later = Post(person_id="manager", department_id="board", kind="manager", since=NOON + 3 * DAY)
    desk.run(lambda uow: uow.session.add(later))
    assert [turn.state for turn in post(desk, "manager").turns] == ["nobody", "in-charge"]


@pytest.mark.requirement("R2", refuses=True)
async def test_heads_see_their_own_and_members_nothing(desk: ReviewDesk) -> None:
    assert len(desk.run(posts_overview.get_overview, by="supervisor").posts) > 6
    assert {one.department.id for one in desk.run(posts_overview.get_overview, by="head").posts if one.department} == {
        "works"
    }
    with pytest.raises(Refused) as refused:
        desk.run(posts_overview.get_overview, by="drafter")
    assert refused.value.status == 403
    async with Portal(desk) as portal:
        head = await portal.signed_in("head")
        assert [one["kind"] for one in (await head.get("/api/posts")).json()["posts"]] == ["head"]
        assert (await head.get("/posts")).status_code == 200
        drafter = await portal.signed_in("drafter")
        assert (await drafter.get("/posts")).status_code == 403
        admin = await portal.signed_in("admin")
        assert (await admin.get("/posts?show=gaps")).status_code == 200
