"""Masters: what the vault holds of an item, and its replica elsewhere (R6, R14, R15)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Item
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.documents import retention
from services.domain.documents import service as document_service
from services.domain.process import permissions
from services.domain.retrieval import attempts
from services.runtime.errors import NotPermitted
from services.verifier.bindings import EVIDENCE

NEWEST = 50  # masters by which one knows the rates of cameras


def get_of_item(uow: UnitOfWork, item_id: str) -> Master | None:
    return uow.session.scalar(select(Master).where(Master.item_id == item_id))


def list_of_application(uow: UnitOfWork, application_id: str) -> list[Master]:
    return list(
        uow.session.scalars(
            select(Master).where(Master.application_id == application_id).order_by(Master.retrieved_at, Master.id)
        )
    )


def list_rates(uow: UnitOfWork, camera_ids: Collection[str]) -> dict[str, float]:
    """Return how many bytes a second the footage of these cameras has, by their newest masters: the most of each.

    A camera of which nothing was retrieved lately is left out.
    """
    parts = ("size",), ("coverage", "share"), ("coverage", "asked", 0), ("coverage", "asked", 1)
    query = (
        select(Item.camera_id, *(Master.sealed[part].as_string() for part in parts))
        .join(Item, Item.id == Master.item_id)
        .where(Item.camera_id.in_(camera_ids), Master.origin == "recorder")
        .order_by(Master.retrieved_at.desc())
        .limit(NEWEST)
    )
    rates: dict[str, float] = {}
    for camera_id, size, share, start, end in uow.session.execute(query):
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * float(share)
        if seconds >= 1:
            rates[camera_id] = max(int(size) / seconds, rates.get(camera_id, 0))
    return rates


def order_backup(uow: UnitOfWork, application_id: str, item_id: str) -> Master:
    """Return the master to back up, of a case that runs and is released (R14); NotPermitted otherwise."""
    permissions.lock_released(uow, application_id, item_id, "back up")
    return require(uow, application_id, item_id)


def require(uow: UnitOfWork, application_id: str, item_id: str) -> Master:
    """Return the item's master; NotPermitted when there is none, or none that may be used any more."""
    master = get_of_item(uow, item_id)
    if master is None or master.application_id != application_id or master.discarded_at is not None:
        raise NotPermitted(
            f"there is no master to work from | item {item_id} of application {application_id} | "
            "its footage was not retrieved, or was discarded | read the case's retrieval record, "
            "then cancel this job or retrieve again"
        )
    if master.superseded_at is not None:
        raise NotPermitted(
            f"the master is not issued any more | item {item_id} of application {application_id} | its copy was "
            "replaced, and it is kept as it is | cancel this job: the item that replaces it has a master of its own"
        )
    if master.unneeded_at is not None:
        raise NotPermitted(
            f"the master is not opened any more | item {item_id} of application {application_id} | "
            "its case has ended without a loan, and it waits for its disposal | cancel this job: where the footage is "
            "wanted all the same, the department applies anew"
        )
    return master


def create(uow: UnitOfWork, attempt_id: str, sealed: dict[str, Any], *, origin: str) -> Master | None:
    """Record a master; None when it is no longer wanted and its object is to be deleted."""
    if not attempts.finish(uow, attempt_id, sealed["versionId"]):
        return None
    attempt = attempts.get(uow, attempt_id)
    master = get_of_item(uow, attempt.item_id)
    if master is None:
        master = Master(
            id=new_id(),
            application_id=attempt.application_id,
            item_id=attempt.item_id,
            attempt_id=attempt_id,
            origin=origin,
            retrieved_at=uow.now,
            sealed=sealed,
            retain_until=retention.provisional_end(uow),
        )
        retention.make_due(uow, master)
        uow.session.add(master)
        # the form may have been filed long before
        retention.renew(uow, document_service.of_application(uow, master.application_id))
        audit_trail.record(
            uow,
            "footage-retrieved",
            "master",
            master.id,
            application_id=attempt.application_id,
            item=attempt.item_id,
            origin=origin,
            evidence=EVIDENCE,
            key=attempt.key,
            outcome=sealed["outcome"],
            sha256_plain=sealed["sha256Plain"],
            sha256_cipher=sealed["sha256Cipher"],
        )
    return master


def add_replica(uow: UnitOfWork, attempt_id: str, replica: dict[str, Any]) -> bool:
    """Record a replica whose hash was read back from the other place (R14, R15); False when it is no longer wanted."""
    if not attempts.finish(uow, attempt_id, replica["versionId"]):
        return False
    attempt = attempts.get(uow, attempt_id)
    master = require(uow, attempt.application_id, attempt.item_id)
    if master.replica_verified_at is None:
        master.replica, master.replica_verified_at = replica, uow.now
        master.replica_last_verified_at = uow.now
        retention.make_due(uow, master)
        audit_trail.record(
            uow,
            "master-backed-up",
            "master",
            master.id,
            application_id=master.application_id,
            key=attempt.key,
            sha256=master.sealed["sha256Cipher"],
        )
    return True
