"""Which documents there are, and how the data of each are laid out."""

from collections.abc import Callable, Mapping
from typing import Any

from services.papers import (
    application_form,
    confidentiality_agreement,
    custody_log,
    hand_over_receipt,
    label,
    retrieval_record,
    return_inspection,
)
from services.papers.sheet import Part, Sheet
from services.papers.telling import Told

LAYOUTS: Mapping[str, Callable[[Told], list[Part]]] = {
    "application-form": application_form.lay_out,
    "retrieval-record": retrieval_record.lay_out,
    "label": label.lay_out,
    "hand-over-receipt": hand_over_receipt.lay_out,
    "custody-log": custody_log.lay_out,
    "return-inspection": return_inspection.lay_out,
    "confidentiality-agreement": confidentiality_agreement.lay_out,
}


def sheet_of(kind: str, number: str, sha256: str, content: Mapping[str, Any]) -> Sheet:
    """The document of ``kind`` as it is shown; told in the zone that was asked in."""
    zone = _zone(content)
    return Sheet(
        title=str(content.get("title", "")),
        organisation=str(content.get("organisation", "")),
        number=number,
        sha256=sha256,
        zone=zone,
        policy_version=str(content.get("policyVersion", "—")),
        demo=bool(content.get("demo")),
        parts=LAYOUTS[kind](Told(content, zone)),
    )


def _zone(content: Mapping[str, Any]) -> str:
    items = content.get("items") or [{}]
    found = content.get("asked", {}).get("zone") or items[0].get("zone") or content.get("zone")
    return str(found or "UTC")
