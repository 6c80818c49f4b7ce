"""Progress of the work on an item's footage, which the storage office watches (R31, R32).

One row for each item and purpose, from the first attempt until the work is done; written in transactions of its own,
about once a second, so that portals in other processes see it. One thing is decided by it: an upload of more than a
day is dead only where its row tells no life any more (``attempts.abandon_dead``).
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from services.database.tables.applications import Application, Item
from services.database.tables.progress import Progress
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval.attempts import Purpose
from services.runtime.translations import Message, Text, Worded

# Whoever works writes every second, and every ten where nothing changes; after this silence the process counts as dead,
# and its job is retried.
SILENCE = timedelta(seconds=30)

# What has gone wrong, by the error's name: what it means for the storage office, and what to do.
ERRORS = {
    "RecorderDown": Message("The recorder cannot be reached: check its power and network."),
    "NotAsked": Message("The recorder cannot be reached: check its power and network."),
    "BrokenOff": Message("The recorder interrupted the transfer: check its network if this happens again."),
    "ReplayUnsupported": Message(
        "Footage of this recorder cannot be retrieved automatically: export it on the recorder and upload the file."
    ),
    "OutsideRoots": Message(
        "The recorder's address or folder is not allowed: ask the administrator to check the settings."
    ),
    "Incomplete": Message("Only a part was preserved: the recorder is asked again for the rest."),
    "NothingRecorded": Message("Not preserved: the recorder has no footage of the time span."),
    "FootageMissing": Message("Not preserved: the recorder has no footage of the time span."),
    "FootageUnreadable": Message("Not preserved: the footage is damaged. Check the recorder."),
    "WrongChannel": Message(
        "The recorder does not have this channel: ask the administrator to check the camera's channel."
    ),
    "WrongFootage": Message(
        "Not saved: the footage is not from this camera. Check which camera is connected to the channel."
    ),
    "UnsupportedFootage": Message("The footage format is not supported: contact the administrator."),
    "ClipFailed": Message(
        "Processing of the footage was interrupted: contact the administrator if this happens again."
    ),
    "NotConfined": Message(
        "This server cannot isolate the process that reads footage, so no footage is read: contact the administrator."
    ),
    "StoreDown": Message("The object storage is unavailable or full: contact the administrator."),
    "StoreRefused": Message(
        "The object storage rejected the write: ask the administrator to check its account and permissions."
    ),
    "ObjectDamaged": Message(
        "The stored data differs from what was sealed: check the disks and contact the administrator."
    ),
    "MasterDamaged": Message(
        "The master differs from what was sealed. The daily verification restores it from its replica, if there is "
        "one: ask the administrator to retry after that."
    ),
}
OTHER_ERROR = Message("Failed: contact the administrator if it happens again.")


@dataclass(frozen=True)
class WorkError(Worded):
    """What went wrong last, as a sentence."""

    code: str
    message: Text


def start(uow: UnitOfWork, application_id: str, item_id: str, purpose: Purpose, phase: str) -> int:
    """Start an attempt, and return its number; the last error stays until there is progress."""
    if uow.session.get(Item, item_id) is None:
        return 0  # whose work it is says so itself
    row = uow.session.get(Progress, (item_id, purpose))
    if row is None:
        row = Progress(item_id=item_id, purpose=purpose, application_id=application_id, attempts=0, since=uow.now)
        uow.session.add(row)
    row.attempts += 1
    row.phase, row.size, row.share, row.heartbeat_at = phase, 0, 0.0, uow.now
    return row.attempts


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


def finish(uow: UnitOfWork, item_id: str, purpose: Purpose, attempt: int | None = None) -> None:
    """Delete the row of work that is done or not wanted; a master ends the quarantine's too.

    ``attempt``: whose work it is. Nothing is deleted where a later one has begun, whose sign of life the row is.
    """
    row = uow.session.get(Progress, (item_id, purpose))
    if attempt is not None and row is not None and row.attempts != attempt:
        return
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
