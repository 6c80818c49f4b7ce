"""WVP-PRO's API, after its sources of 2026: an envelope of code, msg and data, where 200 says nothing."""

from typing import Any

import httpx

from services.recorders.gb28181.gateway import (
    STREAM,
    GatewayClient,
    Login,
    Progress,
    Stretch,
    Unknown,
    hashed,
    place_of,
    rows_in,
    share_of,
    short,
)
from services.runtime.addresses import Guard

HEADER = "access-token"
PER_PAGE = 100
MOST_PAGES = 100
DONE, FAILED, FORBIDDEN, NOT_THERE, LOGIN = 0, 100, 403, 404, 401
# The device, or its footage, did not come in time; its media servers have no room.
SILENT = frozenset({408, 486, -1, -2})
FULL = frozenset({-3, -8, -11})
_LATE = "timeout"


class Wvp:
    """See ``gateway.Gateway``."""

    make = "WVP-PRO"
    form = "%Y-%m-%d %H:%M:%S"

    def __init__(
        self, address: str, guard: Guard, *, user: str, password: str, identity: str = "", patience: float
    ) -> None:
        login = Login(
            lambda at: httpx.Request(
                "GET", f"{at}/api/user/login", params={"username": user, "password": hashed(password)}
            ),
            lambda answer: answer.headers.get(HEADER),
            lambda token: (HEADER, token),
        )
        self.client = GatewayClient(address, guard, login=login if user else None, identity=identity, patience=patience)

    async def channels(self, device: str) -> list[tuple[str, str, str]]:
        devices = [device] if device else await self._pages("/api/device/query/devices")
        return [
            (one, channel, name)
            for one in devices
            for channel, name in (await self._pages(f"/api/device/query/devices/{one}/channels")).items()
        ]

    async def records(self, asked: Stretch) -> list[tuple[str, str]]:
        path = f"/api/gb_record/query/{asked.device}/{asked.channel}"
        data = await self._ask(path, asked, startTime=asked.start, endTime=asked.end)
        return rows_in(self.client, data, ("recordList", "sumNum", "startTime", "endTime"))

    async def begin(self, asked: Stretch, speed: int, zone: str) -> str:
        path = f"/api/gb_record/download/start/{asked.device}/{asked.channel}"
        data = await self._ask(path, asked, startTime=asked.start, endTime=asked.end, downloadSpeed=speed)
        stream = data.get("stream") if isinstance(data, dict) else None
        if not isinstance(stream, str) or not STREAM.fullmatch(stream):
            raise self.client.down("not-a-recorder", "its answer to the start of a download names no stream")
        return stream

    async def progress(self, asked: Stretch, stream: str) -> Progress:
        """Its progress is counted by time, and is 1 before the file is closed: the address of the file counts."""
        path = f"/api/gb_record/download/progress/{asked.device}/{asked.channel}/{stream}"
        data = await self._ask(path, asked)
        if not isinstance(data, dict):
            raise self.client.down("not-a-recorder", "its answer to the progress of a download is none")
        files = data.get("downLoadFilePath")
        told = (files.get(name) for name in ("httpPath", "httpsPath")) if isinstance(files, dict) else ()
        return Progress(share_of(data.get("progress")), next((place for one in told if (place := place_of(one))), None))

    async def end(self, asked: Stretch, stream: str) -> None:
        await self._ask(f"/api/gb_record/download/stop/{asked.device}/{asked.channel}/{stream}", asked)

    async def _has(self, asked: Stretch) -> bool:
        if asked.device not in await self._pages("/api/device/query/devices"):
            return False
        return asked.channel in await self._pages(f"/api/device/query/devices/{asked.device}/channels")

    async def _pages(self, path: str) -> dict[str, str]:
        """The names of what a list has, by their numbers."""
        found: dict[str, str] = {}
        for page in range(1, MOST_PAGES + 1):
            data = await self._ask(path, None, page=page, count=PER_PAGE)
            rows = data.get("list") if isinstance(data, dict) else None
            if not isinstance(rows, list):
                raise self.client.down("not-a-recorder", f"its answer to {path} is no list")
            named = [(row.get("deviceId"), short(row.get("name"))) for row in rows if isinstance(row, dict)]
            new = {
                number: name
                for number, name in named
                if isinstance(number, str) and number.isdecimal() and number not in found
            }
            found |= new
            if not new or len(rows) < PER_PAGE:
                break
        return found

    async def _ask(self, path: str, asked: Stretch | None, **params: str | int) -> Any:
        """The data of an answer; raises Unknown where it does not know what is asked for."""
        shown = "/".join(path.split("/")[:5])
        code, payload = await self._answer(path, params, shown)
        if code == LOGIN:
            self.client.forget_login()
            code, payload = await self._answer(path, params, shown)
        if code == DONE:
            return payload.get("data")
        if code == NOT_THERE:
            raise Unknown
        msg = str(payload.get("msg", ""))
        # It fails in the same way for what it does not have, in words of the language that it was made in.
        if code == FAILED and asked is not None and not await self._has(asked):
            raise self.client.no_channel(f"{asked.device}/{asked.channel}")
        kind, cause = self._refusal(code, msg)
        raise self.client.down(kind, f"{cause} ({shown}, code {code})")

    async def _answer(self, path: str, params: dict[str, str | int], shown: str) -> tuple[int, dict[str, Any]]:
        answer = await self.client.request("GET", path, params=params or None, accept=(200, 400, 404))
        payload = self.client.parsed(answer, shown)
        code = payload.get("code") if isinstance(payload, dict) else None
        if not isinstance(code, int):
            raise self.client.down("not-a-recorder", f"its answer to {shown} has no code")
        return code, payload

    @staticmethod
    def _refusal(code: int, msg: str) -> tuple[str, str]:
        """What the text of its answer says is not repeated: it may have addresses in it."""
        if code == LOGIN:
            return "login", "it does not accept the user and password"
        if code == FORBIDDEN:
            return "forbidden", "the user has no right to it"
        if code in SILENT or (code == FAILED and _LATE in msg.lower()):
            return "silent", "the device did not answer the gateway in time"
        if code in FULL:
            return "busy", "its media servers have no room"
        if code == FAILED or code < 0:
            return "busy", "the device or the gateway refuses it now"
        return "not-a-recorder", "it does not understand what it is asked for"
