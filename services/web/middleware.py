"""ASGI middleware: security headers, a limit for request bodies, no null byte in an address."""

import re

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime import translations
from services.web.errors import SECURITY_HEADERS, answer, too_large

CACHEABLE = (200, 206, 304)  # not 404: the file may exist after the next release
HSTS = "max-age=31536000"  # this host alone: what else lies below its domain is not ours to say
# The largest legitimate body is a return that attests for a thousand downloads, each with a note.
LARGEST_BODY = 2 << 20
# In which all of it has to come: of the largest 35 KB a second.
BODY_SECONDS = 60.0
# File uploads and logs of stores, which are counted while they stream in.
FILES = re.compile(
    r"/api/storage/access-log/[^/]{1,64}|(/api)?/(uploads/[^/]{1,64}/content|admin/cameras/[^/]{1,64}/picture|(applications|matters|work-orders|supervision-groups)/[^/]{1,64}/attachments)"
)


class SecurityHeaders:
    """Set the headers of every answer. Plain ASGI, so that footage streams through unbuffered."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        """``https``: people reach the portal by https, and browsers are to stay with it."""
        self.app = app
        self._headers = {**SECURITY_HEADERS, "Strict-Transport-Security": HSTS} if https else SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/") and message["status"] in CACHEABLE:
                    headers.setdefault("Cache-Control", "public, max-age=31536000, immutable")  # named by hash
                else:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RequestLimits:
    """Refuse a body beyond ``LARGEST_BODY`` (413) or too slow (408), and a null byte in path or query (404, 422).

    A body is counted while it streams in, because its Content-Length may be wrong or missing.
    """

    def __init__(self, app: ASGIApp, *, body_seconds: float = BODY_SECONDS) -> None:
        self.app = app
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if FILES.fullmatch(scope["path"]):
            await self.app(scope, receive, send)  # counted by what reads it, against its own limit
            return
        received, more, until = 0, True, anyio.current_time() + self._body_seconds

        async def counted() -> Message:
            nonlocal received, more
            if not more:
                return await receive()  # whether somebody is still there
            try:
                with anyio.fail_after(until - anyio.current_time()):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, headers={"Connection": "close"}) from error
            received, more = received + len(message.get("body", b"")), message.get("more_body", False)
            if received > LARGEST_BODY:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


def _refusal(scope: Scope) -> ASGIApp | None:
    if "\x00" in scope["path"]:
        return answer("not-found", translations.Message("This address does not exist: check it."), 404)
    if b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
        return answer(
            "control-character", translations.Message("The parameters contain a control character: remove it."), 422
        )
    if FILES.fullmatch(scope["path"]):
        return None
    length = Headers(scope=scope).get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > LARGEST_BODY):
        return too_large()
    return None
