"""Testing a recorder: it is opened, asked and looked at, and each thing wrong is a sentence that says what to do.

An administrator sees no footage: the picture is taken and looked at here, and goes nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import fail_after

from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import Actor, Database
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.recorders import Found
from services.recorders.protocol import (
    NothingRecorded,
    OutOfReach,
    OutsideRoots,
    RecorderDown,
    RecorderFacts,
    ReplayUnsupported,
    WrongChannel,
)
from services.recorders.protocol import Recorder as Opened
from services.runtime.errors import Fatal, Retryable
from services.runtime.spans import Span
from services.web.dependencies import OpenRecorder

PATIENCE = 60.0  # seconds for the whole test
LOOKS_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))  # until something is found
RECENT = timedelta(days=2)
CLOCK_OFF_MS = 5000
JPEG = b"\xff\xd8\xff"

DOWN = {
    "missing": (
        "文件夹不存在，请检查路径或挂载后重试。",
        "Its folder is not there: check the path or mount it, then test again.",
    ),
    "empty": (
        "文件夹是空的，可能没有挂载磁盘，请挂载后重试。",
        "Its folder is empty, as without its disk: mount it, then test again.",
    ),
    "denied": (
        "没有读取权限，请给运行本系统的账号授予读取权限。",
        "It may not be read: give the account that runs this system the right to read it.",
    ),
    "unreadable": ("无法读取，请检查磁盘或网络挂载。", "It cannot be read: look at its disk or mount."),
    "unreachable": (
        "连接不上，请检查地址、端口、电源和网络。",
        "No connection can be made: check its address and port, its power and the network.",
    ),
    "silent": (
        "已连接但没有应答，请检查录像机是否过载或死机，必要时重启。",
        "It takes the connection and says nothing: see whether it hangs or is overloaded, and restart it.",
    ),
    "tls": (
        "证书不受信任，请在系统中加入其签发机构，或更换证书。",
        "Its certificate is not trusted: add its authority to this system, or give it another certificate.",
    ),
    "login": (
        "用户名或密码不被接受，请重新填写。",
        "It does not accept the user and password: type them again.",
    ),
    "forbidden": (
        "该用户没有查看回放的权限，请在录像机上授予。",
        "The user has no right to its recordings: give it that right on the recorder.",
    ),
    "busy": (
        "录像机正忙，请稍后再试；反复出现时请减少同时读取数。",
        "It is busy: try again later, and give it fewer fetches at once where that keeps happening.",
    ),
    "not-a-recorder": (
        "该地址的应答不是录像机接口（例如登录页面），请检查地址、端口和类型。",
        "What answers there is no such recorder, but a login page for instance: check its address, port and kind.",
    ),
    "zone": (
        "录像机报告的时区与填写的不同，请核对后改正其一。",
        "Its time zone is another one than what is entered here: look which is right, and correct the other.",
    ),
    "broken-off": (
        "传输中途断开，请检查网络和录像机负荷。",
        "It broke off in the middle of an answer: look at the network and at how busy it is.",
    ),
    "away": ("没有应答，请检查电源、网络和地址。", "It does not answer: check its power, network and address."),
}


@dataclass(frozen=True)
class Tested:
    """``facts`` is None where the recorder could not be asked; ``found`` begins with what is wrong."""

    facts: RecorderFacts | None
    found: list[Found]

    @property
    def well(self) -> bool:
        return all(one.well for one in self.found)


async def test(database: Database, actor: Actor, recorders: OpenRecorder, recorder_id: str) -> Tested:
    """Test a recorder for an administrator and write down what was found."""
    row, cameras = await database.run(actor, camera_recorders.to_test, recorder_id)
    tested = await look(recorders, row, cameras, database.clock.now())
    facts = tested.facts if tested.facts is not None and tested.facts.reachable else None
    await database.run(actor, camera_recorders.tested, recorder_id, facts, tested.found)
    return tested


async def look(recorders: OpenRecorder, row: Recorder, cameras: Sequence[Camera], now: datetime) -> Tested:
    """Open, probe, and look at each camera; whatever is raised becomes a sentence."""
    facts: RecorderFacts | None = None
    found: list[Found] = []
    try:
        with fail_after(PATIENCE):
            opened = recorders(row.kind, {name: str(value) for name, value in row.configuration.items()})
            facts = await opened.probe()
            if not facts.reachable:
                return Tested(facts, [await _why_down(opened, now)])
            found += _clock(facts)
            for camera in cameras:
                found.append(await _camera(opened, facts, camera, now))
    except TimeoutError:
        found.append(_down("away"))
    except RecorderDown as error:
        found.append(_down(error.code))
    except OutsideRoots:
        found.append(
            Found(
                "outside-roots",
                "文件夹不在允许的范围内，请移到允许的根文件夹下，或在 FOOTAGE_DESK_RECORDERS__ROOTS 中加入。",
                "Its folder lies outside those allowed: move it, or add its root to FOOTAGE_DESK_RECORDERS__ROOTS.",
            )
        )
    except (Fatal, Retryable):
        found.append(
            Found(
                "configuration",
                "配置不能使用，请改正类型和各项参数。",
                "Its configuration cannot be used: correct its kind and fields.",
            )
        )
    if not cameras and not found:
        found.append(Found("no-cameras", "还没有登记摄像头，请登记。", "No camera of it is entered yet: enter them."))
    return Tested(facts, sorted(found, key=lambda one: one.well))


async def _why_down(opened: Opened, now: datetime) -> Found:
    """Why a recorder cannot be reached, by asking it for something."""
    try:
        await opened.coverage("-", Span(now - timedelta(seconds=1), now))
    except RecorderDown as error:
        return _down(error.code)
    except Fatal:
        return _down("away")
    return _down("away")


def _down(code: str) -> Found:
    zh, en = DOWN.get(code, DOWN["away"])
    return Found(f"recorder-{code}", zh, en)


AWAY = _down("away")


def _clock(facts: RecorderFacts) -> list[Found]:
    offset = facts.clock_offset_ms
    if offset is None:
        return [
            Found(
                "clock-unknown",
                "时钟偏差未测量，请与标准时间核对后填写。",
                "Its clock was not measured: compare it with true time and enter the offset.",
            )
        ]
    if abs(offset) > CLOCK_OFF_MS:
        seconds = f"{offset / 1000:+.1f}"
        return [
            Found(
                "clock-off",
                f"时钟与标准时间相差 {seconds} 秒，请为其设置网络校时。",
                f"Its clock is {seconds} s off true time: set it by NTP.",
            )
        ]
    return []


async def _camera(opened: Opened, facts: RecorderFacts, camera: Camera, now: datetime) -> Found:
    """What is wrong with one camera, or that nothing is."""
    zh, en = camera.name_zh, camera.name_en
    try:
        oldest = facts.oldest_frame.get(camera.channel)
        covered: list[Span] = []
        for back in LOOKS_BACK:
            start = max(oldest, now - back) if oldest else now - back
            if not covered and start < now:
                covered = await opened.coverage(camera.channel, Span(start, now))
        if not covered:
            return Found(
                "no-recordings",
                f"{zh}：最近 7 天没有录像，请检查该通道是否在录。",
                f"{en}: nothing was recorded in the last 7 days: see that its channel records.",
            )
        newest = max(span.end for span in covered)
        picture: bytes | None = await opened.snapshot(camera.channel, newest - timedelta(seconds=1))
    except WrongChannel:
        return Found(
            "no-channel",
            f"{zh}：录像机上没有通道 {camera.channel}，请改正通道。",
            f"{en}: the recorder has no channel {camera.channel}: correct it.",
        )
    except ReplayUnsupported:
        return Found(
            "replay-unsupported",
            f"{zh}：有录像，但不能从这里取回；请在录像机上导出，再上传文件。",
            f"{en}: records, but nothing can be fetched from here: export it on the recorder, and bring the file.",
        )
    except OutOfReach:
        picture = None
    except NothingRecorded:
        picture = b""
    if picture is not None and not picture.startswith(JPEG):
        return Found(
            "no-picture",
            f"{zh}：最新的录像不能解码成画面，请检查录像格式。",
            f"{en}: its newest recording shows no picture: look at its format.",
        )
    if now - newest > RECENT:
        return Found(
            "stale",
            f"{zh}：最新录像已超过 2 天，请检查是否仍在录像。",
            f"{en}: its newest recording is more than 2 days old: see that it still records.",
        )
    if picture is None:
        seen = "最新一段文件太大，测试时不取画面", "its newest recording is too large to be read for a picture"
    else:
        seen = "画面正常", "shows a picture"
    return Found("well", f"{zh}：有录像，{seen[0]}。", f"{en}: records, and {seen[1]}.", well=True)
