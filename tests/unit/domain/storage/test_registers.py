"""The registers of storage: sites with keepers, where vault and replica stand, devices and their list, media."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from archived_case import DisposalDesk, archived
from prepared_desk import prepared_desk
from sqlalchemy import event, insert

from services.database.base import new_id
from services.database.listing import Listing
from services.database.tables.cameras import Recorder
from services.database.tables.devices import Device, Medium, MediumEvent
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.people import Post
from services.database.tables.sites import Site, SiteKeeper
from services.database.unit_of_work import UnitOfWork
from services.domain.retrieval.attempts import NoLongerWanted
from services.domain.storage import csv_import, devices, media, places, sites
from services.domain.storage.schemas import (
    DeviceBody,
    HandOutBody,
    MediumBody,
    MediumEndBody,
    PlacesBody,
    ScanBody,
    SiteBody,
)
from services.runtime.errors import Fatal, Refused
from services.workers import back_up_footage

HEADER = ",".join(csv_import.COLUMNS)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DisposalDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", archived)
    yield DisposalDesk(desk, ids)
    desk.close()


def site(desk: DisposalDesk, name: str, address: str) -> str:
    body = SiteBody(name=name, address=address, uses=["primary"], area="二层机柜")
    return desk.desk.run(lambda uow: sites.add(uow, body).id, by="operator")


def refused(desk: DisposalDesk, by: str, act: Any, *given: Any) -> str:
    with pytest.raises(Refused) as caught:
        desk.desk.run(act, *given, by=by)
    return caught.value.code


@pytest.mark.requirement("R12")
@pytest.mark.requirement("R13")
def test_a_site_is_kept_by_the_storage_office_and_said_when_nobody_fit_does(desk: DisposalDesk) -> None:
    site_id = site(desk, "东区机房", "厂区东路1号2号楼")
    for stranger in ("drafter", "security-head", "supervisor"):
        assert refused(desk, stranger, sites.add, SiteBody(name="x", address="x")) == "storage-only"
    for unfit in ("reviewer", "drafter", "admin"):
        assert refused(desk, "admin", sites.set_keeper, site_id, unfit, "keeper") == "keeper-unfit"
    assert refused(desk, "operator", sites.add, SiteBody(name="东区机房", address="x")) == "site-named"

    desk.desk.run(sites.tell_vacant)
    told = [notice.person_id for notice in desk.desk.all(Notice, code="site-without-keeper")]
    assert told == ["operator", "operator2"]
    desk.desk.run(sites.tell_vacant)  # again in a week
    assert len(desk.desk.all(Notice, code="site-without-keeper")) == 2

    desk.desk.run(sites.set_keeper, site_id, "operator", "keeper", by="admin")
    assert refused(desk, "admin", sites.set_keeper, site_id, "operator", "deputy") == "keeper-twice"
    desk.desk.run(sites.set_keeper, site_id, "operator2", "keeper", by="operator")
    view = desk.desk.run(sites.get, site_id, by="supervisor")
    assert [(one.name, one.until is None) for one in (*view.keepers, *view.history)] == [
        (view.keepers[0].name, True),
        (view.history[0].name, False),
    ]
    assert (view.kept, len(desk.desk.all(SiteKeeper))) == (True, 2)
    assert desk.desk.run(sites.list_vacant) == []

    [post] = desk.desk.all(Post, person_id="operator2")
    desk.change(Post, post.id, until=desk.desk.clock.now())
    view = desk.desk.run(sites.get, site_id, by="security-head")
    assert (view.kept, view.keepers[0].unfit_en is not None) == (False, True)
    assert desk.desk.run(sites.list_vacant) == ["东区机房"]
    desk.desk.clock.turn(timedelta(days=8))
    desk.desk.run(sites.tell_vacant)
    assert [notice.person_id for notice in desk.desk.all(Notice, code="site-without-keeper")][2:] == ["operator"]


@pytest.mark.requirement("R15")
async def test_a_replica_at_the_vaults_place_is_no_replica(desk: DisposalDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    main, twin, other = (
        site(desk, name, address)
        for name, address in (("主机房", "厂区东路1号"), ("备份柜", "厂区 东路1号。"), ("西区", "西路9号"))
    )
    master = desk.desk.the(Master)
    monkeypatch.setattr(back_up_footage.masters, "order_backup", lambda _uow, *_ids: master)
    command = back_up_footage.Command(master.application_id, master.item_id, 1)
    nothing: Any = None

    async def back_up() -> None:
        await back_up_footage.handle(command, desk.desk.database, nothing, nothing)

    assert desk.desk.run(places.list_missing) == ["vault", "replica"]
    assert desk.desk.run(places.find_problem) is None  # nobody has told, and the installation goes on
    for replica in (main, twin):
        desk.desk.run(places.set_places, PlacesBody(vault=main, replica=replica), by="operator")
        assert desk.desk.run(places.find_problem) is not None
        with pytest.raises(Fatal, match="stand at the same place"):
            await back_up()
    assert refused(desk, "operator", places.set_places, PlacesBody(vault=main)) == "place-told"
    assert refused(desk, "drafter", places.set_places, PlacesBody(vault=other)) == "storage-only"
    assert refused(desk, "operator", sites.close, main) == "site-in-use"

    desk.desk.run(places.set_places, PlacesBody(vault=main, replica=other), by="admin")
    assert desk.desk.run(places.find_problem) is None
    with pytest.raises(NoLongerWanted):  # it goes on, and finds that this case has ended
        await back_up()


@pytest.mark.requirement("R10")
def test_a_list_of_devices_is_taken_over_whole_or_not_at_all(desk: DisposalDesk) -> None:
    site_id = site(desk, "主机房", "厂区东路1号")
    [recorder] = desk.desk.all(Recorder)[:1]
    right = f"SB-1,array,海康,DS-A,S1,主机房,2029-05-01,96 TB,RAID 6,{recorder.name}"
    wrong = [
        "SB-2,array,海康,DS-A,,不存在,,,,",
        "SB-3,toaster,海康,DS-A,,主机房,,,,",
        ",array,海康,DS-A,,主机房,,,,",
        "SB-1,array,海康,DS-A,,主机房,,,,",
        "SB-4,array,海康,DS-A,,主机房,gestern,,,",
    ]

    def load(*lines: str, dry_run: bool = False) -> Any:
        content = "\n".join((HEADER, *lines)).encode()
        return desk.desk.run(lambda uow: csv_import.import_devices(uow, content, dry_run=dry_run), by="operator")

    answer = load(right, *wrong)
    assert ([error.line for error in answer.wrong], answer.done) == ([3, 4, 5, 6, 7], False)
    assert all(error.zh for error in answer.wrong)
    assert load(right, dry_run=True).new == 1
    assert desk.desk.all(Device) == []
    assert load(right).done
    again = load(right.replace("96 TB", "120 TB"))
    assert (again.new, again.changed, again.done) == (0, 1, True)
    assert load(right.replace("96 TB", "120 TB")).unchanged == 1
    for content in (b"\xff\x00", b"a,b\n1,2", b'"'):
        with pytest.raises(Refused):
            desk.desk.run(lambda uow, file=content: csv_import.import_devices(uow, file, dry_run=True), by="operator")
    with pytest.raises(Refused):
        desk.desk.run(lambda uow: csv_import.import_devices(uow, b"", dry_run=True), by="reviewer")

    device = desk.desk.the(Device)
    assert (device.capacity, device.recorder_id, str(device.in_service_since)) == ("120 TB", recorder.id, "2029-05-01")
    desk.desk.run(devices.retire, device.id, "更换", by="operator")
    body = DeviceBody(number="SB-1", kind="array", make="x", model="x", site_id=site_id)
    assert refused(desk, "operator", devices.change, device.id, body) == "device-retired"
    assert refused(desk, "operator", devices.add, body) == "device-number"
    assert desk.desk.run(devices.read, by="operator").lines == []
    assert len(desk.desk.run(lambda uow: devices.read(uow, retired=True), by="supervisor").lines) == 1


@pytest.mark.requirement("R39")
def test_a_medium_is_out_with_somebody_until_its_number_is_scanned(desk: DisposalDesk) -> None:
    site_id = site(desk, "主机房", "厂区东路1号")
    body = MediumBody(number="d", kind="usb-stick", site_id=site_id)  # of the download of the case
    medium_id = desk.desk.run(lambda uow: media.add(uow, body).id, by="operator")
    assert refused(desk, "operator", media.add, body) == "medium-number"
    assert refused(desk, "operator", media.scan, ScanBody(number="d")) == "medium-not-out"
    assert refused(desk, "operator", media.scan, ScanBody(number="?")) == "medium-unknown"
    desk.desk.run(media.hand_out, medium_id, HandOutBody(person_id="keeper", note="调取"), by="operator")
    assert refused(desk, "operator", media.hand_out, medium_id, HandOutBody(person_id="keeper")) == "medium-not-in"
    end = MediumEndBody(state="destroyed", note="粉碎")
    assert refused(desk, "operator", media.end, medium_id, end) == "medium-not-in"

    [line] = desk.desk.run(media.read, Listing(sort="out"), by="security-head").lines
    assert (line.state, line.holder is not None, line.uses) == ("out", True, 1)
    desk.desk.run(media.scan, ScanBody(number="d"), by="operator2")
    desk.desk.run(media.end, medium_id, end, by="operator")
    assert refused(desk, "operator", media.end, medium_id, end) == "medium-ended"
    assert desk.desk.the(Medium).state == "destroyed"
    events = sorted(desk.desk.all(MediumEvent), key=lambda row: row.at)
    assert [row.event for row in events] == ["registered", "handed-out", "returned", "destroyed"]
    assert events[2].holder_id == "keeper"


@pytest.mark.requirement("R39", refuses=True)
def test_no_site_is_closed_with_media_in_it_and_none_comes_back_to_one(desk: DisposalDesk) -> None:
    """Such a medium could be taken by nobody, and moved nowhere."""
    first, second = site(desk, "主机房", "厂区东路1号"), site(desk, "备机房", "厂区西路2号")
    body = MediumBody(number="U-1", kind="usb-stick", site_id=first)
    medium_id = desk.desk.run(lambda uow: media.add(uow, body).id, by="operator")
    assert refused(desk, "operator", sites.close, first) == "site-in-use"

    desk.desk.run(media.hand_out, medium_id, HandOutBody(person_id="keeper", note="搬迁"), by="operator")
    desk.desk.run(sites.close, first, by="operator")
    assert refused(desk, "operator", media.scan, ScanBody(number="U-1")) == "medium-site"
    assert refused(desk, "operator", media.scan, ScanBody(number="U-1", site_id=first)) == "medium-site"
    desk.desk.run(media.scan, ScanBody(number="U-1", site_id=second), by="operator")
    assert (desk.desk.the(Medium).site_id, desk.desk.the(Medium).state) == (second, "in")
    assert refused(desk, "operator", sites.close, second) == "site-in-use"

    desk.desk.run(media.end, medium_id, MediumEndBody(state="destroyed", note="粉碎"), by="operator")
    assert desk.desk.run(sites.close, second, by="operator").closed_at is not None


def test_lists_of_two_thousand_rows_take_as_few_statements_as_short_ones(desk: DisposalDesk) -> None:
    desk.desk.run(_fill, 2_000)
    statements: list[str] = []
    event.listen(
        desk.desk.database.engine, "before_cursor_execute", lambda _c, _cursor, text, *_more: statements.append(text)
    )
    for read, sort in ((sites.read, "name"), (devices.read, "number"), (media.read, "number")):
        statements.clear()
        page: Any = desk.desk.run(read, Listing(limit=50, sort=sort), by="supervisor")
        assert (len(page.lines), bool(page.next)) == (50, True)
        assert len(statements) <= 25, statements
        behind: Any = desk.desk.run(read, Listing(limit=50, sort=sort, place=page.next), by="supervisor")
        assert not {line.id for line in page.lines} & {line.id for line in behind.lines}


def _fill(uow: UnitOfWork, number: int) -> None:
    entered = {"entered_by": "operator", "entered_at": uow.now}
    rows = [{"id": new_id(), "name": f"场所{n:05d}", "address": str(n), "uses": [], **entered} for n in range(number)]
    uow.session.execute(insert(Site), rows)
    where = {"site_id": rows[0]["id"], **entered}
    for table, values in (
        (Device, {"kind": "array", "make": "m", "model": "m"}),
        (Medium, {"kind": "disk", "state": "in"}),
    ):
        uow.session.execute(
            insert(table), [{"id": new_id(), "number": f"{n:05d}", **values, **where} for n in range(number)]
        )
