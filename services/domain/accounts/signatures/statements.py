"""A statement in words: what a person is about to sign, item by item, in both languages (R25)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.stages.catalogue import STAGES
from services.runtime.labels import word

MARKS = {
    "important_information": ("重要信息", "Important information"),
    "sensitive_event": ("敏感事件", "Sensitive event"),
    "high_impact": ("重大影响", "High impact"),
}
IN_CAMEL_CASE = {
    "importantInformation": "important_information",
    "sensitiveEvent": "sensitive_event",
    "highImpact": "high_impact",
}


@dataclass(frozen=True)
class Line:
    """What it is, and what is said of it."""

    name_zh: str
    name_en: str
    zh: str
    en: str


def of(uow: UnitOfWork, statement: Mapping[str, Any]) -> list[Line]:
    """The lines of a statement of any kind; hashes at the end."""
    kinds = {
        "decision": _decision,
        "confirmation": _confirmation,
        "consent": _consent,
        "confidentiality-agreement": _agreement,
        "return": _return,
    }
    return list(kinds[str(statement["kind"])](uow, statement))


def _decision(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    stage = STAGES[told["stage"]]
    yield _coded("环节", "Stage", told["stage"])
    yield _plain("申请", "Application", told["number"] or told["application"])
    yield _coded("结论", "Outcome", told["outcome"])
    for question in stage.questions:
        if question.code in told["answers"]:
            yield Line(question.zh, question.en, *_words(told["answers"][question.code]))
    if stage.code == "receipt":
        yield from _receipt(uow, told["answers"])
    for name, label in (("opinion", ("审批意见", "Opinion")), ("reason", ("理由", "Reason"))):
        if told[name]:
            yield _plain(*label, told[name])
    for mark in told["lowered"]:
        yield Line("降低等级", "Class lowered", *MARKS[mark])
    for name, mark in IN_CAMEL_CASE.items():
        if name in told["variables"]:
            yield Line(*MARKS[mark], *_words(told["variables"][name]))
    for line in told["granted"]:
        yield _item(uow, line)
    if "usePeriodDays" in told["variables"]:
        days = told["variables"]["usePeriodDays"]
        yield Line("使用期限", "Use period", f"{days} 天", f"{days} days")
        yield _coded("使用方式", "Way of use", told["variables"]["wayOfUse"])
    if told["standsInFor"]:
        yield _plain("代行", "In the place of", uow.session.get_one(Person, told["standsInFor"]).name)
    yield from _end(uow, told)
    yield _plain("申请表 SHA-256", "SHA-256 of the form", told["form"])


def _receipt(uow: UnitOfWork, answers: Mapping[str, Any]) -> Iterator[Line]:
    for copy_id, sha256 in answers.get("copies", {}).items():
        yield _copy(uow, copy_id, sha256)
    if "dueAt" in answers:
        yield _moment(uow, "归还期限", "To be returned by", answers["dueAt"])
        yield _plain("使用条件版本", "Version of the conditions", answers["conditionsVersion"])
        yield _plain("保密协议版本", "Version of the agreement", answers["agreementVersion"])


def _confirmation(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    review = uow.session.get_one(Review, told["review"])
    application = uow.session.get_one(Application, review.application_id)
    yield _coded("复核环节", "Confirmation of", review.stage)
    yield _plain("申请", "Application", application.number or application.id)
    word_of_it = ("同意", "agrees") if told["agrees"] else ("不同意", "disagrees")
    yield Line("复核意见", "Word of the second person", *word_of_it)
    if told["reason"]:
        yield _plain("理由", "Reason", told["reason"])
    yield from _end(uow, told)
    yield _plain("所复核结论 SHA-256", "SHA-256 of what is confirmed", told["confirms"])
    yield _plain("申请表 SHA-256", "SHA-256 of the form", told["form"])


def _consent(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    yield Line("事项", "Act", "联合申请部门意见", "Answer of a joint department")
    for label, name in ((("答复部门", "Department"), "department"), (("申请人", "Applicant"), "applicant")):
        department = uow.session.get_one(Department, told[name])
        yield Line(*label, department.name_zh, department.name_en)
    agrees = told["answer"] == "consented"
    yield Line("意见", "Answer", "同意" if agrees else "不同意", "consents" if agrees else "refuses")
    if told["reason"]:
        yield _plain("理由", "Reason", told["reason"])
    yield from _end(uow, told)
    yield _plain("申请表 SHA-256", "SHA-256 of the form", told["form"])


def _agreement(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    yield Line("事项", "Act", "签订保密协议", "Signing the confidentiality agreement")
    yield _plain("版本", "Version", told["version"])
    yield _moment(uow, "签订时间", "Signed at", told["signedAt"])
    yield _moment(uow, "有效期至", "Holds until", told["expiresAt"])


def _return(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    hand_over = uow.session.get_one(HandOver, told["handOver"])
    application = uow.session.get_one(Application, hand_over.application_id)
    yield Line("事项", "Act", "归还副本", "Returning the copies")
    yield _plain("申请", "Application", application.number or application.id)
    yield _coded("归还至", "Returned to", f"office-{told['returnTo']}")
    for copy_id, sha256 in told["copies"].items():
        yield _copy(uow, copy_id, sha256)
    for number, fate in enumerate(told["attestation"]["downloads"].values(), 1):
        zh, en = _words(fate["fate"])
        note = f" · {fate['note']}" if fate["note"] else ""
        yield Line(f"下载 {number}", f"Download {number}", zh + note, en + note)
    yield Line("其他副本", "Other copies", "没有保留任何其他副本", "none was kept")
    yield _moment(uow, "归还时间", "Returned at", told["returnedAt"])


def _item(uow: UnitOfWork, line: Mapping[str, Any]) -> Line:
    item, camera = uow.session.get_one(Item, line["item"]), uow.session.get_one(Camera, line["camera"])
    span = f"{_local(line['from'], item.zone)} – {_local(line['to'], item.zone)}"
    number, name_en = line["position"], camera.name_en or camera.name_zh
    return Line(f"第 {number} 项", f"Item {number}", f"{camera.name_zh} · {span}", f"{name_en} · {span}")


def _copy(uow: UnitOfWork, copy_id: str, sha256: str) -> Line:
    item = uow.session.get_one(Item, uow.session.get_one(Copy, copy_id).item_id)
    return Line(f"第 {item.position} 项副本 SHA-256", f"SHA-256 of the copy of item {item.position}", sha256, sha256)


def _end(uow: UnitOfWork, told: Mapping[str, Any]) -> Iterator[Line]:
    yield _plain("签字人", "Who signs", uow.session.get_one(Person, told["person"]).name)
    yield _moment(uow, "时间", "At", told["decidedAt"])


def _plain(zh: str, en: str, text: Any) -> Line:
    return Line(zh, en, str(text), str(text))


def _coded(zh: str, en: str, code: str) -> Line:
    return Line(zh, en, *_words(code))


def _words(code: str | bool) -> tuple[str, str]:
    return word("zh", code), word("en", code)


def _moment(uow: UnitOfWork, zh: str, en: str, moment: str) -> Line:
    return _plain(zh, en, _local(moment, uow.rules.zone))


def _local(moment: str, zone: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %z}"
