"""Make the evidence package of a case: a fresh checkpoint, the case's records, and a signature over all (R28, R47).

Footage streams from the store into the ZIP; a failure leaves no file. Making a package is itself an audit event.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.custody import log as custody_log
from services.domain.documents import service as document_service
from services.domain.documents.service import Filed
from services.evidence import attachment_members, case_file, document_members, readme
from services.evidence.archive import Writer, new_archive, partial_of
from services.evidence.case_file import CaseFile, Footage
from services.runtime.errors import Fatal, Retryable
from services.vault.age import AgeError, Unwrapper
from services.vault.envelopes import statement
from services.vault.keys.log_key import LogKey
from services.vault.keys.signer import Signer
from services.vault.labels import label_key, read_label
from services.vault.sealing import READ, open_sealed
from services.vault.store.protocol import Store, StoreMissing
from services.verifier import accounts, layout, pyz
from services.verifier.envelopes import open_envelope
from services.verifier.examination import examine
from services.verifier.invalid import Invalid
from services.verifier.notes import VerifierKey
from services.verifier.package import PREDICATE
from services.verifier.report import Report

ACTOR = Actor("system", "package")
ATTEMPTS = 5  # if the case changes while it is read
How = Literal["clear", "sealed", "hash"]


class Material(Protocol):
    """What a package is made from, whoever makes it.

    ``unwrapper`` opens masters, and is only called for footage in clear; ``attachment_unwrapper`` opens attachments
    where the portal's key is not here. ``log_keys`` are the public keys of the log, the newest first.
    """

    @property
    def database(self) -> Database: ...

    @property
    def store(self) -> Store: ...

    @property
    def signer(self) -> Signer: ...

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]: ...

    @property
    def unwrapper(self) -> Callable[[], Unwrapper]: ...

    @property
    def attachment_unwrapper(self) -> Callable[[], Unwrapper] | None: ...

    def signed_head(self, application_id: str, actor: Actor) -> str | None:
        """Return the note of a checkpoint that covers what the case has now; None where to try again at once."""
        ...


@dataclass(frozen=True)
class Sources:
    """The material where all keys are: on the machine of whoever calls the command."""

    database: Database
    store: Store
    signer: Signer
    log_key: LogKey
    log_keys: tuple[VerifierKey, ...]
    unwrapper: Callable[[], Unwrapper]
    attachment_unwrapper: Callable[[], Unwrapper] | None = None

    def signed_head(self, application_id: str, actor: Actor) -> str | None:
        """Sign a checkpoint of the trail; None where the portal has signed the same head at the same moment."""
        del application_id
        try:
            return self.database.run_now(actor, _signed_head, self.log_key)
        except Retryable:
            return None


@dataclass(frozen=True)
class Made:
    """A new package. ``sha256`` is of its manifest, ``file_sha256`` of the ZIP; ``fingerprints`` are by key name."""

    path: Path
    number: str
    sha256: str
    file_sha256: str
    size: int
    fingerprints: dict[str, str]


@dataclass(frozen=True)
class Start:
    """What the audit trail says of a package before its members are written.

    ``sealed_at`` is real time even in a demo with a turned clock, because certificates are valid by real time.
    """

    made_at: str
    sealed_at: str
    made_by: str
    demo: bool


@dataclass(frozen=True)
class Prepared:
    """A case as of its checkpoint; ``members`` are those that the audit trail names."""

    case: CaseFile
    start: Start
    members: dict[str, bytes]


def make(sources: Sources, number: str, target: Path, how: How = "clear", actor: Actor = ACTOR) -> Made:
    """Write the package of the application to ``target``; raises Fatal and Retryable."""
    prepared = prepare(sources, number, how, actor)
    case = prepared.case
    with new_archive(target) as writer:
        sha256 = write(writer, sources, prepared, how)
        writer.finish()
        require_sound(examine(partial_of(target)), case.number)
        # Before the package gets its name: the trail has every package that could have left.
        whole = _sha256_of(partial_of(target))
        sources.database.run_now(actor, record_made, prepared, sha256, whole, how)
    return Made(target, case.number, sha256, whole, target.stat().st_size, fingerprints(sources))


def fingerprints(sources: Material) -> dict[str, str]:
    """Return the SHA-256 of root, seal and log key, by which a reader knows whose the package is."""
    chain = sources.signer.key.certificate_chain
    return {
        "root": hashlib.sha256(chain[-1]).hexdigest(),
        "seal": hashlib.sha256(chain[0]).hexdigest(),
        "log": hashlib.sha256(sources.log_keys[0].public).hexdigest(),
    }


def prepare(sources: Material, number: str, how: How, actor: Actor) -> Prepared:
    """Read the case, record what its package is made of, and read it as of a checkpoint that covers that event.

    Raises Fatal where the case can have no such package, and Retryable.
    """
    application_id = sources.database.read_now(actor, case_file.find, number)
    if how != "hash":
        sources.database.read_now(actor, case_file.require_needed, application_id)
    for _ in range(ATTEMPTS):
        before = _read(sources, application_id, how, actor)
        if before is None:
            continue
        _require_signatures(before)
        documents = document_members.read(sources.store, sources.signer, before)
        stored = _labels(sources.store, before) | documents.members
        _require_one_root(before, stored, fingerprints(sources)["root"])
        stored |= attachment_members.read(sources.store, before.attached, sources.attachment_unwrapper)
        members = stored | _made(sources, before, how)
        start = sources.database.run_now(actor, _record_start, before, documents.filed, members, how)
        case = _read(sources, application_id, how, actor)
        if case is None or case.stored != before.stored:
            continue
        if stored | _made(sources, case, how) == members:
            return Prepared(case, start, members)
    raise Fatal(
        f"no package was made | application {application_id} | the case changed each time it was read | "
        "try again in a while"
    )


def _read(sources: Material, application_id: str, how: How, actor: Actor) -> CaseFile | None:
    """Return the case as of a new checkpoint; None if it changed meanwhile."""
    note = sources.signed_head(application_id, actor)
    if note is None:
        return None
    return sources.database.read_now(actor, partial(case_file.read, in_clear=how == "clear"), application_id, note)


def _require_signatures(case: CaseFile) -> None:
    """Raise Fatal if a signature was not stored completely, as before packages existed."""
    stored = {act.signature["sha256"] for act in case.acts}
    for event in case.events:
        if json.loads(event.entry)["detail"].get("statement_sha256") not in {*stored, None}:
            raise Fatal(
                f"no package was made | application {case.number} | the signature of the audit event {event.seq - 1} "
                f"({event.action}) was not stored completely, as some before packages existed, and a package "
                "needs all of them | hand out the case's documents one by one instead"
            )


def _require_one_root(case: CaseFile, members: Mapping[str, bytes], root: str) -> None:
    """Raise Fatal if something of the case was signed under another root than the package will be."""
    for name, data in members.items():
        if name.endswith(".label.json") and open_envelope(data).chain.root_fingerprint != root:
            raise Fatal(
                f"no package was made | application {case.number} | {name} was signed under another root than the seal "
                "key has now, and all of a package is under one: the seal was lost, and a new root made since "
                "(footage-desk accept-loss seal) | hand out the documents of the case one by one: their PDF, data and "
                "label lie in the bucket documents, and each label is checked by the certificates in it, with openssl, "
                "against the fingerprint of the root of before (docs/sealing.md, Who signs)"
            )


def require_sound(report: Report, number: str) -> None:
    """Raise Fatal if a check of the package failed; whether its key is trusted is not checked here."""
    failed = report.failed
    if failed:
        first = failed[0]
        raise Fatal(
            f"no package was made | application {number} | {len(failed)} checks of it failed, the first: "
            f"{first.check} of {first.of}: {first.found} | run footage-desk audit verify and the integrity check of "
            "the vault, and read what they report about this case"
        )


def _signed_head(uow: UnitOfWork, key: LogKey) -> str:
    """Return the note of a checkpoint of the current trail."""
    row = checkpoints.sign(uow, key.known, key.sign) or checkpoints.get_newest(uow)
    if row is None:
        raise Fatal("no package was made | the audit trail | it has no event | check the database")
    return row.note


def _record_start(
    uow: UnitOfWork, case: CaseFile, filed: Mapping[str, Filed], members: Mapping[str, bytes], how: How
) -> Start:
    """Record what is in the package; who holds the seal key alone cannot change it unseen afterwards."""
    document_service.record_filed(uow, filed)
    start = Start(
        made_at=uow.now.isoformat(),
        sealed_at=uow.real_now.isoformat(),
        made_by=f"footage-desk {version('footage-desk')}, {uow.actor.kind} {uow.actor.id}",
        demo=uow.demo,
    )
    audit_trail.record(
        uow,
        "package-started",
        "application",
        case.application_id,
        application_id=case.application_id,
        footage=how,
        members={name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
        sealed_at=start.sealed_at,
        made_by=start.made_by,
        demo=start.demo,
    )
    uow.after_commit.add(checkpoints.WANTED)
    return start


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_made(
    uow: UnitOfWork,
    prepared: Prepared,
    manifest_sha256: str,
    file_sha256: str,
    how: str,
    *,
    asked: Mapping[str, str] | None = None,
) -> None:
    """Record a whole package; ``asked`` says by which request, where the portal was asked for it."""
    case = prepared.case
    audit_trail.record(
        uow,
        "package-made",
        "application",
        case.application_id,
        application_id=case.application_id,
        manifest_sha256=manifest_sha256,
        file_sha256=file_sha256,
        footage=how,
        checkpoint=case.checkpoint.size,
        **(asked or {}),
    )


def _labels(store: Store, case: CaseFile) -> dict[str, bytes]:
    masters = {f"footage/{master.name}-master.label.json": master for master in case.masters}
    copies = {f"footage/{copy.name}-copy-1.label.json": copy for copy in case.copies}
    return {name: _label(store, footage) for name, footage in (masters | copies).items()}


def _made(sources: Material, case: CaseFile, how: How) -> dict[str, bytes]:
    """Return the members that are made of the database's rows, of the keys, and of this release."""
    certificates = [x509.load_der_x509_certificate(der) for der in sources.signer.key.certificate_chain]
    entries = [{**custody_log.line_of(entry), "sha256": entry.sha256} for entry in case.custody]
    return {
        layout.README: readme.text(case.number, case.organisation, how).encode(),
        layout.CHAIN: b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates),
        layout.LOG_KEYS: "".join(f"{key.vkey}\n" for key in sources.log_keys).encode(),
        layout.ANCHORS: _lines(case.anchors),
        layout.ACCOUNTS: rfc8785.dumps(
            {
                "days": accounts.DAYS,
                "signers": sorted({str(act.signature["person"]) for act in case.acts}),
                "events": [event.seq - 1 for event in case.accounts],
            }
        ),
        **_acts(case),
        layout.CUSTODY: rfc8785.dumps({"entries": entries, "people": case.names}),
        **({} if case.returned is None else {layout.RETURN: rfc8785.dumps(case.returned)}),
        layout.VERIFIER: pyz.build(enclosed=True),
    }


def write(writer: Writer, sources: Material, prepared: Prepared, how: How) -> str:
    """Write all members, the signed manifest last; return its SHA-256. The caller finishes the archive."""
    _write(writer, sources, prepared, how)
    return _sign(writer, sources, prepared, how)


def _write(writer: Writer, sources: Material, prepared: Prepared, how: How) -> None:
    members = dict(prepared.members)
    for name in (layout.README, layout.CHAIN, layout.LOG_KEYS):
        writer.add(name, members.pop(name))
    _write_trail(writer, sources, prepared)
    writer.add(layout.ANCHORS, members.pop(layout.ANCHORS))
    masters = {f"footage/{master.name}-master": master for master in prepared.case.masters}
    for name, data in members.items():
        writer.add(name, data)
        stem = name.removesuffix(".label.json")
        if stem in masters and how != "hash":
            _write_footage(writer, sources, stem, masters[stem], how)


def _write_trail(writer: Writer, sources: Material, prepared: Prepared) -> None:
    """Write the checkpoint, the events with proofs, and consistency proofs of named and anchored checkpoints."""
    case = prepared.case
    size = case.checkpoint.size
    named = [_checkpoint_of(data) for name, data in prepared.members.items() if name.endswith(".label.json")]
    named += [act.statement.get("auditCheckpoint") for act in case.acts]
    olds = sorted({checkpoint["size"] for checkpoint in (*named, *case.anchors) if checkpoint is not None})
    indexes = [event.seq - 1 for event in case.events]
    inclusions, consistencies = sources.database.read_now(ACTOR, case_file.proofs, indexes, olds, size)
    writer.add(layout.CHECKPOINT, case.note.encode())
    writer.add(layout.EVENTS, _lines({"index": event.seq - 1, "entry": event.entry} for event in case.events))
    writer.add(layout.PROOFS, _lines(inclusions))
    writer.add(layout.CONSISTENCY, _lines(consistencies))


def _sign(writer: Writer, sources: Material, prepared: Prepared, how: How) -> str:
    """Write the manifest and sign it; return its SHA-256."""
    case, start = prepared.case, prepared.start
    subject = {"application": case.number, "applicationId": case.application_id, "madeAt": start.made_at}
    entries = [
        {
            "name": member.name,
            "size": member.size,
            "sha256": sha256,
            "crc32": f"{member.crc:08x}",
            "role": layout.role_of(member.name),
        }
        for member, sha256 in writer.written
    ]
    manifest: dict[str, Any] = {"format": layout.FORMAT, **subject, "footage": how, "members": entries}
    sha256 = writer.add(layout.MANIFEST, rfc8785.dumps(manifest))
    head = case.checkpoint
    predicate = {
        **subject,
        "sealedAt": start.sealed_at,
        "checkpoint": {"origin": head.origin, "size": head.size, "root": head.root_base64},
        "logKeys": [key.vkey for key in sources.log_keys],
        "madeBy": start.made_by,
        "demo": start.demo,
    }
    writer.add(layout.SIGNED, sources.signer.sign(statement({layout.MANIFEST: sha256}, PREDICATE, predicate)))
    return sha256


def _label(store: Store, footage: Footage) -> bytes:
    sealed = footage.sealed
    try:
        data = b"".join(store.get(sealed.bucket, label_key(sealed.key)))
        open_envelope(data)
    except StoreMissing as error:
        raise _label_error(sealed.key, "its label is not in the store") from error
    except Invalid as error:
        raise _label_error(sealed.key, _label_fault(data, error)) from error
    return data


def _label_fault(data: bytes, error: Invalid) -> str:
    try:
        signed = read_label(data).chain is not None
    except Invalid:
        signed = True
    if not signed:
        return "it was sealed before labels were signed, so the case has no package"
    return f"its label is invalid: {error}"


def _label_error(key: str, why: str) -> Fatal:
    return Fatal(
        f"no package was made | {key} | {why} | run the integrity check of the vault; a package needs signed labels"
    )


def _write_footage(writer: Writer, sources: Material, stem: str, footage: Footage, how: How) -> None:
    sealed = footage.sealed
    if how == "sealed":
        chunks = partial(sources.store.get, sealed.bucket, sealed.key, version_id=sealed.version_id)
        sha256, expected = writer.stream(f"{stem}.age", sealed.size, chunks), sealed.sha256_cipher
    else:
        chunks = partial(_decrypted, sources, footage)
        name = f"{stem}.{footage.container}"
        sha256, expected = writer.stream(name, sealed.plain_size, chunks), sealed.sha256_plain
    if sha256 != expected:
        raise Fatal(
            f"no package was made | {sealed.key} | its bytes have changed since they were sealed | "
            "restore it from the replica, then try again",
            runbook="verification-failures",
        )


def _decrypted(sources: Material, footage: Footage) -> Iterator[bytes]:
    try:
        with open_sealed(sources.store, footage.sealed.location, sources.unwrapper()) as reader:
            while chunk := reader.read(READ):
                yield chunk
    except AgeError as error:
        raise Fatal(
            f"no package was made | {footage.sealed.key} | {error} | name the vault's identity, or the escrow's, with "
            "--identity"
        ) from error


def _acts(case: CaseFile) -> dict[str, bytes]:
    members = {}
    for number, act in enumerate(case.acts, 1):
        people = {str(act.statement["person"]): act.person}
        people |= {absent: case.names[absent] for absent in accounts.represented(act.statement)}
        name = "-".join((f"decisions/{number:02d}", act.kind, *([act.stage] if act.stage else [])))
        members[f"{name}.json"] = rfc8785.dumps(
            {"statement": act.statement, "signature": act.signature, "people": people}
        )
    return members


def _checkpoint_of(envelope: bytes) -> Any:
    return open_envelope(envelope).predicate.get("auditCheckpoint")


def _lines(values: Any) -> bytes:
    return b"".join(rfc8785.dumps(value) + b"\n" for value in values)
