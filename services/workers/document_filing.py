"""File documents in the vault: data, PDF, and the signed statement on both (R28, R35, R37, R47)."""

import hashlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from services.database.tables.documents import Document
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody.closing import StoredObject, VaultActions
from services.domain.documents.service import Filed
from services.vault.envelopes import CONTENT_TYPE, open_envelope, statement
from services.vault.keys.signer import Signer
from services.vault.labels import label_key
from services.vault.store.protocol import Store
from services.verifier.filed import PREDICATE

BUCKET = "documents"


def file(store: Store, signer: Signer, actions: VaultActions, document: Document) -> Iterator[StoredObject]:
    """Write a document's objects; those of an earlier run stay, and the statement is made of what is stored."""
    data, pdf = f"{document.number}.json", f"{document.number}.pdf"
    content = document.content.encode()
    yield _put(store, document, data, lambda: content, "application/json")
    yield _put(store, document, pdf, partial(_render, document), "application/pdf")

    def signed() -> bytes:
        return signer.sign(_statement(store, actions, document))

    yield _put(store, document, label_key(document.number), signed, CONTENT_TYPE)


def read_filed(store: Store, document: Document) -> Filed:
    """Return the hashes of what is stored."""
    label = open_envelope(b"".join(store.get(BUCKET, label_key(document.number))))
    return Filed(_sha256(store, f"{document.number}.pdf"), label.payload_sha256)


def _sha256(store: Store, key: str) -> str:
    return hashlib.sha256(b"".join(store.get(BUCKET, key))).hexdigest()


def _statement(store: Store, actions: VaultActions, document: Document) -> dict[str, Any]:
    names = (f"{document.number}.pdf", f"{document.number}.json")
    subjects = {name: _sha256(store, name) for name in names}
    predicate: dict[str, Any] = {
        "kind": document.kind,
        "number": document.number,
        "application": actions.application_number,
        "madeAt": document.made_at.isoformat(),
        "demo": document.demo,
        "auditCheckpoint": actions.checkpoint,
    }
    if document.item_id is not None:
        predicate["item"] = document.item_id
    return statement(subjects, PREDICATE, predicate)


def _render(document: Document) -> bytes:
    return render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)


def _put(store: Store, document: Document, key: str, made: Callable[[], bytes], content_type: str) -> StoredObject:
    there = store.stat(BUCKET, key)
    if there is not None:
        return StoredObject(BUCKET, key, there.version_id)
    store.sweep(BUCKET, key)  # a run that died in this put has left its parts
    metadata = {"kind": document.kind, "sha256": document.sha256}
    stored = store.put(BUCKET, key, io.BytesIO(made()), metadata=metadata, content_type=content_type)
    return StoredObject(BUCKET, key, stored.version_id)
