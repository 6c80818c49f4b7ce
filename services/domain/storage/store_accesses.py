"""The stores' own access logs: lines of MinIO's audit webhook and of S3's server access log, imported and judged.

They come from a file (``footage-desk storage import-log``), or from the store itself, event by event
(``store_log_receiver``). What is imported is what changes or reads an object and has succeeded. Each is compared once
with the register: a put that no attempt of ours has made, a deletion that nothing has decided, and a read under a name
that is not ours.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative, DerivativeAttempt
from services.database.tables.documents import Document
from services.database.tables.emergency_views import EmergencyCopy
from services.database.tables.evidence_packages import EvidencePackage, PackageAttempt
from services.database.tables.maintenance import Damage, StoreAccess, StoreLogFeed
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.storage.comparisons import ATTACHMENTS, LABEL, number_in
from services.domain.storage.findings import Found
from services.domain.storage.told_texts import storable
from services.domain.storage.verification import Place
from services.vault.store.protocol import BUCKETS

Act = Literal["get", "put", "delete", "unread"]
# of objects whose register is elsewhere (uploads, signed heads of the log) only strangers are found
MOST_FORGOTTEN = 5_000
OF_ATTEMPTS = ("masters", "copies", "quarantine", "replicas")
_ACTS: Mapping[str, Act] = {
    "GetObject": "get",
    "GetObjectLambda": "get",
    "SelectObject": "get",
    "SelectObjectContent": "get",
    "PutObject": "put",
    "PutObjectExtract": "put",
    "PostPolicyBucket": "put",
    "CopyObject": "put",
    "CompleteMultipartUpload": "put",
    "DeleteObject": "delete",
    "DeleteMultipleObjects": "delete",
    "REST.GET.OBJECT": "get",
    "REST.SELECT.OBJECT": "get",
    "WEBSITE.GET.OBJECT": "get",
    "REST.COPY.OBJECT_GET": "get",
    "REST.COPY.PART_GET": "get",
    "REST.PUT.OBJECT": "put",
    "REST.POST.OBJECT": "put",
    "REST.COPY.OBJECT": "put",
    "REST.POST.UPLOAD": "put",
    "REST.DELETE.OBJECT": "delete",
    "BATCH.DELETE.OBJECT": "delete",
    "S3.EXPIRE.OBJECT": "delete",
}
# Who copies an object of ours to a bucket of their own has read it; S3 writes that as a line of its own (…_GET).
_COPIES = ("CopyObject", "CopyObjectPart")
UNNAMED = "*"  # of an act on objects that the log does not name
# bucket owner, bucket, [time], address, requester, request id, operation, key; and behind them what the client wrote:
# "request", status, …, "referer", "user agent", version id and more
_S3_HEAD = re.compile(
    r"\S+ (?P<bucket>\S+) \[(?P<at>[^\]]+)\] (?P<address>\S+) (?P<requester>\S+) \S+ (?P<operation>\S+) (?P<key>\S+) "
    r"(?P<rest>.*)"
)
_S3_REST = re.compile(
    r'(?:"[^"]*"|-) (?P<status>\S+) \S+ \S+ \S+ \S+ \S+ (?:"[^"]*"|-) (?:"[^"]*"|-) (?P<version>\S+)[^"]*'
)
# A store is read each day, by the verification at least.
SILENT = timedelta(hours=26)
LONGEST_LINE = 2 << 20  # characters of one event, with all headers and the query of its request


class LineInvalid(ValueError):
    """A line is neither of MinIO's audit webhook nor of S3's server access log."""


@dataclass(frozen=True)
class Access:
    """One access of an object of ours; ``line``: the hash of its text, under which older releases have stored it."""

    id: str
    line: str
    at: datetime
    act: Act
    bucket: str
    key: str
    version_id: str | None
    requester: str
    address: str | None


def read_lines(lines: Iterable[str], prefix: str) -> Iterator[list[Access] | LineInvalid]:
    """Read the lines of a log one by one: the accesses of each, mostly one or none; LineInvalid for one that is none.

    ``prefix``: that of our buckets. A line that cannot be read does not end the log: those behind it count.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            yield read_line(text, prefix)
        except ValueError:
            yield LineInvalid(
                f"line {number} is neither JSON of MinIO's audit webhook nor a line of S3's server access log"
            )


def read_line(text: str, prefix: str) -> list[Access]:
    """Read one line; ValueError for one that no store writes."""
    if len(text) > LONGEST_LINE:
        raise ValueError("the line is too long")
    try:
        return _minio(text, prefix) if text.startswith("{") else _s3(text, prefix)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError("this is no line of an access log") from error


def unread(sha256: str, now: datetime) -> Access:
    """Return what stands for an event that nobody can read, by its hash: a reconciliation reports it."""
    return Access(sha256, sha256, now, "unread", "", "", None, "", None)


@dataclass(frozen=True)
class _Touched:
    act: Act
    bucket: str
    key: str
    version_id: str | None


def _minio(text: str, prefix: str) -> list[Access]:
    entry = json.loads(text)
    api = entry["api"]
    name, status = api.get("name", ""), api.get("statusCode", 0)
    if (name not in _ACTS and name not in _COPIES) or not 200 <= int(status) < 300:
        return []
    touched = _touched(entry, name, prefix)
    if not touched:
        return []
    requester = entry.get("accessKey") or (entry.get("requestClaims") or {}).get("accessKey") or "anonymous"
    at = _aware(datetime.fromisoformat(entry["time"]))
    address = _named(entry["remotehost"]) if entry.get("remotehost") is not None else None
    request, line = entry.get("requestID"), _mark(text)
    found = []
    for number, one in enumerate(touched):
        # sent again, the same request may be written otherwise
        own = f"minio|{_named(request)}|{one.act}|{one.bucket}|{one.key}|{one.version_id or ''}" if request else None
        mark = _mark(own) if own is not None else line if number == 0 else _mark(f"{number}|{text}")
        of_line = line if len(touched) == 1 else mark
        named = (one.bucket, one.key, one.version_id)
        found.append(Access(mark, of_line, at, one.act, *named, _named(requester), address))
    return found


def _touched(entry: Mapping[str, Any], name: str, prefix: str) -> list[_Touched]:
    """Return what a request has done to objects of ours: a copy reads one and writes one, a deletion may name many."""
    api, touched = entry["api"], list[_Touched]()
    act, bucket = _ACTS.get(name), _bucket(api.get("bucket") or "", prefix)
    if act is not None and bucket is not None:
        query = entry.get("requestQuery") or {}
        version = query.get("versionId") or _header(entry.get("responseHeader"), "x-amz-version-id")
        several = [(one["objectName"], one.get("versionId")) for one in api.get("objects") or []]
        if api.get("object"):
            several = [(api["object"], version)]
        elif act == "get":
            several = []
        for key, of in several or ([] if act == "get" else [(UNNAMED, None)]):
            touched.append(_Touched(act, bucket, _named(key), _named(of) if of else None))
    source = _header(entry.get("requestHeader"), "x-amz-copy-source") if name in _COPIES else None
    if source:
        where, _, version = _named(source).partition("?versionId=")
        from_bucket, _, key = unquote(where).removeprefix("/").partition("/")
        ours = _bucket(from_bucket, prefix)
        if ours is not None and key:
            touched.append(_Touched("get", ours, _named(key), version or None))
    return touched


def _header(headers: Mapping[str, Any] | None, name: str) -> Any:
    return {key.lower(): value for key, value in (headers or {}).items()}.get(name)


def _s3(text: str, prefix: str) -> list[Access]:
    """Read a line of S3's server access log.

    Clients write request, referer and user agent themselves: where a quotation mark in one of them could be the end of
    it, nothing behind counts. Such an access has succeeded for us: a client could else make its reads look failed.
    """
    match = _S3_HEAD.fullmatch(text)
    if match is None:
        raise ValueError(text)
    act, bucket = _ACTS.get(match["operation"]), _bucket(match["bucket"], prefix)
    rest = _S3_REST.fullmatch(match["rest"])
    status, version = (rest["status"], rest["version"]) if rest is not None else ("200", "-")
    unsaid = match["operation"].startswith("S3.") or (status == "-" and match["operation"].endswith("_GET"))
    if act is None or bucket is None or not (status.startswith("2") or unsaid):
        return []
    at = _aware(datetime.strptime(match["at"], "%d/%b/%Y:%H:%M:%S %z"))
    key = _named(unquote(unquote(match["key"])))  # it is encoded twice
    named = (_named(match[name]) for name in ("requester", "address"))
    line, of = _mark(text), None if version == "-" else _named(version)
    return [Access(line, line, at, act, bucket, key, of, *named)]


def _named(value: object) -> str:
    """Return a name from a line as every database stores it."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no name")
    return storable(value)


def _aware(moment: datetime) -> datetime:
    """Return the moment in UTC; OverflowError for one outside the calendar there."""
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _mark(text: str) -> str:
    """Return the identifier of a line: the same one is imported once."""
    return hashlib.sha256(text.encode()).hexdigest()


def _bucket(name: str, prefix: str) -> str | None:
    bucket = name.removeprefix(f"{prefix}-")
    return bucket if bucket != name and bucket in BUCKETS else None


def add(uow: UnitOfWork, place: Place, accesses: Sequence[Access]) -> int:
    """Add a page of lines, each once however often it is imported; return how many are new."""
    return len(add_new(uow, place, accesses))


def add_new(uow: UnitOfWork, place: Place, accesses: Sequence[Access]) -> set[str]:
    """Add a page of lines as ``add``; return the identifiers of those that are new."""
    by_id = {one.id: one for one in accesses}
    marks = {*by_id, *(one.line for one in accesses)}
    known = set(uow.session.scalars(select(StoreAccess.id).where(StoreAccess.id.in_(marks))))
    rows = [
        {
            "id": one.id,
            "place": place,
            "at": one.at,
            "act": one.act,
            "bucket": one.bucket,
            "key": one.key,
            "version_id": one.version_id,
            "requester": one.requester,
            "address": one.address,
            "imported_at": uow.now,
        }
        for one in by_id.values()
        if one.id not in known and one.line not in known
    ]
    if not rows:
        return set()
    insert = (sqlite if uow.session.get_bind().dialect.name == "sqlite" else postgresql).insert(StoreAccess)
    # a second process may import the same lines at the same moment
    uow.session.execute(insert.on_conflict_do_nothing(), rows)
    return {str(row["id"]) for row in rows}


def mark_fed(uow: UnitOfWork, place: Place) -> None:
    """Record that a store has sent of its log just now."""
    feed = uow.session.get(StoreLogFeed, place, with_for_update=True)
    if feed is not None:
        feed.last_at = max(feed.last_at, uow.now)
        return
    with suppress(IntegrityError), uow.savepoint():  # two first ones at the same moment: one inserts
        uow.session.add(StoreLogFeed(place=place, first_at=uow.now, last_at=uow.now))
    audit_trail.record(uow, "access-log-begun", "access-log", place, place=place)


def end_feed(uow: UnitOfWork, place: Place) -> bool:
    """Forget that a store sends its log, so that nobody waits for it any more; return whether it did."""
    feed = uow.session.get(StoreLogFeed, place, with_for_update=True)
    if feed is None:
        return False
    uow.session.delete(feed)
    audit_trail.record(uow, "access-log-ended", "access-log", place, place=place, last=feed.last_at.isoformat())
    return True


def list_feeds(uow: UnitOfWork) -> dict[str, datetime]:
    """Return when each store that sends its log has sent of it last, by the place."""
    return {row.place: row.last_at for row in uow.session.scalars(select(StoreLogFeed))}


def list_silent(uow: UnitOfWork) -> list[str]:
    """List the stores that send their log and have sent nothing for too long: what they do is not seen."""
    return sorted(place for place, last_at in list_feeds(uow).items() if uow.now - last_at > SILENT)


def record_import(uow: UnitOfWork, place: Place, sha256: str, *, lines: int, new: int, unread: int) -> None:
    """Record that a log was imported, by the hash of what was read, and how many lines of it could not be read."""
    audit_trail.record(
        uow, "access-log-imported", "access-log", sha256[:16], place=place, lines=lines, new=new, unread=unread
    )


def judge_next(uow: UnitOfWork, own: Collection[str], limit: int) -> tuple[int, list[Found]]:
    """Compare the next imported lines with the register; return how many, and what nothing explains.

    ``own``: the names under which this program works in the stores. Its reads are kept no longer: they tell nothing, a
    line that is sent again is judged the same, and a backup alone reads each document every night.
    """
    query = select(StoreAccess).where(StoreAccess.judged_at.is_(None)).order_by(StoreAccess.id).limit(limit)
    rows = list(uow.session.scalars(query.with_for_update()))
    bases = {row.key.removesuffix(LABEL) for row in rows if row.bucket in OF_ATTEMPTS}
    attempts = {row.key: row for row in uow.session.scalars(select(UploadAttempt).where(UploadAttempt.key.in_(bases)))}
    ended = _list_ended(uow, list(attempts.values()))
    removed = {
        (key, version)
        for key, version in uow.session.execute(
            select(Damage.key, Damage.version_id).where(Damage.key.in_(bases), Damage.removed_at.is_not(None))
        )
    }
    numbers = {number_in(row.key) for row in rows if row.bucket == "documents"} - {None}
    documents = set(uow.session.scalars(select(Document.number).where(Document.number.in_(numbers))))
    found = _unread_ones(rows)
    of_files = {row.key for row in rows if row.bucket == "documents" and row.key.startswith(ATTACHMENTS)}
    runs = _explained_runs(uow, bases) | _explained_attachments(uow, of_files)
    for row in rows:
        row.judged_at = uow.now
        if row.act == "unread":
            continue
        if row.requester in own and (row.key.removesuffix(LABEL), row.act) in runs:
            continue
        attempt = attempts.get(row.key.removesuffix(LABEL))
        kind = _kind(row, attempt, own=row.requester in own, ended=ended, removed=removed, documents=documents)
        if kind is not None:
            detail = {
                "at": row.at.isoformat(),
                "requester": row.requester,
                "address": row.address,
                "version": row.version_id,
            }
            application_id = attempt.application_id if attempt is not None else None
            found.append(Found(kind, row.place, f"{row.bucket}/{row.key}", row.id, application_id, detail))
    uow.session.flush()
    forget_own_reads(uow, own, [row.id for row in rows])
    return len(rows), found


def forget_own_reads(uow: UnitOfWork, own: Collection[str], among: Collection[str] | None = None) -> int:
    """Delete lines that were judged, of this program's own reads, and return how many; some thousand at most.

    ``among``: of these lines alone.
    """
    judged = select(StoreAccess.id).where(
        StoreAccess.judged_at.is_not(None), StoreAccess.act == "get", StoreAccess.requester.in_(own)
    )
    judged = judged.where(StoreAccess.id.in_(among)) if among is not None else judged.limit(MOST_FORGOTTEN)
    deleting = delete(StoreAccess).where(StoreAccess.id.in_(judged))
    result = uow.session.execute(deleting.execution_options(synchronize_session=False))
    return int(getattr(result, "rowcount", 0))


def _unread_ones(rows: Sequence[StoreAccess]) -> list[Found]:
    """Return a finding for each place whose log had events that nobody could read: what they hide is asked about."""
    found = []
    for place in sorted({row.place for row in rows if row.act == "unread"}):
        unread_ones = [row for row in rows if row.act == "unread" and row.place == place]
        detail = {"at": unread_ones[0].imported_at.isoformat(), "events": len(unread_ones)}
        found.append(Found("log-unread", place, "access-log", unread_ones[0].id, None, detail))
    return found


def _explained_runs(uow: UnitOfWork, keys: Collection[str]) -> set[tuple[str, str]]:
    """Return key and act of what making a redacted copy or an evidence package explains.

    That is a put of a run, and the end of what it has left.
    """
    derived = (
        select(DerivativeAttempt, Derivative)
        .join(Derivative, Derivative.id == DerivativeAttempt.derivative_id)
        .where(DerivativeAttempt.key.in_(keys))
    )
    packages = (
        select(PackageAttempt, EvidencePackage)
        .join(EvidencePackage, EvidencePackage.id == PackageAttempt.package_id)
        .where(PackageAttempt.key.in_(keys))
    )
    explained = set[tuple[str, str]]()
    for run, of in (*uow.session.execute(derived), *uow.session.execute(packages)):
        explained.add((run.key, "put"))
        if run.abandoned_at is not None or of.key_destroyed_at is not None or of.discarded_at is not None:
            explained.add((run.key, "delete"))
    return explained


def _explained_attachments(uow: UnitOfWork, keys: Collection[str]) -> set[tuple[str, str]]:
    """Return key and act of what explains them: a put that was begun, a deletion that was due."""
    query = (
        select(AttachmentUpload.key, AttachmentUpload.unwanted_at, Attachment.purge_after)
        .outerjoin(Attachment, Attachment.id == AttachmentUpload.id)
        .where(AttachmentUpload.key.in_(keys))
    )
    explained = set[tuple[str, str]]()
    for key, unwanted_at, purge_after in uow.session.execute(query):
        explained.add((key, "put"))
        if unwanted_at is not None or (purge_after is not None and purge_after <= uow.now):
            explained.add((key, "delete"))
    return explained


def _kind(
    row: StoreAccess,
    attempt: UploadAttempt | None,
    *,
    own: bool,
    ended: Collection[str],
    removed: Collection[tuple[str, str]],
    documents: Collection[str],
) -> str | None:
    if row.act == "get":
        return None if own else "foreign-read"
    kind = "unexplained-put" if row.act == "put" else "unexplained-delete"
    if not own:
        return kind
    if row.bucket in OF_ATTEMPTS and row.key.startswith(f"{row.bucket}/"):
        explained = _is_explained(row, attempt, ended=ended, removed=removed)
    elif row.bucket == "documents" and (number := number_in(row.key)) is not None:
        explained = row.act == "put" and number in documents
    else:
        explained = not (row.bucket == "documents" and row.key.startswith(ATTACHMENTS))
    return None if explained else kind


def _is_explained(
    row: StoreAccess,
    attempt: UploadAttempt | None,
    *,
    ended: Collection[str],
    removed: Collection[tuple[str, str]],
) -> bool:
    """Return whether an attempt of ours, or the end of what it made, explains a put or a deletion."""
    if attempt is None:
        return row.bucket == "quarantine"  # the files that people upload have a register of their own
    if row.act == "delete":
        return attempt.id in ended or (row.key, row.version_id) in removed
    other = row.key == attempt.key and row.version_id and attempt.version_id not in (None, row.version_id)
    return not other or attempt.abandoned_at is not None


def _list_ended(uow: UnitOfWork, attempts: Sequence[UploadAttempt]) -> set[str]:
    """Return those of the attempts whose object was to be deleted: given up, discarded, or of an ended case."""
    ids = [row.id for row in attempts]
    ended = {row.id for row in attempts if row.abandoned_at is not None}
    tables: Sequence[Any] = (Master, Copy, EmergencyCopy, Preservation)
    for table in tables:
        gone = select(table.attempt_id).where(table.attempt_id.in_(ids), table.discarded_at.is_not(None))
        ended |= set(uow.session.scalars(gone))
    items = {row.item_id: row.id for row in attempts if row.bucket == "replicas"}
    masters = select(Master.item_id).where(Master.item_id.in_(items), Master.discarded_at.is_not(None))
    return ended | {items[item_id] for item_id in uow.session.scalars(masters)}
