"""Progress of the work on an item's footage, which the storage office watches (R31, R32).

One row for each item and purpose, from the first attempt until the work is done; written in transactions of its own,
about once a second, so that portals in other processes see it. Nothing is decided by it.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from services.database.tables.applications import Application, Item
from services.database.tables.progress import Progress
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval.attempts import Purpose
from services.runtime.translations import Message, Text, Worded

# Whoever works writes every second; after this silence the process counts as dead, and its job is retried.
SILENCE = timedelta(seconds=30)

# What has gone wrong, by the error's name: what it means for the storage office, and what to do.
ERRORS = {
    "RecorderDown": Message("The recorder cannot be reached: check its power and network."),
    "NotAsked": Message("The recorder cannot be reached: check its power and network."),
    "BrokenOff": Message("The recorder broke off in mid-transfer: look at its network where that keeps happening."),
    "ReplayUnsupported": Message(
        "Nothing here can fetch from this recorder: export the footage there and bring the file."
    ),
    "OutsideRoots": Message("The recorder is where the settings let none be: have the administrator check them."),
    "NothingRecorded": Message("The recorder holds nothing of the span: it could not be preserved."),
    "FootageMissing": Message("The recorder holds nothing of the span: it could not be preserved."),
    "FootageUnreadable": Message("The footage is broken and could not be preserved: look at the recorder."),
    "WrongChannel": Message("The recorder has no such channel: have the administrator check the camera's channel."),
    "WrongFootage": Message(
        "The footage is not this camera's and was not kept: check which camera the channel carries."
    ),
    "UnsupportedFootage": Message("The footage is in a format that cannot be handled: tell the administrator."),
    "ClipFailed": Message("Handling the footage broke off: tell the administrator where it keeps happening."),
    "NotConfined": Message(
        "The machine cannot confine the process that reads footage, so it reads none: tell the administrator."
    ),
    "StoreDown": Message("The object storage is away or full: tell the administrator."),
    "StoreRefused": Message(
        "The object storage refuses to write: have the administrator check its account and rights."
    ),
    "ObjectDamaged": Message(
        "What the store holds is not what was sealed: check its disks and tell the administrator."
    ),
    "MasterDamaged": Message(
        "The master is not what was sealed: restore it from the replica and tell the administrator."
    ),
}
OTHER_ERROR = Message("It failed: tell the administrator where it keeps happening.")


@dataclass(frozen=True)
class WorkError(Worded):
    """What went wrong last, as a sentence."""

    code: str
    message: Text


def start(uow: UnitOfWork, application_id: str, item_id: str, purpose: Purpose, phase: str) -> None:
    """Start an attempt; the last error stays until there is progress."""
    if uow.session.get(Item, item_id) is None:
        return  # whose work it is says so itself
    row = uow.session.get(Progress, (item_id, purpose))
    if row is None:
        row = Progress(item_id=item_id, purpose=purpose, application_id=application_id, attempts=0, since=uow.now)
        uow.session.add(row)
    row.attempts += 1
    row.phase, row.size, row.share, row.heartbeat_at = phase, 0, 0.0, uow.now


def update(uow: UnitOfWork, item_id: str, purpose: Purpose, *, phase: str, size: int, share: float) -> None:
    """Update the progress; does nothing where the row was deleted."""
    row = uow.session.get(Progress, (item_id, purpose))
    if row is not None:
        row.phase, row.size, row.share, row.heartbeat_at = phase, size, min(max(share, 0.0), 1.0), uow.now
        if size:
            row.last_error = row.last_error_at = None


def record_error(uow: UnitOfWork, item_id: str, purpose: Purpose, code: str) -> None:
    """Record that the attempt failed; another one follows, or somebody has to help."""
    row = uow.session.get(Progress, (item_id, purpose))
    if row is not None:
        row.last_error, row.last_error_at, row.heartbeat_at = code, uow.now, uow.now


def finish(uow: UnitOfWork, item_id: str, purpose: Purpose) -> None:
    """Delete the row of work that is done or not wanted; a master ends the quarantine's too."""
    over = (purpose, "quarantine") if purpose == "master" else (purpose,)
    uow.session.execute(delete(Progress).where(Progress.item_id == item_id, Progress.purpose.in_(over)))


def list_open(uow: UnitOfWork) -> list[Progress]:
    """Return the work on all cases that are open, the oldest first."""
    query = (
        select(Progress)
        .join(Application, Application.id == Progress.application_id)
        .where(Application.closed_at.is_(None), Application.withdrawn_at.is_(None))
        .order_by(Progress.since, Progress.item_id, Progress.purpose)
    )
    return list(uow.session.scalars(query))


def is_silent(uow: UnitOfWork, row: Progress) -> bool:
    """Return whether nobody seems to work on it: its process died, and its job is retried."""
    return uow.now - row.heartbeat_at > SILENCE


def error_of(row: Progress) -> WorkError | None:
    """Return the last error as a sentence that says what to do."""
    if row.last_error is None:
        return None
    return WorkError(row.last_error, ERRORS.get(row.last_error, OTHER_ERROR))


def delete_of_case(uow: UnitOfWork, application_id: str) -> None:
    """Delete the rows of a case that has ended."""
    uow.session.execute(delete(Progress).where(Progress.application_id == application_id))
