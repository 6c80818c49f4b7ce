"""The smallest case of which a package can be made, with any amount of footage, to measure the verifier."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.evidence.archive import ArchiveWriter, new_archive
from services.vault.envelopes import statement
from services.vault.keys.log_key import LogKey
from services.vault.keys.signer import Signer
from services.verifier import approvals, filed, footage, label_facts, layout, merkle, package, pyz
from services.verifier.notes import Checkpoint

AT = "2031-03-04T12:00:00+00:00"
CASE, NUMBER, RECORD = "case", "SQ-2031-000001", "DQ-2031-000001"
ITEM, CAMERA, PERSON = "item", "camera", "somebody"
STAGES = {**approvals.FIRST, **approvals.NEEDED, **approvals.RELEASE}


def write(target: Path, signer: Signer, key: LogKey, blocks: Sequence[bytes], sealed_at: str) -> None:
    """Write a sound package whose footage is these blocks."""
    size = sum(map(len, blocks))
    sha256 = _sha256(blocks)
    form: dict[str, Any] = {"number": NUMBER, "round": 0}
    acts = [_act(stage, outcome, _sha256([rfc8785.dumps(form)])) for stage, outcome in STAGES.items()]
    form |= {"managementNeeded": False, "secondPerson": False, "demo": False}
    form["granted"] = {"items": [{"id": ITEM, "from": AT, "to": AT}], "wayOfUse": "view", "useDays": 1}
    form["decisions"] = [{"stage": act["statement"]["stage"], "statement": act["signature"]["sha256"]} for act in acts]
    data = rfc8785.dumps(form)
    record_content = _record(_sha256([data]))
    record = rfc8785.dumps(record_content)
    entries = [
        *(_event("review-decided", "review", PERSON, statement_sha256=act["signature"]["sha256"]) for act in acts),
        _event("application-form-written", "document", NUMBER, sha256=_sha256([data])),
        _event("retrieval-record-written", "document", RECORD, sha256=_sha256([record])),
        *(_filed(number, content) for number, content in ((NUMBER, data), (RECORD, record))),
        _event("footage-retrieved", "master", "master", **_retrieved(sha256)),
    ]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    head = Checkpoint(key.origin, len(leaves), merkle.root(leaves))
    label = _label(record_content, _sha256([record]), size)
    subjects = {"masters/key": "0" * 64, "masters/key#footage": sha256}
    with new_archive(target) as writer:
        writer.add(layout.README, b"A package for measuring; its case never was.\n")
        chain = [x509.load_der_x509_certificate(der) for der in signer.key.certificate_chain]
        writer.add(layout.CHAIN, b"".join(item.public_bytes(serialization.Encoding.PEM) for item in chain))
        writer.add(layout.LOG_KEYS, f"{key.public.vkey}\n".encode())
        writer.add(layout.CHECKPOINT, key.sign(head).encode())
        writer.add(layout.EVENTS, _lines({"index": n, "entry": item.decode()} for n, item in enumerate(entries)))
        writer.add(layout.PROOFS, _lines(_proof(leaves, index) for index in range(len(leaves))))
        writer.add(layout.CONSISTENCY, b"")
        writer.add(layout.ANCHORS, b"")
        writer.add("footage/1-master.label.json", signer.sign(statement(subjects, footage.PREDICATE, label)))
        writer.stream("footage/1-master.mp4", size, lambda: blocks)
        for kind, number, content in (("application-form", NUMBER, data), ("retrieval-record", RECORD, record)):
            _document(writer, signer, kind, number, content)
        for place, act in enumerate(acts, 1):
            name = f"decisions/{place:02d}-decision-{act['statement']['stage']}.json"
            writer.add(name, rfc8785.dumps({**act, "people": {}}))
        writer.add(layout.CUSTODY, rfc8785.dumps({"entries": []}))
        writer.add(layout.VERIFIER, pyz.build(enclosed=True))
        _manifest(writer, signer, head, [key.public.vkey], sealed_at)
        writer.finish()


def _record(form_sha256: str) -> dict[str, Any]:
    """Return the part of a retrieval record that labels are compared with."""
    camera = {"id": CAMERA, "nameZh": "摄像机", "nameEn": "camera", "channel": "1"}
    recorder = {"kind": "folder", "name": "recorder", "make": None, "model": None, "identity": None}
    span = {"start": AT, "end": AT}
    return {
        **dict.fromkeys(label_facts.SAME),
        "number": RECORD,
        "item": ITEM,
        "form": {"number": NUMBER, "sha256": form_sha256},
        "demo": False,
        "operator": {"id": PERSON, "name": "somebody"},
        "source": {"site": "site", "camera": camera, "recorder": recorder},
        "recorderClock": {"zone": "UTC", "offsetMs": None, "method": None, "uncertaintyMs": None},
        "asked": span,
        "searched": span,
        "obtained": {**dict.fromkeys(label_facts.MASTERS), "asked": [AT, AT]},
        "cameraSignature": "absent",
        "finishedAt": AT,
    }


def _label(record: dict[str, Any], record_sha256: str, size: int) -> dict[str, Any]:
    facts = {
        **label_facts.of_record(record),
        "kind": "master",
        "recordNumber": RECORD,
        "recordSha256": record_sha256,
        "item": {"id": ITEM, "position": 1},
    }
    return {
        **record["obtained"],
        **label_facts.printed_facts(facts),
        "searched": record["obtained"]["asked"],
        "cameraSignature": record["cameraSignature"],
        "outcome": "complete",
        "size": {"footage": size, "object": size},
        "database": facts,
    }


def _retrieved(sha256: str) -> dict[str, Any]:
    return {"item": ITEM, "outcome": "complete", "key": "key", "sha256_plain": sha256, "sha256_cipher": "0" * 64}


def _document(writer: ArchiveWriter, signer: Signer, kind: str, number: str, data: bytes) -> None:
    pdf = _pdf(data)
    subjects = {f"{number}.pdf": _sha256([pdf]), f"{number}.json": _sha256([data])}
    label = {
        "kind": kind,
        "number": number,
        "application": CASE,
        "madeAt": AT,
        "demo": False,
        "auditCheckpoint": None,
    }
    if kind == "retrieval-record":
        label["item"] = ITEM
    writer.add(f"documents/{number}.pdf", pdf)
    writer.add(f"documents/{number}.json", data)
    writer.add(f"documents/{number}.label.json", signer.sign(statement(subjects, filed.PREDICATE, label)))


def _pdf(data: bytes) -> bytes:
    return b"%PDF-1.7\nstream\n" + data


def _filed(number: str, data: bytes) -> bytes:
    return _event("document-filed", "document", number, sha256=_sha256([data]), pdf_sha256=_sha256([_pdf(data)]))


def _manifest(writer: ArchiveWriter, signer: Signer, head: Checkpoint, keys: list[str], sealed_at: str) -> None:
    subject = {"application": NUMBER, "applicationId": CASE, "madeAt": AT}
    members = [
        {
            "name": member.name,
            "size": member.size,
            "sha256": sha256,
            "crc32": f"{member.crc:08x}",
            "role": layout.role_of(member.name),
        }
        for member, sha256 in writer.written
    ]
    manifest: dict[str, Any] = {"format": layout.FORMATS[0], **subject, "footage": "clear", "members": members}
    sha256 = writer.add(layout.MANIFEST, rfc8785.dumps(manifest))
    root = base64.b64encode(head.root).decode()
    checkpoint: dict[str, Any] = {"origin": head.origin, "size": head.size, "root": root}
    predicate: dict[str, Any] = {
        **subject,
        "sealedAt": sealed_at,
        "checkpoint": checkpoint,
        "logKeys": keys,
        "demo": False,
    }
    writer.add(layout.SIGNED, signer.sign(statement({layout.MANIFEST: sha256}, package.PREDICATE, predicate)))


def _act(stage: str, outcome: str, form: str) -> dict[str, Any]:
    signed: dict[str, Any] = {
        "kind": "decision",
        "stage": stage,
        "round": 0,
        "form": form,
        "outcome": outcome,
        "person": PERSON,
        "granted": [{"item": ITEM, "camera": CAMERA, "from": AT, "to": AT}],
        "variables": {"wayOfUse": "view", "usePeriodDays": 1},
    }
    signature = {
        "method": "password",
        "person": PERSON,
        "sha256": _sha256([rfc8785.dumps(signed)]),
        "signedAt": AT,
    }
    return {"statement": signed, "signature": signature}


def _event(action: str, kind: str, subject: str, **detail: Any) -> bytes:
    actor = {"id": PERSON, "kind": "person"}
    event: dict[str, Any] = {"action": action, "actor": actor, "application": CASE, "at": AT, "detail": detail}
    return rfc8785.dumps({**event, "subject": {"id": subject, "kind": kind}})


def _proof(leaves: list[bytes], index: int) -> dict[str, Any]:
    return {"index": index, "size": len(leaves), "hashes": [digest.hex() for digest in _path(leaves, index)]}


def _path(leaves: list[bytes], index: int) -> Iterator[bytes]:
    """RFC 6962, 2.1.1, as it stands there."""
    if len(leaves) < 2:
        return
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        yield from _path(leaves[:split], index)
        yield merkle.root(leaves[split:])
    else:
        yield from _path(leaves[split:], index - split)
        yield merkle.root(leaves[:split])


def _sha256(blocks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(rfc8785.dumps(value) + b"\n" for value in values)
