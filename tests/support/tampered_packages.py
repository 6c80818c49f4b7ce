"""The packages that somebody has changed, each by name, so that every verifier can be shown the same set."""

import base64
import hashlib
import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import package_tampering as tampering
import rfc3161_client
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_case import Made
from older_package import Older
from package_changes import CHANGES
from package_leaves import changed, leaves
from package_tampering import Contents, resealed
from soft_passkey import USER_PRESENT, SoftPasskey
from time_authority import Authority

from services.bench import small_case
from services.vault.keys.log_key import LogKey
from services.vault.keys.signer import Signer
from services.verifier import layout
from services.verifier.members import Archive
from services.verifier.notes import read_checkpoint
from services.verifier.timestamps import token_of_reply

EVERY_BYTE = 31  # of the ZIP's own structure one in so many is changed
DEEP = b"[" * 100_000
SHAPES: list[bytes] = [b"", b"null", b"[]", b"{}", b'"text"', b"1e999", DEEP, b"\xff\xfe", b'{"a":1,"a":1}', b"[1.0]"]
SHAPED = (
    layout.CHECKPOINT,
    layout.EVENTS,
    layout.PROOFS,
    layout.CONSISTENCY,
    layout.ANCHORS,
    layout.CUSTODY,
    layout.CHAIN,
    layout.LOG_KEYS,
    "footage/1-master.label.json",
    f"documents/{small_case.NUMBER}.json",
    f"documents/{small_case.NUMBER}.pdf",
    f"documents/{small_case.NUMBER}.label.json",
    "decisions/01-decision-preliminary.json",
)
FIRST_DECISION = "decisions/01-decision-preliminary.json"


class Stamper:
    """Asks the authority without a network."""

    def __init__(self, folder: Path, **kind: Any) -> None:
        self._authority = Authority(folder, **kind)

    def stamp(self, data: bytes) -> bytes:
        query = rfc3161_client.TimestampRequestBuilder(data, rfc3161_client.HashAlgorithm.SHA256).build()
        return token_of_reply(self._authority.answer(query.as_bytes()))


@dataclass(frozen=True)
class Tampered:
    """One package: ``write`` makes it at a path. ``trust``: the fingerprints to verify it with."""

    name: str
    write: Callable[[Path], object]
    trust: tuple[str, ...] = ()


@dataclass(frozen=True)
class Small:
    """The smallest case, with its keys and a folder for more."""

    contents: Contents
    seal: Signer
    key: LogKey
    folder: Path


def _flipped(name: str, whole: bytes, at: int, bit: int) -> Tampered:
    return Tampered(name, lambda path: path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]))


def _bytes(name: str, data: bytes, *trust: str) -> Tampered:
    return Tampered(name, lambda path: path.write_bytes(data), trust)


def _members(name: str, make: Callable[[], Contents | list[tuple[str, bytes]]], *trust: str) -> Tampered:
    return Tampered(name, lambda path: tampering.write(path, make()), trust)


def groups(made: Made, forged: Made | None, older: Older, small: Small) -> dict[str, list[Tampered]]:
    """Return the set by kind, and whole with a forger's installation; nothing is written before it is asked for."""
    contents, others = tampering.read(made.clear), tampering.read(made.other)
    return {
        "untouched": list(_untouched(made, older)),
        "bytes": list(_changed_bytes(made.clear)),
        "structure": list(_changed_structure(made.clear)),
        "ends": list(_ends(made.clear)),
        "members": list(_moved(contents, others)),
        "forged": [] if forged is None else list(_forged(made, forged, contents)),
        "sealed-again": [
            _members(f"{n}-{check}", partial(_resealed, change, contents, made), made.fingerprints["root"])
            for n, (change, check) in enumerate(CHANGES, 1)
        ],
        "leaves": _leaves(made),
        "older": list(_older(older)),
        "shapes": [
            _members(
                f"{name} {shape[:10]!r}",
                lambda name=name, shape=shape: resealed({**small.contents, name: shape + b"\n"}, small.seal),
            )
            for name in SHAPED
            for shape in SHAPES
        ],
        "hostile": list(_hostile(small)),
        "packed": [_bytes(name, data) for name, data in packed_by_others(small.contents).items()],
        "stamped": list(_stamped(small)),
        "anchored": list(_anchors(small)),
        "passkeys": list(_passkeys(small)),
    }


def _resealed(change: Callable[[Contents, Made], Contents], contents: Contents, made: Made) -> Contents:
    return resealed(change(contents, made), made.seal)


def _untouched(made: Made, older: Older) -> Iterator[Tampered]:
    for how in ("clear", "sealed", "hash", "other"):
        path: Path = getattr(made, how)
        yield _bytes(how, path.read_bytes())
    for name, value in made.fingerprints.items():
        spelled = f"SHA256:{':'.join(value[at : at + 2] for at in range(0, 64, 2)).upper()}"
        yield _bytes(f"trusted by {name}", made.hash.read_bytes(), spelled)
    for written in ("", "sha256:", "g" * 64, "0" * 64, "不是指纹"):
        yield _bytes(f"trust in {written!r}", made.hash.read_bytes(), made.fingerprints["root"], written)
    yield _members("older", lambda: older.contents, older.root)


def _changed_bytes(path: Path) -> Iterator[Tampered]:
    whole = path.read_bytes()
    with Archive(path) as archive:
        for member in archive.members:
            for place in sorted({0, member.size // 2, member.size - 1}):
                yield _flipped(f"{member.name} at {place}", whole, member.start + place, 1)


def _changed_structure(path: Path) -> Iterator[Tampered]:
    whole = path.read_bytes()
    with Archive(path) as archive:
        inside = [range(member.start, member.start + member.size) for member in archive.members]
    structure = sorted(set(range(len(whole))).difference(*inside))
    for at in [*structure[:60], *structure[60:-60:EVERY_BYTE], *structure[-60:]]:
        yield _flipped(f"the ZIP at {at}", whole, at, 0x40)


def _ends(path: Path) -> Iterator[Tampered]:
    whole = path.read_bytes()
    changes = {
        "a byte before": b"\0" + whole,
        "a byte behind": whole + b"\0",
        "a byte less": whole[:-1],
        "half": whole[: len(whole) // 2],
        "another beginning": b"PK\x03\x04" + whole,
        "nothing": b"",
        "a text": b"PK\x03\x04 and no more",
    }
    for name, data in changes.items():
        yield _bytes(name, data)


def _moved(contents: Contents, others: Contents) -> Iterator[Tampered]:
    names = list(contents)
    for at, name in enumerate(names):
        yield _members(f"without {name}", lambda name=name: {n: d for n, d in contents.items() if n != name})
        twice = [*contents.items()]
        twice.insert(at, (name, contents[name]))
        yield _members(f"{name} twice", lambda twice=twice: twice)
    for at in range(len(names) - 1):
        order = [*names[:at], names[at + 1], names[at], *names[at + 2 :]]
        yield _members(f"{names[at]} later", lambda order=order: {name: contents[name] for name in order})
    for name, data in others.items():
        if name in contents and contents[name] != data:
            yield _members(f"another case's {name}", lambda name=name, data=data: {**contents, name: data})
    yield _members(
        "another case's manifest", lambda: {**contents, **{name: others[name] for name in tampering.MANIFESTS}}
    )


def _forged(made: Made, forged: Made, contents: Contents) -> Iterator[Tampered]:
    """The same case with other keys, sound by itself, and the true one that those keys have sealed."""
    for name, value in made.fingerprints.items():
        yield _bytes(f"forged and not {name}", forged.hash.read_bytes(), value)
    yield _members("sealed by a forger", lambda: resealed(contents, forged.seal))


def _leaves(made: Made) -> list[Tampered]:
    contents, root = tampering.read(made.hash), made.fingerprints["root"]
    return [
        _members(str(leaf), lambda leaf=leaf: changed(contents, leaf, made.seal), root) for leaf in leaves(contents)
    ]


def _older(older: Older) -> Iterator[Tampered]:
    """The first format, whose audit events name less: what was changed there is noted or seen."""
    for leaf in leaves(older.contents)[::7]:
        yield _members(str(leaf), lambda leaf=leaf: changed(older.contents, leaf, older.seal), older.root)


def _hostile(small: Small) -> Iterator[Tampered]:
    """What asks for too much, or is built to mislead a reader of ZIPs."""
    contents, seal = small.contents, small.seal
    plain = _zip(contents)
    end = plain.rindex(b"PK\x05\x06")
    for name in ("../up.txt", "/etc/passwd", "a/b/c.txt", "C:\\x", "keys/\u0441hain.pem", ".hidden", "n" * 121):
        yield _bytes(f"the name {name!r:.20}", _zip({**contents, name: b"x"}))
    yield _members("names in another case", lambda: [*contents.items(), ("readme.TXT", b"x")])
    yield _bytes("compressed", _zip({**contents, "bomb.txt": bytes(8 << 20)}, zipfile.ZIP_DEFLATED))
    yield _bytes("a symbolic link", _zip(contents, mode=0o120777))
    yield _bytes("no members", plain[end : end + 4] + bytes(18))
    for count in (0, 1, 20_001, 0xFFFF):
        yield _bytes(
            f"an end with {count} members", plain[: end + 8] + struct.pack("<2H", count, count) + plain[end + 12 :]
        )
    yield Tampered("members without number", _countless)
    for size in (1, 0xFFFFFFFE, 0xFFFFFFFF):
        yield _bytes(f"a directory at {size}", plain[: end + 16] + struct.pack("<L", size) + plain[end + 20 :])
        yield _bytes(f"a directory of {size} bytes", plain[: end + 12] + struct.pack("<L", size) + plain[end + 16 :])
    yield Tampered("members that overlap", partial(_overlapping, contents))
    for name in (layout.README, layout.MANIFEST, layout.SIGNED, layout.EVENTS):
        yield Tampered(f"another CRC of {name}", partial(_wrong_crc, contents, name))
    bomb = b"%PDF-1.7\n" + b"stream\n" + zlib.compress(bytes(64 << 20), 9)
    yield _members("a PDF without end", lambda: _with_pdf(small, bomb))
    data = contents[f"documents/{small_case.NUMBER}.json"]
    for level in (0, 1, 9):
        packed = b"%PDF-1.7\nstream\r\n" + zlib.compress(data, level) + b"\nendstream"
        yield _members(f"a PDF packed at {level}", lambda packed=packed: _with_pdf(small, packed))
    yield _members("a PDF of many streams", lambda: _with_pdf(small, b"%PDF-1.7\n" + b"stream\n" * 2100 + data))
    for change in _manifests():
        yield _members(f"a manifest with {change}", lambda change=change: _with_manifest(contents, change))
    yield _members("a long README", lambda: resealed({**contents, layout.README: bytes(300_000)}, seal))


def _manifests() -> list[dict[str, Any]]:
    return [
        {"members": {}},
        {"members": [None]},
        {"format": "footage-desk-package/2"},
        {"format": "footage-desk-package/3"},
        {"footage": "elsewhere"},
        {"more": 1},
    ]


def _with_manifest(contents: Contents, change: dict[str, Any]) -> Contents:
    return {**contents, layout.MANIFEST: rfc8785.dumps({**json.loads(contents[layout.MANIFEST]), **change})}


def _zip(contents: Contents, method: int = zipfile.ZIP_STORED, mode: int = 0o100644) -> bytes:
    """A ZIP as other programs write it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data, method)
    return file.getvalue()


def packed_by_others(contents: Contents) -> dict[str, bytes]:
    """What mail programs and people make of a package; the last is none of it."""
    inner = {"案件/SQ-2031-000001.ZIP": _zip(contents), "__MACOSX/._SQ-2031-000001.ZIP": b"x", "案件/": b""}
    folder = {f"SQ-2031-000001/{name}": data for name, data in contents.items()}
    return {
        "wrapped": _zip(inner, zipfile.ZIP_DEFLATED),
        "packed again": _zip(contents),
        "packed again in a folder": _zip(folder, zipfile.ZIP_DEFLATED),
        "another ZIP": _zip({"letter.pdf": b"%PDF", "list.pdf": b"%PDF"}),
    }


def _countless(path: Path) -> None:
    """Write a ZIP of 2^20 empty members, in ZIP64."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 1 << 20
    head = b"PK\x03\x04" + bytes(26)
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, count * len(entry), len(head))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(head) + count * len(entry), 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(head + entry * count + end + locator + last)


def _overlapping(contents: Contents, path: Path) -> None:
    """Write a package whose second member begins where the first one does."""
    tampering.write(path, contents)
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x01\x02", start + 4)
    path.write_bytes(whole[: second + 42] + bytes(4) + whole[second + 46 :])


def _wrong_crc(contents: Contents, name: str, path: Path) -> None:
    """Write a package that states another CRC-32 of a member in both places where the ZIP has it."""
    tampering.write(path, contents)
    whole = bytearray(path.read_bytes())
    raw = name.encode()
    for at in (whole.index(raw) - 16, whole.rindex(raw) - 30):
        whole[at] ^= 1
    path.write_bytes(whole)


def _with_pdf(small: Small, pdf: bytes) -> Contents:
    stem = f"documents/{small_case.NUMBER}"
    subject = {f"{small_case.NUMBER}.pdf": hashlib.sha256(pdf).hexdigest()}
    label = tampering.relabelled(small.contents[f"{stem}.label.json"], small.seal, subject)
    return resealed({**small.contents, f"{stem}.pdf": pdf, f"{stem}.label.json": label}, small.seal)


def _stamped(small: Small) -> Iterator[Tampered]:
    """Signatures and a checkpoint that authorities of several kinds have seen, and what is wrong with some."""
    for name, kind in {"plain": {}, "chain": {"chain": True}, "rsa": {"chain": True, "with_rsa": True}}.items():
        stamper = Stamper(Path(tempfile.mkdtemp(dir=small.folder)) / name, **kind)
        seal = Signer(small.seal.key, stamper)
        contents = resealed(small.contents, seal)
        yield _members(f"stamped {name}", lambda contents=contents: contents)
        yield _members(f"anchored {name}", lambda stamper=stamper: anchored(small, stamper.stamp))
        envelope = json.loads(contents[layout.SIGNED])
        token = bytearray(base64.b64decode(envelope["signatures"][0]["rfc3161"]))
        for at in range(0, len(token), 97):
            token[at] ^= 1
            envelope["signatures"][0]["rfc3161"] = base64.b64encode(token).decode()
            token[at] ^= 1
            broken = {**contents, layout.SIGNED: rfc8785.dumps(envelope)}
            yield _members(f"stamp {name} at {at}", lambda broken=broken: broken)


def _anchors(small: Small) -> Iterator[Tampered]:
    """Anchors beside one of before a restore, by the right key and by wrong ones; and after a clock was ahead."""
    for key in keys_beside(small):
        yield _members(f"anchored as {key}", lambda key=key: anchored(small, key=key))
    stamper = Stamper(Path(tempfile.mkdtemp(dir=small.folder)) / "authority")
    for at in (early(6), early(5)):
        yield _members(f"anchored at {at}", lambda at=at: anchored(small, anchoredAt=at))
        yield _members(f"stamped, anchored at {at}", lambda at=at: anchored(small, stamper.stamp, anchoredAt=at))


def keys_beside(small: Small) -> tuple[str, ...]:
    """Keys of an anchor that lies beside one of before a restore: the right one, and wrong ones."""
    note = small.contents[layout.CHECKPOINT]
    first, sha256 = f"checkpoints/{read_checkpoint(note.decode()).size}", hashlib.sha256(note).hexdigest()
    return f"{first}-{sha256[:16]}", f"{first}-{'0' * 16}", f"{first}-{sha256}"


def early(minutes: int) -> str:
    """So long before the events of the smallest case."""
    return (datetime.fromisoformat(small_case.AT) - timedelta(minutes=minutes)).isoformat()


def anchored(small: Small, stamp: Callable[[bytes], bytes] | None = None, **changes: Any) -> Contents:
    """The smallest case with its checkpoint anchored, sealed again; ``changes``: what the anchor says instead."""
    note = small.contents[layout.CHECKPOINT]
    size = read_checkpoint(note.decode()).size
    anchor = {
        "size": size,
        "key": f"checkpoints/{size}",
        "sha256": hashlib.sha256(note).hexdigest(),
        "anchoredAt": small_case.AT,
        "note": note.decode(),
        "token": None if stamp is None else base64.b64encode(stamp(note)).decode(),
        **changes,
    }
    members = {
        layout.ANCHORS: rfc8785.dumps(anchor) + b"\n",
        layout.CONSISTENCY: rfc8785.dumps({"old": size, "new": size, "hashes": []}) + b"\n",
    }
    return resealed({**small.contents, **members}, small.seal)


def _passkeys(small: Small) -> Iterator[Tampered]:
    """A decision that was signed by passkeys of several kinds, and by what is none."""
    decision = json.loads(small.contents[FIRST_DECISION])
    sha256 = decision["signature"]["sha256"]
    keys = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(65537, 2048),
        "EdDSA": Ed25519PrivateKey.generate(),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
    }
    kept: dict[str, Any] = {name: SoftPasskey(key=key).kept(sha256) for name, key in keys.items()}
    kept |= {
        "of another statement": SoftPasskey().kept("0" * 64),
        "unverified": SoftPasskey(flags=USER_PRESENT).kept(sha256),
        "elsewhere": SoftPasskey(origin="http://footage.example", rp_id="footage.example").kept(sha256),
        "in a frame": SoftPasskey().kept(sha256, crossOrigin=True),
        "by another key": {**SoftPasskey().kept(sha256), "publicKey": SoftPasskey().pem},
        "without a key": {**SoftPasskey().kept(sha256), "publicKey": "no key"},
        "not in base64url": {**SoftPasskey().kept(sha256), "signature": "***"},
        "of other fields": {"signature": ""},
    }
    for name, passkey in kept.items():
        signature = {**decision["signature"], "method": "passkey", "passkey": passkey}
        data = rfc8785.dumps({**decision, "signature": signature})
        yield _members(
            f"passkey {name}", lambda data=data: resealed({**small.contents, FIRST_DECISION: data}, small.seal)
        )
