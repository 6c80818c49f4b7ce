"""The cameras that recorders list: each kind in its own words, and a wrong answer is never an empty or a part list."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from recorders.onvif_server import PASSWORD, USER, Held, OnvifDevice
from recorders.onvif_server import serving as onvif_serving
from recorders.raw_server import Reply, Request, serving
from vault_bench import at

from services.recorders.protocol import ListedCamera, RecorderDown
from services.recorders.registry import Places, cameras_of, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.places import ROOT

LOOPBACK = Places(guard=Guard(parse_networks("127.0.0.0/8"), ("http", "https")))
MONITORS = (ROOT / "tests" / "data" / "zoneminder" / "monitors.json").read_bytes()  # as one answered
PROXY, INPUTS, TRACKS = (
    f"/ISAPI/{path}"
    for path in ("ContentMgmt/InputProxy/channels", "System/Video/inputs/channels", "ContentMgmt/record/tracks")
)
PAGE = Reply(b"<!DOCTYPE html><html><body>Sign in</body></html>", kind="text/html")
RECORDINGS = "/v3/recordings/list"
KINDS: dict[str, dict[str, str]] = {
    "hikvision": {"zone": "UTC"},
    "zoneminder": {"zone": "UTC"},
    "frigate": {},
    "mediamtx": {},
}

Answers = Mapping[str, Reply]


def xml(text: str, status: int = 200) -> Reply:
    return Reply(text.encode(), status, "application/xml")


def refused(reason: str, status: int = 403) -> Reply:
    return xml(
        f"<ResponseStatus><statusCode>4</statusCode><subStatusCode>{reason}</subStatusCode></ResponseStatus>", status
    )


def said(payload: object, status: int = 200) -> Reply:
    return Reply(json.dumps(payload).encode(), status)


async def listed(kind: str, answers: Answers, **more: str) -> list[ListedCamera]:
    def answer(request: Request) -> Reply:
        return answers.get(request.path, Reply(b"", 404))

    async with serving(answer) as address:
        told = {"address": address, **KINDS[kind], **({"api_address": address} if kind == "mediamtx" else {}), **more}
        client = cameras_of(open_recorder(kind, told, LOOPBACK))
        assert client is not None
        return await client.list_cameras()


async def code_of(kind: str, answers: Answers, **more: str) -> str:
    with pytest.raises(RecorderDown) as down:
        await listed(kind, answers, **more)
    return down.value.code


@pytest.mark.requirement("R7")
async def test_hikvision_lists_network_and_wired_channels_with_their_names() -> None:
    proxies = "".join(
        f"<InputProxyChannel><id>{number}</id><name>{name}</name></InputProxyChannel>"
        for number, name in ((2, "东门"), (17, ""), (3, "west"))
    )
    wired = "<VideoInputChannel><id>1</id><inputPort>1</inputPort><name>Camera 01</name></VideoInputChannel>"
    answers = {
        PROXY: xml(
            f'<InputProxyChannelList xmlns="http://www.isapi.org/ver20/XMLSchema">{proxies}</InputProxyChannelList>'
        ),
        INPUTS: xml(f"<VideoInputChannelList>{wired}</VideoInputChannelList>"),
    }
    found = await listed("hikvision", answers)
    assert [(one.channel, one.name) for one in found] == [("1", "Camera 01"), ("2", "东门"), ("3", "west"), ("17", "")]
    assert found[1].also == {"201", "202", "203"}  # its tracks, by which the register may name it


@pytest.mark.requirement("R7")
async def test_hikvision_without_such_lists_is_asked_for_its_tracks() -> None:
    tracks = "".join(f"<Track><id>{number}</id></Track>" for number in (101, 102, 301))
    answers = {PROXY: refused("notSupport"), INPUTS: refused("methodNotAllowed", 400), TRACKS: xml(f"<l>{tracks}</l>")}
    assert [one.channel for one in await listed("hikvision", answers)] == ["1", "3"]


@pytest.mark.requirement("R7")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (PAGE, "not-a-recorder"),
        (xml("<other/>"), "not-a-recorder"),
        (
            xml("<InputProxyChannelList><InputProxyChannel><id>gate</id></InputProxyChannel></InputProxyChannelList>"),
            "not-a-recorder",
        ),
        (Reply(b"\x00"), "not-a-recorder"),
        (refused("lowPrivilege"), "forbidden"),
        (refused("deviceBusy", 200), "busy"),
        (Reply(b"", 503), "busy"),
        (Reply(b"", 401), "login"),
    ],
)
async def test_half_a_list_of_hikvision_is_none(wrong: Reply, code: str) -> None:
    wired = "<VideoInputChannelList><VideoInputChannel><id>1</id></VideoInputChannel></VideoInputChannelList>"
    assert await code_of("hikvision", {PROXY: wrong, INPUTS: xml(wired)}) == code


@pytest.mark.requirement("R7")
async def test_zoneminder_lists_its_monitors_without_those_that_were_deleted() -> None:
    assert [(one.channel, one.name) for one in await listed("zoneminder", {"/api/monitors.json": Reply(MONITORS)})] == [
        (str(one["Monitor"]["Id"]), one["Monitor"]["Name"]) for one in json.loads(MONITORS)["monitors"]
    ]
    two = {"monitors": [{"Monitor": {"Id": "7", "Name": None}}, {"Monitor": {"Id": "8", "Name": "b", "Deleted": True}}]}
    assert await listed("zoneminder", {"/api/monitors.json": said(two)}) == [ListedCamera("7")]


@pytest.mark.requirement("R7")
async def test_frigate_and_mediamtx_list_theirs() -> None:
    stats = {"cameras": {"gate": {}, "hall_2": {}, "../x": {}}, "service": {"version": "0.17"}}
    assert await listed("frigate", {"/api/stats": said(stats)}) == [ListedCamera("gate"), ListedCamera("hall_2")]
    recordings = {
        "pageCount": 1,
        "items": [
            {"name": "site/gate", "segments": [{"start": "2031-03-04T10:00:00Z"}]},
            {"name": "empty", "segments": []},
        ],
    }
    paths = await listed("mediamtx", {RECORDINGS: said(recordings)})
    assert paths == [ListedCamera("empty"), ListedCamera("site/gate")]
    assert await listed("mediamtx", {}, api_address="", channels="a, b") == [ListedCamera("a"), ListedCamera("b")]
    assert await code_of("mediamtx", {}, api_address="") == "no-list"


@pytest.mark.requirement("R7")
@pytest.mark.parametrize(
    ("kind", "path"), [("zoneminder", "/api/monitors.json"), ("frigate", "/api/stats"), ("mediamtx", RECORDINGS)]
)
async def test_a_wrong_list_of_the_others_is_none(kind: str, path: str) -> None:
    for wrong in (said([1]), said({"monitors": [{"Monitor": 1}], "cameras": [1], "items": [{}]}), Reply(b"{"), PAGE):
        assert await code_of(kind, {path: wrong}) == "not-a-recorder"
    assert await code_of(kind, {path: Reply(b"", 503)}) == "busy"
    assert await code_of(kind, {path: Reply(b"", 401)}) == "login"
    assert await code_of(kind, {path: Reply(b"{}", length=100, cut=2)}) == "broken-off"


@pytest.mark.requirement("R7")
async def test_onvif_lists_each_source_once_with_the_tokens_of_its_recordings() -> None:
    held = [Held("REC_1", "source-1", [(at(0), at(60))]), Held("REC_2", "source-1", []), Held("REC_3", "", [])]
    async with onvif_serving(OnvifDevice(held)) as address:
        told = {"address": address, "user": USER, "password": PASSWORD}
        client = cameras_of(open_recorder("onvif", told, LOOPBACK))
        assert client is not None
        found = {one.channel: one.also for one in await client.list_cameras()}
    assert found == {"source-1": {"REC_1", "REC_2"}, "REC_3": frozenset()}


@pytest.mark.requirement("R7")
async def test_a_folder_lists_the_channels_that_have_files(tmp_path: Path) -> None:
    for layout, name in (("mediamtx", "a/gate/2031-03-04_10-00-00-000000.mp4"), ("plain", "hall/20310304_100000.mp4")):
        file = tmp_path / layout / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"no film, and listed all the same")
        (tmp_path / layout / "notes").mkdir()
        client = cameras_of(open_recorder("folder", {"root": str(tmp_path / layout), "layout": layout}))
        assert client is not None
        assert [one.channel for one in await client.list_cameras()] == [name.rpartition("/")[0]]
    hour = tmp_path / "frigate" / "2031-03-04" / "10"
    (hour / "gate").mkdir(parents=True)
    client = cameras_of(open_recorder("folder", {"root": str(tmp_path / "frigate"), "layout": "frigate"}))
    assert client is not None
    assert await client.list_cameras() == [ListedCamera("gate")]
    client = cameras_of(open_recorder("folder", {"root": str(tmp_path / "gone")}))
    assert client is not None
    with pytest.raises(RecorderDown) as down:
        await client.list_cameras()
    assert down.value.code == "missing"
