"""Recorders and cameras as administrators enter, change and retire them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from threading import Barrier, BrokenBarrierError

import pytest
from at_once import at_once
from review_desk import ReviewDesk
from second_person import asked, confirmed, newest

from services.database.listing import Listing
from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder, RetentionMeasurement
from services.database.tables.notices import Notice
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.cameras import csv_import, measurements
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras import service as camera_service
from services.domain.change_requests import queries as change_queries
from services.domain.change_requests import service as change_requests
from services.domain.notifications.texts import get_text
from services.domain.retrieval import preservations
from services.domain.work_orders import requested_acts
from services.recorders.secrets import decrypt, is_encrypted
from services.runtime.errors import NotFound, Refused

ENTRY = camera_recorders.RecorderEntry(
    "新录像机",
    "北区",
    "net",
    "Asia/Shanghai",
    {"address": "https://a", "password": "hunter2"},
    secrets=frozenset({"password"}),
    address_fields=frozenset({"address"}),
)
CAMERA = camera_service.CameraEntry("recorder", "yard", "院子", "Yard", "北区", "North", "ordinary", 30)
CAMERAS = "services.domain.cameras"
HEADER = "recorder,channel,name_zh,name_en,place_zh,place_en,class,retention_days\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.zh
    return refusal.value.code


def entry(**changes: object) -> camera_recorders.RecorderEntry:
    return camera_recorders.RecorderEntry(**{**ENTRY.__dict__, **changes})  # type: ignore[arg-type]  # of its own fields


def camera(**changes: object) -> camera_service.CameraEntry:
    return camera_service.CameraEntry(**{**CAMERA.__dict__, **changes})  # type: ignore[arg-type]  # of its own fields


def entered(desk: ReviewDesk) -> dict[str, object]:
    """The fields of the desk's camera as an administrator enters them."""
    row = desk.the(Camera, id="camera")
    return {name: getattr(row, name) for name in asdict(CAMERA)}


@pytest.mark.requirement("R2")
def test_secrets_stay_where_they_are_and_no_audit_event_tells_them(desk: ReviewDesk) -> None:
    row = desk.run(camera_recorders.add, ENTRY, by="admin")
    kept = entry(name="改名", configuration={"address": "https://a"}, kept_secrets=frozenset({"password"}))
    desk.run(camera_recorders.change_recorder, row.id, kept, by="admin")
    desk.run(
        camera_recorders.change_recorder,
        row.id,
        entry(configuration={"address": "https://a", "password": "other"}),
        by="admin",
    )

    configuration = desk.the(Recorder, id=row.id).configuration
    assert is_encrypted(configuration["password"])
    assert decrypt(ENTRY.kind, configuration, desk.box, places={"address"})["password"] == "other"
    entries = "".join(event.entry for event in desk.all(AuditEvent, subject_id=row.id))
    assert "hunter2" not in entries
    assert "other" not in entries
    assert "***" in entries
    assert '"secrets_changed":["password"]' in entries


def test_a_secret_that_was_typed_for_one_place_is_not_sent_to_another(desk: ReviewDesk) -> None:
    row = desk.run(camera_recorders.add, ENTRY, by="admin")
    moved = entry(configuration={"address": "https://elsewhere"}, kept_secrets=frozenset({"password"}))

    assert refused(lambda: desk.run(camera_recorders.change_recorder, row.id, moved, by="admin")) == "secret-again"
    assert desk.the(Recorder, id=row.id).configuration["address"] == "https://a"


def move(desk: ReviewDesk, root: str) -> None:
    """The recorder of the desk lies elsewhere now."""
    where = {"kind": "folder", "configuration": {"root": root}, "address_fields": frozenset()}
    moved = entry(name="R", site="S", zone="UTC", **where)
    desk.run(camera_recorders.change_recorder, "recorder", moved, by="admin")


@pytest.mark.both_databases
@pytest.mark.requirement("R2", "R31", verb="recorded")
def test_a_recorder_that_a_case_waits_for_changes_under_the_eyes_of_security_and_the_drafter(desk: ReviewDesk) -> None:
    move(desk, "/elsewhere")
    assert desk.all(Notice, code="recorder-changed") == []  # no case waits
    application_id = desk.submitted()
    move(desk, "/elsewhere")
    assert desk.all(Notice, code="recorder-changed") == []  # nothing has changed

    move(desk, "/mine")

    told = {
        (notice.person_id, notice.application_id)
        for code in ("recorder-changed", "recorder-changed-security")
        for notice in desk.all(Notice, code=code)
    }
    assert told == {("drafter", application_id), ("security-head", None)}
    assert get_text("recorder-changed-security").work is None  # of no one case, whose end could end it


@pytest.mark.both_databases
@pytest.mark.requirement("R2", refuses=True)
def test_a_head_of_security_hears_of_no_changed_recorder_that_only_cases_about_them_wait_for(desk: ReviewDesk) -> None:
    def told() -> list[str]:
        return [notice.person_id for notice in desk.all(Notice, code="recorder-changed-security")]

    desk.post("security-deputy", "head", "security")
    desk.submitted(subject_ids=("security-head", "deputy"))
    desk.submitted(subject_ids=("security-head",))
    move(desk, "/one")
    assert told() == ["security-deputy"]

    desk.submitted()
    move(desk, "/two")
    assert sorted(told()) == ["security-deputy", "security-deputy", "security-head"]


def test_names_are_unique_and_kinds_stay(desk: ReviewDesk) -> None:
    row = desk.run(camera_recorders.add, ENTRY, by="admin")

    assert refused(lambda: desk.run(camera_recorders.add, ENTRY, by="admin")) == "name-taken"
    assert (
        refused(lambda: desk.run(camera_recorders.change_recorder, row.id, entry(kind="folder"), by="admin"))
        == "kind-fixed"
    )
    desk.run(camera_recorders.set_active, row.id, False, by="admin")
    desk.run(camera_recorders.add, ENTRY, by="admin")
    assert refused(lambda: desk.run(camera_recorders.set_active, row.id, True, by="admin")) == "name-taken"


@pytest.mark.requirement("R7", refuses=True)
def test_what_cases_point_to_is_retired_when_nothing_waits_and_never_deleted(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    for act in (
        lambda: desk.run(camera_recorders.set_active, "recorder", False, by="admin"),
        lambda: desk.run(camera_service.set_active, "camera", False, by="admin"),
        lambda: desk.run(camera_service.change_camera, "camera", camera(), by="admin"),
    ):
        assert refused(act) == "case-waits"

    item = desk.the(Item, application_id=application_id).id
    desk.run(lambda uow: setattr(uow.session.get(Item, item), "outcome", "complete"))
    desk.run(camera_service.set_active, "camera", False, by="admin")

    assert desk.the(Camera, id="camera").active is False
    with pytest.raises(Refused):
        desk.submitted()
    assert desk.run(camera_service.list_cameras, by="admin") == []
    assert [line.row.id for line in desk.run(camera_service.list_cameras, retired=True, by="admin")] == ["camera"]
    desk.run(camera_service.set_active, "camera", True, by="admin")
    assert [event.action for event in desk.all(AuditEvent, subject_id="camera")] == [
        "camera-retired",
        "camera-reactivated",
    ]


@pytest.mark.requirement("R5", "R26", refuses=True)
def test_a_camera_is_not_made_ordinary_under_a_case_that_waits(desk: ReviewDesk) -> None:
    row = desk.the(Camera, id="camera")
    same = camera(recorder_id=row.recorder_id, channel=row.channel)
    desk.run(camera_service.change_camera, "camera", replace(same, camera_class="sensitive"), by="admin")
    application_id = desk.submitted()
    lower = replace(same, camera_class="ordinary")

    assert refused(lambda: desk.run(camera_service.change_camera, "camera", lower, by="admin")) == "case-waits"
    assert desk.the(Camera, id="camera").camera_class == "sensitive"

    item = desk.the(Item, application_id=application_id).id
    desk.run(lambda uow: setattr(uow.session.get(Item, item), "outcome", "complete"))
    confirmed(desk, camera_service.change_camera, "camera", lower)
    assert desk.the(Camera, id="camera").camera_class == "ordinary"


@pytest.mark.both_databases
@pytest.mark.requirement("R5", "R26", "R31", refuses=True)
@pytest.mark.parametrize("weaker", [{"camera_class": "ordinary"}, {"retention_days": 31}])
async def test_one_administrator_makes_no_camera_weaker_before_an_application(
    desk: ReviewDesk, weaker: dict[str, object]
) -> None:
    """Otherwise management would not be asked about it, or its footage not be preserved."""
    row = desk.the(Camera, id="camera")
    strict = camera(recorder_id=row.recorder_id, channel=row.channel, camera_class="sensitive", retention_days=30)
    desk.run(camera_service.change_camera, "camera", replace(strict, retention_days=1), by="admin")
    confirmed(desk, camera_service.change_camera, "camera", strict)
    changed = replace(strict, name_en="Gate 3", **weaker)  # type: ignore[arg-type]  # of its own fields

    request = asked(desk, camera_service.change_camera, "camera", changed)

    assert entered(desk) == asdict(strict)
    told = {notice.person_id for notice in desk.all(Notice, code="change-to-check", subject_id=request)}
    assert told == {"security-head", "supervisor"}
    [line] = desk.run(change_queries.list_open, by="security-head").requests
    assert line.what_en.startswith("Change the camera Yard from Yard, ")
    assert line.what_en.endswith(("to Gate 3, ordinary area", "to Gate 3, 31 days of retention"))
    with pytest.raises(Refused) as early:
        await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)
    assert early.value.code == "second-person-awaited"
    other = replace(changed, name_en="Gate 4")
    assert refused(lambda: desk.run(camera_service.change_camera, "camera", other, by="admin")) == "asked-otherwise"
    desk.run(change_requests.confirm, request, by="security-head")
    await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)
    assert entered(desk) == asdict(changed)


@pytest.mark.requirement("R5", "R26", refuses=True)
async def test_a_camera_that_has_changed_since_is_not_made_weaker_by_what_was_confirmed(desk: ReviewDesk) -> None:
    row = desk.the(Camera, id="camera")
    same = camera(recorder_id=row.recorder_id, channel=row.channel, camera_class="sensitive")
    desk.run(camera_service.change_camera, "camera", same, by="admin")
    request = asked(desk, camera_service.change_camera, "camera", replace(same, camera_class="ordinary"))
    desk.run(change_requests.confirm, request, by="security-head")
    desk.run(camera_service.change_camera, "camera", replace(same, name_en="Vault"), by="admin")

    with pytest.raises(Refused) as outdated:
        await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)
    assert outdated.value.code == "request-outdated"
    assert desk.the(Camera, id="camera").camera_class == "sensitive"


@pytest.mark.requirement("R5", "R26", "R31", refuses=True)
@pytest.mark.parametrize("weaker", [{"camera_class": "ordinary"}, {"retention_days": 31}])
def test_no_camera_is_made_weaker_by_a_list_or_under_another_row(desk: ReviewDesk, weaker: dict[str, object]) -> None:
    strict = camera(camera_class="sensitive")
    weak = replace(strict, **weaker)  # type: ignore[arg-type]  # of its own fields
    yard = desk.run(camera_service.add, strict, by="admin").id
    line = f"R,yard,院子,Yard,北区,North,{weak.camera_class},{weak.retention_days}\n"
    for dry_run in (True, False):
        listed = desk.run(csv_import.import_cameras, (HEADER + line).encode(), dry_run=dry_run, by="admin")
        assert ([one.line for one in listed.wrong], listed.done) == ([2], False)
    desk.run(camera_service.set_active, yard, False, by="admin")

    row = desk.the(Camera, id="camera")
    assert refused(lambda: desk.run(camera_service.add, weak, by="admin")) == "channel-retired"
    moved = replace(weak, camera_class="ordinary", retention_days=max(row.retention_days, weak.retention_days))
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, "camera"), "retention_days", moved.retention_days))
    assert refused(lambda: desk.run(camera_service.change_camera, "camera", moved, by="admin")) == "channel-retired"
    listed = desk.run(csv_import.import_cameras, (HEADER + line).encode(), dry_run=False, by="admin")
    assert [one.line for one in listed.wrong] == [2]
    desk.run(camera_service.add, strict, by="admin")
    assert newest(desk) == ""


@pytest.mark.requirement("R31", refuses=True)
def test_a_camera_is_not_said_to_keep_longer_under_a_case_that_waits(desk: ReviewDesk) -> None:
    """The days say what is at risk of being overwritten, and so what is preserved (T4)."""
    row = desk.the(Camera, id="camera")
    same = camera(recorder_id=row.recorder_id, channel=row.channel, retention_days=1)
    desk.run(camera_service.change_camera, "camera", same, by="admin")
    application_id = desk.submitted()
    longer = replace(same, retention_days=3650)

    assert refused(lambda: desk.run(camera_service.change_camera, "camera", longer, by="admin")) == "case-waits"
    assert len(desk.run(preservations.list_needs, application_id)[1]) == 1

    desk.run(camera_service.change_camera, "camera", replace(same, name_en="Gate 3"), by="admin")
    item = desk.the(Item, application_id=application_id).id
    desk.run(lambda uow: setattr(uow.session.get(Item, item), "outcome", "complete"))
    confirmed(desk, camera_service.change_camera, "camera", longer)
    assert desk.the(Camera, id="camera").retention_days == 3650


def test_another_channel_is_other_footage_and_forgets_what_was_learned(desk: ReviewDesk) -> None:
    def learn(uow: UnitOfWork) -> None:
        row = uow.session.get_one(Camera, "camera")
        row.fingerprint = "abc"
        measurements.record_oldest(uow, [(row, uow.now)])

    desk.run(learn)
    desk.run(camera_service.change_camera, "camera", camera(channel="gate", name_zh="正门"), by="admin")
    assert desk.the(Camera, id="camera").fingerprint == "abc"
    assert len(desk.all(RetentionMeasurement)) == 1

    desk.run(camera_service.change_camera, "camera", camera(channel="other"), by="admin")
    assert desk.the(Camera, id="camera").fingerprint is None
    assert desk.all(RetentionMeasurement) == []


@pytest.mark.requirement("R7", refuses=True)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recorder_id": "nobody"}, "recorder-unknown"),
        ({"camera_class": "secret"}, "class-unknown"),
        ({"retention_days": 0}, "retention-days"),
        ({"retention_days": 4000}, "retention-days"),
        ({"channel": "../other"}, "channel-wrong"),
        ({"channel": "/etc"}, "channel-wrong"),
        ({"channel": "gate"}, "channel-taken"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(desk: ReviewDesk, changes: dict[str, object], code: str) -> None:
    assert refused(lambda: desk.run(camera_service.add, camera(**changes), by="admin")) == code


def retired(uow: UnitOfWork, key: str) -> Camera:
    """A retired camera of the channel that ``CAMERA`` has."""
    row = Camera(id=key, **asdict(CAMERA), active=False)
    uow.session.add(row)
    return row


@pytest.mark.both_databases
@pytest.mark.requirement("R7", refuses=True)
@pytest.mark.parametrize(
    ("next_step", "acts", "code"),
    [
        ("service._require_as_strict", [partial(camera_service.add, entry=CAMERA)] * 2, "channel-taken"),
        (
            "service._require_as_strict",
            [partial(camera_service.set_active, camera_id=key, active=True) for key in ("old", "older")],
            "channel-taken",
        ),
        ("recorders._encrypted", [partial(camera_recorders.add, entry=ENTRY)] * 2, "name-taken"),
        (
            "recorders._encrypted",
            [
                partial(camera_recorders.add, entry=ENTRY),
                partial(camera_recorders.change_recorder, recorder_id="named", entry=ENTRY),
            ],
            "name-taken",
        ),
    ],
    ids=["cameras", "retired cameras", "recorders", "a recorder that gets the name"],
)
def test_of_two_with_one_channel_or_name_that_are_entered_at_once_one_is_refused(
    any_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    next_step: str,
    acts: list[Callable[[UnitOfWork], object]],
    code: str,
) -> None:
    desk = ReviewDesk(any_database_url)
    both, go_on = Barrier(2), resolve_name(f"{CAMERAS}.{next_step}")

    def go_on_together(*arguments: object) -> object:
        """Wait for the other one to have looked as well; in vain where it waits for this one to end."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        return go_on(*arguments)

    def lay_out(uow: UnitOfWork) -> None:
        for key in ("old", "older"):
            retired(uow, key)
        named = entry(name="别名")
        row = Recorder(id="named", name=named.name, site=named.site, kind=named.kind, zone=named.zone, configuration={})
        uow.session.add(row)

    desk.run(lay_out)
    monkeypatch.setattr(f"{CAMERAS}.{next_step}", go_on_together)
    ended = at_once(*(partial(desk.run, act, by="admin") for act in acts))
    desk.close()

    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, Refused)
    assert refusal.code == code


@pytest.mark.requirement("R7", refuses=True)
def test_only_administrators_change_and_only_a_few_read(desk: ReviewDesk) -> None:
    for person in ("drafter", "operator", "supervisor", "security-head"):
        for act in (
            lambda by=person: desk.run(camera_recorders.add, ENTRY, by=by),
            lambda by=person: desk.run(camera_service.add, CAMERA, by=by),
            lambda by=person: desk.run(csv_import.import_cameras, HEADER.encode(), dry_run=True, by=by),
            lambda by=person: desk.run(camera_recorders.get_for_test, "recorder", by=by),
        ):
            assert refused(act) == "administrators-only"  # type: ignore[arg-type]
    assert refused(lambda: desk.run(camera_service.list_cameras, by="drafter")) == "readers-only"
    with pytest.raises(NotFound):
        desk.run(camera_service.get_camera, "nobody", by="supervisor")


def test_cameras_are_found_by_their_words(desk: ReviewDesk) -> None:
    desk.run(camera_service.add, CAMERA, by="admin")

    assert [line.row.channel for line in desk.run(camera_service.list_cameras, Listing("院"), by="admin")] == ["yard"]
    assert [line.row.channel for line in desk.run(camera_service.list_cameras, Listing("NORTH"), by="admin")] == [
        "yard"
    ]
    assert desk.run(camera_service.list_cameras, Listing("%"), by="admin") == []
    assert len(desk.run(camera_service.list_cameras, Listing(limit=50, offset=1), by="admin")) == 1


def test_a_list_of_cameras_is_tried_first_and_each_wrong_line_is_named(desk: ReviewDesk) -> None:
    good = HEADER + "R,yard,院子,Yard,北区,North,ordinary,30\nR,gate,正门,gate,一层,ground,ordinary,30\n"
    bad = (
        good
        + "X,a,a,a,a,a,ordinary,30\nR,b,b,b,b,b,ordinary,many\nR,yard,c,c,c,c,ordinary,3\nR,d,,d,d,d,ordinary,3\n\n"
    )

    tried = desk.run(csv_import.import_cameras, good.encode(), dry_run=True, by="admin")
    assert (tried.new, tried.changed, tried.unchanged, tried.wrong, tried.done) == (1, 1, 0, (), False)
    assert len(desk.all(Camera)) == 1
    written = ("camera-added", "camera-changed")
    assert [one for action in written for one in desk.all(AuditEvent, action=action)] == []

    refused_ = desk.run(csv_import.import_cameras, bad.encode("gb18030"), dry_run=False, by="admin")
    assert [one.line for one in refused_.wrong] == [4, 5, 6, 7]
    assert not refused_.done
    assert len(desk.all(Camera)) == 1
    assert [one for action in written for one in desk.all(AuditEvent, action=action)] == []

    done = desk.run(csv_import.import_cameras, good.encode("utf-8-sig"), dry_run=False, by="admin")
    assert done.done
    assert {row.name_zh for row in desk.all(Camera)} == {"院子", "正门"}
    again = desk.run(csv_import.import_cameras, good.encode(), dry_run=False, by="admin")
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"a,b\n", HEADER.encode() + b'"open', b"x" * (1 << 20) + b"y"]
)
def test_a_file_that_is_no_list_is_refused(desk: ReviewDesk, content: bytes) -> None:
    assert refused(lambda: desk.run(csv_import.import_cameras, content, dry_run=True, by="admin")) == "camera-file"


def test_what_is_exported_can_be_brought_back(desk: ReviewDesk) -> None:
    desk.run(camera_service.add, camera(name_zh="=1+1"), by="admin")
    rows = csv_import.rows_of(desk.run(camera_service.list_cameras, by="admin"))
    text = HEADER + "".join(
        ",".join(f"'{cell}" if str(cell)[:1] == "=" else str(cell) for cell in row) + "\n" for row in rows
    )

    assert desk.run(csv_import.import_cameras, text.encode(), dry_run=True, by="admin").unchanged == 2
