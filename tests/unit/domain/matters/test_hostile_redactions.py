"""Attempts to see footage by way of a redacted copy, and to approve one that nobody has watched."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from prepared_desk import prepared_desk
from redacted_case import HOUR, MINUTE, RECIPE, made, play, watch

from services.database.tables.applications import Item
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivative_viewings, stills, suspensions, thumbnails
from services.runtime.errors import Refused

CHECK, CHECKER = "redaction-check", "reviewer2"


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    return caught.value.code


def asked(loan: LoanDesk, by: str = "keeper") -> tuple[str, Derivative]:
    matter_id = loan.ask("redaction", by, copyId=loan.ids["copy_id"], recipe=RECIPE)
    return matter_id, made(loan)


def opened(loan: LoanDesk, row: Derivative, by: str) -> str:
    run, act = loan.desk.run, derivative_viewings.open_viewing
    viewing_id: str = run(act, row.id, purpose_confirmed=True, address="x", by=by).viewing_id
    run(derivative_viewings.record_read, row.id, viewing_id, 0, 4000, by=by)
    return viewing_id


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_many_windows_at_once_do_not_watch_faster_than_one(loan: LoanDesk) -> None:
    matter_id, row = asked(loan)
    loan.check(matter_id)
    review_id = loan.open(matter_id, CHECK)
    windows = [opened(loan, row, CHECKER) for _ in range(12)]
    loan.desk.clock.turn(timedelta(minutes=5))

    def report(place: int) -> Any:
        act = derivative_viewings.record_played
        start = place * MINUTE
        return loan.desk.run(act, row.id, windows[place], start, start + MINUTE, by=CHECKER)

    for minutes in (0.0, 0.5):  # what is saved is one minute, in whichever window; then double speed
        loan.desk.clock.turn(timedelta(minutes=minutes))
        report(int(2 * minutes))
        for place in range(2, 12):
            assert code_of(lambda place=place: report(place)) == "watched-too-fast"  # type: ignore[misc]
    assert code_of(lambda: loan.answer(review_id, matter_id, CHECK, CHECKER)) == "not-watched"
    backwards = derivative_viewings.record_played
    assert code_of(lambda: loan.desk.run(backwards, row.id, windows[0], HOUR, 0, by=CHECKER)) == "watched-too-fast"


@pytest.mark.requirement("R6", "R58", refuses=True)
def test_stills_and_thumbnails_of_the_whole_film_are_not_watched(loan: LoanDesk) -> None:
    matter_id, row = asked(loan)
    loan.check(matter_id)
    review_id = loan.open(matter_id, CHECK)
    run, act = loan.desk.run, derivative_viewings.open_viewing
    viewing_id: str = run(act, row.id, purpose_confirmed=True, address="x", by=CHECKER).viewing_id
    by: dict[str, Any] = {"by": CHECKER}

    assert row.sealed is not None
    for at_ms, offset, length in row.sealed["fragments"]:
        run(stills.prepare, "derivative", row.id, viewing_id, at_ms=at_ms, text="", address="x", **by)
        # and the player reads the last byte of each fragment, and nothing else of it
        run(derivative_viewings.record_read, row.id, viewing_id, offset + length - 1, 1, **by)
    run(thumbnails.record, "derivative", row.id, viewing_id, 12, address="x", **by)
    run(derivative_viewings.record_read, row.id, viewing_id, 0, 100, **by)

    whole = [(0, HOUR - derivative_viewings.EDGE_MS)]
    assert play(loan, row, (viewing_id, CHECKER), 0, HOUR) == whole
    for outcome in ("approved", "again"):
        answer = partial(loan.answer, review_id, matter_id, CHECK, CHECKER, outcome)
        assert code_of(answer) == "not-watched"
    viewing = loan.desk.the(DerivativeViewing, id=viewing_id)
    assert viewing.ranges == [[0, 4000]], "who saw a picture is on record with all that it was read from"

    watch(loan, row, CHECKER)
    loan.answer(review_id, matter_id, CHECK, CHECKER)
    assert loan.apply(matter_id)


@pytest.mark.requirement("R6", "R41", refuses=True)
def test_a_redacted_copy_opens_to_its_maker_only_while_the_copy_does(loan: LoanDesk) -> None:
    matter_id, row = asked(loan)
    viewing_id = opened(loan, row, "keeper")
    loan.check(matter_id)
    loan.open(matter_id, CHECK)
    watching: dict[str, Any] = {"by": "keeper"}
    run, read = loan.desk.run, derivative_viewings.record_read

    def suspend(uow: UnitOfWork) -> str:
        return suspensions.open_once(uow, uow.session.get_one(HandOver, loan.ids["hand_over_id"]), "recalled").id

    run(suspend)
    assert code_of(lambda: run(read, row.id, viewing_id, 0, 10, **watching)) == "copy-recalled"
    assert run(derivative_viewings.check, row.id, by=CHECKER).derivative_id == row.id, "who decides about it still can"

    # somebody else has the custody now: the maker's own right to the copy has ended with it
    def pass_on(uow: UnitOfWork) -> None:
        uow.session.get_one(HandOver, loan.ids["hand_over_id"]).custodian_id = "head"
        uow.session.query(Grant).update({"ended_at": uow.now})

    run(pass_on)
    assert code_of(lambda: run(read, row.id, viewing_id, 0, 10, **watching)) == "grant-ended"
    assert code_of(lambda: opened(loan, row, "keeper")) == "grant-ended"


@pytest.mark.requirement("R6", "R57", refuses=True)
def test_nobody_redacts_a_copy_of_the_loan_that_is_not_theirs_to_watch(loan: LoanDesk) -> None:
    """A grant to one copy of a loan asks for no redacted copy of another one."""

    def second(uow: UnitOfWork) -> str:
        def like(row: Any, **changed: Any) -> Any:
            names = [column.name for column in row.__table__.columns if column.name != "id"]
            made = type(row)(**{**{name: getattr(row, name) for name in names}, **changed})
            uow.session.add(made)
            uow.session.flush()
            return made

        first = uow.session.get_one(Copy, loan.ids["copy_id"])
        item = like(uow.session.get_one(Item, first.item_id), position=2)
        attempt = like(uow.session.get_one(UploadAttempt, first.attempt_id), key="copies/second")
        copy_id: str = like(first, item_id=item.id, attempt_id=attempt.id).id
        return copy_id

    other = loan.desk.run(second)
    assert code_of(lambda: loan.ask("redaction", copyId=other, recipe=RECIPE)) == "not-yours"
    assert loan.desk.all(Derivative) == []
    asked(loan)
