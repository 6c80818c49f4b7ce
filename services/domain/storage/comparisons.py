"""The register's side of a reconciliation, in the order of the keys, and what a difference to the other side is.

The rows are read page by page behind the last key, by the unique index of the attempts' keys or the documents'
numbers, so that a hundred thousand of them cost no memory. ``workers.store_comparison`` has the stores' side.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import select

from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative, DerivativeAttempt
from services.database.tables.documents import Document
from services.database.tables.emergency_views import EmergencyCopy
from services.database.tables.evidence_packages import EvidencePackage, PackageAttempt
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval import making_attempts
from services.domain.storage.findings import Found
from services.domain.storage.verification import Place
from services.vault.store.protocol import ObjectFacts, ObjectVersion

State = Literal["live", "gone", "open", "kept"]
Part = Literal["object", "label", "pdf"]
LABEL, ATTACHMENTS = ".label.json", "attachments/"
# What was deleted, or begun, so recently may still be on its way.
GRACE = timedelta(hours=1)
_OF_DOCUMENT: tuple[tuple[str, Part], ...] = ((LABEL, "label"), (".json", "object"), (".pdf", "pdf"))
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROUND = re.compile(r"[A-Z]+-\d{4}-\d+/\d+")  # of a document that was made again: a corrected form, a second decision


@dataclass(frozen=True)
class Row:
    """What the register says of one object. ``state``: live; gone (deleted, since when); open (on its way); kept.

    ``sort_key`` is what rows and listing are ordered by. ``version_id`` None: the newest one counts.
    ``retain_until``: until when it must be locked, None where the store was not told; ``held``: under a legal hold.
    ``pdf``: the key of the PDF that lies beside a document's data.
    """

    sort_key: str
    key: str
    state: State
    since: datetime | None = None
    application_id: str | None = None
    master_id: str | None = None
    version_id: str | None = None
    size: int | None = None
    sha256: str | None = None
    labelled: bool = False
    pdf: str | None = None
    retain_until: datetime | None = None
    held: bool = False


@dataclass
class Group:
    """The versions of an object that a listing shows, and what lies beside it."""

    versions: list[ObjectVersion] = field(default_factory=list)
    beside: set[Part] = field(default_factory=set)


_Rows: TypeAlias = Any  # a select of an attempt and what may stand on it
Lister = Callable[[UnitOfWork, str, int], list[Row]]


@dataclass(frozen=True)
class Source:
    """One bucket of one store; ``split`` says of a listed key whose part it is, by the sort key; None for no part.

    ``rows`` lists the register behind a key; ``named`` reads the rows of some keys again.
    """

    name: str
    place: Place
    bucket: str
    prefix: str
    rows: Lister
    named: Callable[[UnitOfWork, Collection[str]], list[Row]]
    split: Callable[[str], tuple[str, Part] | None]


def _split_object(key: str) -> tuple[str, Part]:
    base = key.removesuffix(LABEL)
    return base, "object" if base == key else "label"


def number_in(key: str) -> str | None:
    """Return the number of the document that a key is of, if it is of one.

    What lies in folders is none (attachments, the log).
    """
    number = key.partition(".")[0]
    return number if "/" not in number or _ROUND.fullmatch(number) else None


def _split_document(key: str) -> tuple[str, Part] | None:
    """Data, PDF and statement of a document."""
    number = number_in(key)
    part = next((part for suffix, part in _OF_DOCUMENT if key == f"{number}{suffix}"), None)
    return None if number is None or part is None else (number, part)


def _attempts(bucket: str) -> _Rows:
    return (
        select(UploadAttempt, Master, Copy, EmergencyCopy, Preservation)
        .outerjoin(Master, Master.attempt_id == UploadAttempt.id)
        .outerjoin(Copy, Copy.attempt_id == UploadAttempt.id)
        .outerjoin(EmergencyCopy, EmergencyCopy.attempt_id == UploadAttempt.id)
        .outerjoin(Preservation, Preservation.attempt_id == UploadAttempt.id)
        .where(UploadAttempt.bucket == bucket)
        .order_by(UploadAttempt.key)
    )


def _replicas() -> _Rows:
    return (
        select(UploadAttempt, Master)
        .outerjoin(Master, Master.item_id == UploadAttempt.item_id)
        .where(UploadAttempt.bucket == "replicas")
        .order_by(UploadAttempt.key)
    )


def _of_sealed(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """Return version, size and hash of what was sealed, as fields of its row."""
    return {"version_id": sealed["versionId"], "size": sealed["size"], "sha256": sealed["sha256Cipher"]}


def _object_row(attempt: UploadAttempt, nouns: Iterable[Any], kept: Collection[str], now: datetime) -> Row:
    key = attempt.key
    noun = next((one for one in nouns if one is not None), None)
    base = Row(key, key, "open", application_id=attempt.application_id)
    if noun is not None and noun.discarded_at is None:
        unneeded = isinstance(noun, Master) and noun.unneeded_at is not None
        told = isinstance(noun, Master) and noun.lock_due_since is None and not unneeded
        return replace(
            base,
            state="live" if not unneeded else "open",  # it may be deleted at any moment
            since=attempt.finished_at,
            master_id=noun.id if isinstance(noun, Master) else None,
            **_of_sealed(noun.sealed),
            labelled=isinstance(noun, Master) and noun.label_version is not None,
            retain_until=noun.retain_until if told else None,
            held=bool(told and noun.held_since is not None),
        )
    if key in kept:
        return replace(base, state="kept")
    if noun is not None:
        return replace(base, state="gone", since=noun.discarded_at)
    return _unowned(attempt, base, now)


def _replica_row(attempt: UploadAttempt, master: Master | None, kept: Collection[str], now: datetime) -> Row:
    base = Row(attempt.key, attempt.key, "open", application_id=attempt.application_id)
    if master is not None and master.discarded_at is None and (master.replica or {}).get("key") == attempt.key:
        replica = master.replica or {}
        told = master.lock_due_since is None and master.unneeded_at is None
        return replace(
            base,
            state="live" if master.unneeded_at is None else "open",
            since=attempt.finished_at,
            master_id=master.id,
            **_of_sealed(replica),
            retain_until=master.retain_until if told else None,
            held=bool(told and master.held_since is not None),
        )
    if attempt.key in kept:
        return replace(base, state="kept")
    if master is not None and master.discarded_at is not None and attempt.finished_at is not None:
        return replace(base, state="gone", since=master.discarded_at)
    return _unowned(attempt, base, now)


def _unowned(attempt: UploadAttempt, base: Row, now: datetime) -> Row:
    """Return the row of an attempt that nothing stands on: on its way, swept, or finished and replaced."""
    if attempt.finished_at is None and (attempt.abandoned_at is None or attempt.swept_at is None):
        return replace(base, state="open")
    return replace(base, state="gone", since=attempt.swept_at or attempt.finished_at or now)


def _kept_keys(uow: UnitOfWork, place: Place, keys: Collection[str]) -> set[str]:
    query = select(Damage.key).where(Damage.key.in_(keys), Damage.place == place, Damage.removed_at.is_(None))
    return set(uow.session.scalars(query))


def _rows_of(bucket: str) -> tuple[Lister, Callable[[UnitOfWork, Collection[str]], list[Row]]]:
    replicas, derived = bucket == "replicas", bucket == making_attempts.BUCKET
    place: Place = "replica" if replicas else "primary"

    def read(uow: UnitOfWork, query: _Rows) -> list[Row]:
        found = uow.session.execute(query).all()
        kept = _kept_keys(uow, place, [row[0].key for row in found])
        if replicas:
            return [_replica_row(row[0], row[1], kept, uow.now) for row in found]
        return [_object_row(row[0], row[1:], kept, uow.now) for row in found]

    base = _replicas if replicas else lambda: _attempts(bucket)

    def rows(uow: UnitOfWork, after: str, limit: int) -> list[Row]:
        found = read(uow, base().where(UploadAttempt.key > after).limit(limit))
        if derived:
            runs = _derived_rows(uow, _runs().where(DerivativeAttempt.key > after).limit(limit))
            runs += _package_rows(uow, _package_runs().where(PackageAttempt.key > after).limit(limit))
            found = sorted([*found, *runs], key=lambda row: row.sort_key)[:limit]
        return found

    def named(uow: UnitOfWork, keys: Collection[str]) -> list[Row]:
        found = read(uow, base().where(UploadAttempt.key.in_(keys)))
        if derived:
            found += _derived_rows(uow, _runs().where(DerivativeAttempt.key.in_(keys)))
            found += _package_rows(uow, _package_runs().where(PackageAttempt.key.in_(keys)))
        return found

    return rows, named


def _runs() -> _Rows:
    """Select the runs that have made redacted copies, which lie in the bucket of the copies."""
    return (
        select(DerivativeAttempt, Derivative)
        .join(Derivative, Derivative.id == DerivativeAttempt.derivative_id)
        .order_by(DerivativeAttempt.key)
    )


def _derived_rows(uow: UnitOfWork, query: _Rows) -> list[Row]:
    return [_derived_row(run, of) for run, of in uow.session.execute(query)]


def _derived_row(run: DerivativeAttempt, of: Derivative) -> Row:
    row = _made_row(run, of)
    if row.state != "live":
        return row
    if of.damaged_at is not None:
        return Row(run.key, run.key, "kept", application_id=of.application_id)  # it is told of already
    return replace(row, labelled=of.label_sha256 is not None, held=True)


def _made_row(run: DerivativeAttempt | PackageAttempt, of: Derivative | EvidencePackage) -> Row:
    """Return what the register says of the object of a run that was to make a redacted copy or a package."""
    base = Row(run.key, run.key, "open", application_id=of.application_id)
    if run.finished_at is None:
        return base if run.swept_at is None else replace(base, state="gone", since=run.swept_at)
    if of.discarded_at is not None:
        return replace(base, state="gone", since=of.discarded_at)
    if of.attempt_id != run.id or of.sealed is None or of.key_destroyed_at is not None:
        return base  # it may be deleted at any moment
    return replace(
        base,
        state="live",
        since=run.finished_at,
        **_of_sealed(of.sealed),
    )


def _package_runs() -> _Rows:
    """Select the runs that have made evidence packages, which lie in the bucket of the copies."""
    return (
        select(PackageAttempt, EvidencePackage)
        .join(EvidencePackage, EvidencePackage.id == PackageAttempt.package_id)
        .order_by(PackageAttempt.key)
    )


def _package_rows(uow: UnitOfWork, query: _Rows) -> list[Row]:
    return [_made_row(run, of) for run, of in uow.session.execute(query)]


def _document_row(document: Document) -> Row:
    told = document.lock_due_since is None
    return Row(
        document.number,
        f"{document.number}.json",
        "live" if document.filed_at is not None else "open",
        since=document.filed_at,
        application_id=document.application_id,
        sha256=document.sha256,
        labelled=True,
        pdf=f"{document.number}.pdf",
        retain_until=document.retain_until if told else None,
        held=bool(told and document.held_since is not None),
    )


def _list_documents(uow: UnitOfWork, after: str, limit: int) -> list[Row]:
    query = select(Document).where(Document.number > after).order_by(Document.number).limit(limit)
    return [_document_row(document) for document in uow.session.scalars(query)]


def _name_documents(uow: UnitOfWork, numbers: Collection[str]) -> list[Row]:
    return [_document_row(row) for row in uow.session.scalars(select(Document).where(Document.number.in_(numbers)))]


def _uploads() -> _Rows:
    return (
        select(AttachmentUpload, Attachment)
        .outerjoin(Attachment, Attachment.id == AttachmentUpload.id)
        .order_by(AttachmentUpload.key)
    )


def _attachment_row(upload: AttachmentUpload, attachment: Attachment | None, now: datetime) -> Row:
    base = Row(upload.key, upload.key, "open")
    if upload.swept_at is not None:
        return replace(base, state="gone", since=upload.swept_at)
    if attachment is None or upload.unwanted_at is not None:
        return base  # on its way, in either direction
    base = replace(base, application_id=attachment.application_id)
    if attachment.purged_at is not None:
        return replace(base, state="gone", since=attachment.purged_at)
    if attachment.purge_after is not None and attachment.purge_after <= now:
        return base  # it may be deleted at any moment
    return replace(
        base,
        state="live",
        since=attachment.added_at,
        **_of_sealed(attachment.sealed),
        retain_until=attachment.retain_until if attachment.lock_due_since is None else None,
    )


def _list_attachments(uow: UnitOfWork, after: str, limit: int) -> list[Row]:
    query = _uploads().where(AttachmentUpload.key > after).limit(limit)
    return [_attachment_row(upload, attachment, uow.now) for upload, attachment in uow.session.execute(query)]


def _name_attachments(uow: UnitOfWork, keys: Collection[str]) -> list[Row]:
    query = _uploads().where(AttachmentUpload.key.in_(keys))
    return [_attachment_row(upload, attachment, uow.now) for upload, attachment in uow.session.execute(query)]


SOURCES = (
    *(
        Source(bucket, "primary", bucket, f"{bucket}/", *_rows_of(bucket), _split_object)
        for bucket in ("masters", "copies", "quarantine")
    ),
    Source("documents", "primary", "documents", "", _list_documents, _name_documents, _split_document),
    Source("attachments", "primary", "documents", ATTACHMENTS, _list_attachments, _name_attachments, _split_object),
    Source("replicas", "replica", "replicas", "replicas/", *_rows_of("replicas"), _split_object),
)


def judge(
    source: Source, key: str, row: Row | None, group: Group | None, *, facts: ObjectFacts | None, now: datetime
) -> list[Found]:
    """Say how the register and a store differ about one object; ``facts`` are of the version that must be there."""

    def found(kind: str, distinct: str = "", *, of: str = key, **detail: Any) -> Found:
        return Found(kind, source.place, of, distinct, row.application_id if row else None, detail)

    versions = group.versions if group is not None else []
    if row is None:
        return [found("extra", one.version_id, size=one.size) for one in versions]
    if row.state in ("open", "kept"):
        return []
    if row.state == "gone":
        if row.since is not None and now - row.since < GRACE:
            return []
        return [found("extra", one.version_id, size=one.size) for one in versions]
    own = next((one for one in versions if row.version_id in (None, one.version_id)), None)
    if own is None:
        return [found("other-version" if versions else "missing", expected=row.version_id)]
    differences = []
    if row.size is not None and own.size != row.size:
        differences.append(found("size", expected=row.size, stored=own.size))
    elif row.sha256 is not None and _SHA256.fullmatch(own.etag) and own.etag != row.sha256:
        # the folder's tag is the hash of what was stored; a server's is not
        differences.append(found("other-version", expected=row.sha256, stored=own.etag))
    if not own.newest:
        differences.append(found("overlaid"))
    differences += [
        found("extra", one.version_id, size=one.size) for one in versions if one.version_id != own.version_id
    ]
    beside = group.beside if group is not None else set()
    if row.labelled and "label" not in beside:
        differences.append(found("label"))
    if row.pdf is not None and "pdf" not in beside:
        differences.append(found("missing", of=row.pdf))
    if facts is not None:
        until, needed = facts.retain_until, row.retain_until
        short = needed is not None and needed > now and (until is None or until < needed)
        if short or (row.held and not facts.legal_hold):
            differences.append(
                found(
                    "lock",
                    until=until.isoformat() if until else None,
                    needed=needed.isoformat() if needed else None,
                    held=facts.legal_hold,
                )
            )
    return differences
