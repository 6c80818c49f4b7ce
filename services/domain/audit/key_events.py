"""Events of keys in the audit trail: rotations and escrow drills."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail

ROTATED, DRILLED = "key-rotated", "escrow-drilled"


def record_rotation(uow: UnitOfWork, which: str, before: str, after: str) -> None:
    """``which``: seal, vault or log; ``before`` and ``after`` are public: fingerprints, a recipient."""
    trail.record(uow, ROTATED, "key", which, before=before, after=after)


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
    """List id and sealed facts of these masters, without ids of the oldest and the newest; none discarded."""
    query = select(Master).where(Master.discarded_at.is_(None)).order_by(Master.retrieved_at, Master.id)
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
