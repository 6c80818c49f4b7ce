"""Recorders' clocks: where the granted span is looked for, what of a measurement stands, and the edges of zones."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from new_database import lay_out
from statements import statements

from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder, RetentionMeasurement
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import clocks, measurements
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.clocks import Clock, search_span
from services.domain.cameras.recorders import RecorderEntry
from services.domain.wiring import open_database
from services.runtime import local_times
from services.runtime.clock import FixedClock
from services.runtime.errors import Refused
from services.runtime.rules import Rules
from services.runtime.spans import Span

pytestmark = pytest.mark.both_databases

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
GRANTED = Span(NOON - timedelta(hours=2), NOON - timedelta(hours=1))
OPERATOR, CLERK = Actor("person", "operator"), Actor("system", "test")


@dataclass(frozen=True)
class Facts:
    """What a recorder says of itself."""

    clock_offset_ms: int | None
    clock_method: str
    clock_uncertainty_ms: int | None = None
    make: str = "make"
    model: str = "model"
    identity: str = "id"
    oldest: datetime | None = None
    channels: int = 1

    @property
    def oldest_frame(self) -> dict[str, datetime]:
        return {str(number): self.oldest for number in range(1, self.channels + 1)} if self.oldest else {}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    yield from _opened(f"sqlite:///{tmp_path / 'books.db'}")


@pytest.fixture
def any_register(any_database_url: str) -> Iterator[Database]:
    yield from _opened(any_database_url)


def _opened(url: str) -> Iterator[Database]:
    database = open_database(url, FixedClock(NOON), Rules(max_use_days=30))
    lay_out(database)
    database.run_now(CLERK, _enter)
    yield database
    database.close()


def _enter(uow: UnitOfWork) -> None:
    uow.session.add(Department(id="office", name_zh="办公室", name_en="Office", kind="storage"))
    uow.session.add(Recorder(id="r", name="R", site="S", kind="folder", configuration={}, zone="Europe/Berlin"))
    uow.session.flush()
    uow.session.add(
        Camera(
            **{"id": "c", "recorder_id": "r", "channel": "1", "name_zh": "一", "name_en": "one"},
            **{"place_zh": "门", "place_en": "gate", "retention_days": 30},
        )
    )
    for person, kind in (("operator", "storage-operator"), ("admin", "administrator"), ("member", "member")):
        uow.session.add(Person(id=person, login=person, name=person, department_id="office", password_hash="-"))
        uow.session.flush()
        uow.session.add(Post(person_id=person, department_id="office", kind=kind, since=NOON - timedelta(days=1)))


def ms(**length: float) -> int:
    return round(timedelta(**length) / timedelta(milliseconds=1))


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("offset", "uncertainty", "start", "end"),
    [
        (0, 0, 0, 0),
        (0, ms(seconds=3), -3, 3),
        (ms(minutes=2), 0, 0, 120),
        (ms(minutes=-2), ms(seconds=1), -121, 1),
        (ms(minutes=10), ms(seconds=1), -1, 601),
    ],
)
def test_the_search_is_the_hull_of_both_readings_and_wider_by_the_uncertainty(
    offset: int, uncertainty: int, start: int, end: int
) -> None:
    found = search_span(GRANTED, Clock(offset, "api-time", uncertainty))

    assert found == Span(GRANTED.start + timedelta(seconds=start), GRANTED.end + timedelta(seconds=end))


@pytest.mark.parametrize(
    "clock",
    [
        Clock(),
        Clock(ms(minutes=10, seconds=1), "api-time", 0),
        Clock(ms(hours=-8), "api-time", 0),
        Clock(0, "picture", ms(minutes=11)),
    ],
)
def test_nothing_is_widened_where_a_clock_is_not_known_or_too_far_off(clock: Clock) -> None:
    assert search_span(GRANTED, clock) == GRANTED
    assert clock.too_far is (clock.offset_ms is not None)


@pytest.mark.requirement("R34")
def test_a_picture_check_is_kept_until_the_recorder_itself_tells_its_time(any_register: Database) -> None:
    database, shown = any_register, NOON + timedelta(seconds=90)
    database.run_now(OPERATOR, clocks.record_comparison, "r", shown, NOON, timedelta(seconds=2))
    checked = Clock(90_000, "picture", 2000, NOON)

    for silent in (Facts(None, "unknown"), Facts(5, "configured")):
        database.clock.turn(timedelta(minutes=5))
        assert database.run_now(CLERK, measurements.record_measured, "r", silent) == checked

    told = database.run_now(CLERK, measurements.record_measured, "r", Facts(80_000, "http-date", 500))
    assert told == Clock(80_000, "http-date", 500, NOON + timedelta(minutes=10))
    assert database.run_now(CLERK, measurements.record_measured, "r", Facts(None, "unknown")).offset_ms is None
    [event] = database.run_now(
        CLERK, lambda uow: uow.session.query(AuditEvent).filter_by(action="recorder-clock-compared").all()
    )
    assert '"offsetMs":90000' in event.entry


def test_what_an_administrator_enters_of_the_clock_ends_a_picture_check(database: Database) -> None:
    database.run_now(OPERATOR, clocks.record_comparison, "r", NOON, NOON, timedelta(seconds=2))

    def change(uow: UnitOfWork) -> Clock:
        entry = RecorderEntry("R", "S", "folder", "UTC", {"clock_offset_ms": "700"})
        return clocks.clock_of(camera_recorders.change_recorder(uow, "r", entry))

    assert database.run_now(Actor("person", "admin"), change) == Clock()
    assert database.run_now(CLERK, measurements.record_measured, "r", Facts(700, "configured")).offset_ms == 700


@pytest.mark.parametrize("person", ["member", "admin"])
def test_a_picture_check_is_an_operators(database: Database, person: str) -> None:
    with pytest.raises(Refused) as caught:
        database.run_now(Actor("person", person), clocks.record_comparison, "r", NOON, NOON, timedelta(seconds=2))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("shown", "true", "within"),
    [
        (NOON, NOON + timedelta(hours=1), 2),
        (NOON - timedelta(days=4000), NOON, 2),
        (NOON, NOON, 0),
        (NOON, NOON, 601),
    ],
)
def test_a_picture_check_has_to_make_sense(database: Database, shown: datetime, true: datetime, within: int) -> None:
    with pytest.raises(Refused) as caught:
        database.run_now(OPERATOR, clocks.record_comparison, "r", shown, true, timedelta(seconds=within))
    assert caught.value.status == 422


# Berlin put its clocks back on 26 October 2031 at 03:00 and forward on 30 March 2031 at 02:00; Shanghai does neither.
@pytest.mark.requirement("R34")
@pytest.mark.parametrize(
    ("text", "zone", "near", "moment"),
    [
        ("2031-10-26T02:30:05", "Europe/Berlin", "2031-10-26T00:30:00", "2031-10-26T00:30:05"),
        ("2031-10-26T02:30:05", "Europe/Berlin", "2031-10-26T01:30:00", "2031-10-26T01:30:05"),
        ("2031-10-26T01:59:59", "Europe/Berlin", "2031-10-26T01:00:00", "2031-10-25T23:59:59"),
        ("2031-10-26T03:00:00", "Europe/Berlin", "2031-10-26T01:59:00", "2031-10-26T02:00:00"),
        ("2031-03-30T02:30:00", "Europe/Berlin", "2031-03-30T01:30:00", "2031-03-30T01:30:00"),
        ("2031-03-30T03:00:00", "Europe/Berlin", "2031-03-30T01:00:00", "2031-03-30T01:00:00"),
        ("2031-10-26T02:30:00", "Asia/Shanghai", "2031-10-25T18:30:00", "2031-10-25T18:30:00"),
        ("2031-03-30T02:30:00", "UTC", "2031-03-30T02:30:00", "2031-03-30T02:30:00"),
    ],
)
def test_what_a_clock_shows_is_understood_where_clocks_are_turned(text: str, zone: str, near: str, moment: str) -> None:
    read = clocks.parse_shown_time(text, zone, datetime.fromisoformat(near).replace(tzinfo=UTC))

    assert read == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_a_clock_that_nobody_puts_back_is_an_hour_off_and_too_far_to_search_by() -> None:
    true = datetime(2031, 10, 26, 4, 0, tzinfo=UTC)  # 05:00 in Berlin, and the recorder still shows 06:00
    shown = clocks.parse_shown_time("2031-10-26T06:00:00", "Europe/Berlin", true)

    clock = Clock(round((shown - true) / timedelta(milliseconds=1)), "picture", 2000)
    assert clock.offset == timedelta(hours=1)
    assert search_span(GRANTED, clock) == GRANTED


@pytest.mark.parametrize("text", ["", "noon", "2031-10-26T02:30:00Z", "2031-10-26T02:30:00+02:00", "0001-01-01T00:00"])
def test_what_is_no_local_time_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        clocks.parse_shown_time(text, "Europe/Berlin", NOON)


@pytest.mark.parametrize(("zone", "hours"), [("Europe/Berlin", 2), ("Asia/Shanghai", 1), ("UTC", 1)])
def test_a_typed_span_over_the_turn_of_the_clock_is_as_long_as_it_is(zone: str, hours: int) -> None:
    start, end = (local_times.moment(f"2031-10-26T0{hour}:30:00", zone, which="second") for hour in (1, 2))

    assert end - start == timedelta(hours=hours)


def test_a_probe_of_many_cameras_asks_as_often_as_that_of_one(any_register: Database) -> None:
    database = any_register

    def probed(cameras: int) -> int:
        database.clock.turn(timedelta(days=1))
        facts = Facts(0, "api-time", oldest=database.clock.now() - timedelta(days=20), channels=cameras)
        with statements(database.engine) as sent:
            database.run_now(CLERK, measurements.record_measured, "r", facts)
            database.run_now(CLERK, measurements.record_measured, "r", facts)
        return sum(one.startswith(("SELECT", "DELETE")) for one in sent)

    few = probed(1)
    texts = {"name_zh": "一", "name_en": "one", "place_zh": "门", "place_en": "gate", "retention_days": 30}
    more = [Camera(id=f"c{number}", recorder_id="r", channel=str(number), **texts) for number in range(2, 41)]
    database.run_now(CLERK, lambda uow: uow.session.add_all(more))

    assert probed(40) == few
    assert database.run_now(CLERK, lambda uow: uow.session.query(RetentionMeasurement).count()) == 41


@pytest.mark.requirement("R34", verb="recorded")
def test_a_camera_that_reaches_less_far_back_than_a_week_ago_is_known(any_register: Database) -> None:
    database = any_register

    def measured(reach: timedelta) -> timedelta | None:
        now = database.clock.now()
        database.run_now(CLERK, measurements.record_measured, "r", Facts(0, "api-time", oldest=now - reach))
        return database.run_now(CLERK, lambda uow: measurements.retention_changes(uow, uow.session.query(Camera))).get(
            "c"
        )

    assert measured(timedelta(days=20)) is None
    database.clock.turn(timedelta(hours=1))
    assert measured(timedelta(days=20, hours=1)) is None
    database.clock.turn(timedelta(days=7))
    assert measured(timedelta(days=12, hours=1)) == timedelta(days=-8)
    database.clock.turn(timedelta(days=10))
    assert measured(timedelta(days=13)) is None, "ten days ago is not a week ago"
    database.clock.turn(timedelta(days=70))
    measured(timedelta(days=13))
    assert database.run_now(CLERK, lambda uow: uow.session.query(RetentionMeasurement).count()) == 1, (
        "old ones are dropped"
    )
