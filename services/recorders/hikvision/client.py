"""Hikvision's ISAPI over HTTP: Digest, XML, and footage that may turn out to be neither."""

import re
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from xml.sax.saxutils import escape

from services.recorders import untrusted_xml
from services.recorders.digest import Digest
from services.recorders.http_client import PAGE, Answer, Body, HttpClient, head_of
from services.recorders.protocol import RecorderDown
from services.runtime.addresses import Guard

DOWNLOAD = "/ISAPI/ContentMgmt/download"
XML = {"Content-Type": "application/xml", "Accept": "*/*"}
REFUSED = (400, 403, 404, 405)  # with a ResponseStatus that says why
ABSENT = frozenset({"notsupport", "notsupported", "methodnotallowed", "invalidoperation"})  # subStatusCode, lower case
LARGEST_REFUSAL = 1 << 16
DEVICE_BUSY = "2"  # statusCode of a ResponseStatus
_REASON = re.compile(r"[A-Za-z0-9]{1,60}")


class HikvisionClient:
    """What a Hikvision recorder answers. Every method raises what ``HttpClient``'s raise."""

    def __init__(self, address: str, guard: Guard, *, user: str, password: str, identity: str, patience: float) -> None:
        self._digest = Digest(user, password)
        self._client = HttpClient(address, guard, identity=identity, auth=self._digest, patience=patience)
        self.identity = self._client.identity

    async def request(self, method: str, path: str, *, body: str | None = None) -> Answer:
        """The answer, also where it is refused with a reason; a login page is answered by a new login, once."""
        content = None if body is None else body.encode()
        for _ in range(2):
            answer = await self._client.request(method, path, headers=XML, content=content, accept=(200, *REFUSED))
            if not answer.is_page or answer.status != 200:
                return answer
            self._digest.forget()
        raise self._page(path)

    async def document(
        self, method: str, path: str, *, body: str | None = None, unsuited: Collection[int] = ()
    ) -> untrusted_xml.Node | None:
        """The root of the answer; None where it has a status of ``unsuited``."""
        answer = await self.request(method, path, body=body)
        if answer.status in unsuited:
            return None
        root = self._read(answer.body, path, answer.status)
        if answer.status != 200 or untrusted_xml.name(root) == "ResponseStatus":
            raise self._refusal(root, path, answer.status)
        return root

    async def optional(self, path: str) -> untrusted_xml.Node | None:
        """The root of the answer; None where the device says that it has no such document."""
        answer = await self.request("GET", path)
        if answer.status in (404, 405):
            return None
        root = self._read(answer.body, path, answer.status)
        if answer.status == 200 and untrusted_xml.name(root) != "ResponseStatus":
            return root
        if untrusted_xml.text(root, "subStatusCode").lower() in ABSENT:
            return None
        raise self._refusal(root, path, answer.status)

    async def footage(self, uri: str) -> AsyncIterator[bytes]:
        """The bytes of a recording; none where it is not there any more.

        Asked for by POST, and by GET with a body where the firmware is older.
        """
        body = f'<downloadRequest version="1.0"><playbackURI>{escape(uri)}</playbackURI></downloadRequest>'.encode()
        methods, pages = ["POST", "GET"], 0
        while True:
            method = methods[0]
            async with (
                self._client.stream(method, DOWNLOAD, headers=XML, content=body, accept=(200, *REFUSED)) as answer,
                aclosing(answer.chunks),
            ):
                head = await head_of(answer.chunks)
                kind = head.lstrip()[:20].lower()
                if answer.status == 200 and not kind.startswith((*PAGE, b"<?xml", b"<responsestatus")):
                    yield head
                    async for chunk in answer.chunks:
                        yield chunk
                    return
                refusal = head + await _rest(answer)
            if answer.status == 200 and kind.startswith(PAGE):
                pages += 1
                if pages == 2:
                    raise self._page(DOWNLOAD)
                self._digest.forget()
            elif answer.status in REFUSED and len(methods) > 1:
                methods.pop(0)
            elif answer.status == 404:
                return
            else:
                raise self._refusal(self._read(refusal, DOWNLOAD, answer.status), DOWNLOAD, answer.status)

    def down(self, code: str, cause: str) -> RecorderDown:
        """The error to raise, as ``HttpClient.down``."""
        return self._client.down(code, cause)

    def _read(self, content: bytes, path: str, status: int) -> untrusted_xml.Node:
        try:
            return untrusted_xml.read(content)
        except ValueError as error:
            if status == 403:
                raise self.down("forbidden", f"the user has no right to {path}") from error
            raise self.down("not-a-recorder", f"it answered {path} with {status} and no XML that is data") from error

    def _refusal(self, root: untrusted_xml.Node, path: str, status: int) -> RecorderDown:
        code = untrusted_xml.text(root, "subStatusCode") or untrusted_xml.text(root, "statusString")
        reason = code if _REASON.fullmatch(code) else f"status {status}"
        if untrusted_xml.text(root, "statusCode") == DEVICE_BUSY or "busy" in reason.lower():
            return self.down("busy", f"it is too busy for {path}")
        if status == 403:
            return self.down("forbidden", f"the user has no right to {path} ({reason})")
        return self.down("not-a-recorder", f"it refused {path} ({reason})")

    def _page(self, path: str) -> RecorderDown:
        return self.down("not-a-recorder", f"it answered {path} with a page for people, such as a login page")


async def _rest(answer: Body) -> bytes:
    rest = b""
    async for chunk in answer.chunks:
        rest += chunk
        if len(rest) > LARGEST_REFUSAL:
            break
    return rest
