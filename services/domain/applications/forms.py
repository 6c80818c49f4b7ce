"""The application form as a person fills it in, and as it is frozen at each submission (R16 to R21)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.people import Department, Person
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.access import consents
from services.domain.access import queries as access_queries
from services.domain.applications import applicable, outsiders
from services.domain.attachments import queries as attachment_queries
from services.domain.retrieval import preservations, upload_sources
from services.runtime.canonical_json import hash_of
from services.runtime.translations import Message

TITLE = "视频录像调取申请表"

PURPOSE_CATEGORIES = {
    "security-incident": Message("Security incident"),
    "accident": Message("Accident"),
    "dispute": Message("Dispute"),
    "discipline": Message("Discipline"),
    "operations": Message("Operations"),
    "training": Message("Training"),
    "other": Message("Other"),
}
LEGAL_BASES = {
    "internal-management": Message("Duties of internal management"),
    "law": Message("Required by law"),
    "authority-request": Message("Lawful request by an authority"),
    "lawful-interest": Message("Protection of legitimate interests"),
    "consent": Message("Consent of the people recorded"),
}
SENSITIVITIES = {
    "trade-secret": Message("Trade secrets"),
    "privacy": Message("Privacy"),
    "minors": Message("Minors"),
    "medical": Message("Medical information"),
}
LONGEST_TITLE = 60  # characters
USUAL_USE_DAYS = 7  # what an empty form proposes


@dataclass(frozen=True)
class ItemAsked:
    """One camera and one span; both moments aware, ``zone`` the IANA name in which they were typed (R20)."""

    camera_id: str
    start: datetime
    end: datetime
    zone: str


@dataclass(frozen=True)
class Form:
    """What the drafter fills in. Drafter and department come from the directory and are never typed (R18).

    A draft may be incomplete: ``completeness`` says what is missing, and the process sends back what was handed in so.
    """

    title: str | None = None  # at most ``LONGEST_TITLE``; older forms and drafts have none
    reason: str = ""
    purpose: str = ""
    purpose_category: str = ""
    legal_basis: str = ""
    way_of_use: str = ""  # left out: the usual one, on site where there is a station
    way_of_use_because: str | None = ""  # why less is not enough
    place_of_use: str = ""
    requested_use_days: int = USUAL_USE_DAYS
    custodian_id: str | None = None
    recipient_ids: tuple[str, ...] = ()  # whom the custodian may show the footage (R57)
    items: tuple[ItemAsked, ...] = ()
    incident_reference: str | None = None
    subject_ids: tuple[str, ...] = field(default=())
    urgent_because: str | None = None
    important_information: bool = False
    sensitive_event: bool = False
    high_impact: bool = False
    sensitivities: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()  # laws, standards and own rules that are named as the basis (R3)
    joint_department_ids: tuple[str, ...] = ()  # that agree on the applicant, beside the drafter's own (R17)


SIMPLE_FIELDS = (
    "title",
    "reason",
    "purpose",
    "purpose_category",
    "legal_basis",
    "way_of_use",
    "way_of_use_because",
    "place_of_use",
    "requested_use_days",
    "custodian_id",
    "incident_reference",
    "urgent_because",
)
CLASS_FIELDS = ("important_information", "sensitive_event", "high_impact")


def fill(application: Application, form: Form, usual_way: str) -> None:
    """Write the form's fields into the application; what was once submitted as important stays important (R26).

    ``usual_way`` is asked for where the form leaves the way of use out.
    """
    for name in SIMPLE_FIELDS:
        setattr(application, name, getattr(form, name))
    application.way_of_use = form.way_of_use or usual_way
    application.title = form.title or None
    for name in CLASS_FIELDS:
        marked = application.submitted_at is not None and bool(getattr(application, name))
        setattr(application, name, marked or getattr(form, name))
    application.recipient_ids = list(form.recipient_ids)
    application.subject_ids = list(form.subject_ids)
    application.sensitivities = list(form.sensitivities)
    application.rule_ids = list(form.rule_ids)
    application.joint_department_ids = list(form.joint_department_ids)


def from_application(uow: UnitOfWork, application: Application) -> Form:
    """Return the form as the application has it now."""
    items = preservations.items_in_scope(uow, application.id)
    return Form(
        **{name: getattr(application, name) for name in (*SIMPLE_FIELDS, *CLASS_FIELDS)},
        recipient_ids=tuple(application.recipient_ids or ()),
        subject_ids=tuple(application.subject_ids),
        sensitivities=tuple(application.sensitivities or ()),
        rule_ids=tuple(application.rule_ids or ()),
        joint_department_ids=tuple(application.joint_department_ids or ()),
        items=tuple(ItemAsked(item.camera_id, item.asked_start, item.asked_end, item.zone) for item in items),
    )


def replace_items(
    uow: UnitOfWork, application: Application, asked: tuple[ItemAsked, ...], dropped_in: int | None = None
) -> None:
    """Make the items those of ``asked``: equal ones stay with their id, others are added or dropped.

    What was never submitted was never asked for: there a dropped item is deleted. Elsewhere ``dropped_in`` is the round
    that asks for it no more, by default the application's.
    """
    current = preservations.items_in_scope(uow, application.id)
    unchanged: set[str] = set()
    for position, wanted in enumerate(asked, start=1):
        asked_for = (wanted.camera_id, wanted.start, wanted.end)
        same = next(
            (
                item
                for item in current
                if item.id not in unchanged and (item.camera_id, item.asked_start, item.asked_end) == asked_for
            ),
            None,
        )
        if same is None:
            same = Item(application_id=application.id, camera_id=wanted.camera_id, zone=wanted.zone, position=position)
            same.asked_start, same.asked_end = wanted.start, wanted.end
            uow.session.add(same)
            uow.session.flush()
        same.position = position
        same.granted_start = same.granted_end = None
        unchanged.add(same.id)
    for item in current:
        if item.id in unchanged:
            continue
        if application.submitted_at is None:
            uow.session.delete(item)
        else:
            item.dropped_in_round = application.round if dropped_in is None else dropped_in
    uow.session.flush()
    upload_sources.bind(uow, application)


def freeze(uow: UnitOfWork, application: Application, by: str) -> Revision:
    """Store this round's form as canonical JSON with its hash, which every decision is bound to (R25).

    ``by`` is who submitted it: of a joint application not the head whose consent came last.
    """
    content = to_json(uow, application)
    content["consents"] = _consents(uow, application, content)
    revision = Revision(
        application_id=application.id,
        round=application.round,
        submitted_by=by,
        submitted_at=uow.now,
        form=content,
        sha256=hash_of(content),
    )
    uow.session.add(revision)
    uow.session.flush()
    return revision


def current_revision(uow: UnitOfWork, application_id: str) -> Revision | None:
    """Return the newest submitted form; None for a draft."""
    return uow.session.scalar(
        select(Revision).where(Revision.application_id == application_id).order_by(Revision.round.desc()).limit(1)
    )


def to_json(uow: UnitOfWork, application: Application) -> dict[str, Any]:
    """Return the form as JSON: names beside ids, times in UTC with the zone they were typed in.

    ``title`` is the document's; the application's own is ``caseTitle``, which a form without one does not have, so that
    its hash is what it was in earlier releases. So is one without ``attachments``, ``wayOfUseBecause`` or
    ``applicableRules``, and one that
    is on nobody's behalf has no ``formVersion``.
    """
    joint = application.joint_department_ids or ()
    named = select(Department).where(Department.id.in_([application.department_id, *joint]))
    departments = {department.id: _department(department) for department in uow.session.scalars(named)}
    people = [application.drafter_id, *application.recipients, *application.subject_ids]
    if application.custodian_id is not None:
        people.append(application.custodian_id)
    persons = {
        person_id: {"id": person_id, "name": name} for person_id, name in access_queries.get_names(uow, people).items()
    }
    items = (
        select(Item, Camera, Upload)
        .join(Camera, Camera.id == Item.camera_id)
        .outerjoin(Upload, Upload.id == Item.camera_id)
        .where(Item.application_id == application.id, Item.dropped_in_round.is_(None))
        .order_by(Item.position)
    )
    attached = attachment_queries.to_json(attachment_queries.list_of_form(uow, application.id))
    previous = uow.session.get(Application, application.previous_id) if application.previous_id is not None else None
    return {
        "title": TITLE,
        **({"caseTitle": application.title} if application.title else {}),
        "number": application.number,
        "policyVersion": application.policy_version,
        "organisation": uow.rules.organisation,
        "round": application.round,
        "submittedAt": uow.now.isoformat(),
        "department": departments[application.department_id],
        "drafter": persons[application.drafter_id],
        "custodian": persons[application.custodian_id] if application.custodian_id is not None else None,
        "recipients": [persons[person_id] for person_id in application.recipients],
        "previousApplication": previous.number if previous is not None else None,
        "reason": application.reason,
        "purpose": application.purpose,
        "purposeCategory": application.purpose_category,
        "legalBasis": application.legal_basis,
        "incidentReference": application.incident_reference,
        "wayOfUse": application.way_of_use,
        **({"wayOfUseBecause": application.way_of_use_because} if application.way_of_use_because else {}),
        "placeOfUse": application.place_of_use,
        "requestedUseDays": application.requested_use_days,
        "subjects": [persons[person_id] for person_id in application.subject_ids],
        "urgentBecause": application.urgent_because,
        "importantInformation": application.important_information,
        "sensitiveEvent": application.sensitive_event,
        "highImpact": application.high_impact,
        "sensitivities": list(application.sensitivities or ()),
        "jointDepartments": [departments[department_id] for department_id in joint],
        "consents": [],
        "items": [_item(*row) for row in uow.session.execute(items)],
        **applicable.to_json(uow, application),
        **({"attachments": attached} if attached else {}),
        **outsiders.to_json(uow, application),
    }


def _consents(uow: UnitOfWork, application: Application, form: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the departments' signed consents to this very form; empty where none were needed."""
    consultation = consents.find_consented(uow, application.id, consents.hash_form(form))
    if not application.joint_department_ids or consultation is None:
        return []
    return [
        {
            "department": _department(answer.department),
            "by": person_to_json(uow, answer.person_id),
            "at": None if answer.answered_at is None else answer.answered_at.isoformat(),
            "form": consultation.sha256,
            "statement": answer.statement_sha256,
            "signature": answer.signature,
        }
        for answer in consents.list_answers(uow, consultation)
    ]


def _department(department: Department) -> dict[str, str]:
    return {"id": department.id, "zh": department.name_zh, "en": department.name_en}


def _item(item: Item, camera: Camera, upload: Upload | None) -> dict[str, Any]:
    return {
        "id": item.id,
        "position": item.position,
        "camera": {"id": camera.id, "zh": camera.name_zh, "en": camera.name_en},
        "place": {"zh": camera.place_zh, "en": camera.place_en},
        "from": item.asked_start.isoformat(),
        "to": item.asked_end.isoformat(),
        "zone": item.zone,
        "source": {"kind": "camera"} if upload is None else upload_sources.to_json(upload),
    }


def person_to_json(uow: UnitOfWork, person_id: str | None) -> dict[str, str] | None:
    if person_id is None:
        return None
    return {"id": person_id, "name": uow.session.get_one(Person, person_id).name}
