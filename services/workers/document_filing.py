"""File documents in the vault: data, PDF, and the signed statement on both (R28, R35, R37, R47)."""

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from services.database.tables.documents import Document
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody.locks import DocumentToFile
from services.domain.documents.service import Filed
from services.vault.envelopes import CONTENT_TYPE, open_envelope, statement
from services.vault.keys.signer import Signer
from services.vault.labels import label_key
from services.vault.store.protocol import Store, StoreConflict, StoreDown, keep_until
from services.verifier.filed import PREDICATE

BUCKET = "documents"


def file(store: Store, signer: Signer, due: DocumentToFile, checkpoint: dict[str, Any] | None) -> Filed:
    """Write a document's objects, lock them, and return the hashes of what is stored.

    Those of an earlier run stay, and the statement is made of what is stored. One that belongs to several cases, such
    as an agreement, stays for the longest of their terms.
    """
    document = due.document
    pdf, content = f"{document.number}.pdf", document.content.encode()

    def signed() -> bytes:
        return signer.sign(_statement(store, due, checkpoint))

    for key, made, content_type in (
        (f"{document.number}.json", lambda: content, "application/json"),
        (pdf, partial(_render, document), "application/pdf"),
        (label_key(document.number), signed, CONTENT_TYPE),
    ):
        version = _put(store, document, key, made, content_type)
        keep_until(store, BUCKET, key, version, due.until, hold=due.hold)
    label = open_envelope(b"".join(store.get(BUCKET, label_key(document.number))))
    return Filed(_sha256(store, pdf), label.payload_sha256)


def _sha256(store: Store, key: str) -> str:
    return hashlib.sha256(b"".join(store.get(BUCKET, key))).hexdigest()


def _statement(store: Store, due: DocumentToFile, checkpoint: dict[str, Any] | None) -> dict[str, Any]:
    document = due.document
    names = (f"{document.number}.pdf", f"{document.number}.json")
    subjects = {name: _sha256(store, name) for name in names}
    predicate: dict[str, Any] = {
        "kind": document.kind,
        "number": document.number,
        "application": due.application_number,
        "madeAt": document.made_at.isoformat(),
        "demo": document.demo,
        "auditCheckpoint": checkpoint,
    }
    if document.item_id is not None:
        predicate["item"] = document.item_id
    return statement(subjects, PREDICATE, predicate)


def _render(document: Document) -> bytes:
    return render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)


def _put(store: Store, document: Document, key: str, made: Callable[[], bytes], content_type: str) -> str:
    """Store an object unless it is there; return its version."""
    if (there := store.stat(BUCKET, key)) is None:
        metadata = {"kind": document.kind, "sha256": document.sha256}
        with suppress(StoreConflict):  # another process has filed it meanwhile
            store.put(BUCKET, key, io.BytesIO(made()), metadata=metadata, content_type=content_type)
        there = store.stat(BUCKET, key)
        if there is None:
            raise StoreDown(f"{BUCKET}/{key} was filed by another process and is gone: it is tried again.")
    # What runs that died have left, one of them perhaps between its put and this; not before the object is there, or
    # another's put that is under way would be lost.
    store.sweep(BUCKET, key)
    return there.version_id
