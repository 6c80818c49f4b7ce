"""Signed labels beside masters and copies, tags with their hashes, and the metadata of objects (R37)."""

import io
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import av

from services.database.unit_of_work import Actor, Database
from services.domain.custody import labels
from services.domain.custody.labels import LabelFacts, LabelKind
from services.domain.retrieval.records import Order
from services.runtime.spans import Span
from services.runtime.threads import run_in_thread
from services.vault.envelopes import CONTENT_TYPE, open_envelope
from services.vault.keys.signer import Signer
from services.vault.labels import ClockReading, Origin, Retrieval, build_label, label_key
from services.vault.sealing import Sealed
from services.vault.store.protocol import Store
from services.verifier.envelopes import is_envelope
from services.workers import vault_actions


@cache
def tools() -> dict[str, str]:
    """Return the versions of the software that handles footage."""
    return {
        "footage-desk": version("footage-desk"),
        "av": version("av"),
        "ffmpeg": av.ffmpeg_version_info,
        "cryptography": version("cryptography"),
    }


def metadata_of(order: Order) -> dict[str, str]:
    """Return ids and the asked span, which are known before the first byte is sent; ASCII only."""
    return {
        "form": order.number,
        "application": order.application_id,
        "item": order.item_id,
        "camera": order.source.camera_id,
        "asked-start": order.asked.start.isoformat(),
        "asked-end": order.asked.end.isoformat(),
    }


async def label_master(database: Database, actor: Actor, store: Store, signer: Signer, item_id: str) -> None:
    """Write the master's label where it is not there yet."""
    await _label(database, actor, store, signer, item_id=item_id, kind="master")


async def label_copy(database: Database, actor: Actor, store: Store, signer: Signer, item_id: str) -> None:
    """Write the copy's label where it is not there yet; it is held until the return, like the copy."""
    await _label(database, actor, store, signer, item_id=item_id, kind="copy")


async def _label(
    database: Database, actor: Actor, store: Store, signer: Signer, *, item_id: str, kind: LabelKind
) -> None:
    facts = await database.run(actor, labels.get_facts, item_id, kind)
    label = await run_in_thread(_write, store, signer, facts)
    await database.run(actor, labels.write, item_id, facts, label.payload_sha256, label.version_id)
    # one that was there before goes, or is kept, with its object
    if label.written and not await database.run(actor, labels.is_wanted, item_id, kind):
        await vault_actions.discard(store, facts.sealed["bucket"], label_key(facts.sealed["key"]))


@dataclass(frozen=True)
class _Label:
    """The SHA-256 of what a label signs; None without an object, or a signature. ``written``: by this call.

    ``version_id`` is that of the label itself; None without an object.
    """

    payload_sha256: str | None
    written: bool
    version_id: str | None


def _write(store: Store, signer: Signer, facts: LabelFacts) -> _Label:
    """Write the label unless an earlier run has written it."""
    sealed = Sealed.from_json(facts.sealed)
    tags = {
        "record": facts.facts["recordNumber"],
        "sha256-plain": sealed.sha256_plain,
        "sha256-cipher": sealed.sha256_cipher,
    }
    if store.stat(sealed.bucket, sealed.key) is None:
        return _Label(None, written=False, version_id=None)
    store.set_tags(sealed.bucket, sealed.key, sealed.version_id, tags)
    key = label_key(sealed.key)
    there = store.stat(sealed.bucket, key)
    if there is not None:
        payload_sha256 = _payload_sha256(b"".join(store.get(sealed.bucket, key)))
        return _Label(payload_sha256, written=False, version_id=there.version_id)
    store.sweep(sealed.bucket, key)  # a run that died in this put has left its parts
    label = signer.sign(_statement(sealed, facts))
    stored = store.put(
        sealed.bucket,
        key,
        io.BytesIO(label),
        metadata={"of": sealed.key},
        legal_hold=facts.kind == "copy",
        content_type=CONTENT_TYPE,
    )
    return _Label(_payload_sha256(label), written=True, version_id=stored.version_id)


def _payload_sha256(label: bytes) -> str | None:
    if not is_envelope(json.loads(label)):
        return None  # of before labels were signed
    return open_envelope(label).payload_sha256


def _statement(sealed: Sealed, labelled: LabelFacts) -> dict[str, Any]:
    facts = labelled.facts
    source, clock = facts["source"], facts["recorderClock"]
    recorder, camera = source["recorder"], source["camera"]
    label = build_label(
        sealed,
        Origin(
            site=source["site"],
            camera=f"{camera['nameZh']} {camera['nameEn']}",
            channel=camera["channel"],
            recorder_make=recorder["make"] or recorder["kind"],
            recorder_model=recorder["model"] or "",
            recorder_identity=recorder["identity"] or recorder["name"],
            zone=clock["zone"],
        ),
        ClockReading(
            *(clock["offsetMs"], clock["method"] or "not measured", clock["uncertaintyMs"], clock.get("measuredAt"))
        ),
        Retrieval(
            application_number=facts["applicationNumber"],
            record_number=facts["recordNumber"],
            operator=facts["operator"]["name"],
            retrieved_at=datetime.fromisoformat(facts["retrievedAt"]),
            asked=Span(*(datetime.fromisoformat(facts["asked"][name]) for name in ("start", "end"))),
            audit_checkpoint=labelled.checkpoint,
        ),
    )
    # What the database knows beyond the vault's own statement: item, copy, second persons, class, form.
    label["predicate"]["database"] = facts
    return label
