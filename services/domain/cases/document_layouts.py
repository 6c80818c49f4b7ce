"""Which documents there are, and how the data of each are laid out."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.domain.agreements import agreement_sheet
from services.domain.applications import form_sheet
from services.domain.custody import (
    label_sheet,
    log_sheet,
    receipt_sheet,
    refusal_sheet,
    return_sheet,
    sitting_sheet,
    still_sheet,
)
from services.domain.holds import notice_sheet
from services.domain.matters import disposal_sheet
from services.domain.matters import documents as matter_documents
from services.domain.matters.kinds import KINDS
from services.domain.matters.violations import documents as violation_documents
from services.domain.retrieval import record_sheet
from services.domain.storage import reconciliation_sheet
from services.domain.supervision import group_sheet, report_sheet, use_report_sheet
from services.domain.work_orders import documents as work_order_documents
from services.domain.work_orders.kinds import KINDS as WORK_ORDERS
from services.rendering import pdf
from services.rendering.formatting import JsonView
from services.rendering.sheet import Part, Sheet
from services.verifier import pyz
from services.verifier.page import build as page

LAYOUTS: Mapping[str, Callable[[JsonView], list[Part]]] = {
    "application-form": form_sheet.lay_out,
    "retrieval-record": record_sheet.lay_out,
    "label": label_sheet.lay_out,
    "hand-over-receipt": receipt_sheet.lay_out,
    "custody-log": log_sheet.lay_out,
    "return-inspection": return_sheet.lay_out,
    "confidentiality-agreement": agreement_sheet.lay_out,
    "sitting": sitting_sheet.lay_out,
    "still": still_sheet.lay_out,
    "redacted-still": still_sheet.lay_out,
    "refusal-notice": refusal_sheet.lay_out,
    **dict.fromkeys(KINDS, matter_documents.lay_out),
    **dict.fromkeys(WORK_ORDERS, work_order_documents.lay_out),
    "disposal": disposal_sheet.lay_out,
    "violation": violation_documents.lay_out_violation,
    "referral": violation_documents.lay_out_referral,
    "hold-notice": notice_sheet.lay_out,
    "group-appointment": group_sheet.lay_out,
    "inspection-report": report_sheet.lay_out,
    "use-report": use_report_sheet.lay_out,
    "reconciliation": reconciliation_sheet.lay_out,
}
_print_environment = Environment(
    loader=PackageLoader("services.domain.cases", "templates/print"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def sheet_of(kind: str, number: str, sha256: str, content: Mapping[str, Any]) -> Sheet:
    """Return the document of ``kind`` as it is shown, in the zone of the request."""
    zone = _zone(content)
    return Sheet(
        title=str(content.get("title", "")),
        organisation=str(content.get("organisation", "")),
        number=number,
        sha256=sha256,
        zone=zone,
        policy_version=str(content.get("policyVersion", "—")),
        demo=bool(content.get("demo")),
        verifier=pyz.sha256(),
        verifier_page=page.sha256(),
        parts=LAYOUTS[kind](JsonView(content, zone)),
    )


def render_pdf(kind: str, number: str, content: str, sha256: str, made_at: datetime) -> bytes:
    """Return the document of ``kind`` as PDF/A; ``content`` is its canonical JSON, which is attached."""
    return pdf.render(sheet_of(kind, number, sha256, json.loads(content)), content, made_at)


def _zone(content: Mapping[str, Any]) -> str:
    items = content.get("items") or [{}]
    zone = content.get("asked", {}).get("zone") or items[0].get("zone") or content.get("zone")
    return str(zone or "UTC")


def render_translation(sheet: Sheet, original_title: str, language: str, addresses: Mapping[str, str]) -> str:
    """Return the page of a translated sheet.

    ``addresses`` are of the original's page and PDF ("page", "pdf"), and of the translation's PDF ("translation").
    """
    words = pdf.words_of(language)
    return _print_environment.get_template("translation.html").render(
        sheet=sheet, original_title=original_title, words=words, nothing=words["nothing"], addresses=addresses
    )


def render_page(kind: str, number: str, sha256: str, content: dict[str, Any]) -> str:
    """Return the page of a document of ``kind``, in the zone of the request."""
    return _print_environment.get_template("sheet.html").render(sheet=sheet_of(kind, number, sha256, content))
