"""Describe a statement to sign, line by line, in both languages (R25)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.people import Department, Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.change_requests import queries as change_queries
from services.domain.stages.catalogue import STAGES
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Message, Text, Worded, in_context

MARKS = {
    "important_information": Message("Important information"),
    "sensitive_event": Message("Sensitive event"),
    "high_impact": in_context("statements", "High impact"),
}
IN_CAMEL_CASE = {
    "importantInformation": "important_information",
    "sensitiveEvent": "sensitive_event",
    "highImpact": "high_impact",
}


@dataclass(frozen=True)
class Line(Worded):
    """One line: name and value."""

    name: Text
    message: Text

    @property
    def name_zh(self) -> str:
        return self.name.zh

    @property
    def name_en(self) -> str:
        return self.name.en


def describe(uow: UnitOfWork, statement: Mapping[str, Any]) -> list[Line]:
    """Return the lines of a statement of any kind, hashes last."""
    kinds = {
        "decision": _decision,
        "confirmation": _confirmation,
        "consent": _consent,
        "confidentiality-agreement": _agreement,
        "return": _return,
        "sitting": _sitting,
        "change-confirmation": _change_confirmation,
        "signature-release": _signature_release,
        "urgent-call": _urgent_call,
        "custody-offer": _custody_offer,
        "group-proposal": _group_proposal,
        "group-confirmation": _group_confirmation,
        "inspection-answers": _inspection_answers,
        "inspection-report": _inspection_report,
        "package-approval": _package_approval,
    }
    return list(kinds[str(statement["kind"])](uow, statement))


def _decision(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    stage = STAGES[statement["stage"]]
    yield _coded(Message("Stage"), statement["stage"])
    yield _plain(Message("Application"), statement["number"] or statement["application"])
    yield _coded(in_context("statements", "Outcome"), statement["outcome"])
    for question in stage.all_questions:
        if question.code in statement["answers"]:
            yield Line(Bilingual(question.zh, question.en), Label(statement["answers"][question.code]))
    if stage.code == "receipt":
        yield from _receipt(uow, statement["answers"])
    for name, label in (("opinion", Message("Opinion")), ("reason", Message("Reason"))):
        if statement[name]:
            yield _plain(label, statement[name])
    for mark in statement["lowered"]:
        yield Line(Message("Class lowered"), MARKS[mark])
    for name, mark in IN_CAMEL_CASE.items():
        if name in statement["variables"]:
            yield Line(MARKS[mark], Label(statement["variables"][name]))
    for line in statement["granted"]:
        yield _item(uow, line)
    if "usePeriodDays" in statement["variables"]:
        days = statement["variables"]["usePeriodDays"]
        yield Line(Message("Use period"), Message("{days} days", days=days))
        yield _coded(Message("Way of use"), statement["variables"]["wayOfUse"])
    if represented := statement.get("represented") or [*filter(None, [statement["standsInFor"]])]:
        names = [uow.session.get_one(Person, person_id).name for person_id in represented]
        yield _plain(Message("On behalf of"), ", ".join(names))
    yield from _signer_lines(uow, statement)
    yield _plain(Message("SHA-256 of the form"), statement["form"])


def _urgent_call(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Urgent retrieval before the approval"))
    yield _coded(Message("Ground"), f"urgent-{statement['ground']}")
    yield _plain(Message("Reason"), statement["reason"])
    for line in statement["items"]:
        yield _item(uow, line)
    yield _plain(Message("Signer"), uow.session.get_one(Person, statement["person"]).name)


def _custody_offer(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    application = uow.session.get_one(Application, statement["application"])
    yield Line(Message("Action"), Message("Offering the copies to a new custodian"))
    yield _plain(Message("Application"), application.number or application.id)
    yield _plain(Message("New custodian"), uow.session.get_one(Person, statement["toPerson"]).name)
    for copy_id, sha256 in statement["copies"].items():
        yield _copy(uow, copy_id, sha256)
    if statement["conditions"]:
        yield _plain(Message("State of copies and media"), statement["conditions"])
    yield _plain(Message("Reason"), statement["reason"])
    yield _plain(Message("Signer"), uow.session.get_one(Person, statement["person"]).name)


def _group_proposal(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Proposal of the supervision group"))
    yield from _group(uow, statement)
    yield _moment(uow, Message("Term until"), statement["until"])
    yield _plain(Message("Rests on"), statement["basis"])
    yield _signer(uow, statement)


def _group_confirmation(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Confirmation of the supervision group"))
    yield from _group(uow, statement)
    yield _signer(uow, statement)
    yield _plain(Message("SHA-256 of what is confirmed"), statement["confirms"])


def _group(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    names = access_queries.get_names(uow, statement["members"])
    yield _plain(Message("Leader"), names[statement["leader"]])
    yield _plain(Message("Members"), ", ".join(names[one] for one in statement["members"]))


def _inspection_answers(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Inspection of a case"))
    yield _plain(Message("Inspection"), statement["inspection"])
    yield _plain(Message("Application"), statement["case"])
    for one in statement["answers"]:
        answer = Label(f"checked-{one['answer']}")
        said = Message("{answer}: {word}", answer=answer, word=one["word"]) if one["word"] else answer
        yield Line(Bilingual(one["question"], one["question"]), said)
    yield _signer(uow, statement)
    yield _plain(Message("SHA-256 of the sheet"), statement["sheet"])


def _inspection_report(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Report of an inspection"))
    yield _plain(Message("Inspection"), statement["inspection"])
    yield _coded(in_context("statements", "Outcome"), statement["outcome"])
    if statement["reason"]:
        yield _plain(Message("Reason"), statement["reason"])
    yield _signer(uow, statement)
    yield _plain(Message("SHA-256 of the report"), statement["report"])


def _package_approval(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Evidence package with the footage in clear"))
    yield _plain(Message("Application"), statement["number"])
    yield _coded(Message("Goes to"), f"package-for-{statement['recipientKind']}")
    yield _plain(Message("Who receives it"), statement["recipient"])
    yield _plain(Message("Reason"), statement["because"])
    yield _plain(Message("Requested by"), uow.session.get_one(Person, statement["askedBy"]).name)
    yield _coded(in_context("statements", "Outcome"), statement["outcome"])
    if statement["reason"]:
        yield _plain(Message("Reason of the answer"), statement["reason"])
    yield _signer(uow, statement)


def _signer(uow: UnitOfWork, statement: Mapping[str, Any]) -> Line:
    return _plain(Message("Signer"), uow.session.get_one(Person, statement["person"]).name)


def _receipt(uow: UnitOfWork, answers: Mapping[str, Any]) -> Iterator[Line]:
    for copy_id, sha256 in answers.get("copies", {}).items():
        yield _copy(uow, copy_id, sha256)
    if "dueAt" in answers:
        yield _moment(uow, Message("Return by"), answers["dueAt"])
        yield _plain(Message("Version of the conditions"), answers["conditionsVersion"])
        yield _plain(Message("Version of the agreement"), answers["agreementVersion"])


def _confirmation(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    review = uow.session.get_one(Review, statement["review"])
    application = uow.session.get_one(Application, review.application_id)
    yield _coded(Message("Confirmed review"), review.stage)
    yield _plain(Message("Application"), application.number or application.id)
    answer = Message("agrees") if statement["agrees"] else Message("disagrees")
    yield Line(Message("Answer of the second person"), answer)
    if statement["reason"]:
        yield _plain(Message("Reason"), statement["reason"])
    yield from _signer_lines(uow, statement)
    yield _plain(Message("SHA-256 of what is confirmed"), statement["confirms"])
    yield _plain(Message("SHA-256 of the form"), statement["form"])


def _consent(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Answer of a joint department"))
    for label, name in ((in_context("statements", "Department"), "department"), (Message("Applicant"), "applicant")):
        department = uow.session.get_one(Department, statement[name])
        yield Line(label, Bilingual(department.name_zh, department.name_en))
    answer = Message("consents") if statement["answer"] == "consented" else Message("refuses")
    yield Line(Message("Answer"), answer)
    if statement["reason"]:
        yield _plain(Message("Reason"), statement["reason"])
    yield from _signer_lines(uow, statement)
    yield _plain(Message("SHA-256 of the form"), statement["form"])


def _agreement(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Signing the confidentiality agreement"))
    yield _plain(Message("Version"), statement["version"])
    yield _moment(uow, Message("Signed at"), statement["signedAt"])
    yield _moment(uow, Message("Valid until"), statement["expiresAt"])


def _return(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    hand_over = uow.session.get_one(HandOver, statement["handOver"])
    application = uow.session.get_one(Application, hand_over.application_id)
    yield Line(Message("Action"), Message("Returning the copies"))
    yield _plain(Message("Application"), application.number or application.id)
    yield _coded(Message("Returned to"), f"office-{statement['returnTo']}")
    for copy_id, sha256 in statement["copies"].items():
        yield _copy(uow, copy_id, sha256)
    for number, fate in enumerate(statement["attestation"]["downloads"].values(), 1):
        note = f" · {fate['note']}" if fate["note"] else ""
        value = Message("{fate}{note}", fate=Label(fate["fate"]), note=note)
        yield Line(Message("Download {number}", number=number), value)
    yield Line(Message("Other copies"), Message("no other copy was kept"))
    yield _moment(uow, Message("Returned at"), statement["returnedAt"])


def _sitting(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    hand_over = uow.session.get_one(HandOver, statement["handOver"])
    application = uow.session.get_one(Application, hand_over.application_id)
    yield Line(Message("Action"), Message("Ending a viewing on site"))
    yield _plain(Message("Application"), application.number or application.id)
    yield _plain(Message("Sheet"), statement["sitting"])
    yield _plain(Message("Viewing station"), statement["station"])
    present = statement["present"]
    yield _plain(Message("Present"), ", ".join(one["name"] for one in (*present["people"], *present["outsiders"])))
    yield _moment(uow, Message("Begun at"), statement["openedAt"])
    yield _moment(uow, Message("Ended at"), statement["closedAt"])
    if statement["closedItselfAt"]:
        yield _moment(uow, Message("Closed by itself at"), statement["closedItselfAt"])


def _change_confirmation(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    request = uow.session.get_one(ChangeRequest, statement["request"])
    yield Line(Message("Action"), Message("Confirming a change as the second person"))
    yield Line(Message("Change"), change_queries.describe(uow, request))
    if request.person_id is not None:
        yield _plain(Message("People concerned"), uow.session.get_one(Person, request.person_id).name)
    yield _plain(Message("Requested by"), uow.session.get_one(Person, request.requested_by).name)
    yield from _signer_lines(uow, statement)


def _signature_release(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield Line(Message("Action"), Message("Confirming that a person may sign again"))
    yield _plain(Message("Person"), uow.session.get_one(Person, statement["concerns"]).name)
    yield from _signer_lines(uow, statement)


def _item(uow: UnitOfWork, line: Mapping[str, Any]) -> Line:
    item, camera = uow.session.get_one(Item, line["item"]), uow.session.get_one(Camera, line["camera"])
    span = f"{_local(line['from'], item.zone)} – {_local(line['to'], item.zone)}"
    number, name_en = line["position"], camera.name_en or camera.name_zh
    return Line(Message("Item {number}", number=number), Bilingual(f"{camera.name_zh} · {span}", f"{name_en} · {span}"))


def _copy(uow: UnitOfWork, copy_id: str, sha256: str) -> Line:
    item = uow.session.get_one(Item, uow.session.get_one(Copy, copy_id).item_id)
    return Line(Message("SHA-256 of the copy of item {position}", position=item.position), Bilingual(sha256, sha256))


def _signer_lines(uow: UnitOfWork, statement: Mapping[str, Any]) -> Iterator[Line]:
    yield _plain(Message("Signer"), uow.session.get_one(Person, statement["person"]).name)
    yield _moment(uow, Message("At"), statement["decidedAt"])


def _plain(message: Text, text: Any) -> Line:
    return Line(message, Bilingual(str(text), str(text)))


def _coded(message: Text, code: str) -> Line:
    return Line(message, Label(code))


def _moment(uow: UnitOfWork, message: Text, moment: str) -> Line:
    return _plain(message, _local(moment, uow.rules.zone))


def _local(moment: str, zone: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %z}"
