"""A review is closed with the branch of the process that asked, and with all that asks for it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal, problem
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.notices import Notice
from services.database.tables.reviews import Decision, Review
from services.domain.cases import inbox
from services.domain.process.instances import FAILURES, PARTITION_BITS, check_instances
from services.domain.reviews import ending, tasks
from services.domain.reviews.ending import EndedBranches, close_of_ended_instances
from services.domain.stages.catalogue import STAGES
from services.runtime import metrics
from services.runtime.errors import Refused, Retryable

pytestmark = pytest.mark.requirement("R22")
CASE, FIRST, SECOND, THIRD = 1000, 1001, 1002, 1003


class Engine:
    """Knows which process instances run, and what it was asked."""

    def __init__(self, *running: int) -> None:
        self.running = set(running)
        self.asked: list[int] = []

    async def has_instance(self, key: int) -> bool:
        self.asked.append(key)
        return key in self.running


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def opened(desk: ReviewDesk, case: str, stage: str, instance: int) -> str:
    review_id = desk.opened(case, stage)

    def run_in(uow: Any) -> None:
        uow.session.get_one(Review, review_id).process_instance_key = instance

    desk.run(run_in)
    return review_id


def running_case(desk: ReviewDesk) -> str:
    case = desk.submitted()
    desk.classed(case, process_instance_key=CASE)
    return case


def look(desk: ReviewDesk, engine: Engine) -> EndedBranches:
    desk.clock.turn(timedelta(minutes=5))
    return EndedBranches(desk.database, engine)  # type: ignore[arg-type]  # what is used of it


def waits_for(desk: ReviewDesk, person: str) -> list[str]:
    return [line.id for line in desk.run(inbox.read_waiting, by=person).lines]


@pytest.mark.requirement("R22", refuses=True)
@pytest.mark.both_databases
async def test_a_review_whose_branch_has_ended_is_closed_with_all_that_asks_for_it(desk: ReviewDesk) -> None:
    case = running_case(desk)
    ended, kept = opened(desk, case, "security", FIRST), opened(desk, case, "preliminary", SECOND)
    desk.run(tasks.claim, ended, by="reviewer")
    assert waits_for(desk, "reviewer") == [ended]

    closed = await look(desk, Engine(CASE, SECOND)).close_ended()

    assert closed == [ended]
    review = desk.the(Review, id=ended)
    assert (review.closed_because, review.claimed_by, review.closed_at) == ("branch-ended", None, desk.clock.now())
    assert waits_for(desk, "reviewer") == []
    assert waits_for(desk, "head") == [kept]
    assert all(notice.done_at is not None for notice in desk.all(Notice, subject_id=ended))
    assert any(notice.done_at is None for notice in desk.all(Notice, subject_id=kept))
    [event] = desk.all(AuditEvent, action="review-closed")
    assert json.loads(event.entry)["detail"] == {"because": "branch-ended", "claimed_by": "reviewer"}
    with pytest.raises(Refused, match="The process ended this question without an answer") as refused:
        desk.decide(ended, "reviewer")
    assert refused.value.code == "no-longer-asked"
    assert desk.run(tasks.remind, ended, 77) is None
    assert desk.all(AuditEvent, action="review-reminded") == []


async def test_a_case_that_the_engine_does_not_have_keeps_its_questions(desk: ReviewDesk) -> None:
    """Such a case stands still, for which there is an alert; an engine that was restored has it again."""
    case = running_case(desk)
    review = opened(desk, case, "preliminary", FIRST)
    assert await look(desk, Engine()).close_ended() == []
    assert desk.the(Review, id=review).closed_at is None


class Partitioned(Engine):
    """An engine whose second partition is away."""

    async def has_instance(self, key: int) -> bool:
        if key >> PARTITION_BITS == 2:
            self.asked.append(key)
            raise Retryable("the partition does not answer")
        return await super().has_instance(key)


async def test_a_partition_that_is_away_keeps_no_other_review_open(desk: ReviewDesk) -> None:
    away = [(2 << PARTITION_BITS) + number for number in range(5)]
    for key in away:
        case = desk.submitted()
        desk.classed(case, process_instance_key=key)
        opened(desk, case, "preliminary", key + 100)
    case = running_case(desk)
    ended = opened(desk, case, "preliminary", FIRST)
    engine = Partitioned(CASE)

    assert await look(desk, engine).close_ended() == [ended]
    assert len([key for key in engine.asked if key not in (CASE, FIRST)]) == FAILURES

    engine.asked.clear()
    assert await check_instances(desk.database, engine) == []  # type: ignore[arg-type]  # as above
    assert len([key for key in engine.asked if key != CASE]) == FAILURES


async def test_what_a_part_of_the_engine_does_not_say_takes_back_no_case_without_instance(desk: ReviewDesk) -> None:
    case = running_case(desk)

    def counted() -> float | None:
        name, labels = "footage_desk_cases_without_instance", {"process": "video-retrieval"}
        return metrics.INSTANCE_REGISTRY.get_sample_value(name, labels)

    async def check(engine: Engine) -> list[str]:
        return await check_instances(desk.database, engine)  # type: ignore[arg-type]  # as above

    assert (await check(Engine()), counted()) == ([case], 1)
    desk.classed(case, process_instance_key=2 << PARTITION_BITS)
    other = desk.submitted()
    desk.classed(other, process_instance_key=CASE)
    assert (await check(Partitioned(CASE)), counted()) == ([], 1)
    with pytest.raises(Retryable):
        await check_instances(desk.database, Away())  # type: ignore[arg-type]  # as above
    assert (await check(Engine(CASE, 2 << PARTITION_BITS)), counted()) == ([], 0)


async def test_a_review_that_is_just_being_opened_is_not_asked_for(desk: ReviewDesk) -> None:
    case = running_case(desk)
    opened(desk, case, "preliminary", FIRST)
    engine = Engine(CASE)
    assert await EndedBranches(desk.database, engine).close_ended() == []  # type: ignore[arg-type]  # as above
    assert engine.asked == []


async def test_each_look_asks_for_so_many_and_the_next_one_goes_on(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AT_ONCE", 2)
    case = running_case(desk)
    keys = {opened(desk, case, stage, key): key for stage, key in (("preliminary", FIRST), ("security", SECOND))}
    keys[opened(desk, case, "security-signature", THIRD)] = THIRD
    engine = Engine(CASE, FIRST, SECOND, THIRD)
    branches = look(desk, engine)
    for _ in range(3):
        assert await branches.close_ended() == []
    by_id = [keys[review_id] for review_id in sorted(keys)]
    assert engine.asked == [*by_id, *by_id[:2]]


async def test_what_has_ended_in_the_embedded_engine_is_closed_at_once(desk: ReviewDesk) -> None:
    case = running_case(desk)
    review = opened(desk, case, "preliminary", FIRST)
    assert await close_of_ended_instances(desk.database, {SECOND, CASE}) == []
    assert await close_of_ended_instances(desk.database, {FIRST}) == [review]
    assert await close_of_ended_instances(desk.database, {FIRST}) == []


@pytest.mark.requirement("R22", refuses=True)
@pytest.mark.parametrize("outcome", ["rejected", "returned"])
def test_a_no_closes_what_was_asked_beside_it(outcome: str, desk: ReviewDesk) -> None:
    case, other = running_case(desk), desk.submitted()
    first, beside = desk.opened(case, "preliminary"), desk.opened(case, "security")
    elsewhere = desk.opened(other, "security")
    assert set(waits_for(desk, "reviewer")) == {beside, elsewhere}

    desk.decide(first, "head", outcome)

    assert desk.the(Review, id=beside).closed_because == "passed"
    assert waits_for(desk, "reviewer") == [elsewhere]
    assert all(notice.done_at is not None for notice in desk.all(Notice, subject_id=beside))
    with pytest.raises(Refused, match="The case has continued without this review"):
        desk.decide(beside, "reviewer")


class Away:
    """An engine that does not answer."""

    async def has_instance(self, key: int) -> bool:
        raise Retryable("the engine does not answer")


@pytest.mark.requirement("R22", refuses=True)
async def test_who_decides_what_a_process_has_ended_is_refused_before_it_is_found(desk: ReviewDesk) -> None:
    """On a cluster nobody tells that a branch has ended: it is asked for before the answer is stored."""
    case = running_case(desk)
    ended, open_ = opened(desk, case, "preliminary", FIRST), opened(desk, case, "security", SECOND)
    decision = {"outcome": "approved", "answers": {}, "password": PASSWORD, "formSha256": desk.form_sha256(ended)}
    answers = {question.code: True for question in STAGES["preliminary"].questions}
    async with Portal(desk, engine_client=Engine(CASE, SECOND)) as portal:
        head = await portal.signed_in("head")
        answer = await head.post(f"/api/reviews/{ended}/decide", json={**decision, "answers": answers})
    assert problem(answer)[:2] == (409, "no-longer-asked")
    assert desk.the(Review, id=ended).closed_because == "branch-ended"
    assert desk.the(Review, id=open_).closed_at is None
    assert desk.all(Decision) == []


async def test_a_decision_does_not_wait_for_an_engine_that_is_away(desk: ReviewDesk) -> None:
    case = running_case(desk)
    review = opened(desk, case, "preliminary", FIRST)
    await ending.close_if_ended(desk.database, Away(), review)  # type: ignore[arg-type]  # what is used of it
    await ending.close_if_ended(desk.database, None, review)
    desk.decide(review, "head")
    assert desk.the(Review, id=review).closed_because == "decided"
