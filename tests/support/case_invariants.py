"""The invariants of database and vault after a case has ended; each violation as a sentence."""

from collections.abc import Iterator

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.audit import AuditAnchor, AuditEvent
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.preservations import Preservation
from services.database.tables.reviews import Review
from services.database.tables.upload_attempts import UploadAttempt
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.custody.log import broken_at
from services.domain.process.messages import VIOLATION_OPENED
from services.vault.labels import label_key
from services.vault.store.protocol import BUCKETS, Store

RETURNED = ("footage-re-archived", "return-disputed")
LENT = (*RETURNED, "copy-lost", "footage-provided")


def problems(
    uow: UnitOfWork, application_id: str, closed_as: str, *, store: Store, replica: Store, loan_keys: set[str]
) -> list[str]:
    """Return the violations of a case that should be closed as ``closed_as``. ``loan_keys`` are ids of copies."""
    application = uow.session.get_one(Application, application_id)
    found = []
    if application.closed_as != closed_as:
        found.append(f"closed as {application.closed_as}, not {closed_as}")
    found += in_database(uow, application_id, closed_as)
    found += _copies(uow, application_id, closed_as, store, loan_keys)
    found += _masters(uow, application, closed_as, store, replica)
    found += list(orphans(uow, store, replica))
    return found


def in_database(uow: UnitOfWork, application_id: str, closed_as: str) -> Iterator[str]:
    """The violations that the database alone shows."""
    yield from _open(uow, application_id)
    yield from _custody(uow, application_id, closed_as)


def _open(uow: UnitOfWork, application_id: str) -> Iterator[str]:
    def of_case(table: type[Review | UploadAttempt | OutboxMessage | Preservation]) -> Iterator[object]:
        return iter(uow.session.scalars(select(table).where(table.application_id == application_id)))

    for review in of_case(Review):
        if review.closed_at is None:
            yield f"the review {review.stage} is open"
    for attempt in of_case(UploadAttempt):
        if attempt.finished_at is None and attempt.swept_at is None:
            yield f"an upload of {attempt.key} is open"
    for message in of_case(OutboxMessage):
        if message.settled_at is None and not _waits_for_a_model(uow, message):
            yield f"the message {message.name} is not settled"
    waits = uow.session.get_one(Application, application_id).discard_after is not None
    for preservation in of_case(Preservation):
        if (preservation.released_at is None or preservation.discarded_at is None) and not waits:
            yield f"the quarantine of item {preservation.item_id} was not released"
        if preservation.released_at is not None and waits:
            yield f"the quarantine of item {preservation.item_id} was released while its case may keep it"


def _waits_for_a_model(uow: UnitOfWork, message: OutboxMessage) -> bool:
    """The models of an earlier release have none for violations: the message is sent again until one is deployed."""
    if message.name != VIOLATION_OPENED:
        return False
    return uow.session.get_one(Matter, message.matter_id).process_instance_key is None


def _custody(uow: UnitOfWork, application_id: str, closed_as: str) -> Iterator[str]:
    of_case = select(HandOver).where(HandOver.application_id == application_id)
    for replaced in uow.session.scalars(of_case.where(HandOver.replaced_at.is_not(None))):
        if replaced.ended_at is None or replaced.returned_at is not None:
            yield "a loan whose copies were replaced has not ended, or was returned"
    hand_over = uow.session.scalar(of_case.where(HandOver.replaced_at.is_(None)))
    if (hand_over is not None) != (closed_as in (*LENT, "copy-not-taken-up")):
        yield f"{'a' if hand_over else 'no'} hand-over"
    if hand_over is None:
        return
    if hand_over.ended_at is None:
        yield "the loan has not ended"
    if (hand_over.returned_at is not None) != (closed_as in RETURNED):
        yield "returned, or not, against its end"
    log = uow.session.scalars(
        select(CustodyEntry).where(CustodyEntry.hand_over_id == hand_over.id).order_by(CustodyEntry.seq)
    )
    if (line := broken_at(list(log))) is not None:
        yield f"the custody log breaks at line {line}"


def _copies(uow: UnitOfWork, application_id: str, closed_as: str, store: Store, loan_keys: set[str]) -> Iterator[str]:
    replaced = select(HandOver.id).where(HandOver.application_id == application_id, HandOver.replaced_at.is_not(None))
    replaced_ids = set(uow.session.scalars(replaced))
    for copy in uow.session.scalars(select(Copy).where(Copy.application_id == application_id)):
        if copy.id in loan_keys or copy.key_destroyed_at is None:
            yield f"the loan key of copy {copy.id} is there"
        for grant in uow.session.scalars(select(Grant).where(Grant.copy_id == copy.id)):
            if grant.ended_at is None:
                yield f"the grant to {grant.action} copy {copy.id} has not ended"
        waits = uow.session.get_one(Application, application_id).discard_after is not None
        lent = closed_as in LENT or copy.hand_over_id in replaced_ids
        if (copy.discarded_at is None) != lent and not waits:
            yield f"copy {copy.id} is kept, or discarded, against its end"
        if copy.discarded_at is None:
            facts = store.stat("copies", copy.sealed["key"])
            if facts is None or facts.legal_hold:
                yield f"copy {copy.id} is gone or still under a hold"


def _masters(uow: UnitOfWork, application: Application, closed_as: str, store: Store, replica: Store) -> Iterator[str]:
    for master in uow.session.scalars(select(Master).where(Master.application_id == application.id)):
        if master.awaits_disposal != (closed_as not in LENT):
            yield f"master {master.id} waits for its disposal, or not, against its end"
        if master.discarded_at is not None:
            continue
        places = [(store, "masters", master.sealed["key"])]
        if master.replica is not None:
            places.append((replica, "replicas", master.replica["key"]))
        if application.backup_needed and master.replica_verified_at is None:
            yield f"master {master.id} has no backup"
        for place, bucket, key in places:
            facts = place.stat(bucket, key)
            if facts is None or facts.retain_until is None or facts.retain_until != master.dispose_after:
                yield f"{key} is not retained until {master.dispose_after}: {facts}"


def orphans(uow: UnitOfWork, store: Store, replica: Store) -> Iterator[str]:
    """Objects of which no row knows, and rows whose object is gone."""
    known = {bucket: set[str]() for bucket in BUCKETS}
    for table, bucket in ((Preservation, "quarantine"), (Master, "masters"), (Copy, "copies")):
        for row in uow.session.scalars(select(table)):
            if row.discarded_at is None:
                known[bucket].add(row.sealed["key"])
    for upload in uow.session.scalars(select(Upload)):
        if upload.received_at is not None and upload.removed_at is None:
            known["quarantine"].add(upload.key)
    labels = {label_key(key) for bucket in ("masters", "copies") for key in known[bucket]}
    # one that was withdrawn between retrieval and label has none
    unlabelled = {
        label_key(row.sealed["key"]) for row in uow.session.scalars(select(Master)) if row.label_version is None
    }
    for master in uow.session.scalars(select(Master)):
        if master.replica is not None and master.discarded_at is None:
            known["replicas"].add(master.replica["key"])
    forms = ("json", "pdf", "label.json")
    written = list(uow.session.scalars(select(Document)))
    known["documents"] = {f"{row.number}.{form}" for row in written if row.filed_at is not None for form in forms}
    # the task of the locks may be at work on it
    underway = {f"{row.number}.{form}" for row in written for form in forms}
    for anchor in uow.session.scalars(select(AuditAnchor)):
        known[anchor.bucket].add(anchor.key)
    later = _given_after_the_backup(uow, store) if _restored(uow) else set()
    for bucket in BUCKETS:
        there = {*store.list_keys(bucket), *replica.list_keys(bucket)}
        for key in sorted(there - known[bucket] - labels - underway - later):
            yield f"{key} belongs to no row"
        needed = {key for key in labels - unlabelled if key.startswith(bucket)}
        for key in sorted((known[bucket] | needed) - there):
            yield f"{key} is in the books and not in the vault"


def _restored(uow: UnitOfWork) -> bool:
    return (
        uow.session.scalar(select(AuditEvent.seq).where(AuditEvent.action == "database-restored").limit(1)) is not None
    )


def _given_after_the_backup(uow: UnitOfWork, store: Store) -> set[str]:
    """Documents that were filed after the backup stay under their locks; restored books know nothing of them."""
    numbers = set(uow.session.scalars(select(Document.number)))
    keys = set(store.list_keys("documents"))
    return {key for key in keys if key.split(".")[0] not in numbers}
