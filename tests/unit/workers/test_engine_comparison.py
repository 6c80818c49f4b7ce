"""What is open in the register against what runs in the engine: each kind, both ways, and nothing where all is well."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from prepared_desk import prepared_desk
from review_desk import NOON, ReviewDesk

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.inspections import GroupInspection, SupervisionGroup
from services.database.tables.maintenance import Reconciliation, ReconciliationFinding
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.cases.document_layouts import render_pdf
from services.domain.matters.kinds import KINDS
from services.domain.process import messages
from services.domain.process.instances import OWN_PROCESSES, REGISTERS
from services.domain.storage import findings, maintenance, reconciliation, ways_back
from services.domain.work_orders import opening
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.runtime.errors import Retryable
from services.workers import engine_comparison
from services.workers.engine_comparison import EngineComparison

ACTOR = Actor("worker", "reconcile")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# what is open: the difference that it has no instance, its process, and the start of the way back
KINDS_OPEN = {
    "case": ("case-without-instance", "video-retrieval", "Its applicant withdraws it"),
    "extension": ("matter-without-instance", "matter", "While it is not decided, who requested it"),
    "recall": ("matter-without-instance", "matter", "It ends with the loan"),
    "hold": ("matter-without-instance", "matter", "Only engine and database"),
    "problem": ("matter-without-instance", "problem-report", "It ends with the loan"),
    "violation": ("matter-without-instance", "violation", "Only engine and database"),
    "urgent": ("matter-without-instance", "urgent-retrieval", "While nobody has released it"),
    "inspection": ("inspection-without-instance", "inspection", "Only engine and database"),
    "work order": ("work-order-without-instance", "work-order", "Its opener, the head of Security"),
}
VARIABLES = {"case": "applicationId", "inspection": "inspectionId", "work order": "workOrderId"}
TABLES: dict[str, type[Any]] = {"case": Application, "inspection": GroupInspection, "work order": WorkOrder}


@dataclass
class Instance:
    """As the embedded engine tells one."""

    key: int
    bpmn_process_id: str
    variables: dict[str, Any] = field(default_factory=dict)
    parent_process_instance_key: int = 0
    start_date: datetime | None = NOON - DAY


@dataclass
class Variable:
    scope_key: int
    name: str
    value: str


class Engine:
    """An engine that has these process instances, and lists them where it is asked to."""

    def __init__(self, *instances: Instance) -> None:
        self.of = {one.key: one for one in instances}
        self.asked: list[int] = []

    async def has_instance(self, process_instance_key: int) -> bool:
        self.asked.append(process_instance_key)
        return process_instance_key in self.of

    async def instances(self, *, process: str, limit: int, offset: int, descending: bool) -> Sequence[Instance]:
        assert not descending
        found = [self.of[key] for key in sorted(self.of) if process in self.of[key].bpmn_process_id]
        return found[offset : offset + limit]

    async def variables(self, key: int) -> Sequence[Variable]:
        own = [Variable(key, name, json.dumps(value)) for name, value in self.of[key].variables.items()]
        return [Variable(key + 1, "matterId", '"of a scope within"'), *own]


class Register:
    """A desk with open rows, each with an instance in ``engine`` unless it is lost."""

    def __init__(self, desk: ReviewDesk, *, lists: bool) -> None:
        self.desk, self.lists, self.engine = desk, lists, Engine()
        self.keys = itertools.count(1000, 10)

    def open(self, kind: str, *, named: bool = True) -> tuple[str, str, int]:
        """Open one of a kind, whose process has begun; its id, its number and the key of its instance."""
        key = next(self.keys)
        taken = key if named else None
        row_id = self.desk.run(_OPENERS.get(kind, _open_matter), kind, taken)
        instance = Instance(key, KINDS_OPEN[kind][1], {VARIABLES.get(kind, "matterId"): row_id})
        self.engine.of[key] = instance
        return row_id, str(self.row(kind, row_id).number), key

    def row(self, kind: str, row_id: str) -> Any:
        return self.desk.the(TABLES.get(kind, Matter), id=row_id)

    def set(self, kind: str, row_id: str, **values: Any) -> None:
        def act(uow: UnitOfWork) -> None:
            row = uow.session.get_one(TABLES.get(kind, Matter), row_id)
            for name, value in values.items():
                setattr(row, name, value)

        self.desk.run(act)

    def ask_for_release(self, matter_id: str, key: int) -> None:
        """Let the process of an urgent retrieval ask somebody by the instance ``key`` + 1, which it calls."""

        def act(uow: UnitOfWork) -> None:
            matter = uow.session.get_one(Matter, matter_id)
            uow.session.add(
                Review(
                    id=new_id(),
                    application_id=matter.application_id,
                    matter_id=matter_id,
                    stage="urgent-release",
                    round=1,
                    job_key=key + 2,
                    process_instance_key=key + 1,
                    opened_at=uow.now,
                    due_at=uow.now + DAY,
                    first_reminder_at=uow.now + DAY,
                )
            )

        self.desk.run(act)
        self.engine.of[key + 1] = Instance(key + 1, "review", parent_process_instance_key=key)

    async def reconcile(self, engine: Engine | None = None) -> list[tuple[str, str]]:
        """The reconciliation of the next day; what is open after it."""
        self.desk.clock.turn(DAY)
        used: Any = engine or self.engine
        day = self.desk.run(maintenance.begin, maintenance.RECONCILE, "job 1")
        assert day is not None
        await EngineComparison(self.desk.database, ACTOR, day, used, used if self.lists else None).compare()
        self.desk.run(reconciliation.finish, day, ["engine"], [])
        rows = self.desk.all(ReconciliationFinding)
        return sorted((row.kind, row.subject) for row in rows if row.state in ("open", "work-order"))


def _open_case(uow: UnitOfWork, _: str, key: int | None) -> str:
    row = uow.session.query(Application).filter_by(process_instance_key=None, closed_at=None).first()
    assert row is not None
    row.process_instance_key = key
    return row.id


def _open_matter(uow: UnitOfWork, kind: str, key: int | None) -> str:
    application = uow.session.query(Application).first()
    assert application is not None
    matter = Matter(
        id=new_id(),
        number=f"{kind}-{len(uow.session.query(Matter).all())}",
        kind=kind,
        application_id=application.id,
        opened_at=uow.now - HOUR,
        facts={},
        facts_sha256="0" * 64,
        process_instance_key=key,
    )
    uow.session.add(matter)
    uow.session.flush()
    name = KINDS[kind].message
    uow.session.add(
        OutboxMessage(
            application_id=application.id,
            matter_id=matter.id,
            name=name,
            correlation_key=matter.id,
            message_id=f"{name}:{matter.id}",
            variables={"matterId": matter.id},
            created_at=uow.now,
            next_at=uow.now,
            settled_at=uow.now,
        )
    )
    return matter.id


def _open_inspection(uow: UnitOfWork, _: str, key: int | None) -> str:
    group = SupervisionGroup(
        id=new_id(), basis="1", since=uow.now, until=uow.now + DAY, proposed_by="head", proposed_at=uow.now, proposal={}
    )
    uow.session.add(group)
    uow.session.flush()
    inspection = GroupInspection(
        id=new_id(),
        number="JD-1",
        period="2031-02",
        period_from=uow.now - DAY,
        period_to=uow.now,
        group_id=group.id,
        opened_at=uow.now - HOUR,
        seed="0",
        seed_size=1,
        process_instance_key=key,
    )
    uow.session.add(inspection)
    return inspection.id


def _open_work_order(uow: UnitOfWork, _: str, key: int | None) -> str:
    order = opening.open_work_order(
        uow,
        "device-service",
        Subject("recorder", "one", "一号录像机"),
        key="one",
        doer=Role(person_id="head"),
        by_system=True,
    )
    order.process_instance_key = key
    return order.id


_OPENERS: dict[str, Callable[[UnitOfWork, str, int | None], str]] = {
    "case": _open_case,
    "inspection": _open_inspection,
    "work order": _open_work_order,
}


def submitted(desk: ReviewDesk) -> None:
    desk.submitted()


def reverse_of(kind: str) -> str:
    """The difference that an instance of it has no open row."""
    return "instance-without-" + KINDS_OPEN[kind][0].removesuffix("-without-instance")


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk: ReviewDesk = prepared_desk(any_database_url, submitted)[0]
    yield desk
    desk.close()


@pytest.fixture(params=[True, False], ids=["lists", "lists-nothing"])
def register(desk: ReviewDesk, request: pytest.FixtureRequest) -> Register:
    """Before the engine of this process, which lists its instances, and before a cluster, which does not."""
    return Register(desk, lists=request.param)


@pytest.mark.requirement("R53")
@pytest.mark.both_databases
async def test_what_is_open_without_an_instance_is_found_once_until_it_has_one(register: Register) -> None:
    opened = {kind: register.open(kind) for kind in KINDS_OPEN}
    assert await register.reconcile() == []

    lost = Engine()
    expected = sorted((KINDS_OPEN[kind][0], number) for kind, (_, number, _) in opened.items())
    for _ in range(2):  # each day anew, and one row for each
        assert await register.reconcile(lost) == expected
    found = {row.subject: row for row in register.desk.all(ReconciliationFinding)}
    assert len(found) == len(opened)
    case = register.desk.the(Application).id
    for kind, (_, number, _) in opened.items():
        finding = found[number]
        assert finding.application_id == (None if kind in ("inspection", "work order") else case)
        sentence = ways_back.sentence(finding.kind, finding.subject, finding.detail)
        assert sentence is not None
        assert number in sentence.zh
        assert f"{number} is open, and the process engine has no instance of it: it stands still." in sentence.en
        assert KINDS_OPEN[kind][2] in sentence.en
    document = register.desk.all(Document, kind="reconciliation")[1]
    assert render_pdf(document.kind, document.number, document.content, document.sha256, document.made_at)

    # gone by itself with its cause: an engine that has it again, or a row that is closed
    assert await register.reconcile() == []
    assert await register.reconcile(lost) == expected
    for kind, (row_id, _, _) in opened.items():
        register.set(kind, row_id, closed_at=register.desk.clock.now())
    assert await register.reconcile(lost) == []


@pytest.mark.requirement("R53")
@pytest.mark.both_databases
async def test_an_instance_of_what_is_closed_is_found_until_it_has_ended(register: Register) -> None:
    opened = {kind: register.open(kind) for kind in KINDS_OPEN}
    for kind, (row_id, _, _) in opened.items():
        register.set(kind, row_id, closed_at=register.desk.clock.now() + DAY - timedelta(minutes=1))
    assert await register.reconcile() == [], "their instances may be ending now"
    expected = sorted((reverse_of(kind), number) for kind, (_, number, _) in opened.items())
    for _ in range(3):
        assert await register.reconcile() == expected
    for finding in register.desk.all(ReconciliationFinding):
        register.desk.run(findings.explain, finding.id, "由管理员查明，正在取消。", by="security-head")
    await register.reconcile()
    assert {row.state for row in register.desk.all(ReconciliationFinding)} == {"explained"}, "they are there"
    register.engine.of.clear()
    assert await register.reconcile() == []
    assert {row.state for row in register.desk.all(ReconciliationFinding)} == {"gone"}


@pytest.mark.requirement("R53")
async def test_an_instance_that_no_row_is_of_is_found_where_the_engine_lists_it(desk: ReviewDesk) -> None:
    register = Register(desk, lists=True)
    expected = []
    for kind in KINDS_OPEN:
        row_id, _, key = register.open(kind)
        process, variable = KINDS_OPEN[kind][1], VARIABLES.get(kind, "matterId")
        strangers = (
            Instance(key + 1, process, {variable: row_id}),  # another one is its row's
            Instance(key + 2, process, {variable: "none"}),
            Instance(key + 3, process),
        )
        young = Instance(key + 4, process, {variable: row_id}, start_date=NOON + DAY - timedelta(minutes=1))
        register.engine.of.update({one.key: one for one in (*strangers, young)})
        expected += [(reverse_of(kind), f"{process} {one.key}") for one in strangers]
    assert await register.reconcile() == sorted(expected)
    [first, *_] = register.desk.all(ReconciliationFinding)
    sentence = ways_back.sentence(first.kind, first.subject, first.detail)
    assert sentence is not None
    assert "of nothing that is open" in sentence.en


@pytest.mark.requirement("R53")
async def test_nothing_is_found_where_each_kind_is_open_and_has_its_instance(register: Register) -> None:
    for kind in KINDS_OPEN:
        register.open(kind)
    # what another process has called is its caller's, whatever it is; one process may be named in another's name
    calls = Instance(9001, "matter", {}, parent_process_instance_key=1000)
    own = Instance(9002, "matter-of-the-organisation", {"matterId": "none"})
    for one in (calls, own, Instance(9003, "maintenance"), Instance(9004, "review", parent_process_instance_key=1000)):
        register.engine.of[one.key] = one
    assert await register.reconcile() == []
    assert not register.desk.all(ReconciliationFinding)
    counts = register.desk.the(Reconciliation)
    assert (counts.found, counts.open) == (0, 0)


@pytest.mark.requirement("R53")
async def test_an_urgent_retrieval_that_waits_for_its_release_is_known_by_who_is_asked(register: Register) -> None:
    """The first job of its process comes after the release: until then no row names its instance."""
    matter_id, number, key = register.open("urgent", named=False)
    register.ask_for_release(matter_id, key)
    assert await register.reconcile() == []
    with_its_review = dict(register.engine.of)
    register.engine.of.clear()
    assert await register.reconcile() == [("matter-without-instance", number)]
    register.engine.of.update(with_its_review)
    assert await register.reconcile() == []


@pytest.mark.requirement("R53")
async def test_what_is_released_and_lost_before_its_first_job_is_found_where_the_engine_lists(
    register: Register,
) -> None:
    _, number, key = register.open("urgent", named=False)
    assert await register.reconcile() == []
    del register.engine.of[key]
    assert await register.reconcile() == ([("matter-without-instance", number)] if register.lists else [])


@pytest.mark.requirement("R53")
async def test_what_is_being_started_or_was_never_started_is_no_difference(register: Register) -> None:
    waiting, _, _ = register.open("urgent", named=False)
    earlier, _, _ = register.open("urgent", named=False)
    register.engine.of.clear()

    def act(uow: UnitOfWork) -> None:
        for message in uow.session.query(OutboxMessage).filter_by(matter_id=waiting):
            message.settled_at = None
        uow.session.query(OutboxMessage).filter_by(matter_id=earlier).delete()

    register.desk.run(act)
    assert await register.reconcile() == []


@pytest.mark.requirement("R53")
async def test_what_ends_while_the_engine_is_asked_is_no_difference(register: Register) -> None:
    row_id, _, _ = register.open("extension")
    lost = Engine()
    answers = lost.has_instance

    async def end_and_answer(key: int) -> bool:
        register.set("extension", row_id, closed_at=register.desk.clock.now())
        return await answers(key)

    lost.has_instance = end_and_answer  # type: ignore[method-assign]  # the row is closed while this is asked
    assert await register.reconcile(lost) == []


@pytest.mark.requirement("R53")
async def test_an_engine_that_is_away_closes_no_difference(register: Register) -> None:
    _, number, _ = register.open("problem")
    assert await register.reconcile(Engine()) == [("matter-without-instance", number)]

    class Away(Engine):
        async def has_instance(self, process_instance_key: int) -> bool:
            raise Retryable("away")

    with pytest.raises(Retryable):
        await register.reconcile(Away())
    [finding] = register.desk.all(ReconciliationFinding)
    assert finding.state == "work-order"


@pytest.mark.requirement("R53")
@pytest.mark.both_databases
async def test_more_than_a_page_is_read_page_by_page_and_of_open_rows_alone(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_comparison, "AT_ONCE", 2)
    opened = [register.open("extension") for _ in range(7)]
    closed = [register.open("recall") for _ in range(5)]
    for row_id, _, _ in closed:
        register.set("recall", row_id, closed_at=NOON - 90 * DAY)
    for _, _, key in closed:
        del register.engine.of[key]
    assert await register.reconcile() == []
    assert sorted(register.engine.asked) == [key for _, _, key in opened]
    for _, _, key in opened:
        del register.engine.of[key]
    assert len(await register.reconcile()) == 7


def test_each_process_that_a_message_starts_is_compared() -> None:
    started = {"matter": messages.MATTER_ASKED, "problem-report": messages.PROBLEM_REPORTED}
    started |= {"urgent-retrieval": messages.URGENT_CALLED, "violation": messages.VIOLATION_OPENED}
    [matters] = [register for register in REGISTERS if register.name == "matter"]
    # a violation is recorded by what has found it, and not asked for
    sent = {code: kind.message for code, kind in KINDS.items()} | {"violation": messages.VIOLATION_OPENED}
    assert {code: started[matters.process_of(code)] for code in KINDS} == sent
    assert set(sent.values()) == messages.STARTS
    assert OWN_PROCESSES.keys() <= KINDS.keys()
