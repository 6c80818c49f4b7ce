"""The round of the recorders: whose turn it is, and what is kept of the answer. Nobody has to look for it (F3, F33).

``polled_at`` is the lease as well: whoever takes a recorder moves it on, so that no other portal asks it meanwhile.
"""

from datetime import timedelta

from sqlalchemy import or_, select

from services.database.tables.cameras import Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import measurements, protections, recorders
from services.domain.cameras.measurements import Measured
from services.domain.cameras.recorders import Finding
from services.domain.cameras.retention import UPLOADED


def claim_next(uow: UnitOfWork, every: timedelta) -> Recorder | None:
    """The recorder in use that nobody has asked for longest, leased to the caller; None when none is due.

    One that was retired is asked as long as it still locks footage for a case that has ended.
    """
    query = (
        select(Recorder)
        .where(
            or_(Recorder.active, Recorder.id.in_(protections.select_due_recorders())),
            Recorder.kind != UPLOADED,
            or_(Recorder.polled_at.is_(None), Recorder.polled_at <= uow.now - every),
        )
        .order_by(Recorder.polled_at.asc().nulls_first(), Recorder.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = uow.session.scalar(query)
    if row is not None:
        row.polled_at = uow.now
    return row


def record_answer(uow: UnitOfWork, recorder_id: str, facts: Measured) -> None:
    """The recorder answered. What a person's test found of its cameras stays: nobody looked at them now."""
    measurements.record_measured(uow, recorder_id, facts)


def record_silence(uow: UnitOfWork, recorder_id: str, wrong: Finding) -> None:
    """The recorder gave no answer, or could not be asked."""
    recorders.record_error(uow, uow.session.get_one(Recorder, recorder_id), wrong)
