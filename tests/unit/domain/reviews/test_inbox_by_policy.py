"""The inbox reads in SQL what may concern a person; whom the policy lets decide, or bars, is in it, and nobody else."""

import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from installation_fixture import FOLDERS, KEPT, Facts
from portal_client import Portal
from review_desk import NOON, ReviewDesk
from sqlalchemy import select, update

from services.database import schema as database_schema
from services.database.listing import Listing
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.database.tables.reviews import Proposal, Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import policy
from services.domain.access import queries as access_queries
from services.domain.applications.forms import ItemAsked
from services.domain.cases import inbox
from services.domain.stages.catalogue import STAGES
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules

pytestmark = pytest.mark.requirement("R23", "R27")


def expected(uow: UnitOfWork) -> tuple[set[str], set[str]]:
    """Ask the policy of each open review: which wait for the actor, and which a conflict bars."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    waiting, barred = set(), set()
    query = select(Review).join(Application, Application.id == Review.application_id)
    for review in uow.session.scalars(query.where(Review.closed_at.is_(None), Application.withdrawn_at.is_(None))):
        facts = access_queries.load_facts(uow, review.application_id)
        if not any(me in pool for pool in policy.pools(directory, facts, STAGES[review.stage])):
            continue
        proposed = select(Proposal.id).where(Proposal.review_id == review.id, Proposal.refused_by.is_(None))
        second = uow.session.scalar(proposed) is not None
        refusal = policy.refusal_for(directory, facts, review, me, second=second)
        if refusal is None:
            waiting.add(review.id)
        elif refusal.code.startswith(inbox.CONFLICTS):
            barred.add(review.id)
    return waiting, barred


def read(uow: UnitOfWork) -> tuple[set[str], set[str]]:
    waiting = {line.id for line in inbox.read_waiting(uow).lines}
    few, count, more = inbox.read_first(uow, 2, 3)
    decisions = [line for line in inbox.read_waiting(uow).lines if line.stage != "receipt"]
    assert (few, count, more) == (decisions[:2], min(len(decisions), 3), len(decisions) > 3)
    assert [line.id for line in inbox.read_waiting(uow, Listing(limit=2)).lines] == [
        line.id for line in inbox.read_waiting(uow).lines[:2]
    ]
    return waiting, {line.review.id for line in inbox.read_barred(uow).lines}


def compared(database: Database, people: list[str]) -> tuple[int, int]:
    """Compare for each person; how many reviews wait and how many are barred, over all of them."""
    waiting = barred = 0
    for person in people:
        actor = Actor("person", person)
        found = database.read_now(actor, read)
        assert found == database.read_now(actor, expected), person
        waiting, barred = waiting + len(found[0]), barred + len(found[1])
    return waiting, barred


@pytest.fixture
def first_release(tmp_path: Path) -> Iterator[Database]:
    """The installation of the first release, which has a case at each stage."""
    with tarfile.open(KEPT / FOLDERS) as archive:
        archive.extractall(tmp_path, filter="tar")
    [path] = (tmp_path / "var").glob("*.sqlite3")
    clock = FixedClock(Facts.read().moment)
    database = open_database(f"sqlite:///{path}", clock, Rules(max_use_days=30))
    database_schema.migrate(database.engine)
    yield database
    database.close()


def test_each_person_of_the_first_release_finds_what_the_policy_says(first_release: Database) -> None:
    people = first_release.read_now(Actor("system", "test"), lambda uow: list(uow.session.scalars(select(Person.id))))
    waiting, barred = compared(first_release, people)
    assert (waiting > 10, barred > 3) == (True, True)


@pytest.mark.slow
def test_who_has_no_agreement_is_barred_everywhere(first_release: Database) -> None:
    clerk = Actor("system", "test")
    people = first_release.read_now(clerk, lambda uow: list(uow.session.scalars(select(Person.id))))
    before = compared(first_release, people)
    first_release.run_now(clerk, lambda uow: uow.session.execute(update(Agreement).values(ended_at=uow.now)))
    after = compared(first_release, people)
    assert after[0] < before[0]
    assert after[1] > before[1]


def test_a_long_row_of_barred_reviews_hides_none_that_waits(tmp_path: Path) -> None:
    """The head drafted the first thirty, so all of the first lots are barred to him."""
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    for by in (*["head"] * 30, "drafter", "drafter"):
        desk.opened(desk.submitted(by=by), "preliminary")
    waits = desk.run(inbox.read_waiting, Listing(limit=2, sort="number"), by="head")
    assert (len(waits.lines), waits.previous, waits.next) == (2, "", "")
    barred = desk.run(inbox.read_barred, Listing(limit=20), by="head")
    assert (len(barred.lines), barred.next != "") == (20, True)
    rest = desk.run(inbox.read_barred, Listing(limit=20, place=barred.next), by="head")
    assert (len(rest.lines), rest.next) == (10, "")
    desk.close()


async def test_the_inbox_is_searched_by_what_its_lines_show_and_keeps_what_was_chosen(tmp_path: Path) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    desk.add_north_gate()
    north = (ItemAsked("north", NOON - timedelta(hours=2), NOON - timedelta(hours=1), "UTC"),)
    reviews = [
        desk.opened(desk.submitted(title=title, **items), "security")
        for title, items in (("仓库丢货", {}), ("走廊", {"items": north}))
    ]
    async with Portal(desk) as portal:
        reviewer = await portal.signed_in("reviewer")

        async def found(text: str) -> list[str]:
            answer = await reviewer.get("/api/reviews", params={"search": text})
            return [line["id"] for line in answer.json()]

        for number, texts in enumerate((("仓库", "大门", "一层"), ("走廊", "北门", "North Gate", "北区"))):
            for text in texts:
                assert await found(text) == [reviews[number]], text
        assert await found("地下车库") == []
        page = (await reviewer.get("/inbox?decisions=true")).text
        assert '<input type="hidden" name="decisions" value="true">' in page
        narrowed = (await reviewer.get("/inbox?search=北门&decisions=true")).text
        assert f'id="line-{reviews[1]}"' in narrowed
        assert f'id="line-{reviews[0]}"' not in narrowed
        assert 'name="decisions"' not in (await reviewer.get("/inbox")).text
    desk.close()
