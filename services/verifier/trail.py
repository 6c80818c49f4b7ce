"""Check the case's audit events: signed checkpoint, inclusion of each, consistency with earlier checkpoints."""

import base64
import binascii
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Any

from services.verifier import layout
from services.verifier.canonical import read
from services.verifier.invalid import Invalid, failing
from services.verifier.merkle import leaf_hash, verify_consistency, verify_inclusion
from services.verifier.notes import Checkpoint, VerifierKey, key_of, open_checkpoint
from services.verifier.package import Package, moment
from services.verifier.report import Report
from services.verifier.timestamps import check_token

CLOCKS_APART = timedelta(minutes=5)  # of the machines that write the events of one case
_FIELDS = {"action", "actor", "application", "at", "detail", "subject"}
_PARTS = ("actor", "detail", "subject")


@dataclass(frozen=True)
class Event:
    """One audit event; ``index`` is its position in the tree."""

    index: int
    entry: bytes
    fields: dict[str, Any]

    @property
    def action(self) -> str:
        return str(self.fields["action"])

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = self.fields["detail"]
        return detail

    @property
    def subject(self) -> str:
        return str(self.fields["subject"]["id"])

    @property
    def actor(self) -> str:
        return str(self.fields["actor"]["id"])

    @property
    def at(self) -> str:
        return str(self.fields["at"])


@dataclass
class Trail:
    """The events and the checkpoint that proves them; what failed a check is left out.

    ``signed``: the numbers of events at which the log was signed, as far as named. ``older``: the members that no
    event names, because an older release wrote the events.
    """

    events: list[Event] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    signed: list[int] = field(default_factory=list)
    older: list[str] = field(default_factory=list)

    def of(self, *actions: str) -> list[Event]:
        return [event for event in self.events if event.action in actions]

    def head(self) -> Checkpoint:
        if self.checkpoint is None:
            raise Invalid("there is no signed checkpoint to prove it by")
        return self.checkpoint


@dataclass(frozen=True)
class CheckpointReference:
    """A checkpoint that was anchored, or that a label, document or decision names; ``of`` is its source."""

    of: str
    checkpoint: Any


def examine(package: Package, report: Report) -> Trail:
    """Check the trail and return it."""
    trail = Trail()
    with report.check("checkpoint", layout.CHECKPOINT) as finding:
        trail.checkpoint = _checkpoint(package, report)
        finding.text = f"{trail.checkpoint.size} events, {trail.checkpoint.origin}"
    with report.check("checkpoint-stated", layout.SIGNED):
        _check_stated(package.predicate["checkpoint"], trail.head())
    with report.check("events", layout.EVENTS) as finding:
        trail.events = _events(package)
        finding.text = f"{len(trail.events)} events"
    report.each("inclusion", _inclusions(package, trail), layout.PROOFS)
    named = _named(package)
    trail.signed = [size for reference in named if isinstance(size := reference.checkpoint.get("size"), int)]
    report.each("consistency", _consistencies(package, trail, named), layout.CONSISTENCY)
    with report.check("anchors", layout.ANCHORS) as finding:
        finding.text, finding.noted = _anchors(package, trail)
    return trail


def _checkpoint(package: Package, report: Report) -> Checkpoint:
    keys = _keys(package)
    if not keys:
        raise Invalid("the signed manifest names no log key")
    if package.content(layout.LOG_KEYS).decode().splitlines() != package.predicate["logKeys"]:
        raise Invalid(f"the log keys of {layout.LOG_KEYS} are not those of the signed manifest")
    checkpoint, key = open_checkpoint(package.content(layout.CHECKPOINT).decode(), keys)
    report.fingerprints["log"] = hashlib.sha256(key.public).hexdigest()
    return checkpoint


def _keys(package: Package) -> list[VerifierKey]:
    """Return every key of the log, by the signed manifest."""
    return [key_of(line) for line in package.predicate["logKeys"]]


def _check_stated(stated: Any, head: Checkpoint) -> None:
    if stated != {"origin": head.origin, "size": head.size, "root": head.root_base64}:
        raise Invalid(f"the manifest was signed over another checkpoint: one of {stated['size']} events")


def _events(package: Package) -> list[Event]:
    events: list[Event] = []
    signed = {_read_or_none(partial(_signed, package, name)) for name in package.named("decision")}
    accounts = _read_or_none(lambda: set(package.json(layout.ACCOUNTS)["events"])) or set()
    for number, line in enumerate(package.lines(layout.EVENTS), 1):
        line_name = f"{layout.EVENTS}, line {number}"
        if set(line) != {"index", "entry"} or not isinstance(line["index"], int):
            raise Invalid(f"{line_name} is no event")
        entry = line["entry"].encode()
        event = Event(line["index"], entry, read(entry, line_name))
        if set(event.fields) != _FIELDS or not all(isinstance(event.fields[name], dict) for name in _PARTS):
            raise Invalid(f"{line_name} has other fields than an event")
        if event.fields["application"] != package.application_id and not _is_beside(event, signed, accounts):
            raise Invalid(f"{line_name} is of another case")
        if events and event.index <= events[-1].index:
            raise Invalid(f"{line_name} does not come after the one before it")
        events.append(event)
    if not events:
        raise Invalid("there is no event")
    return events


def _is_beside(event: Event, signed: set[Any], accounts: set[Any]) -> bool:
    """Whether the event belongs to no case: a signer's account, or the custodian's confidentiality agreement.

    Those of accounts are checked by ``accounts``.
    """
    if event.fields["application"] is not None:
        return False
    return event.index in accounts or event.detail.get("statement_sha256") in signed - {None}


def _inclusions(package: Package, trail: Trail) -> Iterator[tuple[str, Callable[[], None]]]:
    proofs = _proofs(package, layout.PROOFS, "index")
    for event in trail.events:

        def check(event: Event = event) -> None:
            head, proof = trail.head(), _proof_of(proofs, event.index)
            if proof["size"] != head.size:
                raise Invalid(f"its proof is for a tree of {proof['size']} events, and the checkpoint has {head.size}")
            verify_inclusion(leaf_hash(event.entry), event.index, head.size, _hashes(proof), head.root)

        yield f"event {event.index} ({event.action})", check
    known = {event.index for event in trail.events}
    for index in proofs:
        if index not in known:
            yield f"event {index}", failing("there is a proof, and no event")


def _consistencies(
    package: Package, trail: Trail, named: list[CheckpointReference]
) -> Iterator[tuple[str, Callable[[], None]]]:
    proofs = _proofs(package, layout.CONSISTENCY, "old")
    origins = {key.name for key in _keys(package)}
    for reference in named:

        def check(stated: Any = reference.checkpoint) -> None:
            head, root = trail.head(), _base64(stated["root"])
            if set(stated) != {"origin", "size", "root"} or stated["origin"] not in origins:
                raise Invalid(f"it names a checkpoint of another log: {stated['origin']!r:.80}")
            if stated["size"] > head.size:
                raise Invalid(f"it names a checkpoint of {stated['size']} events, newer than the package's {head.size}")
            proof = _proof_of(proofs, stated["size"])
            if proof["new"] != head.size:
                raise Invalid(f"its proof leads to {proof['new']} events, and the checkpoint has {head.size}")
            verify_consistency(stated["size"], head.size, _hashes(proof), root, head.root)

        yield reference.of, check
    known = {reference.checkpoint["size"] for reference in named}
    for size in proofs:
        if size not in known:
            yield f"checkpoint of {size} events", failing("there is a proof, and nothing names this checkpoint")


def _named(package: Package) -> list[CheckpointReference]:
    """Return named and anchored checkpoints; unreadable ones are reported by their own checks."""
    references = []
    for role in ("master-label", "copy-label", "document-label", "decision"):
        for name in package.named(role):
            references.append(CheckpointReference(name, _read_or_none(partial(_checkpoint_named, package, name, role))))
    for line in _read_or_none(lambda: package.lines(layout.ANCHORS)) or []:
        references.append(
            CheckpointReference(layout.ANCHORS, _read_or_none(partial(_checkpoint_anchored, package, line)))
        )
    return [reference for reference in references if isinstance(reference.checkpoint, dict)]


def _checkpoint_named(package: Package, name: str, role: str) -> Any:
    content = package.json(name)["statement"] if role == "decision" else package.envelope(name).predicate
    return content.get("auditCheckpoint")


def _signed(package: Package, name: str) -> Any:
    return package.json(name)["signature"]["sha256"]


def _read_or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (Invalid, LookupError, TypeError, AttributeError):
        return None


def _checkpoint_anchored(package: Package, line: Any) -> dict[str, Any]:
    checkpoint, _ = open_checkpoint(line["note"], _keys(package))
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root_base64}


def _anchors(package: Package, trail: Trail) -> tuple[str, bool]:
    """Check each anchor's note and time; its tree is checked by the consistency proofs. True for a note.

    When it was anchored is the database's own statement, and events of a while in which its clock was ahead contradict
    it for good: a note. What the tree and an authority's time stamp say does not rest on it.
    """
    lines = package.lines(layout.ANCHORS)
    if not lines:
        return "none: nobody else has seen an earlier checkpoint", True
    indexes = [event.index for event in trail.events]
    latest = list(accumulate((moment(event.at) for event in trail.events), max))  # of an event and all before it
    stamps: dict[str, int] = {}
    early: list[str] = []
    for line in lines:
        checkpoint, at = _check_anchor(package, trail, line)
        held = bisect_left(indexes, checkpoint.size)
        if held and latest[held - 1] - CLOCKS_APART > at:
            early.append(f"{line['key']!r:.100}")
        if line["token"] is not None:
            authority = check_token(_base64(line["token"]), line["note"].encode()).who
            stamps[authority] = stamps.get(authority, 0) + 1
    parts = [f"{len(lines)} are in the locked store, by the database"]
    parts += [f"{count} with a time stamp by {authority}" for authority, count in stamps.items()]
    if early:
        parts.append(
            f"{len(early)} with events of later than their own time, the first at {early[0]}: a clock was ahead"
        )
    return "; ".join(parts), bool(early)


def _check_anchor(package: Package, trail: Trail, line: dict[str, Any]) -> tuple[Checkpoint, datetime]:
    """Return the anchor's checkpoint, and when it was anchored by the database."""
    checkpoint, _ = open_checkpoint(line["note"], _keys(package))
    if checkpoint.size > trail.head().size:
        raise Invalid(f"the anchor at {line['key']!r:.100} holds a checkpoint that is newer than the package's")
    sha256, key = hashlib.sha256(line["note"].encode()).hexdigest(), f"checkpoints/{checkpoint.size}"
    # the second key: a restored database has grown to this size with other events than those that were anchored first
    keys = (key, f"{key}-{sha256[:16]}")
    if (line["size"], line["sha256"]) != (checkpoint.size, sha256) or line["key"] not in keys:
        raise Invalid(f"the anchor at {line['key']!r:.100} states size, SHA-256 or key of another note")
    at = moment(line["anchoredAt"])
    if at > moment(package.predicate["madeAt"]) + CLOCKS_APART:
        raise Invalid(f"the anchor at {line['key']!r:.100} is of {at.isoformat()}, later than the package")
    return checkpoint, at


def _proofs(package: Package, member: str, by: str) -> dict[int, dict[str, Any]]:
    proofs: dict[int, dict[str, Any]] = {}
    for proof in package.lines(member):
        if proof[by] in proofs:
            raise Invalid(f"{member} has two proofs of {proof[by]}")
        proofs[proof[by]] = proof
    return proofs


def _proof_of(proofs: Mapping[int, dict[str, Any]], number: int) -> dict[str, Any]:
    if number not in proofs:
        raise Invalid("there is no proof of it")
    return proofs[number]


def _hashes(proof: Mapping[str, Any]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in proof["hashes"]]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("a root or a token is not in base64") from error
