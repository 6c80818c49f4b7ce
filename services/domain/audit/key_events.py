"""Events of keys and stores in the audit trail: rotations, drills, losses; and what the installation has."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from services.database.tables.audit import AuditAnchor, AuditEvent
from services.database.tables.key_fingerprints import KeyFingerprint
from services.database.tables.masters import Master
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import trail

PRIMARY, REPLICA = "primary", "replica"
STARTING = Actor("system", "start")  # a start, and the command that adds the first administrator
# Events after which a store holds something; the heads of the trail are anchored in the primary one too.
WRITTEN = {
    PRIMARY: ("document-filed", "footage-preserved", "footage-retrieved", "upload-received"),
    REPLICA: ("master-backed-up",),
}
ROTATED, DRILLED, REGISTERED, LOST = "key-rotated", "escrow-drilled", "key-registered", "loss-accepted"


def record_rotation(uow: UnitOfWork, which: str, before: str, after: str) -> None:
    """``which``: seal, vault or log; ``before`` and ``after`` are public: fingerprints, a recipient."""
    _set(uow, which, after)
    trail.record(uow, ROTATED, "key", which, before=before, after=after)


def list_known(uow: UnitOfWork) -> dict[str, str]:
    """List the fingerprints of the keys that this installation has made, by name."""
    return {row.name: row.fingerprint for row in uow.session.scalars(select(KeyFingerprint))}


def register(uow: UnitOfWork, present: Mapping[str, str]) -> None:
    """Register the keys that have no fingerprint yet; the others stay as they are."""
    known = list_known(uow)
    for name, fingerprint in sorted(present.items()):
        if name not in known:
            _set(uow, name, fingerprint)
            trail.record(uow, REGISTERED, "key", name, fingerprint=fingerprint)


def accept_loss(uow: UnitOfWork, part: str, before: str | None, after: str | None) -> None:
    """Record that an operator goes on without a part; for a key, ``after`` is the one in its place."""
    row = uow.session.get(KeyFingerprint, part)
    if after is not None:
        _set(uow, part, after)
    elif row is not None:
        uow.session.delete(row)
    trail.record(uow, LOST, "installation", part, before=before, after=after)


def is_loss_accepted(uow: UnitOfWork, part: str) -> bool:
    query = select(AuditEvent.seq).where(AuditEvent.action == LOST, AuditEvent.subject_id == part).limit(1)
    return uow.session.scalar(query) is not None


def was_written(uow: UnitOfWork, store: str) -> bool:
    """Return whether objects were written to the store, ``primary`` or ``replica``, since its last accepted loss."""
    lost = select(func.max(AuditEvent.seq)).where(AuditEvent.action == LOST, AuditEvent.subject_id == store)
    after = uow.session.scalar(lost) or 0
    query = select(AuditEvent.seq).where(AuditEvent.action.in_(WRITTEN[store]), AuditEvent.seq > after)
    if uow.session.scalar(query.limit(1)) is not None:
        return True
    anchored = select(AuditAnchor.size).where(AuditAnchor.size > after).limit(1)
    return store == PRIMARY and uow.session.scalar(anchored) is not None


def is_unused(uow: UnitOfWork) -> bool:
    """Return whether nobody has worked with this database: no key is known, and only starts have left events."""
    if uow.session.scalar(select(KeyFingerprint.name).limit(1)) is not None:
        return False
    others = or_(AuditEvent.actor_kind != STARTING.kind, AuditEvent.actor_id != STARTING.id)
    return uow.session.scalar(select(AuditEvent.seq).where(others).limit(1)) is None


def get_first_leaf(uow: UnitOfWork) -> str | None:
    """Return the hash of the first event of the trail, which identifies the database."""
    return uow.session.scalar(select(AuditEvent.leaf_sha256).where(AuditEvent.seq == 1))


def _set(uow: UnitOfWork, name: str, fingerprint: str) -> None:
    row = uow.session.get(KeyFingerprint, name)
    if row is None:
        uow.session.add(KeyFingerprint(name=name, fingerprint=fingerprint, since=uow.now))
    else:
        row.fingerprint, row.since = fingerprint, uow.now


def record_drill(uow: UnitOfWork, recipient: str, results: Mapping[str, str]) -> None:
    """Record a drill of the escrow key; ``results`` are by the master's id, "held" or a fault."""
    failed = sorted(name for name, result in results.items() if result != "held")
    trail.record(uow, DRILLED, "key", "escrow", recipient=recipient, masters=dict(results), failed=failed)


def get_last_drill(uow: UnitOfWork) -> datetime | None:
    """Return when the escrow key last opened all masters of a drill."""
    drills = uow.session.scalars(
        select(AuditEvent).where(AuditEvent.action == DRILLED).order_by(AuditEvent.seq.desc()).limit(100)
    )
    return next((drill.at for drill in drills if not json.loads(drill.entry)["detail"]["failed"]), None)


def list_drill_masters(uow: UnitOfWork, ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """List id and sealed facts of these masters, without ids of the oldest and the newest; none that is unneeded."""
    kept = Master.discarded_at.is_(None) & Master.unneeded_at.is_(None)
    query = select(Master).where(kept).order_by(Master.retrieved_at, Master.id)
    if ids:
        rows = list(uow.session.scalars(query.where(Master.id.in_(ids))))
    else:
        oldest = uow.session.scalar(query.limit(1))
        newest = uow.session.scalar(query.order_by(None).order_by(Master.retrieved_at.desc(), Master.id).limit(1))
        rows = [row for row in (oldest, newest) if row is not None]
    return [(id_, sealed) for id_, sealed in {row.id: dict(row.sealed) for row in rows}.items()]


def get_first_retrieval(uow: UnitOfWork) -> datetime | None:
    """Return when the oldest stored master was retrieved."""
    return uow.session.scalar(
        select(Master.retrieved_at).where(Master.discarded_at.is_(None)).order_by(Master.retrieved_at).limit(1)
    )
