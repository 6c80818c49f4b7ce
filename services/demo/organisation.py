"""The organisation of the demo: departments, people and their posts, agreements, cameras and their pictures."""

import os
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.app.container import Container
from services.database.tables.agreements import Agreement
from services.database.tables.cameras import Camera, CameraPicture, Recorder
from services.database.tables.people import Department, Person, Post
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo import plans
from services.demo.recordings import RECORDERS, Recordings
from services.demo.recordings import Recorder as DemoRecorder
from services.domain.access import queries as access_queries
from services.domain.accounts.passwords import hash_published_password
from services.domain.audit import trail as audit_trail
from services.domain.cameras import reference_pictures
from services.domain.working_calendar import queries as calendar_queries
from services.domain.working_calendar import tables as calendar_tables
from services.runtime.calendar_days import CalendarDay
from services.runtime.errors import Fatal
from services.runtime.settings import variable

NAMESPACE = uuid.UUID("0f4c8d0e-6a3b-4c53-9a4e-2f6f0f7d5a10")
ACTOR = Actor("system", "demo")
AGREEMENT_TERM = timedelta(days=365)
ZONE = "Asia/Shanghai"  # of the site, and of the recorder's clock that its pictures show


@dataclass(frozen=True)
class Account:
    """A person who can sign in to the demo; ``does`` says in which role."""

    login: str
    password: str
    name: str
    department_zh: str
    does: str


@dataclass(frozen=True)
class _Department:
    key: str
    zh: str
    en: str
    superior: str | None = "management"


@dataclass(frozen=True)
class _Member:
    login: str
    name: str
    department: str
    posts: tuple[str, ...]
    does: str


# The kind of each department is its key, except production, which is a business department.
DEPARTMENTS = (
    _Department("management", "管理层", "Management", superior=None),
    _Department("production", "生产部", "Production"),
    _Department("administration", "行政部", "Administration"),
    _Department("legal", "法务部", "Legal"),
    _Department("security", "安全保卫部", "Security"),
    _Department("storage", "信息存储部", "Information storage"),
)
PEOPLE = (
    _Member("lina", "李娜", "production", ("member",), "申请人 drafts applications"),
    _Member("liuyang", "刘洋", "production", ("member",), "保管人 keeps copies"),
    _Member("zhangwei", "张伟", "production", ("head",), "部门负责人 preliminary review"),
    _Member("wangfang", "王芳", "production", ("deputy",), "部门副职 deputises for the head"),
    _Member("chenjing", "陈静", "administration", ("head",), "行政部负责人 heads Administration"),
    _Member("heping", "何平", "administration", ("supervisor",), "监督小组 supervision group"),
    _Member("yangfan", "杨帆", "legal", ("head",), "法务部负责人 heads Legal"),
    _Member("sunli", "孙丽", "legal", ("supervisor",), "监督小组 supervision group"),
    _Member("zhaoqiang", "赵强", "security", ("head",), "安全保卫负责人 signs"),
    _Member("zhoumin", "周敏", "security", ("deputy",), "安全保卫副职 deputises for the head"),
    _Member("wulei", "吴磊", "security", ("security-reviewer",), "安全审核 security review"),
    _Member("zhengjie", "郑洁", "security", ("security-reviewer",), "安全审核 security review"),
    _Member("machao", "马超", "security", ("return-inspector",), "归还检查 inspects returns"),
    _Member("hanxue", "韩雪", "security", ("supervisor",), "监督小组 supervision group"),
    _Member("zhujun", "朱军", "storage", ("head",), "存储部负责人 heads storage"),
    _Member("hutao", "胡涛", "storage", ("storage-operator",), "存储操作 releases footage"),
    _Member("linlin", "林琳", "storage", ("storage-operator",), "存储操作 releases, second person"),
    _Member("guotao", "郭涛", "storage", ("return-inspector",), "归还检查 inspects returns"),
    _Member("luoxin", "罗欣", "storage", ("administrator",), "系统管理员 administers, no footage"),
    _Member("gaofeng", "高峰", "management", ("head", "manager"), "管理层 management decision"),
    _Member("songtao", "宋涛", "management", ("deputy", "manager"), "管理层 management decision"),
    _Member("lianghong", "梁红", "management", ("manager",), "管理层 management decision"),
)
FIXED_HOLIDAYS = (
    (1, 1, "元旦", "New Year's Day"),
    (5, 1, "劳动节", "Labour Day"),
    (5, 2, "劳动节", "Labour Day"),
    (10, 1, "国庆节", "National Day"),
    (10, 2, "国庆节", "National Day"),
    (10, 3, "国庆节", "National Day"),
)
CALENDAR_REASON = "演示数据 demo"
FIXED_REASON = "演示数据，仅含日期固定的节日 demo, holidays of a fixed date alone"
MAX_USE_DAYS = 30
NAME = "示例制造有限公司"


def settings() -> dict[str, Any]:
    """Return settings of a demo that the environment lacks: its own clock, and the use period (no default, T3)."""
    chosen: dict[str, Any] = {"demo": True}
    for name, value in (("rules.max_use_days", MAX_USE_DAYS), ("organisation", NAME)):
        if not os.environ.get(variable(name)):
            chosen[name] = value
    return chosen


def prepare(container: Container, recordings: Recordings) -> list[Account]:
    """Seed the demo organisation with all its recorders, the cameras' pictures and the plans; idempotent.

    Raises Fatal for a database with other people: everybody knows the demo's passwords.
    """
    seeded = enter(container.database, recordings)
    container.database.run_now(ACTOR, seed_pictures, recordings)
    plans.seed(container.database, demo_id)
    return seeded


def enter(database: Database, recordings: Recordings) -> list[Account]:
    """Seed what ``prepare`` does but for pictures and plans."""

    def seed(uow: UnitOfWork) -> list[Account]:
        seeded = seed_demo(uow, recordings.folder(RECORDERS[0]), zone=ZONE)
        for recorder in RECORDERS[1:]:
            _recorder(uow, recorder, recordings.folder(recorder), ZONE)
        seed_calendar(uow)
        return seeded

    return database.run_now(ACTOR, seed)


def demo_id(name: str) -> str:
    """Return the identifier of a row of the demo, the same in every run."""
    return str(uuid.uuid5(NAMESPACE, name))


def accounts() -> list[Account]:
    """Return who can sign in, with passwords."""
    names = {department.key: department.zh for department in DEPARTMENTS}
    return [
        Account(member.login, f"demo-{member.login}", member.name, names[member.department], member.does)
        for member in PEOPLE
    ]


def seed_demo(uow: UnitOfWork, recordings: Path, *, zone: str = "UTC") -> list[Account]:
    """Write the demo organisation with its first recorder; existing rows stay, an expired agreement is renewed.

    ``recordings`` is the root of that recorder, with channels cam1 and cam2; ``zone`` is that of its file names.
    Raises Fatal for a database with other people.
    """
    if uow.session.get(Person, demo_id("lina")) is None and uow.session.scalar(select(Person.id).limit(1)):
        raise Fatal(
            "could not enter the demo organisation | this database has other people, and everybody knows the "
            "demo's passwords | leave --demo out, or set FOOTAGE_DESK_DATA_DIR and FOOTAGE_DESK_DATABASE_URL elsewhere"
        )
    for department in DEPARTMENTS:
        _department(uow, department)
    for member in PEOPLE:
        _member(uow, member)
    _recorder(uow, RECORDERS[0], recordings, zone)
    return accounts()


def seed_calendar(uow: UnitOfWork) -> None:
    """Import the working calendar of the demo's year and the next, which its clock may reach; existing ones stay."""
    this_year = uow.now.astimezone(ZoneInfo(ZONE)).year
    for year in (this_year, this_year + 1):
        if calendar_queries.get_newest(uow, year) is None:
            _calendar_year(uow, year)


def _calendar_year(uow: UnitOfWork, year: int) -> None:
    """Import what this release knows of the year, or the holidays whose date is the same in every year."""
    if year in calendar_tables.list_shipped():
        table, _wrong = calendar_tables.read(calendar_tables.read_shipped(str(year)))
        known, reason = () if table is None else table.days, CALENDAR_REASON
    else:
        known = tuple(CalendarDay(date(year, month, day), "off", zh, en) for month, day, zh, en in FIXED_HOLIDAYS)
        reason = FIXED_REASON
    days = [day.as_json() for day in known]
    imported = CalendarYear(year=year, days=days, imported_at=uow.now, imported_by=demo_id("luoxin"), reason=reason)
    uow.session.add(imported)
    uow.session.flush()
    audit_trail.record(uow, "calendar-imported", "calendar", str(year), days=days, reason=reason, change=imported.seq)


def seed_pictures(uow: UnitOfWork, recordings: Recordings) -> None:
    """Store the missing reference pictures of cameras, encrypted with the portal's key."""
    pictured = set(uow.session.scalars(select(CameraPicture.camera_id)))
    for camera in (camera for recorder in RECORDERS for camera in recorder.cameras):
        known = uow.session.get(Camera, demo_id(camera.key)) is not None
        if known and demo_id(camera.key) not in pictured:
            picture = recordings.photograph(camera.key)
            reference_pictures.store(uow, demo_id(camera.key), picture, demo_id("luoxin"))


def _department(uow: UnitOfWork, department: _Department) -> None:
    if uow.session.get(Department, demo_id(department.key)) is None:
        uow.session.add(
            Department(
                id=demo_id(department.key),
                name_zh=department.zh,
                name_en=department.en,
                kind="business" if department.key == "production" else department.key,
                superior_id=demo_id(department.superior) if department.superior else None,
            )
        )
        uow.session.flush()


def _member(uow: UnitOfWork, member: _Member) -> None:
    person_id, department_id = demo_id(member.login), demo_id(member.department)
    if uow.session.get(Person, person_id) is None:
        uow.session.add(
            Person(
                id=person_id,
                login=member.login,
                name=member.name,
                department_id=department_id,
                password_hash=hash_published_password(f"demo-{member.login}"),
            )
        )
        uow.session.flush()
        for kind in member.posts:
            uow.session.add(Post(person_id=person_id, department_id=department_id, kind=kind, since=uow.now))
        audit_trail.record(uow, "person-added", "person", person_id)
    if access_queries.get_valid_agreement(uow, person_id) is None:
        agreement = Agreement(
            person_id=person_id,
            version=uow.rules.agreement_version,
            signed_at=uow.now,
            expires_at=uow.now + AGREEMENT_TERM,
        )
        uow.session.add(agreement)
        uow.session.flush()
        audit_trail.record(uow, "agreement-signed", "agreement", agreement.id, version=agreement.version)


def _recorder(uow: UnitOfWork, given: DemoRecorder, root: Path, zone: str) -> None:
    recorder = uow.session.get(Recorder, demo_id(given.key))
    configuration = {"root": str(root), "layout": given.layout, "zone": zone, "identity": f"demo-{given.key}"}
    if recorder is None:
        recorder = Recorder(
            id=demo_id(given.key),
            name=given.name,
            site=given.site,
            kind="folder",
            configuration=configuration,
            zone=zone,
        )
        uow.session.add(recorder)
        uow.session.flush()
    recorder.configuration, recorder.zone = configuration, zone
    known = set(uow.session.scalars(select(Camera.channel).where(Camera.recorder_id == recorder.id)))
    for camera in given.cameras:
        if camera.channel not in known:
            uow.session.add(
                Camera(
                    id=demo_id(camera.key),
                    recorder_id=recorder.id,
                    channel=camera.channel,
                    name_zh=camera.zh,
                    name_en=camera.en,
                    place_zh=camera.place_zh,
                    place_en=camera.place_en,
                    camera_class=camera.camera_class,
                    retention_days=camera.days,
                )
            )
    uow.session.flush()
