"""Each value of a package that the seal key answers for, changed with all signed again that this key can sign."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import package_tampering as tampering
import rfc8785
from package_tampering import Contents, resealed

from services.vault.keys.signer import Signer
from services.verifier import layout
from services.verifier.envelopes import open_envelope

Way = tuple[str | int, ...]


@dataclass(frozen=True)
class Leaf:
    """A value in a member, by its place; a member without values is one itself."""

    member: str
    way: Way

    def __str__(self) -> str:
        return f"{self.member} {'.'.join(map(str, self.way))}"

    def is_like(self, member: str, way: Way) -> bool:
        start, _, end = member.partition("*")
        fits = self.member.startswith(start) and self.member.endswith(end)
        return fits and len(way) == len(self.way) and all(a in ("*", b) for a, b in zip(way, self.way, strict=True))


def leaves(contents: Contents) -> list[Leaf]:
    return [Leaf(name, way) for name in contents if is_sealed(name) for way in ways(value_of(contents, name))]


def is_sealed(name: str) -> bool:
    """Whether the seal key answers for the member; the log key does for the events, and each hash for its bytes."""
    of_the_log = (layout.CHECKPOINT, layout.EVENTS, layout.PROOFS, layout.CONSISTENCY, layout.CHAIN, layout.LOG_KEYS)
    return name not in (*of_the_log, layout.MANIFEST) and not name.endswith((".pdf", ".mp4"))


def is_envelope(name: str) -> bool:
    return name == layout.SIGNED or name.endswith(".label.json")


def value_of(contents: Contents, name: str) -> Any:
    if is_envelope(name):
        statement = open_envelope(contents[name]).statement
        # its one subject is the manifest, which is made anew
        return {"predicate": statement["predicate"]} if name == layout.SIGNED else statement
    if name.endswith(".json"):
        return json.loads(contents[name])
    if name == layout.ANCHORS:
        return [json.loads(line) for line in contents[name].splitlines()]
    return base64.b64encode(contents[name]).decode()


def ways(value: Any, before: Way = ()) -> Iterator[Way]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ways(inner, (*before, key))
    else:
        yield before


def other(value: Any) -> Any:
    """Return a value that could stand there as well."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if not isinstance(value, str):
        return {"dict": {"x": 1}, "list": ["x"], "NoneType": "x"}[type(value).__name__]
    try:
        return (datetime.fromisoformat(value) + timedelta(seconds=1)).isoformat()
    except ValueError:
        pass
    if len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return ("0" if value[0] != "0" else "1") + value[1:]
    return {"password": "password+totp", "password+totp": "passkey"}.get(value, value + "x")


def changed(contents: Contents, leaf: Leaf, seal: Signer) -> Contents:
    """The package with another value there, and every signature that the seal key can make."""
    value = deepcopy(value_of(contents, leaf.member))
    if not leaf.way:
        return resealed({**contents, leaf.member: contents[leaf.member] + b"x"}, seal)
    inner = value
    for key in leaf.way[:-1]:
        inner = inner[key]
    inner[leaf.way[-1]] = other(inner[leaf.way[-1]])
    if leaf.member == layout.SIGNED:
        predicate = value["predicate"]
        manifest = json.loads(contents[layout.MANIFEST])
        manifest |= {name: predicate[name] for name in ("application", "applicationId", "madeAt")}
        return resealed({**contents, layout.MANIFEST: rfc8785.dumps(manifest)}, seal, **predicate)
    return resealed({**contents, **WRITERS[kind_of(leaf.member)](contents, leaf, value, seal)}, seal)


def kind_of(name: str) -> str:
    return "envelope" if is_envelope(name) else name.partition("/")[0] if name != layout.RETURN else "return"


def signed_again(contents: Contents, leaf: Leaf, value: Any, seal: Signer) -> Contents:
    return {leaf.member: tampering.signed_unread(value, contents[leaf.member], seal)}


def decided_again(contents: Contents, leaf: Leaf, value: Any, seal: Signer) -> Contents:
    if leaf.way[0] == "statement":
        value["signature"]["sha256"] = hashlib.sha256(rfc8785.dumps(value["statement"])).hexdigest()
    return {leaf.member: rfc8785.dumps(value)}


def logged_again(contents: Contents, leaf: Leaf, value: Any, seal: Signer) -> Contents:
    if leaf.way[-1] not in ("sha256", "previous"):
        before = "0" * 64
        for entry in value["entries"]:
            entry["previous"] = before
            content = {name: inner for name, inner in entry.items() if name != "sha256"}
            before = entry["sha256"] = hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    return {leaf.member: rfc8785.dumps(value)}


def written_again(contents: Contents, leaf: Leaf, value: Any, seal: Signer) -> Contents:
    """A document with a PDF that carries it, and a label over both."""
    stem = leaf.member.removesuffix(".json")
    data = rfc8785.dumps(value)
    pdf = b"%PDF-1.7\nstream\n" + data
    label, number = contents[f"{stem}.label.json"], stem.removeprefix("documents/")
    subjects = {
        name: hashlib.sha256(pdf if name.endswith(".pdf") else data).hexdigest()
        for name in open_envelope(label).subjects
    }
    assert all(layout.file_name(name).startswith(number) for name in subjects)
    return {
        leaf.member: data,
        f"{stem}.pdf": pdf,
        f"{stem}.label.json": tampering.relabelled(label, seal, subjects),
    }


WRITERS: dict[str, Callable[[Contents, Leaf, Any, Signer], Contents]] = {
    "envelope": signed_again,
    "decisions": decided_again,
    "custody": logged_again,
    "attachments": lambda contents, leaf, value, seal: {leaf.member: rfc8785.dumps(value)},
    "return": lambda contents, leaf, value, seal: {leaf.member: rfc8785.dumps(value)},
    "documents": written_again,
    "audit": lambda contents, leaf, value, seal: {leaf.member: b"".join(rfc8785.dumps(line) + b"\n" for line in value)},
}
