"""Kinds of recorder that other packages bring: found, held to their contract, contained, never in another's place."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recorder_packages import EXAMPLE, describe, install_example
from vault_bench import NOON, span

from services.recorders import registry
from services.recorders.configuration_schema import ADDRESS, PASSWORD, ConfigurationSchema, Field
from services.recorders.kinds import Kind, Places
from services.recorders.outside import Outside, find_outside
from services.recorders.protocol import ListedCamera, NothingRecorded, RecorderDown, Segment, WrongChannel
from services.recorders.registry import BUILT_IN, KINDS, UPLOAD, cameras_of, disks_of, exports_of, open_recorder
from services.runtime.errors import Fatal
from services.runtime.places import ROOT
from services.runtime.storage_health import Disk
from services.runtime.translations import Bilingual, Message

NAME = Bilingual("测试录像机", "Test recorder")


@pytest.mark.slow
def test_the_example_fulfils_the_contract_by_the_plugin(tmp_path: Path) -> None:
    """As docs/recorders.md says it is run, in a process that has the package installed."""
    site = tmp_path / "site"
    install_example(site)
    command = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "services.recorder_contract.plugin",
    ]
    command += ["-o", "asyncio_mode=auto", "--rootdir", str(EXAMPLE / "tests"), "--confcutdir", str(EXAMPLE / "tests")]
    command += ["-p", "conftest", "--pyargs", "services.recorder_contract"]
    paths = os.pathsep.join(map(str, (site, EXAMPLE / "tests", ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert "13 passed" in ran.stdout
    assert "skipped" not in ran.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that is searched."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


def found() -> Outside:
    return find_outside({*BUILT_IN, UPLOAD})


def test_an_installed_kind_is_found_with_its_package(site: Path) -> None:
    install_example(site)
    outside = found()
    assert outside.broken == ()
    assert (list(outside.kinds), outside.kinds["example-nvr"].package) == (["example-nvr"], "example-nvr 1.0")


@pytest.mark.parametrize("name", ["dahua", "folder", "upload"])
def test_a_kind_of_our_own_is_not_replaced(site: Path, name: str) -> None:
    (site / "intruder.py").write_text("raise RuntimeError('must not even be loaded')\n", encoding="utf-8")
    describe(site, "intruder", "1", {name: "intruder:KIND"})
    outside = found()
    assert outside.kinds == {}
    [broken] = outside.broken
    assert (broken.code, broken.package) == (name, "intruder 1")
    assert "name of its own" in broken.message.en
    assert KINDS[name].package is None if name in KINDS else name == UPLOAD


HEAD = """
from services.recorders.configuration_schema import ConfigurationSchema, Field
from services.recorders.kinds import Kind
from services.runtime.translations import Bilingual, Message
NAME = Bilingual("测试", "Test")
def kind(code, *fields, name=NAME):
    return Kind(ConfigurationSchema(code, name, fields), lambda configuration, places: None)
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_that_name", "cannot be loaded (ModuleNotFoundError"),
        ("raise SystemExit('bye')", "cannot be loaded (SystemExit"),
        ("KIND = 1 / 0", "cannot be loaded (ZeroDivisionError"),
        ("OTHER = 1", "cannot be loaded (AttributeError"),
        ("KIND = 'dahua'", "no Kind"),
        ("KIND = kind('acme')", "another name (acme)"),
        ("KIND = kind('acme-nvr', Field('a', 'text', NAME), Field('a', 'text', NAME))", "comes twice"),
        ("KIND = kind('acme-nvr', Field('no good', 'text', NAME))", "no usable name"),
        ("KIND = kind('acme-nvr', Field('a', 'colour', NAME))", "unknown sort (colour)"),
        ("KIND = kind('acme-nvr', name=Bilingual('', 'Test'))", "lacks Chinese or English"),
        ("KIND = kind('acme-nvr', Field('a', 'text', 'plain'))", "lacks Chinese or English"),
    ],
)
def test_a_broken_kind_is_told_and_stops_no_other(site: Path, source: str, words: str) -> None:
    (site / "acme_nvr.py").write_text(HEAD + source + "\n", encoding="utf-8")
    describe(site, "acme-nvr", "2.1", {"acme-nvr": "acme_nvr:KIND"})
    install_example(site)
    sys.modules.pop("acme_nvr", None)
    outside = found()
    assert list(outside.kinds) == ["example-nvr"]
    [broken] = outside.broken
    assert (broken.code, broken.package) == ("acme-nvr", "acme-nvr 2.1")
    assert words in broken.message.en
    assert broken.message.zh != broken.message.en


def test_names_that_no_form_takes_and_names_that_come_twice_are_told(site: Path) -> None:
    (site / "acme_nvr.py").write_text(HEAD + "A = kind('Acme NVR')\nB = kind('twice')\n", encoding="utf-8")
    sys.modules.pop("acme_nvr", None)
    describe(site, "acme-one", "1", {"Acme NVR": "acme_nvr:A", "twice": "acme_nvr:B"})
    describe(site, "acme-two", "1", {"twice": "acme_nvr:B"})
    outside = found()
    assert list(outside.kinds) == ["twice"]
    assert sorted(one.code for one in outside.broken) == ["Acme NVR", "twice"]


class Faulty:
    """A recorder of another package that fails where ``fails`` says, with an error that has a secret in it."""

    def __init__(self, fails: str) -> None:
        self._fails = fails

    def _at(self, where: str) -> None:
        if where == self._fails:
            raise ValueError("http://admin:s3cret@192.0.2.7/")

    async def probe(self) -> Any:
        self._at("probe")
        return "no facts"

    async def coverage(self, channel: str, asked: Any) -> Any:
        self._at("coverage")
        if channel == "none":
            raise WrongChannel("It has no such channel.")
        return [asked] if channel == "1" else ["yesterday"]

    async def fetch(self, channel: str, asked: Any) -> AsyncIterator[Segment]:
        self._at("fetch")
        yield Segment("a", channel, asked, None, "mp4" if channel == "1" else "exe", self._bytes)

    async def _bytes(self) -> AsyncIterator[bytes]:
        self._at("open")
        yield b"footage"

    async def snapshot(self, channel: str, at: Any) -> bytes:
        self._at("snapshot")
        raise NothingRecorded

    async def protect(self, channel: str, asked: Any) -> bool:
        self._at("protect")
        return True

    async def release(self, channel: str, asked: Any) -> None:
        self._at("release")

    async def list_disks(self) -> list[Disk]:
        self._at("list_disks")
        return [Disk("sda")]

    async def list_cameras(self) -> list[ListedCamera]:
        self._at("list_cameras")
        return [ListedCamera("1")]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> str:
    def make(configuration: Mapping[str, str], places: Places) -> Any:
        if configuration.get("address") == "make":
            raise KeyError("s3cret")
        return Faulty(configuration.get("address", ""))

    fields = (ADDRESS, PASSWORD, Field("note", "text", Message("identity")))
    monkeypatch.setitem(KINDS, "acme-nvr", Kind(ConfigurationSchema("acme-nvr", NAME, fields), make, "acme-nvr 2.1"))
    return "acme-nvr"


async def _use(kind: str, fails: str, channel: str = "1") -> list[Any]:
    recorder = open_recorder(kind, {"address": fails})
    asked = span(0, 4)
    if fails == "probe" or channel == "facts":
        return [await recorder.probe()]
    done: list[Any] = [await recorder.coverage(channel, asked)]
    async for segment in recorder.fetch(channel, asked):
        done += [chunk async for chunk in segment.open()]
    with pytest.raises(NothingRecorded):
        await recorder.snapshot(channel, NOON + timedelta(seconds=1))
    done.append(await recorder.protect(channel, asked))
    await recorder.release(channel, asked)
    disks = disks_of(recorder)
    assert disks is not None
    assert exports_of(recorder) is None
    cameras = cameras_of(recorder)
    assert cameras is not None
    assert [one.channel for one in await cameras.list_cameras()] == ["1"]
    return [*done, await disks.list_disks()]


WHERE = ("probe", "coverage", "fetch", "open", "snapshot", "protect", "release", "list_disks", "list_cameras")


@pytest.mark.parametrize("fails", WHERE)
async def test_what_a_kind_raises_is_told_as_its_fault_without_its_words(faulty: str, fails: str) -> None:
    with pytest.raises(RecorderDown) as down:
        await _use(faulty, fails)
    assert (down.value.code, down.value.away) == ("kind-failed", None)
    assert f"acme-nvr of acme-nvr 2.1 failed in {fails} (ValueError)" in str(down.value)
    assert "s3cret" not in str(down.value)
    assert down.value.__cause__ is None


async def test_what_a_kind_gives_is_held_to_the_protocol(faulty: str) -> None:
    assert await _use(faulty, "") == [[span(0, 4)], b"footage", True, [Disk("sda")]]
    for channel in ("facts", "2"):
        with pytest.raises(RecorderDown, match="TypeError"):
            await _use(faulty, "", channel)
    with pytest.raises(RecorderDown, match="failed in fetch"):
        [one async for one in open_recorder(faulty, {"address": "x"}).fetch("2", span(0, 4))]
    with pytest.raises(WrongChannel):
        await _use(faulty, "", "none")


def test_a_configuration_that_it_cannot_be_made_of_is_told(faulty: str) -> None:
    with pytest.raises(Fatal, match=r"acme-nvr of acme-nvr 2\.1 cannot make a recorder .* \(KeyError\)") as fatal:
        open_recorder(faulty, {"address": "make"})
    assert "s3cret" not in str(fatal.value)


def test_a_kind_whose_package_is_gone_or_broken_says_so(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fatal, match="install the package that brings it"):
        open_recorder("acme-nvr", {})
    (site / "acme_nvr.py").write_text("KIND = 5\n", encoding="utf-8")
    sys.modules.pop("acme_nvr", None)
    describe(site, "acme-nvr", "2.1", {"acme-nvr": "acme_nvr:KIND"})
    monkeypatch.setattr(registry, "OUTSIDE", found())
    with pytest.raises(Fatal, match=r"'acme-nvr' of acme-nvr 2\.1 cannot be used\. .* no Kind"):
        open_recorder("acme-nvr", {})
