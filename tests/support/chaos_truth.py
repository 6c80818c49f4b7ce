"""What has to be true when a case has ended, whatever was killed on the way: books, vault, keys and engine compared."""

import io
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from services.app.container import Container
from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditAnchor
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.derivatives import Derivative, DerivativeAttempt
from services.database.tables.disclosures import Disclosure
from services.database.tables.disposals import DisposalItem
from services.database.tables.documents import Document
from services.database.tables.evidence_packages import EvidencePackage, PackageAttempt
from services.database.tables.holds import Hold
from services.database.tables.inspections import GroupInspection, InspectedCase
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person
from services.database.tables.preservations import Preservation
from services.database.tables.returns import ArchiveEntry
from services.database.tables.reviews import Confirmation, Decision, Reminder, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.upload_attempts import UploadAttempt
from services.database.tables.violations import Sanction, Violation
from services.database.tables.work_orders import DownloadAccount, WorkOrder
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.steps import ITEMS
from services.domain.audit.checkpoint_publisher import FOLDER
from services.vault.labels import label_key
from services.vault.packets import packet_hashes, part_of
from services.vault.sealing import Sealed, open_sealed
from services.vault.store.protocol import BUCKETS

STAGES = (
    "preliminary",
    "security",
    "security-signature",
    "management",
    "storage-release",
    "partial-footage",
    "receipt",
    "return-inspection",
)


DAILY = ("maintenance", "work-order")  # processes


@dataclass(frozen=True)
class Ends:
    """How a case has to have ended: ``more_stages`` are of its matters, ``issues`` how often it was handed over."""

    closed_as: str = "footage-re-archived"
    drafter: str = "lina"
    stages: Sequence[str] = STAGES
    more_stages: Sequence[str] = ()
    reminders: int = 1
    issues: int = 1


class Truth:
    """Collects what does not hold; every check names itself."""

    def __init__(self, container: Container, application_id: str) -> None:
        self.container = container
        self.application_id = application_id
        self.wrong: list[str] = []

    def check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)

    def same(self, what: str, found: Any, wanted: Any) -> None:
        self.check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")

    def rows(self, table: type[Any]) -> list[Any]:
        """The application's rows of a table; everything where it has no such column."""

        rows = self.all(table)
        if not hasattr(table, "application_id"):
            return rows
        return [row for row in rows if row.application_id == self.application_id]

    def all(self, table: type[Any]) -> list[Any]:
        """The rows of a table, of whichever case."""
        return self.container.database.run_now(
            Actor("system", "test"), lambda uow: list(uow.session.scalars(select(table)))
        )


def archived(
    container: Container, application_id: str, answered: Iterable[tuple[str, str, str]], ends: Ends = Ends()
) -> list[str]:
    """What is wrong with a case whose footage went to the archive; empty when all holds."""
    truth = Truth(container, application_id)
    _closed(truth, ends.closed_as)
    items = {item.id for item in truth.rows(Item)}
    for table in (Master, Copy):
        truth.same(f"{table.__name__} for each item", Counter(row.item_id for row in truth.rows(table)), Counter(items))
    documents = truth.rows(Document)
    records = Counter(row.item_id for row in documents if row.kind == "retrieval-record")
    truth.same("retrieval records", records, Counter(items))
    truth.same("filed forms", sum(row.kind == "application-form" for row in documents), 1)
    truth.same("hand-overs", sorted(row.issue for row in truth.rows(HandOver)), list(range(1, ends.issues + 1)))
    truth.same("archive entries", len(truth.rows(ArchiveEntry)), 1)
    truth.same("reminders of the return", sum(row.kind == "return" for row in truth.rows(Reminder)), ends.reminders)
    _decided(truth, answered, ends)
    _objects(truth)
    _packets(truth)
    for master in truth.rows(Master):
        facts = container.store.stat("masters", master.sealed["key"], master.sealed["versionId"])
        truth.check(facts is not None and facts.retain_until == master.dispose_after, "a master is not retained")
        if master.replica is not None:
            copy = container.replica_store.stat("replicas", master.replica["key"]) if container.replica_store else None
            truth.check(copy is not None and copy.retain_until == master.dispose_after, "a replica is not retained")
    for copy in truth.rows(Copy):
        truth.check(copy.key_destroyed_at is not None, f"the loan key of copy {copy.id} is not booked as destroyed")
    truth.same("replicas", sum(master.replica is not None for master in truth.rows(Master)), _backed_up(truth, items))
    _nothing_open(truth)
    return truth.wrong


def disposed(
    container: Container, application_id: str, answered: Iterable[tuple[str, str, str]], ends: Ends = Ends()
) -> list[str]:
    """What is wrong with a case whose footage was disposed of; empty when its documents alone are left."""
    truth = Truth(container, application_id)
    _closed(truth, ends.closed_as)
    _decided(truth, answered, ends)
    for row in truth.rows(Master):
        truth.check(row.discarded_at is not None, f"the master {row.id} is not booked as deleted")
    items = truth.rows(DisposalItem)
    truth.same("items", Counter(row.master_id for row in items), Counter(row.id for row in truth.rows(Master)))
    truth.same("ends of items", {row.state for row in items}, {"deleted"})
    _objects(truth)
    _nothing_open(truth)
    return truth.wrong


def withdrawn(container: Container, application_id: str) -> list[str]:
    """What is wrong with a case that was withdrawn; empty when locked masters alone are left of it in the vault."""
    truth = Truth(container, application_id)
    _closed(truth, "withdrawn")
    truth.same("hand-overs", len(truth.rows(HandOver)), 0)
    for row in truth.rows(Master):
        truth.check(row.awaits_disposal, f"the master {row.id} does not wait for its disposal")
        facts = container.store.stat("masters", row.sealed["key"], row.sealed["versionId"])
        truth.check(facts is not None and facts.retain_until == row.dispose_after, "a master is not locked")
    for row in truth.rows(Copy):
        truth.check(row.discarded_at is not None, f"the copy {row.id} is not booked as discarded")
    _objects(truth)
    _nothing_open(truth)
    return truth.wrong


def matters_ended(container: Container, application_id: str, ends: Mapping[str, str]) -> list[str]:
    """What is wrong with matters that came to these ends by kind: each once, with one sheet, and nothing left open."""
    truth = Truth(container, application_id)
    matters = truth.rows(Matter)
    truth.same("matters", sorted((row.kind, row.closed_as) for row in matters), sorted(ends.items()))
    sheets = Counter(row.number for row in truth.all(Document))
    filed = {row.number: int(row.kind != "appeal") for row in matters}  # which is in the sheet of its violation
    truth.same("sheets of matters", {row.number: sheets[row.number] for row in matters}, filed)
    of_matters = {row.id for row in matters}
    suspensions = [row for row in truth.rows(Suspension) if row.matter_id in of_matters and row.cause == "problem"]
    truth.same("freezes", len(suspensions), 1 if "problem" in ends else 0)
    truth.check(all(row.lifted_at for row in suspensions), "a freeze is not lifted")
    violations = truth.rows(Violation)
    truth.same("violations", [row.closed_as for row in violations], [ends[k] for k in ends if k == "violation"])
    sanctions = [(row.person_id, row.kind) for row in truth.rows(Sanction) if row.matter_id in of_matters]
    truth.same("sanctions given twice", [one for one, times in Counter(sanctions).items() if times > 1], [])
    asked = sum(
        len(row.judgement["sanctions"]) for row in truth.rows(Decision) if (row.judgement or {}).get("sanctions")
    )
    truth.same("sanctions", len(sanctions), asked)
    truth.same(
        "referrals",
        sum(row.kind == "referral" for row in truth.rows(Document)),
        sum("settled" in ends[k] for k in ends),
    )
    holds = truth.rows(Hold)
    truth.check(all(row.lifted_at for row in holds if row.cause == "manual"), "a hold is not lifted")
    truth.same("holds", sum(row.cause == "manual" for row in holds), 1 if "hold" in ends else 0)
    truth.same("disclosures", len(truth.rows(Disclosure)), 1 if "disclosure" in ends else 0)
    truth.same("redacted copies", len(truth.rows(Derivative)), 1 if "redaction" in ends else 0)
    return truth.wrong


def inspected(container: Container, application_id: str) -> list[str]:
    """What is wrong with a quarter that was inspected: once, each case once, one report."""
    truth = Truth(container, application_id)
    truth.same("inspections", [row.closed_as for row in truth.rows(GroupInspection)], ["signed"])
    truth.same("inspected cases", [row.decided_at is not None for row in truth.rows(InspectedCase)], [True])
    reports = sum(row.kind == "inspection-report" for row in truth.all(Document))
    truth.same("reports", reports, 1)
    return truth.wrong


def downloads_accounted(container: Container, application_id: str) -> list[str]:
    """What is wrong with the account of the downloads of a loan that was recalled: once asked, said, and confirmed."""
    truth = Truth(container, application_id)
    orders = [row for row in truth.rows(WorkOrder) if row.kind == "download-account"]
    truth.same("work orders about downloads", [(row.closed_as, row.attempt) for row in orders], [("done", 1)])
    said = [row.download_id for row in truth.rows(DownloadAccount)]
    truth.same("accounts", sorted(said), sorted(row.id for row in truth.rows(Download)))
    sheets = [row.kind for row in truth.rows(Document) if row.kind == "download-account"]
    truth.same("sheets of accounts", len(sheets), len(orders))
    entries = Counter(row.event for row in truth.rows(CustodyEntry) if row.event.startswith("downloads-"))
    truth.same("entries", entries, Counter(("downloads-accounted", "downloads-confirmed")))
    return truth.wrong


def _backed_up(truth: Truth, items: set[str]) -> int:
    """How many of the items ask for a backup: all of an important application, none of another."""
    (application,) = _application(truth)
    return len(items) if application.importance == "important" else 0


def _application(truth: Truth) -> list[Application]:
    return [row for row in truth.rows(Application) if row.id == truth.application_id]


def _closed(truth: Truth, closed_as: str) -> None:
    truth.same("applications", len(truth.rows(Application)), 1)
    (application,) = _application(truth)
    truth.same("closed as", application.closed_as, closed_as)


def _decided(truth: Truth, answered: Iterable[tuple[str, str, str]], ends: Ends) -> None:
    """Everybody was asked once, and no answer that the server has confirmed is lost or another one now."""
    reviews, decisions, stages = truth.rows(Review), truth.rows(Decision), (*ends.stages, *ends.more_stages)
    truth.same("reviews", Counter(review.stage for review in reviews), Counter(stages))
    truth.same("decisions", Counter(decision.stage for decision in decisions), Counter(stages))
    logins = {person.id: person.login for person in truth.rows(Person)}
    booked = {(row.review_id, row.outcome, logins[row.decided_by]) for row in decisions}
    confirmed = {(row.review_id, "confirmed", logins[row.person_id]) for row in truth.rows(Confirmation)}
    loans = truth.rows(HandOver)
    holders = {row.person_id for row in truth.rows(CustodyEntry) if row.event == "received"}  # one after the other
    other = {
        (truth.application_id, "applied", ends.drafter),
        *((loan.id, "accepted", logins[holder]) for loan in loans for holder in holders),
        *((loan.id, "returned", logins[loan.custodian_id]) for loan in loans if loan.returned_at),
    }
    lost = set(answered) - booked - confirmed - other
    truth.check(not lost, f"answers that the server had confirmed are not in the books: {sorted(lost)}")


def _objects(truth: Truth) -> None:
    """Every object has a row that wants it, every such row its object; nothing half done lies in store or keys."""
    wanted, perhaps = set(), set()
    for table, bucket in ((Preservation, "quarantine"), (Master, "masters"), (Copy, "copies")):
        for row in truth.rows(table):
            if row.discarded_at is None:
                wanted.add((bucket, row.sealed["key"]))
                label = bucket, label_key(row.sealed["key"])
                if bucket == "copies" or (bucket == "masters" and row.label_version is not None):
                    wanted.add(label)
                elif bucket == "masters":
                    perhaps.add(label)  # of a case that was withdrawn between retrieval and label
    keys_kept = set()
    for table in (Derivative, EvidencePackage):  # which are kept for a time, each under a key of its own
        for row in truth.rows(table):
            if row.made_at is not None and row.discarded_at is None:
                keys_kept.add(row.attempt_id)
                wanted.add(("copies", row.sealed["key"]))
                if table is Derivative:
                    wanted.add(("copies", label_key(row.sealed["key"])))
    documents = truth.all(Document)
    written, filed = (
        {("documents", f"{row.number}.{form}") for row in rows for form in ("json", "pdf", "label.json")}
        for rows in (documents, [row for row in documents if row.filed_at is not None])
    )
    replicas = {
        ("replicas", row.replica["key"])
        for row in truth.rows(Master)
        if row.replica is not None and row.discarded_at is None
    }
    container = truth.container
    listed = _listed(container.store)
    anchors = {("documents", row.key) for row in truth.rows(AuditAnchor)}
    truth.check(anchors <= set(listed), f"anchors that the store does not have: {sorted(anchors - set(listed))}")
    # A head of the trail may lie under its lock before the books say so: it is entered by the one who comes next.
    of_cases = [one for one in listed if not one[1].startswith(FOLDER)]
    # so may a document, which is filed by a task of its own
    of_cases = [one for one in of_cases if one not in (written - filed) | perhaps]
    truth.same("objects of the store", of_cases, sorted(wanted | filed))
    truth.same("objects of the replica store", _listed(container.replica_store), sorted(replicas))
    data = container.settings.data_dir
    for place in ("store", "replica"):
        left = [
            str(path.relative_to(data))
            for part in ("unfinished", "removed")
            for path in (data / place).glob(f"*/{part}/*")
        ]
        truth.same(f"unfinished files in {place}", left, [])
    keys = {path.name for path in (data / "keys" / "loans").glob("*") if path.suffix != ".destroyed"}
    truth.same("loan keys and leftovers of them", keys, {f"{kept}.key" for kept in keys_kept})


def _listed(store: Any) -> list[tuple[str, str]]:
    return sorted((bucket, key) for bucket in BUCKETS for key in store.list_keys(bucket))


def _packets(truth: Truth) -> None:
    """Every packet of a master is one of the recorder's, in their order, without a hole."""
    channels = {row.id: row.channel for row in truth.rows(Camera)}
    cameras = {row.id: channels[row.camera_id] for row in truth.rows(Item)}
    loans = max(len(truth.rows(HandOver)), 1)  # each issue has items of its own
    truth.same("cameras", sorted(cameras.values()), sorted(channel for channel, *_ in ITEMS * loans))
    recordings = truth.container.settings.data_dir / "recordings"
    for master in truth.rows(Master):
        sealed = Sealed.from_json(master.sealed)
        sources = sorted((recordings / cameras[master.item_id]).glob("*.mp4"))
        with open_sealed(truth.container.store, sealed.location, truth.container.vault_keys.unwrapper()) as reader:
            plain = reader.read() or b""
        for kind in ("video", "audio"):
            source = [digest for path in sources for digest in packet_hashes(str(path), kind)]
            got = [
                digest
                for part in sealed.coverage.parts
                for digest in packet_hashes(part_of(io.BytesIO(plain), part), kind)
            ]
            starts = (place for place, digest in enumerate(source) if got and digest == got[0])
            same = any(source[start : start + len(got)] == got for start in starts)
            truth.check(same, f"{kind} packets of the master of {cameras[master.item_id]} are not the recorder's")


def _nothing_open(truth: Truth) -> None:
    open_attempts = [
        (row.purpose, row.key) for row in truth.rows(UploadAttempt) if row.finished_at is None and row.swept_at is None
    ]
    truth.same("open upload attempts", open_attempts, [])
    truth.same("open reviews", [row.stage for row in truth.rows(Review) if row.closed_at is None], [])
    for attempts in (DerivativeAttempt, PackageAttempt):
        runs = [row.key for row in truth.rows(attempts) if row.finished_at is None and row.swept_at is None]
        truth.same(f"open runs of {attempts.__tablename__}", runs, [])
    truth.same("open messages", [row.name for row in truth.rows(OutboxMessage) if row.settled_at is None], [])
    # one that was refused or is held keeps its own
    kept = {row.id for row in truth.rows(Application) if row.discard_after is not None}
    held = [
        row.sealed["key"]
        for row in truth.rows(Preservation)
        if (row.released_at is None or row.discarded_at is None) and row.application_id not in kept
    ]
    truth.same("preservations that are not released", held, [])
    truth.same("document numbers given twice", _doubled(truth), [])
    truth.same("what the engine still has", engine_left(truth.container.settings.data_dir / "engine"), [])


def _doubled(truth: Truth) -> list[str]:
    """Documents with a number that another one has."""

    def read(uow: UnitOfWork) -> list[str]:
        query = select(Document.number).group_by(Document.number).having(func.count() > 1)
        return list(uow.session.scalars(query))

    return truth.container.database.run_now(Actor("system", "test"), read)


def engine_left(folder: Path) -> list[str]:
    """Instances, jobs, timers and incidents that are left in the engine of a server that has stopped.

    But for what begins by itself as days pass, and may go on. The timer that begins the maintenance is of no instance.
    """
    with sqlite3.connect(folder / "engine.sqlite3") as connection:
        documents = dict(connection.execute("SELECT key, document FROM process_instances"))
        daily = [f'"bpmn_process_id":"{process}"' for process in DAILY]
        going_on = {key for key, document in documents.items() if any(process in document for process in daily)}
        found = {"process_instances": list(documents)}
        for table in ("jobs", "timers", "incidents"):
            keys = connection.execute(f"SELECT process_instance_key FROM {table}")  # noqa: S608 - our names
            found[table] = [key for (key,) in keys if table != "timers" or key != 0]
        if found["incidents"]:
            going_on = set()
    left = {table: len([key for key in keys if key not in going_on]) for table, keys in found.items()}
    return [f"{count} in {table}" for table, count in left.items() if count]
