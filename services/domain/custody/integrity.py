"""Checks of what a case has in the vault: who ordered them, when, and the findings; damage is reported once (R6, R53).

The database says what must be there and stores the findings; the vault's ``examination`` reads, without any key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.custody import HandOver
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.attachments import queries as attachment_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import copies, loan_documents
from services.domain.notifications import service as notification_service
from services.domain.retrieval import masters
from services.runtime.errors import Refused

# A check without a heartbeat for so long has died with its process.
SILENCE = timedelta(minutes=5)
INTACT, DAMAGED, UNFINISHED = "intact", "damaged", "unfinished"
DAMAGE_NOTICE = "footage-damaged"
# Of a case: what a check has found damaged, and of that what no earlier check had.
Report = Callable[[UnitOfWork, str, Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]], object]


@dataclass(frozen=True)
class ExpectedObject:
    """One object as it must be.

    ``kind``: master, copy, document, record (a document in the database alone), attachment. ``of`` is the item's
    position, the document's number or the attachment's place; ``sealed`` the ciphertext's facts, ``text`` a document's
    bytes; ``hold`` and ``retain_until`` the locks that must lie on it.
    """

    kind: str
    id: str
    of: str
    sha256: str
    size: int
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    sha256_plain: str | None = None
    hold: bool = False
    retain_until: datetime | None = None
    text: str | None = None


def start(uow: UnitOfWork, application_id: str) -> tuple[IntegrityCheck, list[ExpectedObject]]:
    """Begin a check of a case that the actor may see; Refused while another one runs."""
    visibility.get_visible(uow, application_id)
    for running in uow.session.scalars(
        select(IntegrityCheck)
        .where(IntegrityCheck.application_id == application_id, IntegrityCheck.ended_at.is_(None))
        .with_for_update()
    ):
        if uow.now - running.heartbeat_at < SILENCE:
            raise Refused(
                "check-runs",
                "An integrity check of this case is already running: wait until it ends.",
            )
        running.ended_at, running.outcome = uow.now, UNFINISHED
    due = list_expected(uow, application_id)
    if not due:
        raise Refused(
            "nothing-to-check",
            "This case has no footage or documents yet: try again after the retrieval.",
        )
    check = IntegrityCheck(
        id=new_id(),
        application_id=application_id,
        asked_by=uow.actor.id,
        began_at=uow.now,
        heartbeat_at=uow.now,
        bytes_total=sum(expected.size for expected in due),
        bytes_read=0,
        objects=[],
    )
    uow.session.add(check)
    audit_trail.record(
        uow, "integrity-check-begun", "integrity-check", check.id, application_id=application_id, objects=len(due)
    )
    return check, due


def list_expected(uow: UnitOfWork, application_id: str) -> list[ExpectedObject]:
    """Return all objects that the vault and the database must have of the case now."""
    positions = {
        item.id: str(item.position)
        for item in uow.session.scalars(select(Item).where(Item.application_id == application_id))
    }
    application = uow.session.get_one(Application, application_id)
    loan = select(HandOver).where(HandOver.application_id == application_id, HandOver.issue == application.issue)
    hand_over = uow.session.scalar(loan)
    on_loan = hand_over is None or hand_over.ended_at is None
    ended = select(HandOver.id).where(HandOver.application_id == application_id, HandOver.replaced_at.is_not(None))
    replaced = set(uow.session.scalars(ended))  # their holds are lifted at the end of the case
    due = [
        _object(
            "master",
            row.id,
            positions[row.item_id],
            row.sealed,
            retain_until=row.retain_until if row.lock_due_since is None else None,
        )
        for row in masters.list_of_application(uow, application_id)
        if row.discarded_at is None
    ]
    due += [
        _object(
            "copy",
            row.id,
            positions[row.item_id],
            row.sealed,
            hold=application.closed_at is None if row.hand_over_id in replaced else on_loan,
        )
        for row in copies.list_of_application(uow, application_id)
    ]
    for document in loan_documents.filed_with(uow, application_id):
        written = ExpectedObject(
            "record",
            document.id,
            document.number,
            document.sha256,
            len(document.content.encode()),
            text=document.content,
        )
        due.append(written)
        if document.filed_at is not None:
            key, until = f"{document.number}.json", document.retain_until if document.lock_due_since is None else None
            due.append(replace(written, kind="document", text=None, bucket="documents", key=key, retain_until=until))
    due += [
        replace(
            _object(
                "attachment",
                row.id,
                str(place),
                row.sealed,
                retain_until=row.retain_until if row.lock_due_since is None else None,
            ),
            sha256_plain=None,  # it has no label
        )
        for place, row in enumerate(attachment_queries.list_kept(uow, application_id), start=1)
    ]
    return due


def update(uow: UnitOfWork, check_id: str, bytes_read: int, objects: list[dict[str, Any]]) -> None:
    """Record how far a running check is."""
    check = uow.session.get_one(IntegrityCheck, check_id, with_for_update=True)
    if check.ended_at is None:
        check.bytes_read, check.objects, check.heartbeat_at = bytes_read, list(objects), uow.now


def finish(
    uow: UnitOfWork,
    check_id: str,
    objects: list[dict[str, Any]],
    *,
    unfinished: bool = False,
    report: Report | None = None,
) -> IntegrityCheck:
    """Store the findings of a check, and notify Security of each damaged object once; ``report`` gets them.

    Of a check that another one ended as unfinished, because it had been silent, the findings count all the same.
    """
    check = uow.session.get_one(IntegrityCheck, check_id, with_for_update=True)
    damaged = [checked for checked in objects if checked["faults"]]
    if check.ended_at is not None and (check.outcome != UNFINISHED or (unfinished and not damaged)):
        return check
    earlier = _list_damaged(uow, check)
    reported = {(checked["kind"], checked["id"]) for row in earlier for checked in row.objects if checked["faults"]}
    check.ended_at = check.heartbeat_at = uow.now
    check.objects = list(objects)
    check.outcome = DAMAGED if damaged else UNFINISHED if unfinished else INTACT
    if not unfinished:
        check.bytes_read = check.bytes_total
    audit_trail.record(
        uow,
        "integrity-checked",
        "integrity-check",
        check.id,
        application_id=check.application_id,
        outcome=check.outcome,
        objects=len(objects),
        damaged=[{"kind": checked["kind"], "id": checked["id"], "faults": checked["faults"]} for checked in damaged],
    )
    if check.outcome == INTACT:
        notification_service.mark_done(uow, "damage", subject_ids=[row.id for row in earlier])
    fresh = [checked for checked in damaged if (checked["kind"], checked["id"]) not in reported]
    if fresh:
        for person_id in list_security(uow, check.application_id):
            notification_service.notify(
                uow, person_id, DAMAGE_NOTICE, application_id=check.application_id, subject_id=check.id
            )
    if damaged and report is not None:
        report(uow, check.application_id, damaged, fresh)
    return check


def get_newest(uow: UnitOfWork, application_id: str) -> IntegrityCheck | None:
    """Return the case's last check, running or ended."""
    query = select(IntegrityCheck).where(IntegrityCheck.application_id == application_id)
    return uow.session.scalar(query.order_by(IntegrityCheck.began_at.desc(), IntegrityCheck.id).limit(1))


def read(uow: UnitOfWork, application_id: str) -> IntegrityCheck | None:
    """Return the case's last check; NotFound for who may not see the case."""
    visibility.get_visible(uow, application_id)
    return get_newest(uow, application_id)


def is_running(uow: UnitOfWork, check: IntegrityCheck | None) -> bool:
    """Return whether the check is under way, and not merely left behind by a process that died."""
    return check is not None and check.ended_at is None and uow.now - check.heartbeat_at < SILENCE


def _object(kind: str, id_: str, of: str, sealed: Mapping[str, Any], **locks: Any) -> ExpectedObject:
    return ExpectedObject(
        kind,
        id_,
        of,
        sealed["sha256Cipher"],
        sealed["size"],
        bucket=sealed["bucket"],
        key=sealed["key"],
        version_id=sealed["versionId"],
        sha256_plain=sealed["sha256Plain"],
        **locks,
    )


def _list_damaged(uow: UnitOfWork, check: IntegrityCheck) -> Sequence[IntegrityCheck]:
    """List the earlier checks of the case that have found damage."""
    query = select(IntegrityCheck).where(
        IntegrityCheck.application_id == check.application_id, IntegrityCheck.outcome == DAMAGED
    )
    return uow.session.scalars(query).all()


def list_security(uow: UnitOfWork, application_id: str) -> list[str]:
    """Return who is notified of damage: Security's reviewers and head, but no subject of the case (T8)."""
    concerned = uow.session.get_one(Application, application_id).subject_ids
    directory = access_queries.load_directory(uow)
    security = [*directory.holders(None, "security-reviewer"), *directory.holders_in("security", "head")]
    return [person_id for person_id in dict.fromkeys(security) if person_id not in concerned]
