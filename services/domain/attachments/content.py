"""How an attachment is answered: its own bytes, on which nothing of the portal runs."""

from urllib.parse import quote

from fastapi import Response

from services.database.unit_of_work import Actor, Database
from services.domain.attachments import reader, service
from services.domain.attachments.examination import PDF
from services.runtime.threads import run_in_thread
from services.vault.store.protocol import Store

SANDBOX = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def answer(actor: Actor, database: Database, store: Store, attachment_id: str) -> Response:
    """Return the attachment; the reading is on record before the answer begins.

    An image is shown in the browser. A PDF is saved: Chromium shows none in a sandbox, and outside of one its viewer
    would run on the portal's own address.
    """
    opened = await database.read(actor, service.open_, attachment_id)
    content = await run_in_thread(reader.read, store, opened)
    placed = "attachment" if opened.media_type == PDF else "inline"
    headers = {
        "Content-Disposition": f"{placed}; filename*=UTF-8''{quote(opened.file_name, safe='')}",
        "Content-Security-Policy": SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store, private",
    }
    return Response(content, headers=headers, media_type=opened.media_type)
