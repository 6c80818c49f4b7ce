"""Dahua's CGI over HTTP: Digest, lines of text, and footage that may turn out to be a page or a refusal."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from urllib.parse import quote

from services.recorders.digest import Digest
from services.recorders.http_client import PAGE, Answer, HttpClient, head_of
from services.recorders.protocol import RecorderDown
from services.runtime.addresses import Guard

PROGRAMS = "/cgi-bin"
LOAD = f"{PROGRAMS}/RPC_Loadfile"
# What firmware answers that does not know a call, or takes a part of it for wrong: it cannot be told which.
REFUSED = (400, 404, 501)
_REFUSAL = b"error"
_PLAIN = "/[]@:.-_()+,"  # of a file's path, as it is listed: some firmware takes no escapes for these


class DahuaClient:
    """What a Dahua recorder answers. Every method raises what ``HttpClient``'s raise."""

    def __init__(self, address: str, guard: Guard, *, user: str, password: str, identity: str, patience: float) -> None:
        self._digest = Digest(user, password)
        self._client = HttpClient(address, guard, identity=identity, auth=self._digest, patience=patience)
        self.identity = self._client.identity

    async def ask(self, program: str, **asked: str | int) -> tuple[dict[str, str] | None, Answer]:
        """The lines of an answer by their names, none of them for a plain OK; None where it refuses the call.

        Names with a dot, such as ``condition.Channel``, are given with two underscores.
        """
        path = f"{PROGRAMS}/{program}"
        query = "&".join(f"{name.replace('__', '.')}={quote(str(value), safe=':-')}" for name, value in asked.items())
        for _ in range(2):
            answer = await self._client.request("GET", path, query=query, accept=(200, *REFUSED))
            if not answer.is_page or answer.status != 200:
                return self._read(answer, path), answer
            self._digest.forget()
        raise self._page(path)

    async def footage(self, file: str) -> AsyncIterator[bytes]:
        """The bytes of a file; none where it is not there any more."""
        for _ in range(2):
            path = LOAD + quote(file, safe=_PLAIN)
            async with (
                self._client.stream("GET", path, accept=(200, *REFUSED)) as answer,
                aclosing(answer.chunks),
            ):
                if answer.status != 200:
                    return
                head = await head_of(answer.chunks)
                kind = head.lstrip()[:20].lower()
                if kind.startswith(_REFUSAL):
                    return
                if not kind.startswith(PAGE):
                    if head:
                        yield head
                    async for chunk in answer.chunks:
                        yield chunk
                    return
            self._digest.forget()
        raise self._page(LOAD)

    def down(self, code: str, cause: str) -> RecorderDown:
        """The error to raise, as ``HttpClient.down``."""
        return self._client.down(code, cause)

    def _read(self, answer: Answer, path: str) -> dict[str, str] | None:
        if answer.status != 200 or answer.body.lstrip()[:5].lower() == _REFUSAL:
            return None
        lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
        if lines == ["OK"]:
            return {}
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        if not lines or len(told) != len(lines):
            raise self.down("not-a-recorder", f"its answer to {path} is none of Dahua")
        return told

    def _page(self, path: str) -> RecorderDown:
        return self.down("not-a-recorder", f"it answered {path} with a page for people, such as a login page")


def short(told: Mapping[str, str] | None, name: str) -> str:
    """A short text of the device, fit for records."""
    text = (told or {}).get(name, "")[:100]
    return text if text.isprintable() else ""
