"""Check issued copies independently of the database: packets, keys, hashes, coverage."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.app.container import Container
from services.database.tables.applications import Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation
from services.vault.age import NotARecipient, Reader, Unwrapper, generate_identity
from services.vault.age.identities import X25519Identity
from services.vault.keys.vault_keys import KeyGone
from services.vault.packets import packet_hashes, part_of
from services.vault.sealing import Sealed, open_sealed

P = ParamSpec("P")


@dataclass(frozen=True)
class Issued:
    """One issued copy, and the recorder's own files of its camera."""

    copy_id: str
    camera: str
    sealed: Sealed
    sources: tuple[Path, ...]


@dataclass(frozen=True)
class Check:
    """What was checked, of which camera or case, and the result."""

    subject: str
    what: str
    held: bool
    found: str


def issued_copies(container: Container, application_id: str, recordings: Path) -> list[Issued]:
    """Return the copies of the application, in the order of its items."""

    def read(uow: UnitOfWork) -> list[Issued]:
        rows = uow.session.execute(
            select(Copy, Camera)
            .join(Item, Item.id == Copy.item_id)
            .join(Camera, Camera.id == Item.camera_id)
            .where(Copy.application_id == application_id)
            .order_by(Item.position)
        )
        return [
            Issued(
                copy.id,
                camera.name_zh,
                Sealed.from_json(copy.sealed),
                tuple(sorted((recordings / camera.channel).glob("*.mp4"))),
            )
            for copy, camera in rows
        ]

    return container.database.run_now(Actor("system", "demo"), read)


def while_out(container: Container, copies: Sequence[Issued]) -> list[Check]:
    """Run the checks while the custodian has the copies."""
    return [check for copy in copies for check in _while_out(container, copy, copies)]


def after_return(container: Container, copies: Sequence[Issued]) -> list[Check]:
    """Run the checks after the return: the loan keys are destroyed, so nothing opens a copy."""
    checks = []
    for copy in copies:
        key_gone = _refused(KeyGone, container.loan_keys.unwrapper, copy.copy_id)
        vault_refused = _refused(NotARecipient, _open, container, copy, container.vault_keys.unwrapper())
        checks.append(
            Check(copy.camera, "after the return nothing opens it", key_gone and vault_refused, "loan key destroyed")
        )
    return checks


def _while_out(container: Container, copy: Issued, copies: Sequence[Issued]) -> list[Check]:
    own = container.loan_keys.unwrapper(copy.copy_id)
    others = [container.loan_keys.unwrapper(other.copy_id) for other in copies if other.copy_id != copy.copy_id]
    strangers = [*others, container.vault_keys.unwrapper(), X25519Identity(generate_identity()[0])]
    with _open(container, copy, own) as reader:
        plain = reader.read() or b""
    refused = [_refused(NotARecipient, _open, container, copy, key) for key in strangers]
    cipher = hashlib.sha256()
    for chunk in container.store.get(copy.sealed.bucket, copy.sealed.key, version_id=copy.sealed.version_id):
        cipher.update(chunk)
    name = copy.camera
    return [
        *(_packets(copy, plain, kind) for kind in ("video", "audio")),
        Check(name, "opens with its loan key and no other", all(refused), f"{len(refused)} other keys refused"),
        Check(
            name,
            "the plaintext is what was sealed",
            hashlib.sha256(plain).hexdigest() == copy.sealed.sha256_plain,
            f"sha256 {copy.sealed.sha256_plain[:16]}…",
        ),
        Check(
            name,
            "the stored bytes are what was sealed",
            cipher.hexdigest() == copy.sealed.sha256_cipher,
            f"sha256 {copy.sealed.sha256_cipher[:16]}…",
        ),
        _coverage(copy),
    ]


def _packets(copy: Issued, plain: bytes, kind: str) -> Check:
    """Check that the copy's packets are consecutive packets of the source."""
    source = [digest for path in copy.sources for digest in packet_hashes(str(path), kind)]
    packets = [
        digest
        for part in copy.sealed.coverage.parts
        for digest in packet_hashes(part_of(io.BytesIO(plain), part), kind)
    ]
    # silent packets repeat, so the first packet alone does not show where the copy begins
    starts = (index for index, digest in enumerate(source) if packets and digest == packets[0])
    same = any(source[start : start + len(packets)] == packets for start in starts)
    return Check(copy.camera, f"{kind} packets are the recorder's own", same, f"{len(packets)} packets")


def _coverage(copy: Issued) -> Check:
    """Check that covered time and gaps add up to the requested span, and that a complete copy has no gap."""
    coverage = copy.sealed.coverage
    # the lead-in and the tail are covered as well, but were not requested
    asked = [part for span in coverage.covered if (part := span.intersect(coverage.asked))]
    total = sum((span.duration for span in (*asked, *coverage.gaps)), timedelta())
    whole = abs(total - coverage.asked.duration) < timedelta(seconds=1)
    honest = (copy.sealed.outcome == "complete") == (not coverage.gaps)
    zone = ZoneInfo(organisation.ZONE)
    gaps = ", ".join(
        f"{gap.duration.total_seconds():.1f} s missing at {gap.start.astimezone(zone):%H:%M:%S}"
        for gap in coverage.gaps
    )
    return Check(
        copy.camera,
        "coverage is stated",
        whole and honest,
        f"{copy.sealed.outcome}, {coverage.share:.1%}" + (f", {gaps}" if gaps else ""),
    )


def _open(container: Container, copy: Issued, key: Unwrapper) -> Reader:
    return open_sealed(container.store, copy.sealed.location, key)


def _refused(error: type[Exception], act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        act(*args, **kwargs)
    except error:
        return True
    return False
