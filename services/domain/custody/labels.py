"""Labels of masters and copies: what they say, and the numbered document (R37; docs/sealing.md, "The label")."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import checkpoints
from services.domain.custody import copies
from services.domain.documents import retention
from services.domain.documents import service as document_service
from services.domain.retrieval import masters
from services.domain.retrieval.records import get_record
from services.runtime.errors import Fatal

TITLES = {"master": "视频录像主档标签", "copy": "视频录像副本标签"}
LabelKind = Literal["master", "copy"]


@dataclass(frozen=True)
class LabelFacts:
    """An object as it was sealed, what people and the database know of it, and the audit trail's newest checkpoint."""

    kind: LabelKind
    sealed: dict[str, Any]
    facts: dict[str, Any]
    checkpoint: dict[str, Any] | None = None


def get_facts(uow: UnitOfWork, item_id: str, kind: LabelKind) -> LabelFacts:
    """Return the facts, the same at every call but for the checkpoint; Fatal without an object or a record."""
    record = get_record(uow, item_id)
    row = masters.get_of_item(uow, item_id) if kind == "master" else copies.get_of_item(uow, item_id)
    if record is None or row is None:
        raise Fatal(
            f"could not label a {kind} | item {item_id} | the database has no {kind} or no retrieval record of it | "
            "retrieve it again, then resolve the incident"
        )
    content = json.loads(record.content)
    application = uow.session.get_one(Application, row.application_id)
    item = uow.session.get_one(Item, item_id)
    made_at = row.retrieved_at if isinstance(row, Master) else row.made_at
    facts: dict[str, Any] = {
        "kind": kind,
        "applicationNumber": content["form"]["number"],
        "formSha256": content["form"]["sha256"],
        "recordNumber": record.number,
        "recordSha256": record.sha256,
        "item": {"id": item.id, "position": item.position},
        "source": content["source"],
        "recorderClock": content["recorderClock"],
        "asked": content["asked"],
        "searched": content.get("searched", content["asked"]),
        # a copy is cut from the master: what the recorder itself delivered is said here
        "recorderSegments": content["obtained"]["sources"],
        "zone": item.zone,
        "retrievedAt": content["finishedAt"],
        "madeAt": made_at.isoformat(),
        "operator": content["operator"],
        "secondPersons": content["secondPersons"],
        "importance": application.importance or "ordinary",
        "tools": content["tools"],
        "organisation": content["organisation"],
        "policyVersion": content["policyVersion"],
        "demo": record.demo,
        "handling": "do not edit, do not forward",
    }
    if isinstance(row, Copy):
        facts["copy"] = row.id
    return LabelFacts(kind, dict(row.sealed), facts, checkpoints.newest_as_json(uow))


def is_wanted(uow: UnitOfWork, item_id: str, kind: LabelKind) -> bool:
    """Return whether a label belongs to something: one that is written after the end of a case only to a master."""
    if kind == "master":
        master = masters.get_of_item(uow, item_id)
        return master is not None and master.discarded_at is None
    item = uow.session.get_one(Item, item_id)
    return uow.session.get_one(Application, item.application_id).closed_at is None


def write(
    uow: UnitOfWork,
    item_id: str,
    labelled: LabelFacts,
    payload_sha256: str | None,
    version_id: str | None = None,
) -> Document:
    """Write it where it is not there yet; what it says is what the label beside the object says.

    ``payload_sha256``: of the text that is signed there; None if the object is gone, as is then ``version_id``, that of
    the label, which is locked with its master.
    """
    row = masters.get_of_item(uow, item_id) if labelled.kind == "master" else copies.get_of_item(uow, item_id)
    if row is None:
        raise Fatal(
            f"could not write a label | item {item_id} | the database has no {labelled.kind} of it any more | "
            "retrieve it again, then resolve the incident"
        )
    if isinstance(row, Master) and version_id not in (None, row.label_version):
        row.label_version = version_id
        retention.make_due(uow, row)
    return document_service.write_once(
        uow,
        "label",
        row.id,
        lambda: _content(labelled),
        application_id=row.application_id,
        item_id=item_id,
        named={"key": labelled.sealed["key"], "payload_sha256": payload_sha256} if payload_sha256 else {},
    )


def _content(labelled: LabelFacts) -> dict[str, Any]:
    facts, sealed = labelled.facts, labelled.sealed
    coverage = sealed["coverage"]
    same = (
        *("source", "recorderClock", "asked", "searched", "item", "zone", "retrievedAt", "madeAt"),
        *("operator", "secondPersons", "importance", "tools", "organisation", "policyVersion"),
    )
    shown = ("covered", "gaps", "leadInMs", "tailMs", "codecs", "firstFrame", "lastFrame", "trimmedBeforeMs")
    return {
        "title": TITLES[labelled.kind],
        "of": labelled.kind,
        "copy": facts.get("copy"),
        "form": {"number": facts["applicationNumber"], "sha256": facts["formSha256"]},
        "record": {"number": facts["recordNumber"], "sha256": facts["recordSha256"]},
        **{name: facts[name] for name in same},
        "outcome": sealed.get("outcome"),
        "obtained": {
            **{name: coverage[name] for name in (*shown, "trimmedAfterMs", "driftMs", "pictures") if name in coverage},
        },
        "object": {
            name: sealed[name]
            for name in ("bucket", "key", "versionId", "size", "plainSize", "sha256Plain", "sha256Cipher")
        },
        "label": sealed["key"] + ".label.json",
        "handling": facts["handling"],
    }
