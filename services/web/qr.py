"""QR codes as images, never cached by a browser, because they hold a secret."""

import io

import segno
from fastapi.responses import Response


def image(text: str) -> Response:
    """Return the text as a QR code in SVG."""
    buffer = io.BytesIO()
    segno.make(text, error="m", micro=False).save(buffer, kind="svg", scale=5, border=3, light="#fff")
    return Response(buffer.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
