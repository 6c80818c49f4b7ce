"""Damaged versions of masters and replicas: found, repaired from the other place, kept for examination (R13, R15, R53).

A repair makes a new object from the other place's, whose hash is compared with the sealed one while it is read, and
again when the new one is read back. The damaged version stays where it is, under a legal hold, until its master is
disposed of. Each step is an audit event, and Security is told: nothing is repaired silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import integrity
from services.domain.documents import retention
from services.domain.matters import problems
from services.domain.notifications import service as notification_service
from services.domain.retrieval import attempts, preservations
from services.domain.storage import readers, verification
from services.domain.storage.verification import DAMAGED, Place, Subject
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

OTHER: Mapping[Place, Place] = {"primary": "replica", "replica": "primary"}
REPAIR: Mapping[Place, attempts.Purpose] = {"primary": "repair", "replica": "replica-repair"}
_UNREPAIRED = (Damage.repaired_at.is_(None), Master.discarded_at.is_(None), Master.unneeded_at.is_(None))
REPAIRED, UNREPAIRED = "footage-repaired", "footage-unrepaired"


@dataclass(frozen=True)
class KeptVersion:
    """A damaged version that is kept in its store."""

    damage_id: str
    place: Place
    bucket: str
    key: str
    version_id: str


@dataclass(frozen=True)
class Order:
    """A repair that has begun: what is made anew in ``place``, from what, under which key.

    ``label_version``: of the label beside the damaged master, which goes with it.
    """

    damage_id: str
    attempt_id: str
    place: Place
    application_id: str
    item_id: str
    source: dict[str, Any]
    sha256: str
    bucket: str
    key: str
    damaged_key: str
    label_version: str | None


def report(uow: UnitOfWork, subject: Subject, faults: Sequence[str]) -> Damage:
    """Record that a version is not what was sealed, once; tell Security, and open a problem report of a loan."""
    sealed = subject.sealed
    known = uow.session.scalar(
        select(Damage).where(
            Damage.place == subject.place, Damage.key == sealed["key"], Damage.version_id == sealed["versionId"]
        )
    )
    if known is not None:
        return known
    damage = Damage(
        id=new_id(),
        master_id=subject.master_id,
        application_id=subject.application_id,
        place=subject.place,
        bucket=sealed["bucket"],
        key=sealed["key"],
        version_id=sealed["versionId"],
        sha256=sealed["sha256Cipher"],
        faults=list(faults),
        found_at=uow.now,
    )
    uow.session.add(damage)
    uow.session.flush()
    _record(uow, "object-damaged", damage, faults=list(faults), sha256=damage.sha256)
    for person_id in integrity.list_security(uow, subject.application_id):
        notification_service.notify(
            uow, person_id, integrity.DAMAGE_NOTICE, application_id=subject.application_id, subject_id=damage.id
        )
    if subject.place == "primary":
        position = uow.session.get_one(Item, subject.item_id).position
        line = {"kind": "master", "id": subject.master_id, "of": str(position), "faults": list(faults)}
        problems.report_damage(uow, subject.application_id, [line])
    return damage


def report_checked(
    uow: UnitOfWork, application_id: str, damaged: Sequence[Mapping[str, Any]], fresh: Sequence[Mapping[str, Any]]
) -> None:
    """Have the masters that a check of a case found damaged read next, and open a problem report of a loan.

    ``damaged``: lines of the check; ``fresh``: those that no earlier check had.
    """
    masters = [one["id"] for one in damaged if one["kind"] == "master" and DAMAGED.intersection(one["faults"])]
    verification.suspect(uow, masters)
    problems.report_damage(uow, application_id, fresh)


def report_preserved(
    uow: UnitOfWork,
    application_id: str,
    item_id: str,
    sealed: Mapping[str, Any],
    faults: Sequence[str],
    *,
    job_key: int,
) -> None:
    """Record that what the quarantine has of an item is not what was sealed, once, and tell Security.

    It has no replica: it counts as preserved no more, and what else there is of the item takes its place; while the
    case is decided its recorder is asked again. ``job_key``: of the job that has found it.
    """
    preservations.end_damaged(uow, application_id, sealed["key"], job_key)
    known = select(AuditEvent.seq).where(AuditEvent.action == "object-damaged", AuditEvent.subject_id == sealed["key"])
    if uow.session.scalar(known.limit(1)) is not None:
        return
    audit_trail.record(
        uow,
        "object-damaged",
        "object",
        sealed["key"],
        application_id=application_id,
        place="primary",
        version=sealed["versionId"],
        item=item_id,
        faults=list(faults),
        sha256=sealed["sha256Cipher"],
    )
    for person_id in integrity.list_security(uow, application_id):
        notification_service.notify(
            uow, person_id, integrity.DAMAGE_NOTICE, application_id=application_id, subject_id=item_id
        )


def begin_repair(uow: UnitOfWork, damage_id: str, job_key: int) -> Order | None:
    """Begin to make a damaged version anew; None where it is repaired, not needed any more, or cannot be.

    The other place must have an object that is not known to be damaged itself.
    """
    damage = uow.session.get_one(Damage, damage_id, with_for_update=True, populate_existing=True)
    master = uow.session.get_one(Master, damage.master_id, with_for_update=True, populate_existing=True)
    if damage.repaired_at is not None or master.discarded_at is not None or master.unneeded_at is not None:
        return None
    place: Place = "primary" if damage.place == "primary" else "replica"
    source = master.replica if place == "primary" else master.sealed
    if source is None:
        give_up(uow, damage, "no-replica")
        return None
    if _is_damaged(uow, OTHER[place], source):
        give_up(uow, damage, "replica-damaged" if place == "primary" else "master-damaged")
        return None
    attempt = attempts.start_repair(
        uow, REPAIR[place], application_id=damage.application_id, item_id=master.item_id, job_key=job_key
    )
    return Order(
        damage.id,
        attempt.id,
        place,
        damage.application_id,
        master.item_id,
        dict(source),
        damage.sha256,
        attempt.bucket,
        attempt.key,
        damage.key,
        master.label_version if place == "primary" else None,
    )


def finish_repair(
    uow: UnitOfWork, order: Order, version_id: str, sha256: str, label_version: str | None = None
) -> bool:
    """Record what was made anew, whose hash was read back; False where it is no longer wanted.

    Raises ValueError for another hash than the sealed one.
    """
    if sha256 != order.sha256:
        raise ValueError("a repair has the hash of what was sealed")
    damage = uow.session.get_one(Damage, order.damage_id, with_for_update=True, populate_existing=True)
    master = uow.session.get_one(Master, damage.master_id, with_for_update=True, populate_existing=True)
    attempt = uow.session.get_one(UploadAttempt, order.attempt_id, with_for_update=True, populate_existing=True)
    if attempt.finished_at is not None:
        return True
    attempt.version_id = version_id
    if attempt.abandoned_at is not None or damage.repaired_at is not None or master.discarded_at is not None:
        attempts.abandon(uow, attempt, "what it repairs is not wanted any more")
        return False
    attempt.finished_at = uow.now
    made = {"bucket": order.bucket, "key": order.key, "versionId": version_id}
    if order.place == "primary":
        master.sealed = {**master.sealed, **made}
        master.attempt_id = attempt.id
        master.label_version = label_version
        master.last_verified_at, master.suspect_since = uow.now, None
    else:
        master.replica = {**(master.replica or {}), **made}
        master.replica_verified_at = master.replica_last_verified_at = uow.now
    damage.repaired_at, damage.repaired_as, damage.unrepaired_because = uow.now, made, None
    retention.make_due(uow, master)
    _record(uow, "object-repaired", damage, repaired_as=made, sha256=sha256, source=OTHER[order.place])
    notification_service.mark_done(uow, "damage", subject_ids=[damage.id, *_list_settled_checks(uow, damage)])
    _tell(uow, damage, REPAIRED)
    return True


def give_up(uow: UnitOfWork, damage: Damage, because: str) -> None:
    """Record why a damaged version could not be made anew; Security and the storage office are told once of each."""
    if damage.unrepaired_because == because:
        return
    damage.unrepaired_because = because
    _record(uow, "object-unrepaired", damage, because=because)
    _tell(uow, damage, UNREPAIRED)


def give_up_order(uow: UnitOfWork, order: Order, because: str) -> None:
    """End a repair that has failed: what it has left is to be swept."""
    attempts.abandon_all_of(uow, [order.attempt_id], f"the repair failed: {because}")
    give_up(uow, uow.session.get_one(Damage, order.damage_id, with_for_update=True), because)


def report_source(uow: UnitOfWork, order: Order, faults: Sequence[str]) -> None:
    """Record that what a repair was to be made from is damaged as well."""
    master = uow.session.scalars(select(Master).where(Master.item_id == order.item_id)).one()
    report(uow, verification.subject_of(master, OTHER[order.place]), faults)


def list_unrepaired(uow: UnitOfWork) -> list[str]:
    """List all damaged versions that are still to be made anew, in no order."""
    query = select(Damage.id).join(Master, Master.id == Damage.master_id).where(*_UNREPAIRED)
    return list(uow.session.scalars(query))


def count_unrepaired(uow: UnitOfWork) -> int:
    """Count damaged versions that could not be made anew."""
    query = select(func.count(Damage.id)).join(Master, Master.id == Damage.master_id).where(*_UNREPAIRED)
    return uow.session.scalar(query) or 0


def get_kept(uow: UnitOfWork, damage_id: str) -> tuple[KeptVersion, str]:
    """Return a damaged version, and the item of its master."""
    damage = uow.session.get_one(Damage, damage_id)
    return _kept(damage), uow.session.get_one(Master, damage.master_id).item_id


def list_kept(uow: UnitOfWork, master_id: str) -> list[KeptVersion]:
    """List the damaged versions of a master that its stores still keep."""
    query = select(Damage).where(Damage.master_id == master_id, Damage.removed_at.is_(None)).order_by(Damage.found_at)
    return [_kept(damage) for damage in uow.session.scalars(query)]


def list_removable(uow: UnitOfWork) -> list[KeptVersion]:
    """List damaged versions, in no order, that were examined and whose master was disposed of: they are deleted."""
    query = (
        select(Damage)
        .join(Master, Master.id == Damage.master_id)
        .where(Damage.removed_at.is_(None), Damage.examined_at.is_not(None), Master.discarded_at.is_not(None))
    )
    return [_kept(damage) for damage in uow.session.scalars(query)]


def record_removed(uow: UnitOfWork, damage_id: str) -> None:
    """Record that a damaged version is gone from its store."""
    damage = uow.session.get_one(Damage, damage_id, with_for_update=True)
    if damage.removed_at is None:
        damage.removed_at = uow.now
        _record(uow, "damaged-version-removed", damage)


def examine(uow: UnitOfWork, damage_id: str, found: str) -> Damage:
    """Record what an examination of a damaged version has found: from then on it holds its case no longer.

    Refused to who may not explain findings, and a second time.
    """
    readers.require_explainer(uow)
    damage = uow.session.get(Damage, damage_id, with_for_update=True)
    if damage is None or not _is_visible(uow, damage):
        raise NotFound(Message("damage"), damage_id)
    readers.require_no_part(uow, damage.application_id)
    if damage.examined_at is not None:
        raise Refused("damage-examined", "This damage was checked already.")
    damage.examined_by, damage.examined_at, damage.examined_as = uow.actor.id, uow.now, found.strip()
    notification_service.mark_done(uow, "examination", subject_id=damage.id)
    _record(uow, "damage-examined", damage)
    return damage


def _is_visible(uow: UnitOfWork, damage: Damage) -> bool:
    """Return whether the case does not concern the acting person (T8)."""
    return uow.actor.id not in uow.session.get_one(Application, damage.application_id).subject_ids


def _list_settled_checks(uow: UnitOfWork, damage: Damage) -> list[str]:
    """List the checks of the case whose every damaged object is a master that was made anew since."""
    uow.session.flush()
    repaired = select(Damage.master_id, Damage.repaired_at).where(
        Damage.application_id == damage.application_id, Damage.place == "primary", Damage.repaired_at.is_not(None)
    )
    checks = select(IntegrityCheck).where(
        IntegrityCheck.application_id == damage.application_id, IntegrityCheck.outcome == integrity.DAMAGED
    )
    moments = [(master_id, at) for master_id, at in uow.session.execute(repaired) if at is not None]
    settled = []
    for check in uow.session.scalars(checks):
        anew = {("master", master_id) for master_id, at in moments if at >= check.began_at}
        if all((line["kind"], line["id"]) in anew for line in check.objects if line["faults"]):
            settled.append(check.id)
    return settled


def _is_damaged(uow: UnitOfWork, place: Place, source: Mapping[str, Any]) -> bool:
    query = select(Damage.id).where(
        Damage.place == place, Damage.key == source["key"], Damage.version_id == source["versionId"]
    )
    return uow.session.scalar(query) is not None


def _kept(damage: Damage) -> KeptVersion:
    place: Place = "primary" if damage.place == "primary" else "replica"
    return KeptVersion(damage.id, place, damage.bucket, damage.key, damage.version_id)


def _tell(uow: UnitOfWork, damage: Damage, code: str) -> None:
    people = [*integrity.list_security(uow, damage.application_id), *readers.list_keepers(uow, damage.application_id)]
    for person_id in dict.fromkeys(people):
        notification_service.notify(uow, person_id, code, application_id=damage.application_id, subject_id=damage.id)


def _record(uow: UnitOfWork, action: str, damage: Damage, **detail: Any) -> None:
    audit_trail.record(
        uow,
        action,
        "object",
        damage.key,
        application_id=damage.application_id,
        place=damage.place,
        version=damage.version_id,
        master=damage.master_id,
        **detail,
    )
