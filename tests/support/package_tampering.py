"""Packages taken apart, changed and put together again: by somebody without keys, and by somebody who has them."""

import base64
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from services.evidence.archive import ArchiveWriter
from services.vault.envelopes import statement
from services.vault.keys.signer import Signer
from services.verifier import layout
from services.verifier.envelopes import PAYLOAD_TYPE, open_envelope, pae

Contents = dict[str, bytes]
MANIFESTS = (layout.MANIFEST, layout.SIGNED)


def read(path: Path) -> Contents:
    """Every member's bytes, in order."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Contents | Iterable[tuple[str, bytes]]) -> Path:
    """A package's ZIP of these members as they are; the same name may come twice."""
    with path.open("w+b") as file:
        writer = ArchiveWriter(file)
        for name, data in members.items() if isinstance(members, dict) else members:
            writer.add(name, data)
        writer.finish()
    return path


def resealed(contents: Contents, seal: Signer, **changes: Any) -> Contents:
    """The same with a manifest that fits it, signed by this seal; ``changes`` are of the signed predicate."""
    manifest = json.loads(contents[layout.MANIFEST])
    told = open_envelope(contents[layout.SIGNED]).predicate
    members = {name: data for name, data in contents.items() if name not in MANIFESTS}
    manifest["members"] = [_entry(name, data) for name, data in members.items()]
    data = rfc8785.dumps(manifest)
    subject = {layout.MANIFEST: hashlib.sha256(data).hexdigest()}
    signed = seal.sign(statement(subject, "urn:footage-desk:package:v1", {**told, **changes}))
    return {**members, layout.MANIFEST: data, layout.SIGNED: signed}


def relabelled(label: bytes, seal: Signer, subjects: dict[str, str] | None = None, **changes: Any) -> bytes:
    """The label with other hashes, or another predicate, under this seal."""
    opened = open_envelope(label)
    told = {**opened.subjects, **(subjects or {})}
    return seal.sign(statement(told, opened.statement["predicateType"], {**opened.predicate, **changes}))


def signed_unread(content: Any, like: bytes, seal: Signer) -> bytes:
    """An envelope as ``like`` around any content, whatever a reader says to it."""
    payload = rfc8785.dumps(content)
    raw = seal.key.sign(hashlib.sha256(pae(PAYLOAD_TYPE, payload)).digest())
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    envelope = json.loads(like)
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return rfc8785.dumps(envelope)


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "crc32": f"{zlib.crc32(data):08x}",
        "role": layout.role_of(name),
    }
