"""Checkpoints: the signed heads of the audit tree, and where they are anchored (docs/sealing.md, "The audit trail")."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from services.database.tables.audit import AuditAnchor, AuditCheckpoint, AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import tree
from services.domain.audit.tree import RUNBOOK
from services.runtime.errors import Fatal
from services.verifier.invalid import Invalid
from services.verifier.notes import Checkpoint, VerifierKey, open_checkpoint

Sign = Callable[[Checkpoint], str]
RUNBOOK_LATE = "audit-checkpoint-late"
OLDEST_AMONG = 1000  # events
WANTED = "checkpoint-wanted"  # wakes the process that signs, where it is this one; else it signs every minute


def get_newest(uow: UnitOfWork) -> AuditCheckpoint | None:
    return uow.session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.size.desc()).limit(1))


def covering(uow: UnitOfWork, application_id: str) -> AuditCheckpoint | None:
    """Return the newest checkpoint if it covers every change of the case."""
    row = get_newest(uow)
    return row if row is not None and row.size >= last_change(uow, application_id) else None


def last_change(uow: UnitOfWork, application_id: str) -> int:
    """Return the number of the last event of the case that has changed anything, 0 without one.

    That somebody has looked at it (``…-read``) changes nothing of it. Some page looks every second.
    """
    changes = select(AuditEvent.seq).where(
        AuditEvent.application_id == application_id, AuditEvent.action.not_like("%-read")
    )
    return uow.session.scalar(changes.order_by(AuditEvent.seq.desc()).limit(1)) or 0


def newest_as_json(uow: UnitOfWork) -> dict[str, Any] | None:
    """Describe the newest for labels, documents and decisions; None before the first."""
    row = get_newest(uow)
    return None if row is None else {"origin": row.origin, "size": row.size, "root": row.root}


def signing_lag(uow: UnitOfWork) -> timedelta:
    """Return the wait of the oldest event that no checkpoint covers; zero if all are covered.

    The first ``OLDEST_AMONG`` of these are read, however long nothing was signed.
    """
    row = get_newest(uow)
    # By its moment, not its number: where the clock was set back, the first event is of later than now.
    first = (
        select(AuditEvent.at)
        .where(AuditEvent.seq > (row.size if row is not None else 0))
        .order_by(AuditEvent.seq)
        .limit(OLDEST_AMONG)
        .subquery()
    )
    at = uow.session.scalar(select(func.min(first.c.at)))
    return max(uow.now - at, timedelta()) if at is not None else timedelta()


def sign(uow: UnitOfWork, known: Sequence[VerifierKey], by: Sign) -> AuditCheckpoint | None:
    """Sign the current tree; None if it is empty or signed already.

    ``known``: the keys that have signed for this log, first the one that ``by`` signs with, whose name is the origin.
    Raises Fatal for a tree that does not extend the one signed last, because the log signs no second history, and if
    none of the keys has signed that one: the folder of the keys was lost, and nobody could check across the gap.
    """
    origin = known[0].name
    size = tree.size(uow)
    before = get_newest(uow)
    if before is not None:
        _check_known(before, known)
        _check_extends(uow, before, size)
    if size == (before.size if before is not None else 0):
        return None
    checkpoint = Checkpoint(origin, size, tree.root(uow, size))
    row = AuditCheckpoint(size=size, origin=origin, root=checkpoint.root_base64, note=by(checkpoint), signed_at=uow.now)
    uow.session.add(row)
    return row


@dataclass(frozen=True)
class AnchorRequest:
    """A note to anchor under object lock until ``retain_until``."""

    size: int
    note: str
    retain_until: datetime

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.note.encode()).hexdigest()


def get_due_anchor(uow: UnitOfWork, every: timedelta) -> AnchorRequest | None:
    """Return the newest checkpoint if it is not anchored and none was for ``every``."""
    row = get_newest(uow)
    if row is None or uow.session.get(AuditAnchor, row.size) is not None:
        return None
    last = uow.session.scalar(select(AuditAnchor.anchored_at).order_by(AuditAnchor.size.desc()).limit(1))
    if last is not None and uow.now - every < last <= uow.now:  # one of later than now: the clock was set back
        return None
    return AnchorRequest(row.size, row.note, uow.now + uow.rules.important_retention)


def list_unanchored(uow: UnitOfWork) -> list[int]:
    """List the sizes of the checkpoints since the last anchor; one may be half stored."""
    last = uow.session.scalar(select(func.max(AuditAnchor.size))) or 0
    return list(uow.session.scalars(select(AuditCheckpoint.size).where(AuditCheckpoint.size > last)))


def record_anchor(
    uow: UnitOfWork, due: AnchorRequest, bucket: str, key: str, version_id: str, *, token: bytes | None
) -> None:
    """Record where a checkpoint is anchored, unless another portal has."""
    if uow.session.get(AuditAnchor, due.size) is None:
        uow.session.add(
            AuditAnchor(
                size=due.size,
                bucket=bucket,
                key=key,
                version_id=version_id,
                sha256=due.sha256,
                anchored_at=uow.now,
                retain_until=due.retain_until,
                token=token,
            )
        )


def _check_known(before: AuditCheckpoint, known: Sequence[VerifierKey]) -> None:
    try:
        open_checkpoint(before.note, known)
    except Invalid as error:
        raise Fatal(
            f"no checkpoint was signed | the audit trail | no key of log-vkeys.txt has signed its newest checkpoint, "
            f"of {before.size} events: this is another log key | restore the folder log of the keys from its backup",
            runbook=RUNBOOK_LATE,
        ) from error


def _check_extends(uow: UnitOfWork, before: AuditCheckpoint, size: int) -> None:
    if size < before.size or tree.root(uow, before.size) != base64.b64decode(before.root):
        raise Fatal(
            f"no checkpoint was signed | the audit trail | it has {size} events and does not go on from the "
            f"{before.size} that were signed at {before.signed_at.isoformat()} | leave the database as it is, and run "
            "footage-desk audit verify",
            runbook=RUNBOOK,
        )
