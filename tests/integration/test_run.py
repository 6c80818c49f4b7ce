"""``footage-desk run`` as people start it: what it says, where it writes, how it goes on after an end of any kind."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import descriptors
import drawn
import httpx
import pytest
from service_process import PROGRAM, Running, environment, once, refused, running

from services.demo import organisation
from services.demo.people import People
from services.demo.recordings import yesterday
from services.demo.steps import Case

PASSWORDS = {account.login: account.password for account in organisation.accounts()}
READY = r"ready at (http://\S+)\n"


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn.draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def folder(tmp_path: Path, footage: Path) -> Path:
    """Where the process is started; its data folder is ``data`` in it."""
    (tmp_path / "home").mkdir()
    drawn.link(footage, tmp_path / "data")
    return tmp_path


@pytest.fixture
def env(folder: Path) -> dict[str, str]:
    return environment(
        **{
            "data_dir": folder / "data",
            "workers.job_timeout": "PT2S",
            "workers.poll_seconds": 1,
            "workers.drain_seconds": 5,
        }
    ) | {"HOME": str(folder / "home")}


@pytest.fixture
def desk(folder: Path, env: dict[str, str]) -> Iterator[Running]:
    with running("run", "--demo", env=env, cwd=folder) as process:
        yield process


@pytest.mark.slow
def test_it_says_where_it_is_and_who_can_sign_in_and_writes_in_its_data_folder_alone(
    desk: Running, folder: Path, env: dict[str, str]
) -> None:
    address = desk.printed(READY)
    health = desk.printed(r"metrics are at (http://\S+)")
    assert httpx.get(f"{health}/readyz").status_code == 200
    desk.printed(r"(Ctrl-C stops it)")
    for account in organisation.accounts():
        assert f"{account.login} " in desk.text
        assert account.password in desk.text
    assert max(_width(line) for line in desk.text.splitlines() if not line.startswith("Opening")) <= 80
    assert httpx.get(f"{address}/api/openapi.json", timeout=30).status_code == 200
    assert _ports(desk) == {urlsplit(address).port, urlsplit(health).port}  # and none of the engine
    assert stat.S_IMODE((folder / "data" / "engine" / "gateway.socket").stat().st_mode) == 0o600
    assert "review version 1" in once("deploy", env=env).stdout

    second = refused("run", "--demo", env=env)
    assert second.exit_code == 1
    assert "another process uses this folder" in second.stderr

    assert desk.end() == 0
    assert {path.name for path in folder.iterdir()} == {"data", "home", desk.log.name}
    assert list((folder / "home").iterdir()) == []
    loud = [line for line in desk.errors.splitlines() if json.loads(line)["level"] != "info"]
    assert loud == []


@pytest.mark.slow
def test_on_a_terminal_the_logs_go_to_a_file_and_the_demo_alone_is_read(folder: Path, env: dict[str, str]) -> None:
    terminal, other_end = pty.openpty()
    plain = env | {"TERM": "dumb"}  # without bold type
    process = subprocess.Popen([PROGRAM, "run", "--demo"], env=plain, cwd=folder, stdout=other_end, stderr=other_end)
    os.close(other_end)
    read = b""
    while b"Footage to ask for" not in read:
        read += os.read(terminal, 4096)
    process.terminate()
    assert process.wait(60) == 0
    while chunk := _rest_of(terminal):
        read += chunk
    os.close(terminal)

    seen, log = read.decode(), folder / "data" / "footage-desk.log"
    assert f"Logs go to {log}; --log-to-terminal shows them here." in seen.replace("\r\n", "\n")
    assert "ready at http://" in seen
    for word in ('"event"', "deployed", "services."):
        assert word not in seen
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert "deployed" in events


@pytest.mark.slow
async def test_a_case_goes_on_after_kill_9_and_a_turned_clock_is_not_left_for_the_machines_in_silence(
    desk: Running, folder: Path, env: dict[str, str]
) -> None:
    async with People(desk.printed(READY), PASSWORDS) as people:
        case = Case(people, lambda *_: None)
        await case.apply(yesterday(datetime.now(UTC)))
        await case.approve()
        await case.release()
    desk.kill()

    with running("run", "--demo", env=env, cwd=folder) as again:
        async with People(again.printed(READY), PASSWORDS) as people:
            case = Case(people, lambda *_: None, case.application_id, case.number)
            await case.retrieved()
            hand_over = await case.accept()
            await case.give_back(hand_over)
            closed = await case.close()
            administrator = await people("luoxin")
            await administrator.post("/api/demo/clock", {"seconds": 86400 * 2})
        assert closed["stateDetail"] == "footage-re-archived"
        again.process.send_signal(signal.SIGINT)
        assert again.gone() == 0

    without = refused("run", env=env | {"FOOTAGE_DESK_RULES__MAX_USE_DAYS": "30"})
    assert without.exit_code == 1
    assert "turned the database's clock 2.0 days ahead" in without.stderr
    assert "--demo" in without.stderr


@pytest.mark.slow
@pytest.mark.parametrize("part", ["portal", "engine", "health"])
def test_a_port_that_is_taken_is_named_with_its_variable(part: str, env: dict[str, str]) -> None:
    name = f"FOOTAGE_DESK_{part.upper()}__PORT"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = refused("run", "--demo", env=env | {name: str(taken.getsockname()[1])})
    assert ended.exit_code == 1
    assert name in ended.stderr


def _ports(desk: Running) -> set[int]:
    """The TCP ports on which the process listens."""
    inodes = set(descriptors.targets(desk.process.pid))
    lines = [
        line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]
    listening = [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in inodes]
    return {int(line[1].rpartition(":")[2], 16) for line in listening}


def _rest_of(terminal: int) -> bytes:
    """What is left to read; nothing when the other end is closed, which a terminal says by an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def _width(line: str) -> int:
    return sum(2 if character >= "\u2e80" else 1 for character in line.rstrip())
