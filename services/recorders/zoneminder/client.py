"""ZoneMinder over HTTP: signing in, tokens that end, and pages for people where footage was asked for.

The token is sent as ``?token=``, the only way that view_video knows; no text of an error has an address's query.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any

import anyio

from services.recorders.http_client import PATIENCE, Answer, Body, HttpClient
from services.recorders.protocol import RecorderDown
from services.runtime.addresses import Guard

LOGIN = "/api/host/login.json"
VIDEO = "/index.php"
BEFORE_END = 60.0  # seconds before its end that a token is not used any more
PAGE = 64 << 10  # bytes of a page that are read
PRIVACY = (b"view=privacy", b'"privacy"', b"privacyForm")
NO_RIGHT = ("nsufficient", "API disabled", "API Disabled")


class ZoneMinderClient:
    """What ZoneMinder answers. Every method raises what ``HttpClient``'s raise; a lapsed token is replaced once."""

    def __init__(
        self, address: str, guard: Guard, *, user: str, password: str, identity: str, patience: float = PATIENCE
    ) -> None:
        self._client = HttpClient(address, guard, identity=identity, patience=patience)
        self._user, self._password = user, password
        self._token, self._until = "", 0.0
        self._refresh, self._refresh_until = "", 0.0
        self._lock = anyio.Lock()
        self.identity = self._client.identity

    def down(self, code: str, cause: str) -> RecorderDown:
        return self._client.down(code, cause)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        form: Mapping[str, str] | None = None,
        accept: Collection[int] = (200,),
    ) -> tuple[Answer, Any]:
        """An answer of the API and what its JSON says (None for another status than 200)."""
        for retried in (False, True):
            token = await self._current()
            answer = await self._client.request(
                method, path, params={**(params or {}), **token}, form=form, accept={*accept, 401}
            )
            if answer.status in accept and not answer.is_page:
                return answer, self._client.parsed(answer, path) if answer.status == 200 else None
            if any(word in answer.text for word in NO_RIGHT):
                raise self.down("forbidden", f"the user has no right to {path}")
            if answer.status in accept and not token:
                raise self.down("not-a-recorder", f"it answered {path} with a page for people")
            if retried or not token:
                break
            self._forget(token["token"])
        raise self.down("login", "it does not accept the user and password")

    async def part(self, event: int, first: int, length: int) -> bytes:
        """Bytes of an event's file; fewer, or none, where the file has no more or is not there."""
        content = bytearray()
        async with self._video(event, first, first + length - 1) as body:
            if body is not None and (body.status == 206 or not first):
                async for chunk in body.chunks:
                    content += chunk
                    if len(content) >= length:
                        break
        return bytes(content[:length])

    async def file(self, event: int) -> AsyncIterator[bytes]:
        """An event's file, nothing where it does not exist; resumed RESUMES times."""
        async with aclosing(self._client.resumed(VIDEO, partial(self._video, event))) as chunks:
            async for chunk in chunks:
                yield chunk

    @asynccontextmanager
    async def _video(self, event: int, first: int = 0, last: int | None = None) -> AsyncIterator[Body | None]:
        headers = {"Range": f"bytes={first}-{'' if last is None else last}"} if first or last is not None else {}
        for retried in (False, True):
            token = await self._current()
            params = {"view": "view_video", "eid": str(event), **token}
            async with self._client.stream(
                "GET", VIDEO, params=params, headers=headers, accept=(200, 206, 302, 401, 404)
            ) as body:
                if body.status == 404:
                    yield None
                    return
                # A token that is not accepted is answered with the login page, status 200.
                if body.status in (200, 206) and "text/html" not in body.headers.get("content-type", ""):
                    yield body
                    return
                await self._check_privacy(body)
            if retried or not token:
                break
            self._forget(token["token"])
        raise self.down("login", "it shows its login page instead of footage")

    async def _check_privacy(self, body: Body) -> None:
        """Raise RecorderDown for the page about the collection of data, which is shown until somebody answers it."""
        shown = bytearray(body.headers.get("location", "").encode())
        async for chunk in body.chunks:
            shown += chunk
            if len(shown) > PAGE:
                break
        if any(mark in shown for mark in PRIVACY):
            raise self.down("privacy", "it shows its privacy page instead of footage, until somebody has answered it")

    async def _current(self) -> dict[str, str]:
        """The token as a parameter; none where no user is set, as the recorder then asks for none."""
        if not self._user:
            return {}
        async with self._lock:
            if (not self._token or monotonic() > self._until) and not await self._renewed():
                await self._sign_in({"user": self._user, "pass": self._password})
            return {"token": self._token} if self._token else {}

    def _forget(self, token: str) -> None:
        if self._token == token:
            self._token = self._refresh = ""

    async def _renewed(self) -> bool:
        if not self._refresh or monotonic() > self._refresh_until:
            return False
        try:
            await self._sign_in({"token": self._refresh})
        except RecorderDown as error:
            if error.code != "login":
                raise
            self._refresh = ""
            return False
        return True

    async def _sign_in(self, form: Mapping[str, str]) -> None:
        answer = await self._client.request("POST", LOGIN, form=form, accept=(200, 401))
        if answer.status == 401:
            if any(word in answer.text for word in NO_RIGHT):
                raise self.down("forbidden", "the user may not use its API")
            raise self.down("login", "it does not accept the user and password")
        payload = self._client.parsed(answer, LOGIN)
        try:
            token = str(payload["access_token"] or "")  # none where it runs without signing in
            self._until = monotonic() + float(payload["access_token_expires"] or 0) - BEFORE_END
            refresh = str(payload.get("refresh_token") or "") or self._refresh
            if refresh != self._refresh:
                self._refresh_until = monotonic() + float(payload["refresh_token_expires"]) - BEFORE_END
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.down("not-a-recorder", f"its answer to {LOGIN} is none of ZoneMinder") from error
        if not (token + refresh).isascii():
            raise self.down("not-a-recorder", f"its answer to {LOGIN} holds no token that can be sent")
        self._token, self._refresh = token, refresh
