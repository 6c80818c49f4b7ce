"""Fill a database with a year of cases: rows as the product writes them, without its acts and files.

The organisation is the demo's, with departments, members and cameras added. Cases that have ended went through every
stage to the archive, or were rejected; the newest are open, spread over every stage. A case has about 70 rows, of them
15 audit events and 6 notices; a real one has 125 (docs/capacity.md).
"""

import bisect
import hashlib
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert, select

from services.database.base import Base
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.case_texts import CaseText, text_of
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document, NumberSeries
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Department, Person, Post
from services.database.tables.process_steps import ProcessStep
from services.database.tables.returns import ArchiveEntry, Inspection, Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.stage_visits import StageVisit
from services.database.tables.suspensions import Suspension
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id, seed_demo
from services.demo.year import disclosures, names, recalls
from services.demo.year import matters as year_matters
from services.domain.accounts.passwords import hash_published_password
from services.domain.applications import applicable, forms
from services.domain.audit import checkpoints
from services.domain.custody import log as custody_log
from services.domain.custody import suspensions
from services.domain.handling import cases as handling_of_cases
from services.domain.matters.kinds.recall import SIGNED_WITHIN
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Stage
from services.runtime.clock import Clock
from services.vault.store.protocol import Store
from services.verifier.bindings import signature_fields
from services.verifier.merkle import leaf_hash

ACTOR = Actor("system", "bench")
SEED = 2031
YEAR, HOUR, DAY = timedelta(days=365), timedelta(hours=1), timedelta(days=1)
AT_ONCE = 1000  # cases in one transaction
CACHE_KIB = 256 << 10  # of SQLite's pages while it is filled, in which its indexes have room
MEMBER = "bench-person-"  # what the ids of the departments' people begin with
ZONE = "Asia/Shanghai"
# The work whose time is counted, by its element in the shipped model.
STAGE_OF = {
    "Task_PreserveFootage": "preservation",
    "Task_RetrieveFootage": "retrieval",
    "Task_EncryptCopy": "issuing",
}
APPROVAL = {"preliminary": "zhangwei", "security": "wulei", "security-signature": "zhaoqiang"}
LATEST_END = timedelta(days=15)  # how long ago, about, the last of those that have ended did
REJECTED_EACH = 10  # one in so many of those that have ended
WITHOUT_EACH = 37  # of so many one is withdrawn, and one was not corrected in time: their remainders
WITHDRAWN, EXPIRED = 7, 27
CORRECTION = timedelta(days=7)
# Of so many cases of a year whose violations are planned one is recalled, one is recalled while it is an offer, of one
# the recall is signed by nobody, and one is provided to an authority: their remainders. What is provided has ended so
# long ago that the numbers of the officers' cards are deleted.
RARE_EACH = 83
RECALLED, OFFER_RECALLED, NOT_SIGNED, PROVIDED = "recalled", "offer-recalled", "recall-not-signed", "provided"
RARE = {11: RECALLED, 29: OFFER_RECALLED, 52: NOT_SIGNED, 71: PROVIDED}
CARDS_GONE = timedelta(days=80)
LIMITS = {"recall": SIGNED_WITHIN, "credentials": timedelta(hours=4)}  # of a review, else three days
TOLD = {"recall": "zhaoqiang", "security-signature": "zhaoqiang", "legal": "yangfan", "credentials": "zhengjie"}
# where the open ones are; a stage is an open review
OPEN = (
    *(*APPROVAL, "management", "storage-release", "receipt", "return-inspection"),
    *("draft", "correction", "retrieval", "in-use", "in-use", "in-use", "overdue"),
)
PLACES = ("北门", "南门", "走廊", "仓库", "车间", "停车场", "食堂", "电梯厅")
ATTESTED: dict[str, Any] = {"downloads": {}, "noOtherCopies": True}
_CLASSED: dict[str, Any] = {"importantInformation": False, "sensitiveEvent": False, "highImpact": False}
# What a stage decides besides its outcome.
GRANTED = {
    "security": {**_CLASSED, "usePeriodDays": 7, "wayOfUse": "view"},
    "security-signature": _CLASSED,
}
VERIFIED_EVERY = timedelta(days=90)  # half of the usual rules.reverify_every, after which a master is due
NO_FOOTAGE = "演示年份的案例没有录像"
REASON, OPINION = "理由充分，范围与用途相符", "同意"
NO_LONGER = "已经查明，不再需要录像"
PURPOSES = tuple(forms.PURPOSE_CATEGORIES)


@dataclass(frozen=True)
class Size:
    """How much is filled in.

    ``cameras``: 0 for those that the organisation has. ``violations``: the kinds of exactly these, and no hold, and
    beside them recalls and what is provided to authorities; None for one violation in so many loans. ``password``:
    of all members; empty for none, so that nobody signs in as one.
    """

    cases: int
    open: int = 1500
    people: int = 2000
    cameras: int = 1000
    violations: tuple[str, ...] | None = None
    password: str = ""


@dataclass
class _Rows:
    """Rows by table, and the events of the audit trail in order."""

    of: dict[type[Base], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    events: list[AuditEvent] = field(default_factory=list)

    def add(self, table: type[Base], **values: Any) -> dict[str, Any]:
        self.of[table].append(values)
        return values

    def write(self, uow: UnitOfWork) -> None:
        for table in cast("Sequence[Table]", Base.metadata.sorted_tables):
            for mapped, rows in self.of.items():
                if mapped.__table__ is table and rows:
                    columns = {column.key: _default(column) for column in table.columns}
                    uow.session.execute(insert(table), [columns | row for row in rows])
        self.of.clear()


@dataclass(frozen=True)
class _Organisation:
    drafters: Sequence[tuple[str, str, str]]  # person, department, head of the department
    departments: Mapping[str, dict[str, str]]
    names: Mapping[str, str]
    cameras: Sequence[dict[str, Any]]
    recorders: Mapping[str, str]  # their names
    agreements: Mapping[str, str]  # of whom the demo has brought, by person


@dataclass
class _Series:
    """Chance, and the last number of each series of documents."""

    chance: random.Random
    numbers: dict[str, int]
    checkpoint: dict[str, Any] | None = None  # the newest of the audit trail, which signatures name
    handled: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)  # by camera


def fill(database: Database, recordings: Path, size: Size) -> None:
    """Fill an empty, migrated database with ``size``; the same rows each time, up to ids and the present time."""
    database.run_now(ACTOR, lambda uow: seed_demo(uow, recordings, zone=ZONE))
    Filling(database, size, database.clock).until(None)


class Filling:
    """A year up to the present moment of a clock, written part by part in the order of time.

    Between two parts others may act at that moment: the audit trail and the numbers of documents are as far as that.
    """

    def __init__(self, database: Database, size: Size, clock: Clock, *, store: Store | None = None) -> None:
        """Begin with the departments. ``store``: where each master lies as a short text instead of footage."""
        self._store = store
        self._database, self._size, self._now = database, size, clock.now()
        self._organisation = database.run_now(ACTOR, _organisation, size, self._now)
        self._series = _Series(random.Random(SEED), defaultdict(int))  # noqa: S311 - no secret
        self._rows = _Rows()
        self._written = 0
        self._planned = _planned(size)

    def until(self, moment: datetime | None) -> None:
        """Write the cases that begin before ``moment`` and what the audit trail has by then; None: all of it."""
        while True:
            part = list(itertools.islice(self._left(moment), AT_ONCE))
            last = len(part) < AT_ONCE
            self._database.run_now(ACTOR, self._write, part, moment if last else part[-1][1], last and moment is None)
            self._written += len(part)
            if last:
                return

    def _left(self, moment: datetime | None) -> Iterator[tuple[int, datetime, str]]:
        for number in range(self._written, self._size.cases):
            begun, stands = self._begin(number)
            if moment is not None and begun >= moment:
                return
            yield number, begun, stands

    def _begin(self, number: int) -> tuple[datetime, str]:
        """Return when a case begins and where it stands."""
        size, now = self._size, self._now
        left = size.cases - number
        if left > size.open:
            ended = size.cases - size.open
            begun = now - YEAR - 10 * DAY + (YEAR - LATEST_END) * (number / ended)
            stands = _end_of(number, size)
            return begun, "ended" if stands == PROVIDED and now - begun < CARDS_GONE else stands
        stands = OPEN[number % len(OPEN)]
        return now - (20 * DAY if stands in ("in-use", "overdue") else (2 + left % 5) * DAY), stands

    def _write(
        self, uow: UnitOfWork, part: Sequence[tuple[int, datetime, str]], moment: datetime | None, whole: bool
    ) -> None:
        if uow.session.get_bind().dialect.name == "sqlite":
            uow.session.connection().exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KIB}")
        numbers = self._series.numbers
        kept = {f"{row.prefix}-{row.year}": row for row in uow.session.scalars(select(NumberSeries))}
        numbers |= {name: row.last for name, row in kept.items()}
        self._series.checkpoint = checkpoints.newest_as_json(uow)
        for number, begun, stands in part:
            breach, planned = self._planned.get(number), self._size.violations is not None
            at: dict[str, Any] = {
                "stands": stands,
                "place": number,
                "begun": begun,
                "breach": breach,
                "planned": planned,
            }
            Case(self._rows, self._organisation, self._series, now=self._now, uow=uow, store=self._store, **at).write()
        events = self._rows.events
        events.sort(key=lambda event: event.at)
        self._rows.write(uow)
        # an event that is later than what comes next waits for it: the trail is in the order of time
        known = len(events) if whole or moment is None else bisect.bisect_left(events, moment, key=lambda one: one.at)
        uow.events.extend(events[:known])
        del events[:known]
        for name, last in numbers.items():
            prefix, year = name.split("-")
            if name in kept:
                kept[name].last = last
            else:
                uow.session.add(NumberSeries(prefix=prefix, year=int(year), last=last))


def _end_of(number: int, size: Size) -> str:
    """Return how a case ends: most with a loan that is over."""
    if number % REJECTED_EACH == 0:
        return "rejected"
    rare = "ended" if size.violations is None else RARE.get(number % RARE_EACH, "ended")
    return {WITHDRAWN: "withdrawn", EXPIRED: "expired"}.get(number % WITHOUT_EACH, rare)


def _planned(size: Size) -> dict[int, str]:
    """Spread the violations that are asked for over the year, among the cases that were approved."""
    ended, planned = size.cases - size.open, {}
    for place, kind in enumerate(size.violations or ()):
        number = int(ended * (place + 0.5) / len(size.violations or ()))
        while _end_of(number, size) != "ended" or number in planned:
            number += 1
        planned[number] = kind
    return planned


def _organisation(uow: UnitOfWork, size: Size, now: datetime) -> _Organisation:
    rows, since = _Rows(), now - 2 * YEAR
    departments = {f"bench-department-{n}": {"zh": zh, "en": en} for n, (zh, en) in enumerate(names.DEPARTMENTS)}
    for department, name in departments.items():
        of = {"name_zh": name["zh"], "name_en": name["en"], "superior_id": demo_id("management")}
        rows.add(Department, id=department, kind="business", **of)
    drafters, known = [], {}
    password = hash_published_password(size.password) if size.password else "!"
    keys = list(departments)
    for n in range(max(size.people, 2 * len(keys))):
        person, department = f"{MEMBER}{n}", keys[n % len(keys)]
        known[person] = names.person(n)
        of = {"login": f"member{n:05}", "name": known[person], "department_id": department, "password_hash": password}
        rows.add(Person, id=person, locale="zh", active=True, failed_logins=0, must_change_password=False, **of)
        kind = "head" if n < len(keys) else "member"
        rows.add(Post, id=person, person_id=person, department_id=department, kind=kind, since=since)
        signed = {"version": uow.rules.agreement_version, "signed_at": since, "expires_at": now + YEAR}
        rows.add(Agreement, id=person, person_id=person, **signed)
        if kind == "member":
            drafters.append((person, department, f"{MEMBER}{n % len(keys)}"))
    cameras = [] if size.cameras else [_columns(row) for row in uow.session.scalars(select(Camera).order_by(Camera.id))]
    for n in range(size.cameras):
        recorder = f"bench-recorder-{n // 32}"
        if n % 32 == 0:
            of = {"name": f"录像机{n // 32 + 1}", "site": f"厂区{n // 640 + 1}", "kind": "folder", "zone": ZONE}
            rows.add(Recorder, id=recorder, configuration={}, active=True, **of)
        place = PLACES[n % len(PLACES)]
        camera = {
            **{"id": f"bench-camera-{n}", "recorder_id": recorder, "channel": str(n % 32 + 1)},
            **{"name_zh": f"{place}{n + 1}号", "name_en": f"Camera {n + 1}", "place_zh": f"{n % 9 + 1}号楼{place}"},
            **{"place_en": f"Building {n % 9 + 1}", "camera_class": "ordinary", "retention_days": 15 + n % 31},
        }
        cameras.append(rows.add(Camera, active=True, overwritten=True, **camera))
    agreements = {row.person_id: row.id for row in uow.session.scalars(select(Agreement).order_by(Agreement.signed_at))}
    known |= {row.id: row.name for row in uow.session.scalars(select(Person))}
    of_demo = {row.id: {"zh": row.name_zh, "en": row.name_en} for row in uow.session.scalars(select(Department))}
    rows.write(uow)
    recorders = {row.id: row.name for row in uow.session.scalars(select(Recorder))}
    return _Organisation(drafters, departments | of_demo, known, cameras, recorders, agreements)


def _columns(camera: Camera) -> dict[str, Any]:
    return {column.key: getattr(camera, column.key) for column in Camera.__table__.columns}


@dataclass
class Case:
    rows: _Rows
    organisation: _Organisation
    series: _Series
    stands: str
    place: int
    begun: datetime
    now: datetime
    uow: UnitOfWork
    store: Store | None
    breach: str | None  # the kind of the violation that is to come of it
    planned: bool  # violations and holds come as planned, not at rates

    def write(self) -> None:
        self.ids = itertools.count()
        self.visits: list[tuple[datetime, str, datetime]] = []
        self.violation: dict[str, Any] = {}
        self.on_behalf: dict[str, Any] = {}  # what the form says of people outside
        self.officers: list[dict[str, Any]] = []
        self.id, self.item = self.new_id(), self.new_id()
        self.drafter, self.department, self.head = self.series.chance.choice(self.organisation.drafters)
        if self.stands == PROVIDED:
            self.drafter, self.department = demo_id(disclosures.DRAFTER), demo_id("security")
        self.custodian = self.drafter
        self.camera = self.series.chance.choice(self.organisation.cameras)
        self.at = self.begun
        self.key = (self.place + 1) * 1000  # of the process instance; those of its steps follow
        draft = self.stands == "draft"
        self.number = None if draft else self.new_number("SQ")
        self.application = self._application()
        self._item()
        if self.stands == PROVIDED:
            disclosures.write_outsiders(self)
        row = self.application
        text = text_of(self.number, row["reason"], row["incident_reference"])
        self.rows.add(CaseText, application_id=self.id, text=text)
        if draft:
            return
        self._submit()
        if self.stands == "correction":
            self.decide("preliminary", self.head, "returned")
            self.application |= {"correction_until": self.now + 3 * DAY, "correction_seconds": 3 * 86400}
        elif self.stands == "withdrawn":
            self._withdraw()
        elif self.stands == "expired":
            self._expire()
        elif self._approve():
            self._retrieve()

    def new_id(self) -> str:
        """Return an identifier of the product's form, in the order of the cases: a year's rows lie by age as well."""
        return f"{self.place:08x}-0000-4000-8000-{next(self.ids):012x}"

    def new_key(self) -> int:
        """Return the key of an instance beside that of the case."""
        self.key += 10
        return self.key

    def colleague(self) -> str | None:
        """Return another member of the department who has no part in the case; None where there is none."""
        members = (person for person, department, _ in self.organisation.drafters if department == self.department)
        return next((person for person in members if person != self.drafter), None)

    def new_number(self, prefix: str) -> str:
        year = self.at.astimezone(ZoneInfo(ZONE)).year
        self.series.numbers[f"{prefix}-{year}"] += 1
        return f"{prefix}-{year}-{self.series.numbers[f'{prefix}-{year}']:06d}"

    def _application(self) -> dict[str, Any]:
        n = self.place
        return self.rows.add(
            Application,
            id=self.id,
            number=self.number,
            policy_version="1",
            drafter_id=self.drafter,
            department_id=self.department,
            custodian_id=self.custodian,
            created_at=self.begun - HOUR,
            submitted_at=None,
            listed_at=self.begun - HOUR,
            round=0,
            reason=names.REASONS[n % len(names.REASONS)][0].format(place=self.camera["place_zh"], number=n),
            purpose=names.REASONS[n % len(names.REASONS)][1],
            purpose_category=PURPOSES[n % len(PURPOSES)],
            legal_basis="internal-management",
            incident_reference=f"SJ-{n:06}" if n % 4 == 0 else None,
            way_of_use="view",
            way_of_use_because="",
            place_of_use="部门办公室",
            subject_ids=[],
            recipient_ids=[],
            requested_use_days=7,
            important_information=False,
            sensitive_event=False,
            high_impact=False,
            sensitivities=[],
            rule_ids=[],
            joint_department_ids=[],
            near_departments={self.drafter: [self.department]},
            process_instance_key=self.key,
        )

    def _item(self) -> None:
        start = self.begun - DAY
        self.asked = (start, start + HOUR)
        self.item_row = self.rows.add(
            Item,
            id=self.item,
            application_id=self.id,
            position=1,
            camera_id=self.camera["id"],
            zone=ZONE,
            asked_start=self.asked[0],
            asked_end=self.asked[1],
        )

    def _submit(self) -> None:
        name = self.organisation.departments[self.department]
        drafter = {"id": self.drafter, "name": self.organisation.names[self.drafter]}
        self.application["submitted_at"] = self.application["listed_at"] = self.at
        has = [moment.isoformat() for moment in self.asked]
        self.item_row["reported"] = {"at": self.at.isoformat(), "covered": [has]}
        row = self.application
        form = {
            **{"title": forms.TITLE, "number": self.number, "policyVersion": "1", "organisation": "", "round": 0},
            **{"submittedAt": self.at.isoformat(), "department": {"id": self.department, **name}},
            **{"drafter": drafter, "custodian": drafter, "recipients": [], "previousApplication": None},
            **{"reason": row["reason"], "purpose": row["purpose"], "purposeCategory": row["purpose_category"]},
            **{"legalBasis": row["legal_basis"], "incidentReference": row["incident_reference"], "wayOfUse": "view"},
            **{"placeOfUse": row["place_of_use"], "requestedUseDays": 7, "subjects": [], "urgentBecause": None},
            **{"importantInformation": False, "sensitiveEvent": False, "highImpact": False, "sensitivities": []},
            **{"jointDepartments": [], "consents": [], **self.on_behalf, **self._handling()[1]},
            "items": [
                {
                    **{"id": self.item, "position": 1, "zone": ZONE, "source": {"kind": "camera"}},
                    "camera": {name: self.camera[key] for name, key in CAMERA_NAMES.items()},
                    "place": {"zh": self.camera["place_zh"], "en": self.camera["place_en"]},
                    **{"from": self.asked[0].isoformat(), "to": self.asked[1].isoformat()},
                }
            ],
        }
        self.form_sha256 = _sha256(canonical(form))
        of = {"submitted_by": self.drafter, "submitted_at": self.at, "form": form, "sha256": self.form_sha256}
        self.rows.add(Revision, id=self.new_id(), application_id=self.id, round=0, **of)
        self.record("application-submitted", "application", self.id, number=self.number, sha256=self.form_sha256)
        self.publish("application-submitted", self.id)
        self._step("Task_OpenCase")
        self._step("Task_PreserveFootage")
        self._step("Call_CredentialsChecked" if self.stands == PROVIDED else "Task_PreliminaryReview")

    def _approve(self) -> bool:
        """Decide what was decided; False where the case waits or has ended."""
        approval = disclosures.APPROVAL if self.stands == PROVIDED else APPROVAL
        for stage, by in approval.items():
            person = self.head if stage == "preliminary" else demo_id(by)
            if self.stands == stage:
                self.open_review(stage)
                return False
            if stage == "security" and self.stands == "rejected":
                self.decide(stage, person, "rejected")
                self._step("Task_ReleasePreservation")
                appeal_until = self.at + self.uow.rules.appeal_window
                kept = appeal_until if appeal_until > self.now else None
                self.application |= {"appeal_until": appeal_until, "discard_after": kept}
                self._close("rejected")
                return False
            self.decide(stage, person, STAGES[stage].favourable)
            if stage == "preliminary":
                self._step("Task_SecurityReview")
        if self.stands == "management":
            self.open_review("management")
            return False
        return True

    def _withdraw(self) -> None:
        """Withdraw the application while its first review is open."""
        review = self.open_review("preliminary")
        self._step("Task_OpenReview", "review")
        self.at += HOUR
        self.application["withdrawn_at"] = self.at
        self.record("application-withdrawn", "application", self.id, by=self.drafter, reason=NO_LONGER)
        self.publish("application-withdrawn", self.id)
        review |= {"closed_at": self.at, "closed_because": "case-closed:withdrawn"}
        self.visits.append((review["opened_at"], "preliminary", self.at))
        self._step("Task_ReleasePreservation")
        self._close("withdrawn")

    def _expire(self) -> None:
        """Send the application back, and let the time to correct it end."""
        self.decide("preliminary", self.head, "returned")
        self.application["correction_seconds"] = int(CORRECTION.total_seconds())
        self.visits.append((self.at, "correction", self.at + CORRECTION))
        self.at += CORRECTION
        self.record("correction-expired", "application", self.id, round=1)
        self._step("Task_ExpireApplication")
        self._step("Task_ReleasePreservation")
        self._close("expired")

    def _handling(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return how the case is handled, and what its form keeps of the rules that apply; the same of each camera."""
        camera = self.camera["id"]
        if camera not in self.series.handled:
            row = Application(**self.application)
            handling = handling_of_cases.compute(self.uow, row, [Item(camera_id=camera)])
            rules = applicable.as_json(applicable.list_bearing(self.uow, row, handling), row)
            self.series.handled[camera] = handling.as_json(), rules
        return self.series.handled[camera]

    def _retrieve(self) -> None:
        granted = {"granted_way_of_use": "view", "granted_use_days": 7, "importance": "ordinary"}
        self.application |= {**granted, "management_needed": False, "second_person": False, "backup_needed": False}
        self.application |= {"max_use_days": 30, "handling": self._handling()[0]}
        self.item_row |= {"granted_start": self.asked[0], "granted_end": self.asked[1]}
        self.write_document("application-form", self.number or "", {"number": self.number, "round": 0})
        self._step("Task_FileApplication")
        self.application["storage_notified_at"] = self.at
        self._step("Task_NotifyStorage")
        if self.stands == "storage-release":
            self.open_review("storage-release")
            return
        self.decide("storage-release", demo_id("hutao"), "approved")
        if self.stands == "retrieval":
            self._step("Task_RetrieveFootage", ends=False)
            return
        self._seal()
        self._lend()

    def _seal(self) -> None:
        self._step("Task_RetrieveFootage")
        span = [moment.isoformat() for moment in self.asked]
        self.item_row |= {"outcome": "complete", "coverage": 1.0, "loss_accepted": False}
        text = f"{self.number}: {NO_FOOTAGE}".encode()
        attempt = self.new_id()
        key, version = f"masters/{self.item}/{attempt}", "1"
        if self.store is not None:
            version = self.store.put("masters", key, BytesIO(text), metadata={}).version_id
        sealed: dict[str, Any] = {
            **{"key": key, "bucket": "masters", "versionId": version, "size": len(text)},
            **{"sha256Plain": _sha256(self.item.encode()), "plainSize": 1 << 28, "sha256Cipher": _sha256(text)},
            **{"outcome": "complete", "fragments": [], "cameraSignature": None},
            "coverage": {
                **{"asked": span, "covered": [span], "gaps": [], "share": 1.0, "leadInMs": 0, "tailMs": 0},
                **{"codecs": ["avc1"], "parts": [], "firstFrame": span[0], "lastFrame": span[1], "zero": span[0]},
            },
        }
        record = self.retrieval_record = self.new_number("DQ")
        self.recorder_clock = {"zone": ZONE, "offsetMs": 0, "method": "api-time", "uncertaintyMs": 500}
        content = {
            **{"number": record, "item": self.item, "form": {"number": self.number}, "difficulties": []},
            "recorderClock": self.recorder_clock,
        }
        master = self.new_id()
        self.write_document("retrieval-record", record, content, item_id=self.item)
        kept = {"application_id": self.id, "item_id": self.item}
        facts: dict[str, Any] = {
            "item": self.item,
            "sha256_plain": sealed["sha256Plain"],
            "sha256_cipher": sealed["sha256Cipher"],
        }
        of = {"origin": "recorder", "retrieved_at": self.at, "sealed": sealed, "retain_until": None, **kept}
        # as a master that was read again each time it was due: every night a few are
        of["last_verified_at"] = self.now - (self.now - self.at) % VERIFIED_EVERY
        self._upload(attempt, "master", "masters", key, version)
        self.master = self.rows.add(Master, id=master, attempt_id=attempt, **of)
        self.record("footage-retrieved", "master", master, outcome="complete", **facts)
        self._step("Task_EncryptCopy")
        attempt = self.new_id()
        key = f"copies/{self.item}/{attempt}"
        self._upload(attempt, "copy", "copies", key, "1")
        self.copy = self.rows.add(
            Copy,
            id=self.new_id(),
            **kept,
            master_id=master,
            attempt_id=attempt,
            made_at=self.at,
            footage_from=self.asked[0],
            footage_until=self.asked[1],
            sealed={**sealed, "bucket": "copies", "key": key, "versionId": "1"},
        )
        self.record("copy-issued", "copy", self.copy["id"], **facts)

    def _upload(self, attempt: str, purpose: str, bucket: str, key: str, version: str) -> None:
        of = {"purpose": purpose, "application_id": self.id, "item_id": self.item, "subject_id": self.item}
        done = {"job_key": self.key, "bucket": bucket, "key": key, "started_at": self.at, "finished_at": self.at}
        self.rows.add(UploadAttempt, id=attempt, version_id=version, **of, **done)

    def _lend(self) -> None:
        self._step("Task_HandOver")
        loan = self.new_id()
        self.copy["hand_over_id"] = loan
        self.entries = 0, custody_log.NOTHING_BEFORE
        self.loan = self.rows.add(
            HandOver,
            id=loan,
            application_id=self.id,
            custodian_id=self.custodian,
            agreement_id=None,
            offered_at=self.at,
            take_up_until=self.at + 7 * DAY,
            use_days=7,
            grace_seconds=86400,
        )
        self.log("offered", None, of_copy=False, copies=[self.copy["id"]])
        if self.stands == "receipt":
            self.loan["take_up_until"] = self.now + 5 * DAY
            self.open_review("receipt", loan)
            return
        if self.stands == OFFER_RECALLED:
            recalls.write_of_offer(self, self.open_review("receipt", loan))
            self._end_offer("copy-not-taken-up")
            return
        until = {"in-use": self.now + 4 * DAY, "overdue": self.now - HOUR}.get(self.stands, self.at + 7 * DAY)
        taken = {"handOver": loan, "copies": [self.copy["id"]], "dueAt": until.isoformat(), "agreementVersion": "1"}
        taken |= {"conditionsVersion": "1"}
        self.decide("receipt", self.custodian, "accepted", loan, answers=taken, variables={"dueAt": until.isoformat()})
        agreement = self.organisation.agreements.get(self.custodian, self.custodian)
        self.loan |= {"accepted_at": self.at, "agreement_id": agreement, "conditions_version": "1", "due_at": until}
        self.log("received", self.custodian, of_copy=False, **taken)
        grant = {"copy_id": self.copy["id"], "person_id": self.custodian, "action": "view", "since": self.at}
        self.grant = self.rows.add(Grant, id=self.new_id(), **grant, until=until)
        self.at += DAY
        self.log("viewed", self.custodian, viewing=self.new_id(), address="127.0.0.1")
        if self.breach is None:
            year_matters.write_of_loan(self)
        if self.stands in ("in-use", "overdue"):
            return
        if self.stands == PROVIDED:
            disclosures.write(self)
            self._end_loan(PROVIDED, "footage-provided", in_order=True)
            return
        if self.stands == RECALLED:
            recalls.write_signed(self)
            self._inspect(loan)
            return
        unsigned = recalls.write_unsigned(self) if self.stands == NOT_SIGNED else None
        self.at = until + 2 * DAY if self.breach == "overdue" else self.at + DAY
        year_matters.write_breach_of_loan(self)
        if self.breach == "loss":
            self._lose(loan)
            return
        signature = self.sign(self.custodian, {"kind": "return", "handOver": loan, "attestation": ATTESTED})
        signed = {"statement_sha256": signature["sha256"], "signature": signature}
        self.end_use("returned", self.custodian, ATTESTED, signed)
        self.log("returned", self.custodian, of_copy=False, return_to="security", statement_sha256=signature["sha256"])
        if unsigned is not None:
            recalls.close_unsigned(self, *unsigned)
        self._inspect(loan)

    def end_use(self, because: str, by: str, attestation: dict[str, Any], signed: dict[str, Any]) -> None:
        """Write the return by this person, and the end of the grant."""
        loan = self.loan["id"]
        self.loan["returned_at"] = self.at
        self.visits.append((self.loan["accepted_at"], "in-use", self.at))
        returned = {"returned_by": by, "returned_at": self.at, "return_to": "security"}
        self.rows.add(Return, id=self.new_id(), hand_over_id=loan, attestation=attestation, **returned, **signed)
        self.grant |= {"ended_at": self.at, "ended_because": because}
        self.copy["key_destroyed_at"] = self.at
        self.publish("copy-returned", loan, {})

    def _inspect(self, loan: str) -> None:
        self._step("Task_InspectReturn")
        found = {"hashes": {self.copy["id"]: True}, "findings": []}
        self.rows.add(Inspection, id=self.new_id(), hand_over_id=loan, inspected_at=self.at, **found)
        if self.stands == "return-inspection":
            self.open_review("return-inspection", loan)
            return
        in_order = self.breach != "discrepancy"
        self.decide("return-inspection", demo_id("machao"), "in-order" if in_order else "discrepancy", loan)
        self._end_loan("returned", "footage-re-archived" if in_order else "return-disputed", in_order=in_order)

    def _lose(self, loan: str) -> None:
        self.loan |= {"lost_at": self.at, "loss": {"kind": "lost", "whatHappened": "存有副本的移动硬盘在外勤途中遗失"}}
        since = {"hand_over_id": loan, "cause": suspensions.LOST, "since": self.at}
        self.rows.add(Suspension, id=self.new_id(), violation_id=None, matter_id=None, **since)
        self.log("lost", self.custodian, of_copy=False, kind="lost")
        self.grant |= {"ended_at": self.at, "ended_because": "lost"}
        self.copy["key_destroyed_at"] = self.at
        self.publish("loan-closed", loan, {"loanOutcome": "lost"})
        self.publish("copy-lost", loan, {})
        year_matters.write_loss(self)
        self._end_loan("lost", "copy-lost", in_order=False)

    def _end_offer(self, closed_as: str) -> None:
        """End the case of an offer that has ended: its copy goes, and its master waits for its disposal."""
        self._step("Task_ReleaseNotTakenUp")
        self.copy |= {"key_destroyed_at": self.at, "discarded_at": self.at, "discarded_because": closed_as}
        disposed = (self.at + self.uow.rules.lock_term).replace(microsecond=0)
        self.master |= {"unneeded_at": self.at, "retain_until": disposed}
        self._keep_until(disposed)
        self._close(closed_as)

    def _end_loan(self, because: str, closed_as: str, *, in_order: bool) -> None:
        self._step("Task_ArchiveProvided" if because == PROVIDED else "Task_ReArchive")
        dispose = self.at + self.uow.rules.ordinary_retention
        if because != PROVIDED:  # the receipt has ended the loan
            self.loan["ended_at"] = self.at
            self.log("ended", None, of_copy=False, because="re-archived" if because == "returned" else because)
        self.copy |= {"key_destroyed_at": self.at, "discarded_at": self.at, "discarded_because": because}
        self.master["archived_at"] = self.at
        self._keep_until(dispose)
        archived = {"archived_at": self.at, "in_order": in_order, "dispose_after": dispose, "location": "masters"}
        self.rows.add(ArchiveEntry, id=self.new_id(), application_id=self.id, **archived)
        self._close(closed_as)
        year_matters.write_of_ended(self)

    def _keep_until(self, dispose: datetime) -> None:
        """Let the master wait for its disposal, locked where its footage lies in a store."""
        self.master["dispose_after"] = dispose
        if dispose > self.now and self.store is not None:
            sealed = self.master["sealed"]
            self.store.retain(sealed["bucket"], sealed["key"], sealed["versionId"], dispose)
            self.master["retain_until"] = dispose

    def _close(self, outcome: str) -> None:
        self.application |= {"closed_at": self.at, "closed_as": outcome, "visits_added_at": self.at}
        for place, (since, stage, until) in enumerate(sorted(self.visits)):
            of = {"stage": stage, "since": since, "seconds": (until - since).total_seconds()}
            self.rows.add(StageVisit, application_id=self.id, place=place, **of)
        self.record("case-closed", "application", self.id, outcome=outcome)

    def open_review(
        self, stage: str, hand_over: str | None = None, *, of: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Open a review of the application, of a loan, or ``of`` a matter."""
        self.at += HOUR
        self.notify("review-opened", self.head if stage == "preliminary" else demo_id(TOLD.get(stage, "wulei")))
        self.key += 10
        limit = LIMITS.get(stage, 3 * DAY)
        return self.rows.add(
            Review,
            id=self.new_id(),
            application_id=self.id,
            stage=stage,
            round=0,
            hand_over_id=of["hand_over_id"] if of else hand_over,
            matter_id=of["id"] if of else None,
            job_key=self.key,
            process_instance_key=self.key,
            opened_at=self.at,
            due_at=self.at + limit,
            first_reminder_at=None if stage == "receipt" else self.at + limit / 3,
            due_reason=None if stage == "receipt" else {"counts": "calendar", "seconds": int(limit.total_seconds())},
            closed_at=None,
            closed_because=None,
        )

    def decide(
        self,
        stage: str,
        by: str,
        outcome: str,
        hand_over: str | None = None,
        *,
        of: dict[str, Any] | None = None,
        answers: dict[str, Any] | None = None,
        variables: dict[str, Any] | None = None,
        judgement: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Open a review and answer it: of the application, of a loan, or ``of`` a matter.

        ``answers``: of a receipt, in the place of the stage's questions, a reason and an opinion. ``judgement``: what
        is decided of a violation.
        """
        review = self.open_review(stage, hand_over, of=of)
        self._step("Task_OpenReview", "review")
        self.at += 3 * HOUR
        review |= {"closed_at": self.at, "closed_because": "decided"}
        if of is None:
            self.visits.append((review["opened_at"], stage, self.at))
        told = {"decision": outcome, **GRANTED.get(stage if of is None else "", {}), **(variables or {})}
        statement = {**self.statement(review, of, outcome, by), "variables": told}
        if answers is not None:
            statement |= {"answers": answers, "reason": None, "opinion": None}
        if judgement is not None:
            statement |= {"judgement": judgement}
        signature = self.sign(by, statement)
        decision = self.rows.add(
            Decision,
            id=self.new_id(),
            review_id=review["id"],
            application_id=self.id,
            matter_id=of["id"] if of else None,
            stage=stage,
            round=0,
            outcome=outcome,
            decided_by=by,
            decided_at=self.at,
            answers=statement["answers"],
            reason=statement["reason"],
            opinion=statement["opinion"],
            variables=told,
            judgement=judgement,
            form_sha256=statement["form"],
            statement_sha256=signature["sha256"],
            signature=signature,
        )
        signed = {"statement_sha256": signature["sha256"], **signature_fields(signature)}
        self.record("review-decided", "review", review["id"], by=by, outcome=outcome, **signed)
        self.publish("review-decided", review["id"], told, matter=of)
        return decision

    def statement(self, review: dict[str, Any], of: dict[str, Any] | None, outcome: str, by: str) -> dict[str, Any]:
        """Return what the decider signs, as ``reviews.service`` builds it."""
        stage = STAGES[review["stage"]]
        form = of["facts_sha256"] if of else self.form_sha256
        answers = {question.code: True for question in stage.questions}
        return {
            **{"kind": "decision", "review": review["id"], "application": self.id, "number": self.number},
            **({"matter": of["id"]} if of else {}),
            **{"stage": stage.code, "round": 0, "form": form, "outcome": outcome, "answers": answers},
            "reason": REASON if of is None or outcome in stage.reason_for else None,
            **{"opinion": OPINION if self._says_opinion(stage, of, outcome) else None, "lowered": []},
            **{"granted": [], "variables": {"decision": outcome}, "person": by, "standsInFor": None},
            **{"represented": [], "decidedAt": self.at.isoformat()},
        }

    def _says_opinion(self, stage: Stage, of: dict[str, Any] | None, outcome: str) -> bool:
        """Whether the decider gives an opinion: in approving an application, else where the stage asks for one."""
        return stage.opinion_needed or (of is None and outcome == stage.favourable)

    def sign(self, by: str, statement: dict[str, Any]) -> dict[str, Any]:
        """Return a signature by password over the statement, with the newest checkpoint of the audit trail in it."""
        whole = {**statement, "auditCheckpoint": self.series.checkpoint}
        of = {"method": "password", "person": by, "sha256": self.hash_of(whole), "signedAt": self.at.isoformat()}
        return {**of, "statement": whole}

    def hash_of(self, facts: dict[str, Any]) -> str:
        return _sha256(canonical(facts))

    def _step(self, element: str, process: str = "video-retrieval", *, ends: bool = True) -> None:
        self.key += 1
        began, self.at = self.at, self.at + timedelta(minutes=2)
        if element in STAGE_OF:
            self.visits.append((began, STAGE_OF[element], self.at))
        instance = self.application["process_instance_key"] if process == "video-retrieval" else self.key // 10 * 10
        self.rows.add(
            ProcessStep,
            element_instance_key=self.key,
            application_id=self.id,
            process_id=process,
            process_instance_key=instance,
            element_id=element,
            item_id=self.item if element in ("Task_RetrieveFootage", "Task_EncryptCopy") else None,
            began_at=began,
            ended_at=self.at if ends else None,
            outcome="completed" if ends else None,
            attempts=1,
        )

    def log(self, event: str, person: str | None, /, *, of_copy: bool = True, **told: Any) -> None:
        seq, previous = self.entries
        of = {"hand_over_id": self.loan["id"], "seq": seq + 1, "at": self.at, "event": event, "person_id": person}
        entry = {
            "id": self.new_id(),
            "copy_id": self.copy["id"] if of_copy else None,
            "detail": told,
            "previous_sha256": previous,
            **of,
        }
        entry["sha256"] = _sha256(canonical(custody_log.line_of(cast(CustodyEntry, SimpleNamespace(**entry)))))
        self.entries = seq + 1, entry["sha256"]
        self.rows.add(CustodyEntry, **entry)
        detail: dict[str, Any] = {"seq": seq + 1, "copy": self.copy["id"], "sha256": entry["sha256"]}
        self.record(f"custody-{event}", "hand-over", self.loan["id"], by=person, **detail)

    def write_document(self, kind: str, number: str, content: dict[str, Any], **of: str) -> None:
        """Write a document of the case with its audit event."""
        data = canonical({**content, "demo": self.uow.demo})
        written: dict[str, Any] = {
            "content": data.decode(),
            "sha256": _sha256(data),
            "made_at": self.at,
            "demo": self.uow.demo,
        }
        self.rows.add(Document, id=self.new_id(), number=number, kind=kind, application_id=self.id, **written, **of)
        self.record(f"{kind}-written", "document", number, sha256=written["sha256"])

    def publish(
        self,
        name: str,
        key: str,
        variables: dict[str, Any] | None = None,
        *,
        matter: dict[str, Any] | None = None,
    ) -> None:
        moments = dict.fromkeys(("created_at", "next_at", "published_at", "settled_at"), self.at)
        self.rows.add(
            OutboxMessage,
            id=self.new_id(),
            application_id=self.id,
            name=name,
            correlation_key=key,
            matter_id=matter["id"] if matter else None,
            message_id=self.new_id(),
            variables=variables if variables is not None else {"applicationId": self.id},
            attempts=1,
            settled_because="received",
            **moments,
        )

    def notify(self, code: str, person: str) -> None:
        read = None if self.now - self.at < 5 * DAY else self.at
        of = {"person_id": person, "application_id": self.id, "code": code, "subject_id": None}
        self.rows.add(Notice, id=self.new_id(), created_at=self.at, read_at=read, **of)

    def record(
        self, action: str, kind: str, subject: str, /, *, by: str | None = None, of_case: bool = True, **detail: Any
    ) -> None:
        """Write an event of the audit trail, by a person or a job; ``of_case``: of this case."""
        application_id = self.id if of_case else None
        actor = ("person", by or self.drafter) if by or action == "application-submitted" else ("worker", "bench")
        entry = canonical(
            {
                "action": action,
                "actor": {"id": actor[1], "kind": actor[0]},
                "application": application_id,
                "at": self.at.isoformat(),
                "detail": detail,
                "subject": {"id": subject, "kind": kind},
            }
        )
        self.rows.events.append(
            AuditEvent(
                at=self.at,
                actor_kind=actor[0],
                actor_id=actor[1],
                action=action,
                subject_kind=kind,
                subject_id=subject,
                application_id=application_id,
                entry=entry.decode(),
                leaf_sha256=leaf_hash(entry).hex(),
            )
        )


CAMERA_NAMES = {"id": "id", "zh": "name_zh", "en": "name_en"}
_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def canonical(value: dict[str, Any]) -> bytes:
    """Write as RFC 8785 does: true here of text, whole numbers and keys in ASCII, and four times as fast."""
    return _dump(value).encode()


def _default(column: Any) -> Any:
    """Return what a row that leaves this column out has."""
    default = column.default
    return default.arg if default is not None and default.is_scalar else None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
