"""Examine whether an object is still what was sealed: bytes, version, locks and label, without a key (R6, R53)."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.vault.byte_stream import in_own_thread, settle
from services.vault.keys.signer import TrustedSigners
from services.vault.labels import label_key, read_label
from services.vault.store.protocol import ObjectFacts, Store, StoreMissing
from services.verifier.envelopes import open_envelope
from services.verifier.invalid import Invalid

# Findings that are no faults.
REMARKS = frozenset({"label-unsigned"})

OnBytes = Callable[[int], None]
"""Called in the working thread with the number of bytes read since the last call."""


@dataclass(frozen=True)
class Expected:
    """An object as the database records it. ``labelled``: the SHA-256 of its footage, which its label must name.

    ``trusted`` decides whether the label's signature is ours; without it only its validity is checked. Where
    ``version_id`` is None, the newest version is examined. ``document`` is the number of a document, under
    which its PDF lies, and the statement on PDF and data.
    """

    bucket: str
    key: str
    version_id: str | None
    size: int
    sha256: str
    labelled: str | None = None
    document: str | None = None
    trusted: TrustedSigners | None = None
    hold: bool = False
    retain_until: datetime | None = None


class Stopped(Exception):
    """The examination was cancelled."""


async def examine(store: Store, expected: Expected, on_bytes: OnBytes = lambda _: None) -> list[str]:
    """Return faults and REMARKS; none for an object as it was sealed. Raises StoreDown.

    missing, size, bytes: the object itself; replaced: a newer version lies over it; hold, retention: somebody could
    delete it; label-missing, label-wrong, label-seal: the label beside it, which is of something else, or whose
    signature is wrong or not ours; label-unsigned: it was written before labels were signed; pdf: the PDF of a document
    is missing or is not what was sealed.
    """
    stopped = threading.Event()

    def count_bytes(count: int) -> None:
        if stopped.is_set():
            raise Stopped
        on_bytes(count)

    running = in_own_thread(lambda: _faults(store, expected, count_bytes))
    try:
        return await asyncio.shield(running)
    except BaseException:
        stopped.set()
        await settle(running)
        raise


def _faults(store: Store, expected: Expected, on_bytes: OnBytes) -> list[str]:
    newest = store.stat(expected.bucket, expected.key)
    facts = newest
    if expected.version_id is not None and (newest is None or newest.version_id != expected.version_id):
        facts = store.stat(expected.bucket, expected.key, expected.version_id)
    if facts is None:
        return ["missing", *(["replaced"] if newest is not None else [])]
    faults = ["replaced"] if newest is not None and newest.version_id != facts.version_id else []
    faults += _contents(store, expected, facts, on_bytes)
    if expected.hold and not facts.legal_hold:
        faults.append("hold")
    if expected.retain_until is not None and (facts.retain_until is None or facts.retain_until < expected.retain_until):
        faults.append("retention")
    if expected.labelled is not None:
        faults += _label(store, expected, expected.labelled)
    if expected.document is not None:
        faults += _document(store, expected, expected.document, facts)
    return faults


def _contents(store: Store, expected: Expected, facts: ObjectFacts, on_bytes: OnBytes) -> list[str]:
    """The bytes are read whatever the store says of their number."""
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in store.get(expected.bucket, expected.key, version_id=facts.version_id):
            digest.update(chunk)
            size += len(chunk)
            on_bytes(len(chunk))
    except StoreMissing:
        return ["missing"]
    if size != expected.size:
        return ["size"]
    return [] if digest.hexdigest() == expected.sha256 else ["bytes"]


def _label(store: Store, expected: Expected, footage: str) -> list[str]:
    key = label_key(expected.key)
    facts = store.stat(expected.bucket, key)
    try:
        if facts is None:
            return ["label-missing"]
        label = read_label(b"".join(store.get(expected.bucket, key, version_id=facts.version_id)))
    except StoreMissing:
        return ["label-missing"]
    except Invalid:
        return ["label-seal"]
    named = (
        {subject["digest"]["sha256"] for subject in label.statement["subject"]} if _is_label(label.statement) else set()
    )
    if named != {expected.sha256, footage}:
        return ["label-wrong"]
    if label.chain is None:
        # Otherwise a label whose signature was removed could pass for an old one.
        return ["label-seal" if expected.trusted and facts.created >= expected.trusted.since else "label-unsigned"]
    return [] if expected.trusted is None or expected.trusted.include(label.chain) else ["label-seal"]


def _document(store: Store, expected: Expected, number: str, data: ObjectFacts) -> list[str]:
    """A document's PDF and the statement on PDF and data; one filed before there were statements has neither."""
    keys = (label_key(number), f"{number}.pdf")
    label, pdf = (store.stat(expected.bucket, key) for key in keys)
    if label is None:
        older = expected.trusted is None or data.created < expected.trusted.since
        return ["label-unsigned" if older and pdf is None else "label-missing"]
    try:
        opened = open_envelope(b"".join(store.get(expected.bucket, label.key, version_id=label.version_id)))
    except StoreMissing:
        return ["label-missing"]
    except Invalid:
        return ["label-seal"]
    named = opened.subjects
    if set(named) != {expected.key, keys[1]} or named[expected.key] != expected.sha256:
        return ["label-wrong"]
    faults = [] if expected.trusted is None or expected.trusted.include(opened.chain) else ["label-seal"]
    if pdf is None or _digest(store, pdf) != named[pdf.key]:
        faults.append("pdf")
    until = expected.retain_until
    if until is not None and any(
        one and (one.retain_until is None or one.retain_until < until) for one in (label, pdf)
    ):
        faults.append("retention")
    return faults


def _digest(store: Store, facts: ObjectFacts) -> str | None:
    digest = hashlib.sha256()
    try:
        for chunk in store.get(facts.bucket, facts.key, version_id=facts.version_id):
            digest.update(chunk)
    except StoreMissing:
        return None
    return digest.hexdigest()


def _is_label(label: dict[str, Any]) -> bool:
    subjects = label.get("subject")
    return isinstance(subjects, list) and all(
        isinstance(one, dict) and isinstance(one.get("digest"), dict) and isinstance(one["digest"].get("sha256"), str)
        for one in subjects
    )
