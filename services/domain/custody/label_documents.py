"""The printed label of a master or a copy, a numbered document like the others (R37)."""

from typing import Any

from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import copies
from services.domain.custody.label_facts import LabelFacts
from services.domain.documents import service as document_service
from services.domain.retrieval import masters
from services.runtime.errors import Fatal

TITLES = {"master": "视频录像主档标签", "copy": "视频录像副本标签"}


def write(uow: UnitOfWork, item_id: str, labelled: LabelFacts) -> Document:
    """Write it where it is not there yet; what it says is what the label beside the object says."""
    row = masters.get_of_item(uow, item_id) if labelled.kind == "master" else copies.get_of_item(uow, item_id)
    if row is None:
        raise Fatal(
            f"could not write a label | item {item_id} | the register has no {labelled.kind} of it any more | "
            "retrieve it again, then resolve the incident"
        )
    return document_service.write_once(
        uow,
        "label",
        row.id,
        lambda: _content(labelled),
        application_id=row.application_id,
        item_id=item_id,
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
            **{name: coverage[name] for name in (*shown, "trimmedAfterMs", "driftMs") if name in coverage},
        },
        "object": {
            name: sealed[name]
            for name in ("bucket", "key", "versionId", "size", "plainSize", "sha256Plain", "sha256Cipher")
        },
        "label": sealed["key"] + ".label.json",
        "handling": facts["handling"],
    }
