"""The case's numbered documents for its package, from the vault or rendered now if they are not there yet."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.database.tables.documents import Document
from services.domain.cases.document_layouts import render_pdf
from services.evidence.case_file import CaseFile
from services.vault.envelopes import statement
from services.vault.keys.signer import Signer
from services.vault.store.protocol import Store, StoreMissing
from services.verifier.filed import PREDICATE
from services.verifier.layout import file_name

BUCKET = "documents"


@dataclass(frozen=True)
class DocumentFile:
    """A PDF, and its label if both are in the vault."""

    pdf: bytes
    label: bytes | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pdf).hexdigest()


def read(store: Store, documents: Iterable[Document]) -> dict[str, DocumentFile]:
    """Return the file of each document, by number."""
    return {document.number: _stored(store, document) or DocumentFile(_rendered(document)) for document in documents}


def of_case(signer: Signer, case: CaseFile, files: Mapping[str, DocumentFile]) -> dict[str, bytes]:
    """Return each document's data, PDF and label, by the names of their members."""
    members: dict[str, bytes] = {}
    for document in case.documents:
        stem = f"documents/{file_name(document.number)}"
        data, file = document.content.encode(), files[document.number]
        label = file.label or _label(signer, case, document, file)
        members |= {f"{stem}.pdf": file.pdf, f"{stem}.json": data, f"{stem}.label.json": label}
    return members


def labels(members: Mapping[str, bytes]) -> list[bytes]:
    """Return the labels among the members."""
    return [data for name, data in members.items() if name.endswith(".label.json")]


def _stored(store: Store, document: Document) -> DocumentFile | None:
    try:
        pdf = b"".join(store.get(BUCKET, f"{document.number}.pdf"))
        return DocumentFile(pdf, b"".join(store.get(BUCKET, f"{document.number}.label.json")))
    except StoreMissing:
        return None


def _rendered(document: Document) -> bytes:
    return render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)


def _label(signer: Signer, case: CaseFile, document: Document, file: DocumentFile) -> bytes:
    subjects = {
        f"{document.number}.pdf": file.sha256,
        f"{document.number}.json": hashlib.sha256(document.content.encode()).hexdigest(),
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
    return signer.sign(statement(subjects, PREDICATE, predicate))
