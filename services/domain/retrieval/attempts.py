"""Upload attempts: a committed row and a key of its own for each, before the first byte is sent (docs/sealing.md).

A crash between the put and ``finish`` leaves an object whose key its row knows. The next run of the same job abandons
that row, has the object swept by its exact key, and begins an attempt of its own.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, or_, select, true

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.progress import Progress
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Fatal, NotPermitted, Retryable

Purpose = Literal["quarantine", "master", "copy", "replica", "emergency", "repair", "replica-repair"]

BUCKETS: dict[str, str] = {
    "quarantine": "quarantine",
    "master": "masters",
    "copy": "copies",
    "replica": "replicas",
    "emergency": "copies",  # each under a key of its own as well
    "repair": "masters",
    "replica-repair": "replicas",
}
REPAIRS = ("repair", "replica-repair")  # of what the archive has too, long after its case has ended
WITH_KEY = ("copy", "emergency")

# A writer that was given up may still be in its last request; its key is swept once more after this time.
LINGER = timedelta(hours=1)
# Older open attempts belong to a process that died, unless its progress says that it lives: a day's footage from a slow
# recorder takes longer.
LONGEST = timedelta(days=1)
COUNTER_BITS = 51  # of a key in Zeebe; its partition stands above them


class NoLongerWanted(Retryable):
    """The case was withdrawn or closed, or another run took over: nothing that is made now will be stored."""


def start(uow: UnitOfWork, purpose: Purpose, *, application_id: str, item_id: str, job_key: int) -> UploadAttempt:
    """Open an attempt with a fresh key ``<bucket>/<item or copy>/<attempt>``; commit before the first byte is sent.

    Raises NoLongerWanted when the case has ended, the item was dropped, or a later job works on it.
    """
    reason = reason_unwanted(uow, application_id, item_id)
    if reason is None and has_later_job(uow, purpose, item_id, job_key):
        reason = "a later job works on it"
    if reason is not None:
        raise NoLongerWanted(
            f"nothing was fetched or made | item {item_id} | {reason} | "
            "wait: the process takes this job back when it hears of it"
        )
    return _start(uow, purpose, application_id=application_id, item_id=item_id, job_key=job_key)


def start_repair(
    uow: UnitOfWork, purpose: Purpose, *, application_id: str, item_id: str, job_key: int
) -> UploadAttempt:
    """Open an attempt to make a damaged object anew, also where its case has ended; the caller has found it."""
    if purpose not in REPAIRS:
        raise ValueError(f"{purpose} is no repair: it is made for a case that runs")
    return _start(uow, purpose, application_id=application_id, item_id=item_id, job_key=job_key)


def _start(uow: UnitOfWork, purpose: Purpose, *, application_id: str, item_id: str, job_key: int) -> UploadAttempt:
    attempt_id, bucket = new_id(), BUCKETS[purpose]
    subject_id = new_id() if purpose in WITH_KEY else item_id
    attempt = UploadAttempt(
        id=attempt_id,
        purpose=purpose,
        application_id=application_id,
        item_id=item_id,
        subject_id=subject_id,
        job_key=job_key,
        bucket=bucket,
        key=f"{bucket}/{subject_id}/{attempt_id}",
        started_at=uow.now,
    )
    uow.session.add(attempt)
    audit_trail.record(
        uow, "upload-begun", "upload-attempt", attempt_id, application_id=application_id, key=attempt.key
    )
    return attempt


def finish(uow: UnitOfWork, attempt_id: str, version_id: str) -> bool:
    """Finish the attempt; return whether the object is still wanted. If not: delete it, then ``mark_swept``.

    Call it in the transaction that writes the master, copy, replica or preservation.
    """
    attempt = get(uow, attempt_id)
    if attempt.finished_at is not None:
        return attempt.version_id == version_id
    reason = attempt.abandoned_because or reason_unwanted(uow, attempt.application_id, attempt.item_id)
    if reason is None and attempt.purpose != "quarantine" and _is_other_finished(uow, attempt):
        reason = "another attempt has finished first"
    if reason is None and attempt.purpose == "quarantine":
        # A preservation that is tried again may end after the retrieval.
        outcome = uow.session.get_one(Item, attempt.item_id).outcome
        reason = None if outcome is None else f"its retrieval has ended as {outcome}"
    attempt.version_id = version_id
    if reason is not None:
        abandon(uow, attempt, reason)
        return False
    attempt.finished_at = uow.now
    audit_trail.record(
        uow,
        "upload-finished",
        "upload-attempt",
        attempt.id,
        application_id=attempt.application_id,
        key=attempt.key,
        version=version_id,
    )
    return True


def reason_unwanted(uow: UnitOfWork, application_id: str, item_id: str) -> str | None:
    """Return why nothing may be made for this item any more; locks the case, so that it cannot end meanwhile."""
    application = uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)
    item = uow.session.get(Item, item_id)
    if application is None or item is None or item.application_id != application_id:
        raise NotPermitted(
            f"could not find what to work on | application {application_id}, item {item_id} | "
            "the database does not have it | check the variables of the job, then resolve the incident"
        )
    if application.closed_at is not None:
        return f"the application is closed as {application.closed_as}"
    if application.withdrawn_at is not None:
        return "the application was withdrawn"
    if item.dropped_in_round is not None:
        return "the item was dropped from the application"
    return None


def abandon(uow: UnitOfWork, attempt: UploadAttempt, reason: str) -> None:
    """Give an open attempt up; its key is to be swept."""
    if attempt.abandoned_at is not None or attempt.finished_at is not None:
        return
    attempt.abandoned_at, attempt.abandoned_because = uow.now, reason
    audit_trail.record(
        uow,
        "upload-abandoned",
        "upload-attempt",
        attempt.id,
        application_id=attempt.application_id,
        key=attempt.key,
        reason=reason,
    )


def supersede(uow: UnitOfWork, purpose: Purpose, item_id: str, job_key: int | None = None) -> list[UploadAttempt]:
    """Abandon what earlier runs left open for the item, and list what is still to be swept.

    With ``job_key`` what a later job has begun is left to that one: a job that the process has taken back may still
    run when its successor does, and must not abandon its work. So is what a job of another partition has begun.
    """
    query = select(UploadAttempt).where(
        UploadAttempt.purpose == purpose,
        UploadAttempt.item_id == item_id,
        UploadAttempt.finished_at.is_(None),
        UploadAttempt.abandoned_at.is_(None),
    )
    if job_key is not None:
        query = query.where(UploadAttempt.job_key <= job_key, _is_of_partition(job_key))
    for attempt in uow.session.scalars(query):
        abandon(uow, attempt, "a later run of the job took over")
    uow.session.flush()
    return list_unswept(uow, purpose=purpose, item_id=item_id)


def abandon_all_of(uow: UnitOfWork, attempt_ids: Sequence[str], reason: str) -> list[UploadAttempt]:
    """Abandon these attempts, which their own worker needs no more, and list them: they are to be swept."""
    given_up = [get(uow, attempt_id) for attempt_id in attempt_ids]
    for attempt in given_up:
        abandon(uow, attempt, reason)
    return given_up


def has_later_job(uow: UnitOfWork, purpose: Purpose, item_id: str, job_key: int) -> bool:
    """Return whether a later job has begun, or done, the same work, by its key, which grows within a partition.

    Which of two jobs of two partitions is the later one cannot be known. They belong to two processes, such as those of
    a case and of its urgent retrieval, and each does the work: one alone may fail.
    """
    query = select(UploadAttempt.id).where(
        UploadAttempt.purpose == purpose,
        UploadAttempt.item_id == item_id,
        UploadAttempt.job_key > job_key,
        _is_of_partition(job_key),
        UploadAttempt.abandoned_at.is_(None),
    )
    return uow.session.scalar(query.limit(1)) is not None


def abandon_case(uow: UnitOfWork, application_id: str, reason: str) -> None:
    """Give up every open attempt of a case that has ended."""
    for attempt in uow.session.scalars(
        select(UploadAttempt).where(
            UploadAttempt.application_id == application_id,
            UploadAttempt.finished_at.is_(None),
            UploadAttempt.abandoned_at.is_(None),
        )
    ):
        abandon(uow, attempt, reason)
    uow.session.flush()


def abandon_dead(uow: UnitOfWork, *, all_open: bool) -> list[UploadAttempt]:
    """Abandon the open attempts that nobody works on, and list everything to be swept.

    ``all_open`` is for the start of the only process that uploads: no writer lives, so every key is swept that its
    writer may have outlived. Otherwise an attempt is dead when its case is closed, or it began more than a day ago and
    its work gave no sign of life for ``LINGER``.
    """
    query = (
        select(UploadAttempt)
        .join(Application, Application.id == UploadAttempt.application_id)
        .where(UploadAttempt.finished_at.is_(None), UploadAttempt.abandoned_at.is_(None))
    )
    if not all_open:
        lives = exists().where(
            Progress.item_id == UploadAttempt.item_id,
            Progress.purpose == UploadAttempt.purpose,
            Progress.heartbeat_at > uow.now - LINGER,
        )
        query = query.where(
            or_(
                and_(Application.closed_at.is_not(None), UploadAttempt.purpose.not_in(REPAIRS)),
                and_(UploadAttempt.started_at < uow.now - LONGEST, ~lives),
            ),
        )
    for attempt in uow.session.scalars(query):
        abandon(uow, attempt, "the process that began it has ended")
    uow.session.flush()
    return list_unswept(uow, ended=all_open)


def list_unswept(
    uow: UnitOfWork,
    *,
    purpose: Purpose | None = None,
    item_id: str | None = None,
    application_id: str | None = None,
    ended: bool = False,
) -> list[UploadAttempt]:
    """Abandoned attempts whose key was not swept since their writer surely ended; ``ended``: they all have."""
    query = select(UploadAttempt).where(
        UploadAttempt.abandoned_at.is_not(None),
        or_(
            UploadAttempt.swept_at.is_(None),
            # Equal moments mark a sweep that came so soon that it is repeated, see ``swept``.
            (UploadAttempt.swept_at == UploadAttempt.abandoned_at)
            & (true() if ended else UploadAttempt.abandoned_at < uow.now - LINGER),
        ),
    )
    if purpose is not None:
        query = query.where(UploadAttempt.purpose == purpose)
    if item_id is not None:
        query = query.where(UploadAttempt.item_id == item_id)
    if application_id is not None:
        query = query.where(UploadAttempt.application_id == application_id)
    return list(uow.session.scalars(query.order_by(UploadAttempt.started_at)))


def mark_swept(uow: UnitOfWork, attempt_ids: Sequence[str]) -> None:
    """Nothing lies under these keys any more. A sweep soon after the abandoning is repeated once, later."""
    for attempt_id in attempt_ids:
        attempt = get(uow, attempt_id)
        if attempt.abandoned_at is None:
            continue
        soon = uow.now < attempt.abandoned_at + LINGER
        attempt.swept_at = attempt.abandoned_at if soon else uow.now


def get(uow: UnitOfWork, attempt_id: str) -> UploadAttempt:
    attempt = uow.session.get(UploadAttempt, attempt_id)
    if attempt is None:
        raise Fatal(
            f"could not finish an upload | attempt {attempt_id} | the database does not have it | "
            "restore the database from its backup, then resolve the incident"
        )
    return attempt


def _is_of_partition(job_key: int) -> ColumnElement[bool]:
    """Return what an attempt fulfils whose job is of the same partition of the engine as this one."""
    first = job_key >> COUNTER_BITS << COUNTER_BITS
    return UploadAttempt.job_key.between(first, first + 2**COUNTER_BITS - 1)


def _is_other_finished(uow: UnitOfWork, attempt: UploadAttempt) -> bool:
    return (
        uow.session.scalar(
            select(UploadAttempt.id).where(
                UploadAttempt.purpose == attempt.purpose,
                UploadAttempt.item_id == attempt.item_id,
                UploadAttempt.id != attempt.id,
                UploadAttempt.finished_at.is_not(None),
            )
        )
        is not None
    )
