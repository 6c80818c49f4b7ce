"""LiveGBS's API, after its public description: JSON without an envelope, refusals as plain text."""

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

COOKIE = "token"
PER_PAGE = 1000
MOST_PAGES = 20
REFUSED = (400, 404, 408)


class LiveGbs:
    """See ``gateway.Gateway``."""

    make = "LiveGBS"
    form = "%Y-%m-%dT%H:%M:%S"

    def __init__(
        self, address: str, guard: Guard, *, user: str, password: str, identity: str = "", patience: float
    ) -> None:
        login = Login(
            lambda at: httpx.Request(
                "POST", f"{at}/api/v1/login", json={"username": user, "password": hashed(password)}
            ),
            lambda answer: answer.cookies.get(COOKIE),
            lambda token: ("Cookie", f"{COOKIE}={token}"),
        )
        self.client = GatewayClient(address, guard, login=login if user else None, identity=identity, patience=patience)

    async def channels(self, device: str) -> list[tuple[str, str, str]]:
        found: dict[tuple[str, str], str] = {}
        path = "/api/v1/device/channellist"
        for page in range(MOST_PAGES):
            params: dict[str, str | int] = {"start": page * PER_PAGE, "limit": PER_PAGE}
            payload = await self._ask("GET", path, None, params=params | ({"serial": device} if device else {}))
            rows = payload.get("ChannelList") if isinstance(payload, dict) else None
            if not isinstance(rows, list | None) or not isinstance(payload, dict) or "ChannelCount" not in payload:
                raise self.client.down("not-a-recorder", f"its answer to {path} is no list")
            named = [
                (row.get("DeviceID"), row.get("ID"), short(row.get("CustomName")) or short(row.get("Name")))
                for row in rows or []
                if isinstance(row, dict)
            ]
            new = {
                (serial, code): name
                for serial, code, name in named
                if isinstance(serial, str) and isinstance(code, str) and (serial, code) not in found
            }
            found |= new
            if not new or len(rows or []) < PER_PAGE:
                break
        return [(serial, code, name) for (serial, code), name in found.items()]

    async def records(self, asked: Stretch) -> list[tuple[str, str]]:
        params = {"serial": asked.device, "code": asked.channel, "starttime": asked.start, "endtime": asked.end}
        payload = await self._ask("GET", "/api/v1/playback/recordlist", asked, params=params)
        return rows_in(self.client, payload, ("RecordList", "SumNum", "StartTime", "EndTime"))

    async def begin(self, asked: Stretch, speed: int, zone: str) -> str:
        told: dict[str, Any] = {"serial": asked.device, "code": asked.channel, "timezone": zone}
        told |= {"starttime": asked.start, "endtime": asked.end, "download": True, "download_speed": speed}
        payload = await self._ask("POST", "/api/v1/playback/start", asked, payload=told)
        stream = payload.get("StreamID") if isinstance(payload, dict) else None
        if not isinstance(stream, str) or not STREAM.fullmatch(stream):
            raise self.client.down("not-a-recorder", "its answer to the start of a download names no stream")
        return stream

    async def progress(self, asked: Stretch, stream: str) -> Progress:
        payload = await self._ask("GET", "/api/v1/playback/streaminfo", None, params={"streamid": stream})
        if not isinstance(payload, dict):
            raise self.client.down("not-a-recorder", "its answer to the progress of a download is none")
        share = share_of(payload.get("DownloadProgress"))
        return Progress(share, place_of(payload.get("PlaybackFileURL")) if share >= 1 else None)

    async def end(self, asked: Stretch, stream: str) -> None:
        path = "/api/v1/playback/stop"
        answer = await self.client.request("POST", path, payload={"streamid": stream}, accept=(200, *REFUSED))
        if answer.status != 200:
            raise Unknown

    async def _ask(self, method: str, path: str, asked: Stretch | None, **request: Any) -> Any:
        """The JSON of an answer; raises Unknown where it does not know what is asked for."""
        answer = await self.client.request(method, path, accept=(200, *REFUSED), **request)
        if answer.status == 200:
            return self.client.parsed(answer, path)
        text = answer.text.lower()
        if "offline" in text or answer.status == 408:
            raise self.client.down("silent", "the device does not answer the gateway, or is not logged in to it")
        if "not found" in text and asked is not None:
            raise self.client.no_channel(f"{asked.device}/{asked.channel}")
        if "not found" in text or answer.status == 404:
            raise Unknown
        raise self.client.down("busy", f"the device or the gateway refuses {path} now")
