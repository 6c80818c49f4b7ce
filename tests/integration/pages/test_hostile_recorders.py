"""Where a recorder may be: what is typed leads neither out of the allowed folders nor into the internal network."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.domain.cameras import recorder_forms
from services.recorders.clock import Clock
from services.recorders.configuration_schema import ConfigurationSchema, Field
from services.recorders.folder.recorder import FolderRecorder
from services.recorders.protocol import OutsideRoots
from services.recorders.registry import KINDS, Kind, Places
from services.runtime.addresses import Guard, parse_networks
from services.runtime.errors import Refused
from services.runtime.translations import Message

ADDRESS = Field("address", "address", Message("address"), required=True, schemes=("http", "https"))
INSIDE = (
    "http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/latest/meta-data", "http://[::1]:8080/",
    "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://2130706433/", "http://0177.0.0.1/",
    "http://0x7f.0.0.1/", "http://127.1/", "http://0.0.0.0/", "http://user@127.0.0.1/", "http://camera@169.254.169.254/",
    "http://camera.example:25/", "file:///etc/passwd", "gopher://camera.example/", "//127.0.0.1/", "http://",
    "http://camera.example\\@127.0.0.1/", "http://camera.example/\r\nHost: x", "http://[64:ff9b::a9fe:a9fe]/",
)  # fmt: skip


@pytest.fixture
def by_address(monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind of recorder that is called by an address."""

    def make(_told: object, _places: object) -> FolderRecorder:
        raise AssertionError("a refused recorder is never opened")

    schema = ConfigurationSchema("called", Message("network"), (ADDRESS,))
    monkeypatch.setitem(KINDS, "called", Kind(schema, make))
    return "called"


async def enter(kind: str, places: Places, **configuration: str) -> dict[str, str]:
    told = {"name": "R", "site": "S", "zone": "UTC", "kind": kind, "configuration": configuration}
    return dict((await recorder_forms.build_entry(places, **told)).configuration)  # type: ignore[arg-type]  # of a mixture


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("address", INSIDE)
async def test_no_address_of_a_recorder_leads_into_the_internal_network(by_address: str, address: str) -> None:
    with pytest.raises(Refused) as refused:
        await enter(by_address, Places(), address=address)

    assert (refused.value.status, refused.value.field) == (422, "configuration.address")


async def test_the_network_that_the_setting_lists_may_be_typed(by_address: str) -> None:
    places = Places(guard=Guard(parse_networks("127.0.0.0/8")))

    assert await enter(by_address, places, address="HTTP://127.0.0.1:8080/") == {"address": "http://127.0.0.1:8080/"}


def _plain(root: Path) -> str:
    return str(root.parent / "outside")


def _dotted(root: Path) -> str:
    return f"{root}/../outside"


def _linked(root: Path) -> str:
    (root / "link").symlink_to(root.parent / "outside")
    return str(root / "link")


def _alike(root: Path) -> str:
    return f"{root}-and-more"


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("typed", [_plain, _dotted, _linked, _alike, lambda _: "/etc", lambda _: "etc", lambda _: "/"])
async def test_no_folder_of_a_recorder_lies_outside_the_allowed_ones(
    tmp_path: Path, typed: Callable[[Path], str]
) -> None:
    root = tmp_path / "recordings"
    for folder in (root, tmp_path / "outside", tmp_path / "recordings-and-more"):
        folder.mkdir()
    where = typed(root)

    with pytest.raises(Refused) as refused:
        await enter("folder", Places((root,)), root=where)

    assert refused.value.field == "configuration.root"
    if where.startswith("/") and ".." not in where:
        recorder = FolderRecorder(Path(where), ZoneInfo("UTC"), Clock(None, "unknown", None), "R", (root,))
        with pytest.raises(OutsideRoots):
            await recorder.probe()


@pytest.mark.requirement("R52", refuses=True)
async def test_a_folder_that_leads_out_later_is_opened_no_more(tmp_path: Path) -> None:
    root, outside = tmp_path / "recordings", tmp_path / "outside"
    (root / "disk").mkdir(parents=True)
    (outside / "gate").mkdir(parents=True)
    assert (await enter("folder", Places((root,)), root=str(root / "disk")))["root"] == str(root / "disk")
    (root / "disk").rmdir()
    (root / "disk").symlink_to(outside)

    recorder = FolderRecorder(root / "disk", ZoneInfo("UTC"), Clock(None, "unknown", None), "R", (root,))

    with pytest.raises(OutsideRoots):
        await recorder.probe()
