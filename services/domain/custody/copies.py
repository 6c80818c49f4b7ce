"""Issued copies, each under a loan key of its own, the grants to open them, and what was done with them (R36, R55)."""

from typing import Any

from sqlalchemy import select

from services.database.tables.copies import Copy, Download
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.retrieval import attempts, masters


def get_of_item(uow: UnitOfWork, item_id: str) -> Copy | None:
    return uow.session.scalar(select(Copy).where(Copy.item_id == item_id))


def list_of_application(uow: UnitOfWork, application_id: str) -> list[Copy]:
    """The case's copies that were not discarded, oldest first."""
    return list(
        uow.session.scalars(
            select(Copy)
            .where(Copy.application_id == application_id, Copy.discarded_at.is_(None))
            .order_by(Copy.made_at, Copy.id)
        )
    )


def create(uow: UnitOfWork, attempt_id: str, sealed: dict[str, Any]) -> Copy | None:
    """Book an issued copy; None when it is no longer wanted: then its object and its loan key go (R36)."""
    if not attempts.finish(uow, attempt_id, sealed["versionId"]):
        return None
    attempt = attempts.get(uow, attempt_id)
    copy = get_of_item(uow, attempt.item_id)
    if copy is None:
        master = masters.require(uow, attempt.application_id, attempt.item_id)
        copy = Copy(
            id=attempt.subject_id,
            application_id=attempt.application_id,
            item_id=attempt.item_id,
            master_id=master.id,
            attempt_id=attempt_id,
            made_at=uow.now,
            sealed=sealed,
        )
        uow.session.add(copy)
        audit_trail.record(
            uow,
            "copy-issued",
            "copy",
            copy.id,
            application_id=copy.application_id,
            master=master.id,
            key=attempt.key,
            sha256_plain=sealed["sha256Plain"],
            sha256_cipher=sealed["sha256Cipher"],
        )
    return copy


def mark_key_destroyed(uow: UnitOfWork, copy_id: str) -> None:
    """The copy's loan key is gone: nobody can open it any more (T2)."""
    copy = uow.session.get(Copy, copy_id)
    if copy is not None and copy.key_destroyed_at is None:
        copy.key_destroyed_at = uow.now
        audit_trail.record(uow, "loan-key-destroyed", "copy", copy_id, application_id=copy.application_id)


def list_downloads(uow: UnitOfWork, hand_over_id: str) -> list[Download]:
    return list(
        uow.session.scalars(
            select(Download).where(Download.hand_over_id == hand_over_id).order_by(Download.asked_at, Download.id)
        )
    )
