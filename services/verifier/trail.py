"""The case's audit events in the audit tree: the signed checkpoint, inclusion of each, and what came before it."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from services.verifier import layout
from services.verifier.canonical import read
from services.verifier.invalid import Invalid
from services.verifier.merkle import leaf_hash, verify_consistency, verify_inclusion
from services.verifier.notes import Checkpoint, VerifierKey, key_of, open_checkpoint
from services.verifier.package import Package, moment
from services.verifier.report import Report
from services.verifier.timestamps import check_token

CLOCKS_APART = timedelta(minutes=5)  # of the machines that write the events of one case
_FIELDS = {"action", "actor", "application", "at", "detail", "subject"}


@dataclass(frozen=True)
class Event:
    """One act of the case; ``index`` is its place in the tree."""

    index: int
    entry: bytes
    told: dict[str, Any]

    @property
    def action(self) -> str:
        return str(self.told["action"])

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = self.told["detail"]
        return detail

    @property
    def subject(self) -> str:
        return str(self.told["subject"]["id"])

    @property
    def actor(self) -> str:
        return str(self.told["actor"]["id"])

    @property
    def at(self) -> str:
        return str(self.told["at"])


@dataclass
class Trail:
    """The events that are there, and the checkpoint that they are proven by; what did not hold is left out.

    ``signed``: of how many events the log was when it was signed, as far as somebody names it.
    """

    events: list[Event] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    signed: list[int] = field(default_factory=list)

    def of(self, *actions: str) -> list[Event]:
        return [event for event in self.events if event.action in actions]

    def head(self) -> Checkpoint:
        if self.checkpoint is None:
            raise Invalid("there is no signed checkpoint to prove it by")
        return self.checkpoint


@dataclass(frozen=True)
class Named:
    """A checkpoint that a label, a document or a decision names, or that was anchored; ``of`` is what does."""

    of: str
    told: Any


def examine(package: Package, report: Report) -> Trail:
    """The trail, with its checks."""
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
    trail.signed = [size for one in named if isinstance(size := one.told.get("size"), int)]
    report.each("consistency", _consistencies(package, trail, named), layout.CONSISTENCY)
    with report.check("anchors", layout.ANCHORS) as finding:
        finding.text = _anchors(package, trail)
        finding.noted = finding.text.startswith("none")
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
    """Every key that the log has had, by the signed manifest."""
    return [key_of(line) for line in package.predicate["logKeys"]]


def _check_stated(told: Any, head: Checkpoint) -> None:
    if told != {"origin": head.origin, "size": head.size, "root": head.root_base64}:
        raise Invalid(f"the manifest was signed over another checkpoint: one of {told['size']} events")


def _events(package: Package) -> list[Event]:
    found: list[Event] = []
    signed = {_quietly(partial(_signed, package, name)) for name in package.named("decision")}
    for number, line in enumerate(package.lines(layout.EVENTS), 1):
        place = f"{layout.EVENTS}, line {number}"
        if set(line) != {"index", "entry"} or not isinstance(line["index"], int):
            raise Invalid(f"{place} is no event")
        entry = line["entry"].encode()
        event = Event(line["index"], entry, read(entry, place))
        if set(event.told) != _FIELDS:
            raise Invalid(f"{place} has other fields than an event")
        if event.told["application"] != package.application_id and not _is_beside(event, signed):
            raise Invalid(f"{place} is of another case")
        if found and event.index <= found[-1].index:
            raise Invalid(f"{place} does not come after the one before it")
        found.append(event)
    if not found:
        raise Invalid("there is no event")
    return found


def _is_beside(event: Event, signed: set[Any]) -> bool:
    """A confidentiality agreement is of no case; the custodian's is here with its event all the same."""
    return event.told["application"] is None and event.detail.get("statement_sha256") in signed - {None}


def _inclusions(package: Package, trail: Trail) -> Iterator[tuple[str, Callable[[], None]]]:
    proofs = _proofs(package, layout.PROOFS, "index")
    for event in trail.events:

        def look(event: Event = event) -> None:
            head, proof = trail.head(), _one(proofs, event.index)
            if proof["size"] != head.size:
                raise Invalid(f"its proof is for a tree of {proof['size']} events, and the checkpoint has {head.size}")
            verify_inclusion(leaf_hash(event.entry), event.index, head.size, _hashes(proof), head.root)

        yield f"event {event.index} ({event.action})", look
    known = {event.index for event in trail.events}
    for index in proofs:
        if index not in known:
            yield f"event {index}", _fails("there is a proof, and no event")


def _consistencies(package: Package, trail: Trail, named: list[Named]) -> Iterator[tuple[str, Callable[[], None]]]:
    proofs = _proofs(package, layout.CONSISTENCY, "old")
    origins = {key.name for key in _keys(package)}
    for one in named:

        def look(told: Any = one.told) -> None:
            head, root = trail.head(), _base64(told["root"])
            if set(told) != {"origin", "size", "root"} or told["origin"] not in origins:
                raise Invalid(f"it names a checkpoint of another log: {told['origin']!r:.80}")
            if told["size"] > head.size:
                raise Invalid(f"it names a checkpoint of {told['size']} events, newer than the package's {head.size}")
            proof = _one(proofs, told["size"])
            if proof["new"] != head.size:
                raise Invalid(f"its proof leads to {proof['new']} events, and the checkpoint has {head.size}")
            verify_consistency(told["size"], head.size, _hashes(proof), root, head.root)

        yield one.of, look
    known = {one.told["size"] for one in named}
    for size in proofs:
        if size not in known:
            yield f"checkpoint of {size} events", _fails("there is a proof, and nothing names this checkpoint")


def _named(package: Package) -> list[Named]:
    """What signed statements and decisions name, and what was anchored; what cannot be read, their own checks tell."""
    found = []
    for role in ("master-label", "copy-label", "document-label", "decision"):
        for name in package.named(role):
            found.append(Named(name, _quietly(partial(_checkpoint_named, package, name, role))))
    for line in _quietly(lambda: package.lines(layout.ANCHORS)) or []:
        found.append(Named(layout.ANCHORS, _quietly(partial(_checkpoint_anchored, package, line))))
    return [one for one in found if isinstance(one.told, dict)]


def _checkpoint_named(package: Package, name: str, role: str) -> Any:
    told = package.json(name)["statement"] if role == "decision" else package.envelope(name).predicate
    return told.get("auditCheckpoint")


def _signed(package: Package, name: str) -> Any:
    return package.json(name)["signature"]["sha256"]


def _quietly(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except (Invalid, LookupError, TypeError, AttributeError):
        return None


def _checkpoint_anchored(package: Package, line: Any) -> dict[str, Any]:
    found, _ = open_checkpoint(line["note"], _keys(package))
    return {"origin": found.origin, "size": found.size, "root": found.root_base64}


def _anchors(package: Package, trail: Trail) -> str:
    """Each is the note that it tells of, and its time fits the events; its tree is one of the consistency proofs."""
    lines = package.lines(layout.ANCHORS)
    stamps: dict[str, int] = {}
    for line in lines:
        _check_anchor(package, trail, line)
        if line["token"] is not None:
            who = check_token(_base64(line["token"]), line["note"].encode()).who
            stamps[who] = stamps.get(who, 0) + 1
    if not lines:
        return "none: nobody else has seen an earlier checkpoint"
    told = [f"{len(lines)} lie in the locked store, the books say"]
    told += [f"{count} with a time stamp by {who}" for who, count in stamps.items()]
    return "; ".join(told)


def _check_anchor(package: Package, trail: Trail, line: dict[str, Any]) -> None:
    checkpoint, _ = open_checkpoint(line["note"], _keys(package))
    if checkpoint.size > trail.head().size:
        raise Invalid(f"the anchor at {line['key']!r:.100} holds a checkpoint that is newer than the package's")
    told = (line["size"], line["sha256"], line["key"])
    if told != (checkpoint.size, hashlib.sha256(line["note"].encode()).hexdigest(), f"checkpoints/{checkpoint.size}"):
        raise Invalid(f"the anchor at {line['key']!r:.100} tells size, SHA-256 or place of another note than its own")
    at = moment(line["anchoredAt"])
    if any(moment(one.at) - CLOCKS_APART > at for one in trail.events if one.index < checkpoint.size):
        raise Invalid(f"the anchor at {line['key']!r:.100} is of {at.isoformat()}, and holds events of later than that")
    if at > moment(package.predicate["madeAt"]) + CLOCKS_APART:
        raise Invalid(f"the anchor at {line['key']!r:.100} is of {at.isoformat()}, later than the package")


def _proofs(package: Package, member: str, by: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for proof in package.lines(member):
        if proof[by] in found:
            raise Invalid(f"{member} has two proofs of {proof[by]}")
        found[proof[by]] = proof
    return found


def _one(proofs: Mapping[int, dict[str, Any]], number: int) -> dict[str, Any]:
    if number not in proofs:
        raise Invalid("there is no proof of it")
    return proofs[number]


def _hashes(proof: Mapping[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in proof["hashes"]]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("a root or a token is not in base64") from error


def _fails(sentence: str) -> Callable[[], None]:
    def fail() -> None:
        raise Invalid(sentence)

    return fail
