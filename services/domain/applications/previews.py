"""The automatic checks over a form that is still being typed: what is missing, and what to know beforehand (R18-R22).

They are the same that the process runs: preliminary and security review read the rows, which here are not stored.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.database.tables.applications import Application, Item
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import completeness, forms, security_check, ways
from services.domain.applications.findings import CheckFinding
from services.domain.applications.forms import Form
from services.domain.retrieval import preservations
from services.runtime.errors import Refused
from services.runtime.spans import Span
from services.runtime.translations import Message

# Which field of the form a finding is about; those of items name the item.
FIELDS = {
    "reason-too-short": "reason",
    "reason-is-purpose": "purpose",
    "purpose-too-short": "purpose",
    "place-of-use-missing": "placeOfUse",
    "category-unknown": "purposeCategory",
    "legal-basis-unknown": "legalBasis",
    "authority-reference-missing": "incidentReference",
    "consent-to-verify": "legalBasis",
    "custodian-missing": "custodianId",
    "custodian-elsewhere": "custodianId",
    "custodian-has-decided": "custodianId",
    "custodian-is-subject": "custodianId",
    "custodian-agreement-missing": "custodianId",
    "custodian-agreement-ends": "custodianId",
    "recipient-left": "recipientIds",
    "recipient-is-subject": "recipientIds",
    "recipient-is-administrator": "recipientIds",
    "recipient-agreement-missing": "recipientIds",
    "drafter-is-subject": "subjectIds",
    "use-period-too-long": "requestedUseDays",
    "download-asked": "wayOfUse",
    "urgency-missing": "urgentBecause",
    "station-missing": "wayOfUse",
    "way-not-argued": "wayOfUseBecause",
    "custodian-no-companion": "custodianId",
    "viewers-missing": "recipientIds",
    "items-missing": "items",
    **dict.fromkeys(
        (
            "stage-lacking",
            "outsiders-elsewhere",
            "officers-missing",
            "outsiders-missing",
            "outsider-twice",
            "letter-incomplete",
            "letter-in-future",
            "letter-not-attached",
            "seal-unchecked",
            "card-number-gone",
            "letter-first-elsewhere",
            "letter-later",
        ),
        "onBehalf",
    ),
}
OF_BEHALF = ("on_behalf", "letter_title", "letter_number", "letter_date", "letter_seal_checked", "letter_first")


def preview(
    uow: UnitOfWork, form: Form, positions: Sequence[int] | None = None, *, application_id: str | None = None
) -> list[CheckFinding]:
    """Return what the checks would find of this form, the blocking ones first; nothing is written.

    The actor is its drafter. On whose behalf it is asked stands in the stored application, if there is one. An item's
    ``item_id`` is its position: from 1, or as ``positions`` say where some of the items that are typed cannot be read
    yet.
    """
    person = uow.session.get_one(Person, uow.actor.id)
    application = Application(drafter_id=person.id, department_id=person.department_id)
    forms.fill(application, form, ways.usual(uow.rules))
    stored = uow.session.get(Application, application_id) if application_id is not None else None
    if stored is not None:
        application.id, application.department_id = stored.id, stored.department_id
        for name in OF_BEHALF:
            setattr(application, name, getattr(stored, name))
    if form.custodian_id is not None and uow.session.get(Person, form.custodian_id) is None:
        application.custodian_id = None
    numbers = range(1, len(form.items) + 1) if positions is None else positions
    items = [
        Item(
            id=str(number),
            position=number,
            camera_id=asked.camera_id,
            zone=asked.zone,
            asked_start=asked.start,
            asked_end=asked.end,
        )
        for number, asked in zip(numbers, form.items, strict=True)
    ]
    check_findings = completeness.check(uow, application, items) + security_check.for_applicant(uow, application, items)
    if not items and positions is None:
        check_findings.append(CheckFinding("items-missing", "blocks", Message("Choose a camera and a time span.")))
    order = ("blocks", "warns", "informs")
    for place, finding in enumerate(check_findings):
        own = security_check.words_for_applicant(finding.code, finding.item_id)
        check_findings[place] = finding if own is None else replace(finding, message=own)
    return sorted(check_findings, key=lambda finding: order.index(finding.severity))


def require_complete(uow: UnitOfWork, form: Form, application_id: str | None = None) -> None:
    """Raise Refused, with the first blocking finding, for a form that is not complete."""
    missing = [finding for finding in preview(uow, form, application_id=application_id) if finding.severity == "blocks"]
    if missing:
        first = missing[0]
        raise Refused("incomplete", first.message, status=422, field=FIELDS.get(first.code, "items"))


def is_preserved(uow: UnitOfWork, application_id: str, camera_id: str, span: Span) -> bool:
    """Return whether an own application holds the footage in quarantine already."""
    application = uow.session.get(Application, application_id)
    if application is None or application.drafter_id != uow.actor.id:
        return False
    held = (
        row
        for item in preservations.items_in_scope(uow, application_id)
        if item.camera_id == camera_id
        for row in preservations.list_held(uow, item.id)
    )
    return any(row.asked_start <= span.start and span.end <= row.asked_end for row in held)
