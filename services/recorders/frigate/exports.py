"""Fetch footage by Frigate's exports: start one, wait for it, download it by ranges, delete it.

From 0.18 on an export is a job (202, /api/jobs/export); before, it begins at once (200) and its row in /api/exports
says when it has finished. A job is forgotten five seconds after its end; then only that row is left.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import anyio

from services.recorders.frigate.client import FrigateClient
from services.recorders.protocol import RecorderDown, RecorderExport
from services.runtime.iterators import closing
from services.runtime.logs import get_logger

log = get_logger(__name__)

POLL = 2.0  # seconds between two polls of an export
BOUND = 900.0  # seconds for an export of some minutes, with the time in the queue
UNSEEN = 5  # polls in a row after which an unknown export counts as lost
DELETING = 30.0  # seconds to wait for a deletion, also where the fetch was cancelled
OWN_NAME = "Footage Desk "  # begins the names of this program's exports
_ID = re.compile(r"[\w.-]{1,120}", re.ASCII)
_FILE = re.compile(r"[^/\\\x00-\x1f]{1,255}\.mp4")


class Exports:
    """The exports of one Frigate. Raises what FrigateClient's methods raise."""

    def __init__(self, client: FrigateClient, *, poll: float = POLL, bound: float = BOUND) -> None:
        self._client = client
        self._poll = poll
        self._bound = bound

    async def footage(self, camera: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of what was recorded between two whole seconds; none where nothing was."""
        number = await self._start_export(camera, start, end)
        if number is None:
            return
        try:
            file = await self._wait_for_export(number)
            async with closing(self._client.footage(f"/exports/{quote(file)}")) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            with anyio.move_on_after(DELETING, shield=True):
                await self._delete(number)

    async def list_all(self) -> list[RecorderExport]:
        """List every export that Frigate has, whoever has made it; it deletes none by itself."""
        rows = self._client.parsed(await self._client.request("GET", "/api/exports"), "/api/exports")
        if not isinstance(rows, list):
            raise self._client.down("not-a-recorder", "its answer to /api/exports is no list")
        return [self._export(row) for row in rows]

    def _export(self, row: Any) -> RecorderExport:
        number, camera = _text(row, "id"), _text(row, "camera")
        if number is None or camera is None:
            raise self._client.down("not-a-recorder", "its answer to /api/exports names no export")
        name, date = _text(row, "name") or "", row.get("date")
        # the date of an export is the first moment of its footage, in Unix seconds
        start = datetime.fromtimestamp(date, UTC) if isinstance(date, int | float) and 0 < date < 2**33 else None
        return RecorderExport(
            number, camera, name, start, own=name.startswith(OWN_NAME), finished=row.get("in_progress") is False
        )

    async def _start_export(self, camera: str, start: int, end: int) -> str | None:
        path = f"/api/export/{camera}/start/{start}/end/{end}"
        payload = {"playback": "realtime", "source": "recordings", "name": f"{OWN_NAME}{start}"}
        answer = await self._client.request("POST", path, payload=payload, accept=(200, 202, 400))
        if answer.status == 400:
            return None  # no recordings: they were overwritten since they were listed
        number = _text(self._client.parsed(answer, path), "export_id")
        if number is None or not _ID.fullmatch(number):
            raise self._client.down("not-a-recorder", f"its answer to {path} names no export")
        return number

    async def _wait_for_export(self, number: str) -> str:
        """Wait for an export to finish; return the name of its file."""
        unseen = 0
        with anyio.move_on_after(self._bound):
            while unseen < UNSEEN:
                seen, file = await self._export_state(number)
                if file is not None:
                    return file
                unseen = 0 if seen else unseen + 1
                await anyio.sleep(self._poll)
            raise self._client.down("broken-off", "it has lost an export")
        raise self._client.down("busy", f"an export was not through after {self._bound:g} s")

    async def _export_state(self, number: str) -> tuple[bool, str | None]:
        """Return whether Frigate knows the export, and the name of its file once it is finished."""
        path = f"/api/jobs/export/{number}"
        answer = await self._client.request("GET", path, accept=(200, 404))
        if answer.status == 200:
            job = self._client.parsed(answer, path)
            status = _text(job, "status")
            if status in ("failed", "cancelled"):
                raise self._client.down("broken-off", f"an export of it has {status}")
            if status != "success":
                return True, None
        path = f"/api/exports/{number}"
        answer = await self._client.request("GET", path, accept=(200, 404))
        if answer.status == 404:
            return False, None
        row = self._client.parsed(answer, path)
        # Only a plain no is believed: an answer without it would hand over half a file.
        if not isinstance(row, dict) or row.get("in_progress") is not False:
            return True, None
        file = (_text(row, "video_path") or "").rpartition("/")[2]
        if not _FILE.fullmatch(file):
            raise self._client.down("not-a-recorder", f"its answer to {path} names no file")
        return True, file

    async def _delete(self, number: str) -> None:
        """Frigate never deletes an export by itself. Where it cannot be deleted, the footage is good all the same."""
        try:
            answer = await self._client.request("DELETE", f"/api/export/{number}", accept=(200, 400, 403, 404, 405))
            if answer.status in (404, 405):
                answer = await self._client.request(
                    "POST", "/api/exports/delete", payload={"ids": [number]}, accept=(200, 400, 403, 404, 405)
                )
        except RecorderDown as error:
            log.warning("export-left-behind", recorder=self._client.identity, export=number, cause=error.code)
        else:
            if answer.status != 200:
                log.warning(
                    "export-left-behind", recorder=self._client.identity, export=number, cause=f"status {answer.status}"
                )


def _text(payload: Any, name: str) -> str | None:
    value = payload.get(name) if isinstance(payload, dict) else None
    return value if isinstance(value, str) else None
