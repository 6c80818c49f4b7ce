"""A package: its manifest, its small members in memory, its footage read once and hashed."""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from services.verifier import layout
from services.verifier.canonical import read
from services.verifier.envelopes import Opened, check_type, open_envelope
from services.verifier.invalid import Invalid
from services.verifier.members import Archive, Member
from services.verifier.report import Report

PREDICATE = "urn:footage-desk:package:v1"
HOW = ("clear", "sealed", "hash")
_HASH, _CRC = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{8}")


@dataclass
class Package:
    """``contents`` has every member except footage; ``hashes`` the SHA-256 of each member."""

    archive: Archive
    manifest: dict[str, Any]
    contents: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    opened: Opened | None = None

    @property
    def seal(self) -> Opened:
        """Return the signed manifest; raises Invalid for a bad signature."""
        if self.opened is None:
            raise Invalid("it rests on the signed manifest, which is not valid")
        return self.opened

    @property
    def predicate(self) -> dict[str, Any]:
        return self.seal.predicate

    @property
    def application_id(self) -> str:
        return str(self.predicate["applicationId"])

    def named(self, role: str) -> list[str]:
        """Return the names of the members with this role, in order."""
        return [member["name"] for member in self.manifest["members"] if member["role"] == role]

    def content(self, name: str) -> bytes:
        if name not in self.contents:
            raise Invalid(f"{name} is not in the package")
        return self.contents[name]

    def json(self, name: str) -> Any:
        return read(self.content(name), name)

    def lines(self, name: str) -> list[Any]:
        """Parse a member with one canonical JSON text a line."""
        data = self.content(name)
        if data and not data.endswith(b"\n"):
            raise Invalid(f"{name} does not end with a line's end")
        return [read(line, f"{name}, line {number}") for number, line in enumerate(data.split(b"\n")[:-1], 1)]

    def envelope(self, name: str) -> Opened:
        """Return a signed statement under the package's root."""
        opened = self._envelopes.get(name)
        if opened is None:
            opened = self._envelopes[name] = open_envelope(self.content(name))
        if opened.chain.root_fingerprint != self.seal.chain.root_fingerprint:
            raise Invalid("it is signed under another root than the package")
        return opened

    @cached_property
    def _envelopes(self) -> dict[str, Opened]:
        return {}

    @cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Return the data of each document, by the common part of its member names."""
        return {name[len("documents/") : -len(".json")]: self.json(name) for name in self.named("document-json")}

    @cached_property
    def form(self) -> dict[str, Any]:
        """Return the filed form of the last round; raises Invalid where there is none."""
        if not self.forms:
            raise Invalid("there is no filed form in the package")
        return max(self.forms, key=lambda form: int(form["round"]))

    @cached_property
    def forms(self) -> list[dict[str, Any]]:
        """Return the filed forms; a case whose footage was seen before its approval may have none."""
        return [
            self.documents[name]
            for name in self.documents
            if self.envelope(f"documents/{name}.label.json").predicate["kind"] == "application-form"
        ]


def open_package(archive: Archive, report: Report) -> Package | None:
    """Open the package with manifest and contents; None if no further check is possible."""
    package: Package | None = None
    with report.check("manifest", layout.MANIFEST) as finding:
        package = Package(archive, _manifest(archive))
        finding.text = f"{len(archive.members)} members"
    if package is None:
        return None
    with report.check("manifest-signed", layout.SIGNED) as finding:
        package.opened = _signed(package)
        finding.text = f"{package.opened.chain.organisation}, {_stamped(package.opened)}"
    report.each("bytes", _reading(package), layout.MANIFEST)
    return package


def _manifest(archive: Archive) -> dict[str, Any]:
    names = [member.name for member in archive.members]
    if names[-2:] != [layout.MANIFEST, layout.SIGNED]:
        raise Invalid(f"the last two members have to be {layout.MANIFEST} and {layout.SIGNED}")
    manifest = read(archive.read(layout.MANIFEST, layout.MOST), layout.MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") not in layout.FORMATS:
        raise Invalid(f"it is of none of the formats {', '.join(layout.FORMATS)}, which this verifier reads")
    if set(manifest) != {"format", "application", "applicationId", "madeAt", "footage", "members"}:
        raise Invalid("it has other fields than a manifest")
    if manifest["footage"] not in HOW:
        raise Invalid(f"it does not say how the footage is here: {', '.join(HOW)}")
    entries = manifest["members"]
    if [entry["name"] for entry in entries] != names[:-2]:
        raise Invalid(_difference([entry["name"] for entry in entries], names[:-2]))
    for entry, member in zip(entries, archive.members, strict=False):
        _check_entry(entry, member)
    if missing := sorted(layout.needed(manifest["format"]) - set(names)):
        raise Invalid(f"{', '.join(missing)} is not in the package")
    if manifest["format"] == layout.FORMATS[0] and any(name.startswith("attachments/") for name in names):
        raise Invalid("it has attachments, which packages of its format do not have")
    if sum(entry["size"] for entry in entries if entry["role"] != "footage") > layout.MOST_IN_ALL:
        raise Invalid(f"what is no footage has more than {layout.MOST_IN_ALL} bytes")
    return manifest


def _check_entry(entry: dict[str, Any], member: Member) -> None:
    if set(entry) != {"name", "size", "sha256", "crc32", "role"} or entry["role"] != layout.role_of(member.name):
        raise Invalid(f"its entry of {member.name} is not one of such a member")
    if not _HASH.fullmatch(entry["sha256"]) or not _CRC.fullmatch(entry["crc32"]):
        raise Invalid(f"its entry of {member.name} has no hashes")
    if entry["size"] != member.size:
        raise Invalid(f"{member.name} has {member.size} bytes, and the manifest says {entry['size']}")
    if entry["crc32"] != f"{member.crc:08x}":
        raise Invalid(f"{member.name} has another CRC-32 in the ZIP than in the manifest")


def _difference(listed: list[str], present: list[str]) -> str:
    if missing := [name for name in listed if name not in set(present)]:
        return f"{missing[0]} is in the manifest and not in the package"
    if added := [name for name in present if name not in set(listed)]:
        return f"{added[0]} is in the package and not in the manifest"
    at = next((number for number, pair in enumerate(zip(listed, present, strict=False)) if pair[0] != pair[1]), 0)
    return f"{present[at]} is where the manifest has {listed[at]}"


def _signed(package: Package) -> Opened:
    raw = package.archive.read(layout.MANIFEST, layout.MOST)
    sealed = package.archive.read(layout.SIGNED, layout.MOST)
    for name, data in ((layout.MANIFEST, raw), (layout.SIGNED, sealed)):
        if zlib.crc32(data) != package.archive.by_name[name].crc:
            raise Invalid(f"the bytes of {name} do not have the CRC-32 that the ZIP states")
    opened = open_envelope(sealed)
    check_type(opened, PREDICATE, "a package")
    if opened.subjects != {layout.MANIFEST: hashlib.sha256(raw).hexdigest()}:
        raise Invalid("the signature is over another manifest than the one in the package")
    for name in ("application", "applicationId", "madeAt"):
        if opened.predicate[name] != package.manifest[name]:
            raise Invalid(f"manifest and signed statement differ in {name}")
    if not opened.chain.valid_at(opened.signed_at or moment(opened.predicate["sealedAt"])):
        raise Invalid("the certificates were not valid when the package was made")
    return opened


def _stamped(opened: Opened) -> str:
    if opened.signed_at is None:
        return f"says it was made at {opened.predicate['madeAt']}"
    return f"an authority saw it at {opened.signed_at.isoformat()}"


def _reading(package: Package) -> Iterator[tuple[str, Any]]:
    """Yield each member with a check of its hash; members are read by one thread for each core."""
    entries = package.manifest["members"]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        futures = [(entry, pool.submit(_read, package, entry)) for entry in entries]
        for entry, future in futures:

            def compare(entry: dict[str, Any] = entry, future: Any = future) -> None:
                sha256 = future.result()
                if sha256 != entry["sha256"]:
                    raise Invalid(f"it has the SHA-256 {sha256}, and the manifest says {entry['sha256']}")

            yield entry["name"], compare


def _read(package: Package, entry: dict[str, Any]) -> str:
    name = entry["name"]
    if entry["role"] == "footage":
        digest = hashlib.sha256()
        for block in package.archive.blocks(package.archive.by_name[name]):
            digest.update(block)
    else:
        package.contents[name] = package.archive.read(name, layout.MOST)
        digest = hashlib.sha256(package.contents[name])
    package.hashes[name] = digest.hexdigest()
    return digest.hexdigest()


def number_of(document: dict[str, Any]) -> str:
    """Return a document's number by its data; a corrected form has the round after the application's number."""
    round_ = document.get("round", 0)
    return f"{document['number']}/{round_}" if round_ else str(document["number"])


def moment(text: Any) -> datetime:
    """Parse a moment with its offset; raises Invalid."""
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{text!r:.60} is no moment") from error
    if parsed.tzinfo is None:
        raise Invalid(f"{text!r:.60} has no offset from UTC")
    return parsed
