"""A redacted copy on paper: asked for, made in the database alone, watched and decided as people would."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lent_case import SEALED, TIMES
from loan_matter import LoanDesk

from services.database.tables.derivatives import Derivative
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import derivative_viewings, derivatives

HOUR, MINUTE = 3_600_000, 60_000
BOX = {"start": 0, "end": HOUR, "keyframes": [{"at": 0, "x": 0, "y": 0, "width": 640, "height": 360}]}
RECIPE: dict[str, Any] = {"mode": "keep-one", "picture": {"width": 1920, "height": 1080}, "regions": [BOX]}
PART = {
    "offset": 0,
    "length": 4000,
    "init": 100,
    "span": TIMES,
    "codecs": ["h264"],
    "fingerprint": "",
    "container": "mp4",
}


def made(loan: LoanDesk, sha256: str = "c") -> Derivative:
    """Let the one that waits be made, as the process would that makes them."""
    row = loan.desk.run(make, sha256)
    assert row is not None
    return row


def make(uow: UnitOfWork, sha256: str = "c", span: Sequence[str] = TIMES) -> Derivative | None:
    """Make the one that waits, of footage this long, in two fragments; None where none waits, or is wanted."""
    order = derivatives.begin(uow)
    if order is None:
        return None
    long = (datetime.fromisoformat(span[1]) - datetime.fromisoformat(span[0])) // timedelta(milliseconds=1)
    times = {"parts": [{**PART, "span": span}], "covered": [span], "firstFrame": span[0], "lastFrame": span[1]}
    coverage = {**SEALED["coverage"], **times}  # type: ignore[dict-item]
    sealed = {**SEALED, "bucket": order.bucket, "key": order.key, "coverage": coverage}
    sealed["fragments"] = [[0, 100, 1900], [long // 2, 2000, 2000]]
    sealed |= {"plainSize": 4000, "sha256Plain": sha256 * 64}
    facts = {"pictures": 90_000, "drawn": 90_000, "undecodable": 0, "tools": {"av": "1"}}
    uow.session.flush()
    if not derivatives.finish(uow, order.attempt_id, sealed, facts):
        return None
    derivatives.record_label(uow, order.derivative_id, "d" * 64)
    return uow.session.get_one(Derivative, order.derivative_id)


def watch(loan: LoanDesk, row: Derivative, by: str, start: int = 0, end: int = HOUR) -> str:
    """Watch a stretch at its own speed, all bytes read; the id of the viewing."""
    act = derivative_viewings.open_viewing
    viewing_id = loan.desk.run(act, row.id, purpose_confirmed=True, address="x", by=by).viewing_id
    loan.desk.run(derivative_viewings.record_read, row.id, viewing_id, 0, 4000, by=by)
    play(loan, row, (viewing_id, by), start, end)
    return viewing_id


def play(loan: LoanDesk, row: Derivative, viewing: tuple[str, str], start: int, end: int) -> Any:
    """Play a stretch at double speed, as the player reports it, a minute at a time; return what is unwatched.

    ``viewing``: its id, and who has opened it.
    """
    viewing_id, by = viewing
    left: Any = None
    for at in range(start, end, MINUTE):
        length = min(MINUTE, end - at)
        loan.desk.clock.turn(timedelta(milliseconds=length // 2))
        left = loan.desk.run(derivative_viewings.record_played, row.id, viewing_id, at, at + length, by=by)
    return left


def approved(
    loan: LoanDesk, maker: str = "keeper", checker: str = "reviewer2", sha256: str = "c"
) -> tuple[str, Derivative]:
    """A redacted copy of the loan's one copy that a second person has watched and approved: its matter, and it."""
    matter_id = loan.ask("redaction", maker, copyId=loan.ids["copy_id"], recipe=RECIPE)
    row = made(loan, sha256)
    loan.check(matter_id)
    review_id = loan.open(matter_id, "redaction-check")
    watch(loan, row, checker)
    loan.answer(review_id, matter_id, "redaction-check", checker)
    assert loan.apply(matter_id)
    return matter_id, row
