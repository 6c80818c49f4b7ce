"""The case's numbered documents for its package: as they lie in the vault, or made now where they are not there yet."""

import hashlib
from collections.abc import Mapping

from services.evidence.case_file import CaseFile
from services.papers import render
from services.register.documents import Document
from services.vault.envelopes import statement
from services.vault.seal import Seal
from services.vault.store import Store, StoreMissing
from services.verifier.filed import PREDICATE
from services.verifier.layout import file_name

BUCKET = "documents"


def documents(store: Store, seal: Seal, case: CaseFile) -> dict[str, bytes]:
    """Each document's data, PDF and label, by the names of their members."""
    found: dict[str, bytes] = {}
    for document in case.documents:
        stem = f"documents/{file_name(document.number)}"
        data = document.content.encode()
        pdf, label = _stored(store, document) or _made(seal, case, document, data)
        found |= {f"{stem}.pdf": pdf, f"{stem}.json": data, f"{stem}.label.json": label}
    return found


def labels(papers: Mapping[str, bytes]) -> list[bytes]:
    """The envelopes among them."""
    return [data for name, data in papers.items() if name.endswith(".label.json")]


def _stored(store: Store, document: Document) -> tuple[bytes, bytes] | None:
    try:
        pdf = b"".join(store.get(BUCKET, f"{document.number}.pdf"))
        return pdf, b"".join(store.get(BUCKET, f"{document.number}.label.json"))
    except StoreMissing:
        return None


def _made(seal: Seal, case: CaseFile, document: Document, data: bytes) -> tuple[bytes, bytes]:
    pdf = render(document.kind, document.number, document.content, document.sha256, document.made_at)
    subjects = {
        f"{document.number}.pdf": hashlib.sha256(pdf).hexdigest(),
        f"{document.number}.json": hashlib.sha256(data).hexdigest(),
    }
    head = case.checkpoint
    predicate = {
        "kind": document.kind,
        "number": document.number,
        "application": case.number,
        **({"item": document.item_id} if document.item_id else {}),
        "madeAt": document.made_at.isoformat(),
        "demo": document.demo,
        "auditCheckpoint": {"origin": head.origin, "size": head.size, "root": head.root_base64},
    }
    return pdf, seal.statement(statement(subjects, PREDICATE, predicate))
