"""The rows of making a package: one run at a time, given up and begun anew after a restart, deleted when its time ends.

The process that makes them has the vault's key and the seal key, and neither the portal's nor that of the audit trail.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.evidence_packages import EvidencePackage, PackageAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.packages import policy, service
from services.domain.packages.service import SUBJECT
from services.domain.retrieval import making_attempts
from services.domain.retrieval.making_attempts import BUCKET


@dataclass(frozen=True)
class Order:
    """One run: what is to be made, under which public keys of the audit trail, and where it goes."""

    package_id: str
    attempt_id: str
    application_id: str
    number: str
    footage: str
    asked_by: str
    log_keys: tuple[str, ...]
    bucket: str
    key: str


def begin(uow: UnitOfWork) -> Order | None:
    """Begin a run for the package that waits longest, since it was last tried; None where none waits.

    So one whose part is away, which is tried again for ever, holds up no other. The caller alone makes packages now: a
    run that is open is of a process that has ended. Who may have no package any more gets none.
    """
    tried = select(func.max(PackageAttempt.started_at)).where(PackageAttempt.package_id == EvidencePackage.id)
    query = (
        select(EvidencePackage.id)
        .where(
            EvidencePackage.queued_at.is_not(None),
            EvidencePackage.made_at.is_(None),
            EvidencePackage.failed_at.is_(None),
        )
        .order_by(
            func.coalesce(tried.scalar_subquery(), EvidencePackage.queued_at),
            EvidencePackage.queued_at,
            EvidencePackage.id,
        )
        .limit(1)
    )
    while (package_id := uow.session.scalar(query)) is not None:
        row = _lock(uow, package_id)
        making_attempts.give_up_open(uow, PackageAttempt, PackageAttempt.package_id == row.id, "its process has ended")
        application = uow.session.get_one(Application, row.application_id)
        if not service.still_may(uow, row, application):
            _fail(uow, row, "the right to it has ended")
            uow.session.flush()
            continue
        attempt_id = new_id()
        key = f"{BUCKET}/{row.id}/{attempt_id}"
        uow.session.add(
            PackageAttempt(
                id=attempt_id,
                package_id=row.id,
                bucket=BUCKET,
                key=key,
                started_at=uow.now,
                phase="preparing",
                reached=0,
                total=0,
            )
        )
        return Order(
            row.id,
            attempt_id,
            row.application_id,
            str(application.number),
            row.footage,
            row.asked_by,
            tuple(row.log_keys),
            BUCKET,
            key,
        )
    return None


def record_progress(uow: UnitOfWork, attempt_id: str, phase: str, reached: int, total: int) -> bool:
    """Say how far a run has come; False where another has taken over, or nobody may have it any more."""
    attempt = uow.session.get_one(PackageAttempt, attempt_id)
    attempt.phase, attempt.reached, attempt.total = phase, reached, total
    row = uow.session.get_one(EvidencePackage, attempt.package_id)
    application = uow.session.get_one(Application, row.application_id)
    return attempt.abandoned_at is None and service.still_may(uow, row, application)


def finish(uow: UnitOfWork, attempt_id: str, sealed: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Record the package; False where it is not wanted any more: object and key are then to go."""
    attempt = uow.session.get_one(PackageAttempt, attempt_id)
    row = _lock(uow, attempt.package_id)
    if attempt.abandoned_at is not None or row.made_at is not None or row.failed_at is not None:
        give_up(uow, attempt_id, "another run has taken over")
        return False
    if not service.still_may(uow, row, uow.session.get_one(Application, row.application_id)):
        give_up(uow, attempt_id, "the right to it has ended")
        _fail(uow, row, "the right to it has ended")
        return False
    attempt.finished_at = row.made_at = uow.now
    row.attempt_id, row.sealed, row.facts = attempt_id, sealed, facts
    row.expires_at = uow.now + policy.KEPT_FOR
    _notify(uow, row, "package-ready")
    return True


def fail(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Record that it cannot be made, whoever tries again."""
    row = _lock(uow, uow.session.get_one(PackageAttempt, attempt_id).package_id)
    give_up(uow, attempt_id, because)
    if row.made_at is None and row.failed_at is None:
        _fail(uow, row, because)


def fail_after_runs(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Record that it cannot be made, once so many runs have failed that trying again holds up the others."""
    package_id = uow.session.get_one(PackageAttempt, attempt_id).package_id
    if making_attempts.have_failed(uow, PackageAttempt, PackageAttempt.package_id == package_id):
        fail(uow, attempt_id, because)


def give_up(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Give an open run up; its key is to be swept."""
    making_attempts.give_up(uow, uow.session.get_one(PackageAttempt, attempt_id), because)


def list_due(uow: UnitOfWork, limit: int, after: str = "") -> list[tuple[str, str, str, str]]:
    """List what is kept no longer: id, run, bucket and key. It is a copy of what the case has, so no hold keeps it.

    Footage that was disposed of does not live on in it. By their ids, from ``after`` on.
    """
    query = (
        select(EvidencePackage)
        .where(
            EvidencePackage.made_at.is_not(None),
            EvidencePackage.discarded_at.is_(None),
            EvidencePackage.id > after,
            or_(EvidencePackage.expires_at <= uow.now, service.is_disposed_of()),
        )
        .order_by(EvidencePackage.id)
        .limit(limit)
    )
    return [
        (row.id, str(row.attempt_id), row.sealed["bucket"], row.sealed["key"])
        for row in uow.session.scalars(query)
        if row.sealed is not None
    ]


def begin_discard(uow: UnitOfWork, package_id: str) -> None:
    """From now on nobody opens it."""
    row = _lock(uow, package_id)
    row.key_destroyed_at = row.key_destroyed_at or uow.now
    notification_service.mark_done(uow, "download", subject_id=row.id)


def mark_discarded(uow: UnitOfWork, package_id: str) -> None:
    """Record that the vault has nothing of it any more."""
    row = _lock(uow, package_id)
    if row.discarded_at is None:
        row.discarded_at = uow.now
        audit_trail.record(uow, "package-discarded", SUBJECT, row.id, application_id=row.application_id)


def newest_attempt(uow: UnitOfWork, package_id: str) -> PackageAttempt | None:
    """Return the run that was begun last."""
    query = select(PackageAttempt).where(PackageAttempt.package_id == package_id)
    return uow.session.scalar(query.order_by(PackageAttempt.started_at.desc(), PackageAttempt.id).limit(1))


def _fail(uow: UnitOfWork, row: EvidencePackage, because: str) -> None:
    row.failed_at, row.failed_because = uow.now, because
    audit_trail.record(uow, "package-failed", SUBJECT, row.id, application_id=row.application_id)
    _notify(uow, row, "package-failed")


def _notify(uow: UnitOfWork, row: EvidencePackage, code: str) -> None:
    notification_service.notify(uow, row.asked_by, code, application_id=row.application_id, subject_id=row.id)


def _lock(uow: UnitOfWork, package_id: str) -> EvidencePackage:
    return uow.session.get_one(EvidencePackage, package_id, with_for_update=True, populate_existing=True)
