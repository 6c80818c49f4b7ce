"""The case's numbered documents for its package, from the vault or rendered now if they are not there yet."""

import hashlib
from dataclasses import dataclass

from services.database.tables.documents import Document
from services.domain.cases.document_layouts import render_pdf
from services.domain.documents.service import Filed
from services.evidence.case_file import CaseFile
from services.vault.envelopes import open_envelope, statement
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


@dataclass(frozen=True)
class DocumentMembers:
    """Data, PDF and label of each document, by member name; what the trail is to name of each, by number."""

    members: dict[str, bytes]
    filed: dict[str, Filed]


def read(store: Store, signer: Signer, case: CaseFile) -> DocumentMembers:
    """Return the documents; one that was not filed yet is rendered and signed."""
    members: dict[str, bytes] = {}
    filed = {}
    for document in case.documents:
        stem = f"documents/{file_name(document.number)}"
        file = _stored(store, document) or DocumentFile(_rendered(document))
        label = file.label or _label(signer, case, document, file)
        members |= {
            f"{stem}.pdf": file.pdf,
            f"{stem}.json": document.content.encode(),
            f"{stem}.label.json": label,
        }
        filed[document.number] = Filed(file.sha256, open_envelope(label).payload_sha256)
    return DocumentMembers(members, filed)


def _stored(store: Store, document: Document) -> DocumentFile | None:
    try:
        pdf = b"".join(store.get(BUCKET, f"{document.number}.pdf"))
        return DocumentFile(pdf, b"".join(store.get(BUCKET, f"{document.number}.label.json")))
    except StoreMissing:
        return None


def _rendered(document: Document) -> bytes:
    return render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)


def _label(signer: Signer, case: CaseFile, document: Document, file: DocumentFile) -> bytes:
    """Sign the same text in every package that is made before the document is filed."""
    subjects = {
        f"{document.number}.pdf": file.sha256,
        f"{document.number}.json": hashlib.sha256(document.content.encode()).hexdigest(),
    }
    predicate = {
        "kind": document.kind,
        "number": document.number,
        "application": case.number,
        **({"item": document.item_id} if document.item_id else {}),
        "madeAt": document.made_at.isoformat(),
        "demo": document.demo,
        "auditCheckpoint": case.written[document.number],
    }
    return signer.sign(statement(subjects, PREDICATE, predicate))
