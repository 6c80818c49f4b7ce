"""Matters on the engine: an extension agreed and refused, a loan that ends meanwhile, and each answer to a problem."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from case_people import CUSTODIAN, OpenDesk, People, unheard
from whole_matter import ask, decide

from services.database.tables.copies import Copy, Grant
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivatives
from services.domain.matters import service
from services.domain.process.messages import MATTER_MOOT
from services.runtime.jobs.worker import Worker, discover

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]


async def ended(desk: People, matter_id: str, closed_as: str) -> None:
    await desk.until(lambda _: desk.rows(Matter, id=matter_id)[0].closed_at, "the end of the matter")
    assert desk.rows(Matter, id=matter_id)[0].closed_as == closed_as
    await desk.quiet()
    assert not desk.trace.incidents


@pytest.mark.requirement("R49", "R50")
async def test_an_extension_that_is_agreed_moves_the_due_date_and_its_timers(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)
    wanted = loan.due_at + timedelta(days=7)

    matter_id = await ask(desk, case, "extension", dueAt=wanted.isoformat())
    await decide(desk, matter_id, "extension")

    await ended(desk, matter_id, "applied")
    assert desk.hand_over(case).due_at == wanted
    await desk.turn(days=5, hours=1)
    assert {grant.until for grant in desk.rows(Grant)} == {wanted}
    await desk.returned(case)


@pytest.mark.requirement("R50")
async def test_an_extension_that_is_refused_changes_nothing(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)

    matter_id = await ask(desk, case, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())
    await decide(desk, matter_id, "extension", "rejected")

    await ended(desk, matter_id, "refused")
    assert desk.hand_over(case).due_at == loan.due_at


@pytest.mark.requirement("R6", "R58", refuses=True)
async def test_a_redacted_copy_is_made_again_and_then_approved(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    [copy] = desk.rows(Copy)
    box = {"start": 0, "end": 1000, "keyframes": [{"at": 0, "x": 0, "y": 0, "width": 64, "height": 64}]}
    recipe = {"mode": "keep-one", "picture": {"width": 160, "height": 96}, "regions": [box]}

    def not_made(uow: UnitOfWork) -> None:
        order = derivatives.begin(uow)
        assert order is not None
        uow.session.flush()
        derivatives.fail(uow, order.attempt_id, "its pictures cannot be decoded")

    def made_and_watched(uow: UnitOfWork) -> None:
        """The copy stands for the redacted one; Security has watched all of it."""
        order = derivatives.begin(uow)
        assert order is not None
        uow.session.flush()
        assert derivatives.finish(uow, order.attempt_id, dict(copy.sealed), {"tools": {}})
        for person in uow.session.query(Person.id):
            looks = {"opened_at": uow.now, "address": "x", "ranges": [], "played": [[0, 10**9]]}
            uow.session.add(DerivativeViewing(derivative_id=order.derivative_id, person_id=person[0], **looks))

    first = await ask(desk, case, "redaction", copyId=copy.id, recipe=recipe)
    await desk.as_person(CUSTODIAN, not_made)
    await decide(desk, first, "redaction-check", "again")
    await ended(desk, first, "refused")

    second = await ask(desk, case, "redaction", copyId=copy.id, recipe=recipe)
    await desk.as_person(CUSTODIAN, made_and_watched)
    await decide(desk, second, "redaction-check")
    await ended(desk, second, "applied")
    assert [row.approved_at is not None for row in desk.rows(Derivative, matter_id=second)] == [True]


@pytest.mark.requirement("R47")
async def test_p11_a_return_ends_what_is_asked_about_the_loan(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)
    matter_id = await ask(desk, case, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())
    await desk.until(lambda _: desk.rows(Review, matter_id=matter_id), "the review")

    await desk.returned(case)

    await ended(desk, matter_id, "moot")
    assert all(review.closed_at for review in desk.rows(Review, matter_id=matter_id))


def workers_after(job_type: str, act: Callable[[str], Awaitable[None]]) -> list[Worker]:
    """All workers; the one of this type begins once ``act`` has ended, which gets the matter's id."""

    def delayed(worker: Worker) -> Worker:
        @functools.wraps(worker.handle)
        async def handle(command: Any, **given: Any) -> Any:
            await act(command.matter_id)
            return await worker.handle(command, **given)

        return replace(worker, handle=handle)

    return [delayed(worker) if worker.job_type == job_type else worker for worker in discover()]


@pytest.mark.requirement("R46", "R47")
async def test_what_is_withdrawn_before_it_is_checked_is_put_to_nobody(a_desk: OpenDesk) -> None:
    async def withdraw(matter_id: str) -> None:
        await desk.as_person(CUSTODIAN, unheard(MATTER_MOOT, service.withdraw), matter_id)

    async with a_desk(workers=workers_after("check-matter", withdraw)) as desk:
        case = await desk.apply("cam1", requested_use_days=5)
        loan = await desk.accept(case)

        matter_id = await ask(desk, case, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())

        await ended(desk, matter_id, "moot")
        await desk.entered("Flow_MatterNotAllowed")
        assert desk.rows(Review, matter_id=matter_id) == []
        await desk.returned(case)


@pytest.mark.requirement("R47")
async def test_what_was_agreed_is_not_done_once_the_copies_are_back(a_desk: OpenDesk) -> None:
    async def give_back(_matter_id: str) -> None:
        await desk.give_back(case, without=MATTER_MOOT)

    async with a_desk(workers=workers_after("apply-matter", give_back)) as desk:
        case = await desk.apply("cam1", requested_use_days=5)
        loan = await desk.accept(case)

        matter_id = await ask(desk, case, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())
        await decide(desk, matter_id, "extension")

        await ended(desk, matter_id, "moot")
        await desk.entered("Event_MatterTooLate")
        assert desk.hand_over(case).due_at == loan.due_at
        await desk.decide(case, "return-inspection")
        await desk.until(lambda _: desk.application(case).closed_as, "the end of the case")
        assert desk.application(case).closed_as == "footage-re-archived"


@pytest.mark.requirement("R46", "R47")
async def test_what_is_withdrawn_ends_and_can_be_asked_again(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)
    wanted = (loan.due_at + timedelta(days=7)).isoformat()
    matter_id = await ask(desk, case, "extension", dueAt=wanted)
    await desk.until(lambda _: desk.rows(Review, matter_id=matter_id), "the review")

    await desk.as_person(CUSTODIAN, service.withdraw, matter_id)

    await ended(desk, matter_id, "moot")
    await desk.entered("Event_MatterClosedAsMoot")
    assert all(row.settled_at for row in desk.rows(OutboxMessage, matter_id=matter_id))
    again = await ask(desk, case, "extension", dueAt=wanted)
    await decide(desk, again, "extension")
    await ended(desk, again, "applied")
    await desk.returned(case)


async def report(desk: People, case: str, problem: str = "wrong-camera", by: str = CUSTODIAN) -> str:
    return await ask(desk, case, "problem", by, problem=problem)


@pytest.mark.requirement("R43", "R44")
async def test_a_problem_that_is_explained_gives_the_loan_its_days_back(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    due_at = (await desk.accept(case)).due_at

    matter_id = await report(desk, case)
    await desk.turn(days=8)
    assert not desk.rows(Violation), "the clock stands while the copies are frozen"
    await decide(desk, matter_id, "problem", "explained")

    await ended(desk, matter_id, "answered")
    assert desk.hand_over(case).due_at >= due_at + timedelta(days=8)
    await desk.turn(days=4)
    assert {grant.until for grant in desk.rows(Grant)} == {desk.hand_over(case).due_at}
    assert not desk.rows(Violation)
    await desk.returned(case)


@pytest.mark.requirement("R43", "R44")
async def test_copies_that_are_recalled_after_a_problem_are_inspected(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    loan = await desk.accept(case)
    other = await ask(desk, case, "extension", dueAt=(loan.due_at + timedelta(days=7)).isoformat())

    matter_id = await report(desk, case, "wrong-span")
    await decide(desk, matter_id, "problem", "recall")

    await ended(desk, matter_id, "answered")
    await ended(desk, other, "moot")
    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    assert not desk.rows(Violation)


@pytest.mark.requirement("R65")
async def test_a_breach_that_security_finds_is_a_violation_and_the_copies_come_back(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)

    matter_id = await report(desk, case, "leaked")
    await decide(desk, matter_id, "problem", "breach")

    await ended(desk, matter_id, "answered")
    assert [row.kind for row in desk.rows(Violation)] == ["leak"]
    await desk.returned(case)


@pytest.mark.requirement("R44")
async def test_a_loss_ends_the_report_of_a_problem(desk: People) -> None:
    case = await desk.apply("cam1", requested_use_days=5)
    await desk.accept(case)
    matter_id = await report(desk, case)
    await desk.until(lambda _: desk.rows(Review, matter_id=matter_id), "the review")

    await desk.report_loss(case)

    await ended(desk, matter_id, "moot")
    await desk.closed(case, "copy-lost")
