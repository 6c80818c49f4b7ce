"""The work orders of the demo year: every kind, in every state.

Those that are under way leave their first message unsent: the process takes them up when the installation starts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.custody import HandOver
from services.database.tables.devices import Device
from services.database.tables.holds import Hold
from services.database.tables.outbox import OutboxMessage
from services.database.tables.sites import Site
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.past import MEMBER_PASSWORD, Past, proof
from services.domain.accounts.signatures.given import Proof
from services.domain.process import messages
from services.domain.work_orders import opening, service, tasks
from services.domain.work_orders.kinds import get_label
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import Role
from services.domain.work_orders.service import Answered, Done, Verdict

CLOSED, WAITING, DONE, AGAIN, LATE, CANCELLED = "closed", "waiting", "done", "again", "late", "cancelled"
DAY = timedelta(days=1)
OPERATOR = Role("storage-operator", department_kind="storage")


@dataclass(frozen=True)
class Planned:
    """One work order: how many days before the end of the year it is opened, of what, and how far it comes."""

    kind: str
    days_ago: float
    state: str
    doer: str
    verifier: str | None
    role: Role
    subject: Callable[["Subjects"], Subject]
    note: str = "已按检查表逐项核对。"
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subjects:
    """What there is to check, as the register has it."""

    recorders: list[Subject]
    cameras: list[Subject]
    devices: list[Subject]
    sites: list[Subject]
    loans: list[Subject]
    holds: list[Subject]


def _person(login: str) -> Role:
    return Role(person_id=demo_id(login))


def _house(kind: str) -> Callable[[Subjects], Subject]:
    named = get_label(kind)
    return lambda _subjects: Subject(kind, kind, f"{named.zh} {named.en}")


def _recorder(place: int) -> Callable[[Subjects], Subject]:
    return lambda subjects: subjects.recorders[place % len(subjects.recorders)]


def _technical(kind: str, days_ago: float, state: str, place: int, verifier: str, note: str) -> Planned:  # noqa: PLR0917 - a row of a table
    return Planned(kind, days_ago, state, "hutao", verifier, OPERATOR, _recorder(place), note)


def _device(days_ago: float, state: str, place: int, note: str) -> Planned:
    def of(subjects: Subjects) -> Subject:
        return subjects.devices[place % len(subjects.devices)]

    return Planned("device-service", days_ago, state, "linlin", "zhujun", OPERATOR, of, note)


def _camera(days_ago: float, state: str, place: int, note: str) -> Planned:
    def of(subjects: Subjects) -> Subject:
        return subjects.cameras[place % len(subjects.cameras)]

    return Planned("view-check", days_ago, state, "linlin", "wulei", OPERATOR, of, note)


def _site(days_ago: float, state: str, place: int, keeper: str, note: str) -> Planned:
    return Planned(
        "site-check", days_ago, state, keeper, "wulei", _person(keeper), lambda subjects: subjects.sites[place], note
    )


def _department(days_ago: float, state: str, key: str, name: str, head: str) -> Planned:
    role = Role("head", department_id=demo_id(key))
    subject = Subject("department", demo_id(key), name)
    return Planned("access-review", days_ago, state, head, "zhaoqiang", role, lambda _: subject, "岗位与在岗人员一致。")


def _check_in(days_ago: float, place: int, state: str = CLOSED) -> Planned:
    def subject(subjects: Subjects) -> Subject:
        return subjects.loans[place]

    return Planned("check-in", days_ago, state, "", None, _person("lina"), subject, "副本由本人保管，未转交他人。")


def camera_check(place: int, state: str, note: str) -> Planned:
    """Return one more check of a camera, opened at the present moment."""
    return _camera(place / 100, state, place, note)


PLANNED = (
    _technical("device-service", 330, CLOSED, 0, "zhujun", "除尘、检查磁盘与温度，均正常。"),
    _technical("device-service", 300, CLOSED, 1, "zhujun", "更换一块有坏道的磁盘，重建完成。"),
    _technical("device-service", 270, CLOSED, 2, "zhujun", "固件升级到厂家最新版本。"),
    _device(240, CLOSED, 0, "阵列风扇更换一只。"),
    _device(200, CANCELLED, 1, ""),
    _technical("clock-check", 310, CLOSED, 0, "linlin", "偏差 42 秒，已校正，旧偏差已记。"),
    _technical("clock-check", 150, CLOSED, 2, "linlin", "偏差 35 秒，已校正。"),
    _technical("kept-days-check", 280, CLOSED, 1, "zhujun", "码流调低后可存 30 天。"),
    _technical("kept-days-check", 90, CLOSED, 0, "zhujun", "可存天数与登记一致。"),
    _camera(260, CLOSED, 0, "画面与位置一致。"),
    _camera(170, CLOSED, 3, "镜头清洁，角度复位。"),
    _camera(80, CLOSED, 5, "画面被新装货架遮挡，已调整支架。"),
    _site(320, CLOSED, 0, "hutao", "门禁、消防、温湿度均正常。"),
    _site(230, CLOSED, 1, "linlin", "机柜上锁，登记完整。"),
    _site(140, CLOSED, 2, "hutao", "查看席位四个，屏幕无外泄。"),
    Planned(
        "restore-drill", 190, CLOSED, "hutao", "yangfan", OPERATOR, _house("vault"), "抽取的主档均恢复并核对一致。"
    ),
    Planned(
        *("escrow-drill", 180, CLOSED, "zhaoqiang", "yangfan", Role("head", department_kind="security")),
        _house("escrow"),
        "双人开封，密钥可用，已重新封存。",
    ),
    _department(250, CLOSED, "production", "生产部", "zhangwei"),
    _department(160, CLOSED, "legal", "法务部", "yangfan"),
    _check_in(290, 0),
    _check_in(210, 1),
    _check_in(130, 2),
    Planned(
        *("group-term", 345, CLOSED, "zhaoqiang", None, Role("head", department_kind="security")),
        lambda _: Subject("group", "group", "监督小组"),
        "已提请管理层任命监督小组。",
    ),
    Planned(
        *("hold-review", 40, CLOSED, "zhaoqiang", "yangfan", _person("zhaoqiang")),
        lambda subjects: subjects.holds[0],
        "诉讼尚未结束，仍需保留。",
    ),
    Planned(
        *("agreement-renewal", 20, CLOSED, "sunli", None, _person("sunli")),
        lambda _: Subject("agreement", demo_id("sunli"), "孙丽"),
        "已重新签署。",
    ),
    Planned(
        *("corrective-action", 120, CLOSED, "wulei", "heping", _person("wulei")),
        lambda _: Subject("department", demo_id("security"), "安全保卫部"),
        "审核时限已写入部门值班表。",
    ),
    Planned("defect", 110, CLOSED, "hutao", "zhujun", OPERATOR, _house("reconcile"), "异地机房网络中断，已恢复。"),
    _technical("device-service", 45, LATE, 1, "zhujun", ""),
    _camera(12, DONE, 7, "画面与登记的位置一致。"),
    _site(9, AGAIN, 1, "linlin", "机柜已整理。"),
    _department(8, WAITING, "storage", "信息存储部", "zhujun"),
    _technical("clock-check", 1.5, WAITING, 0, "linlin", ""),
    _device(4, WAITING, 2, ""),
    Planned(
        *("corrective-action", 7, DONE, "zhangwei", "heping", _person("zhangwei")),
        lambda _: Subject("department", demo_id("production"), "生产部"),
        "已组织保管人重新学习保管要求。",
    ),
    Planned("defect", 2, WAITING, "hutao", "zhujun", OPERATOR, _house("reverify-footage"), ""),
    Planned(
        *("hold-review", 3, WAITING, "zhaoqiang", "yangfan", _person("zhaoqiang")),
        lambda subjects: subjects.holds[1],
        "",
    ),
)


def make(past: Past, planned: Planned) -> str:
    """Open a work order and lead it to its state; return its id."""
    subjects = past.act(None, _load)
    subject, role = planned.subject(subjects), planned.role
    doer = planned.doer
    facts: dict[str, Any] = dict(planned.facts)
    if planned.kind == "agreement-renewal":
        facts["expiresAt"] = past.clock.now().isoformat()
    loan_of = past.act(None, _custodian, subject.id) if planned.kind == "check-in" else None
    if loan_of is not None:
        role = Role(person_id=loan_of)
    order = past.act(
        None,
        opening.open_work_order,
        planned.kind,
        subject,
        key=f"year:{planned.kind}:{planned.days_ago}:{subject.id}",
        doer=role,
        facts=facts,
        by_system=True,
    )
    if planned.state == WAITING:
        return order.id
    if planned.state == CANCELLED:
        past.clock.advance(DAY)
        past.act("zhaoqiang", service.cancel, order.id, "设备已经退役，不再检查。")
    elif planned.state == LATE:
        for week in range(2):
            past.clock.set(order.due_at + week * tasks.ESCALATED_EVERY + timedelta(minutes=5))
            past.act(None, tasks.escalate, order.id, past.key())
    else:
        past.clock.advance(timedelta(hours=26))
        _lead_on(past, planned, order, doer, loan_of)
    if planned.state in (CLOSED, CANCELLED):
        past.act(None, _settle, order.id, past.key())
    else:
        past.act(None, _begin_anew, order.id)
    return order.id


def _lead_on(past: Past, planned: Planned, order: WorkOrder, doer: str, custodian: str | None) -> None:
    answers = {item["code"]: Answered("yes") for item in order.facts["checklist"]}
    said = Done(answers, planned.note)
    if custodian is not None:
        past.act(custodian, _check_in_done, order.id, said)
    else:
        past.act(doer, service.done, order.id, said, proof(doer, order.facts_sha256))
    if planned.state == DONE:
        return
    if order.is_verified:
        past.act(None, tasks.open_verification, order.id, job_key=past.key())
        past.clock.advance(timedelta(hours=5))
        verifier = str(planned.verifier)
        again = planned.state == AGAIN
        verdict = Verdict(
            service.AGAIN if again else service.VERIFIED,
            {"on-site": True, "met": not again},
            "机柜内仍有未登记的移动硬盘，请清点后再报。" if again else "",
        )
        past.act(verifier, service.verify, order.id, verdict, proof(verifier, order.facts_sha256))
        if again:
            past.act(None, tasks.reopen, order.id)
            return
    past.act(None, tasks.close, order.id, service.DONE)


def _check_in_done(uow: UnitOfWork, order_id: str, said: Done) -> None:
    """Let a custodian report of a loan that had not ended then: the rows of the year know its end already."""
    order = uow.session.get_one(WorkOrder, order_id)
    loan = uow.session.get_one(HandOver, order.subject_id)
    ends = {name: getattr(loan, name) for name in ("ended_at", "returned_at", "lost_at")}
    for name in ends:
        setattr(loan, name, None)
    service.done(uow, order_id, said, Proof(order.facts_sha256, MEMBER_PASSWORD))
    for name, moment in ends.items():
        setattr(loan, name, moment)


def _load(uow: UnitOfWork) -> Subjects:
    def of(kind: str, query: Any) -> list[Subject]:
        return [Subject(kind, row[0], str(row[1])) for row in uow.session.execute(query)]

    lent = select(HandOver.id, Application.number).join(Application, Application.id == HandOver.application_id)
    held = select(Hold.id, Application.number).join(Application, Application.id == Hold.application_id)
    return Subjects(
        of("recorder", select(Recorder.id, Recorder.name).where(Recorder.active).order_by(Recorder.name)),
        of("camera", select(Camera.id, Camera.name_zh).order_by(Camera.id)),
        of("device", select(Device.id, Device.number).where(Device.recorder_id.is_(None)).order_by(Device.number)),
        of("site", select(Site.id, Site.name).order_by(Site.entered_at, Site.id)),
        of("loan", lent.where(HandOver.accepted_at <= uow.now).order_by(HandOver.accepted_at.desc()).limit(5)),
        of("hold", held.order_by(Hold.placed_at)),
    )


def _custodian(uow: UnitOfWork, loan_id: str) -> str:
    return uow.session.get_one(HandOver, loan_id).custodian_id


def settle_ended(past: Past) -> None:
    """Let the process have taken the work orders of a reconciliation that are over."""
    for order_id in past.act(None, _list_ended):
        past.act(None, _settle, order_id, past.key())


def _list_ended(uow: UnitOfWork) -> list[str]:
    query = select(WorkOrder.id).where(
        WorkOrder.subject_kind == "difference",
        WorkOrder.closed_at.is_not(None),
        WorkOrder.process_instance_key.is_(None),
    )
    return list(uow.session.scalars(query.order_by(WorkOrder.id)))


def _settle(uow: UnitOfWork, order_id: str, instance: int) -> None:
    """Note the process that has led a closed work order, and that it has received all messages."""
    order = uow.session.get_one(WorkOrder, order_id)
    order.process_instance_key = order.process_instance_key or instance
    of_order = update(OutboxMessage).where(OutboxMessage.subject_id == order_id)
    received = {"published_at": OutboxMessage.created_at, "settled_at": OutboxMessage.created_at, "attempts": 1}
    uow.session.execute(of_order.values(**received, settled_because="received"))


def _begin_anew(uow: UnitOfWork, order_id: str) -> None:
    """Leave the message that begins the process of a work order under way to be sent."""
    of_order = update(OutboxMessage).where(
        OutboxMessage.subject_id == order_id, OutboxMessage.name == messages.WORK_ORDER_OPENED
    )
    uow.session.execute(of_order.values(settled_at=None, settled_because=None, published_at=None, attempts=0))
