"""What the form's page shows beside what is typed: the lists to choose from, what is missing, what was criticised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from services.database.tables.applications import WAYS_OF_USE, Application
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes
from services.domain.applicable_rules import service as applicable_rules
from services.domain.applicable_rules.service import Registered
from services.domain.applications import (
    directory,
    drafts,
    forms,
    item_sources,
    objections,
    outsiders,
    previews,
    recipients,
    ways,
)
from services.domain.applications.directory import CameraSearch, FoundCameras, FoundPeople
from services.domain.applications.findings import CheckFinding
from services.domain.applications.item_sources import File
from services.domain.applications.objections import Objection
from services.domain.applications.pages import typed_form
from services.domain.applications.pages.typed_form import Reading
from services.domain.applications.schemas import Colleague
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import AttachmentList
from services.domain.cases import queries as case_queries
from services.domain.cases.schemas.consents import ConsultationView
from services.runtime import local_times
from services.web.forms import TypedForm

FIRST_ITEM = {"items-0-cameraId": "", "items-0-start": "", "items-0-end": ""}
FIELDS = {"use-days-unreadable": "requestedUseDays"}


@dataclass(frozen=True)
class Line:
    """One thing that is missing or worth knowing; ``target`` is the page's element to go to."""

    finding: CheckFinding
    target: str


@dataclass(frozen=True)
class Looking:
    """The field for which something is looked for, a person or `camera`, and the text; none where nothing is.

    Of cameras also the plan that is looked at, and where the page begins.
    """

    field: str = ""
    text: str = ""
    plan: str = ""
    place: str = ""

    @property
    def cameras(self) -> CameraSearch:
        """What cameras are looked for; all where it is about another field."""
        return CameraSearch(self.text, self.plan, self.place) if self.field == "camera" else CameraSearch()


NOT_LOOKING = Looking()


@dataclass(frozen=True)
class FormView:
    """Everything the page is made of. ``version`` is the draft's that the typing began from."""

    application_id: str
    version: int
    saved_at: datetime | None
    number: str | None
    typed: TypedForm
    reading: Reading
    found: FoundCameras
    files: Sequence[File]
    attached: AttachmentList
    behalf: str | None
    rules: Sequence[Registered]
    outsiders: int
    found_people: Mapping[str, FoundPeople]
    looking: Looking
    custodian: Colleague | None
    usernames: Mapping[str, str]  # of the people named below who share their name with somebody
    subjects: Sequence[Person]
    departments: Sequence[Department]
    recipients: Sequence[Person]
    missing: Sequence[Line]
    objection: Objection | None
    consultation: ConsultationView | None
    previous: str | None
    ways: Sequence[str]
    most_days: int | None
    most_items: int
    correction_until: datetime | None

    @property
    def longest_title(self) -> int:
        return forms.LONGEST_TITLE

    def label(self, person: Person) -> str:
        """Return the name of one of the subjects or recipients, with the username where others have the name."""
        return namesakes.label(person.name, self.usernames.get(person.id))

    @property
    def complete(self) -> bool:
        return not any(line.finding.severity == "blocks" for line in self.missing)


def proposed_fields(uow: UnitOfWork, department: Department) -> dict[str, Any]:
    """Return the fields of a new form, with proposals from what the person submitted last."""
    last = drafts.get_latest(uow)
    custodian = last.custodian_id if last else None
    on_site = ways.usual(uow.rules) == ways.ON_SITE
    fits = ways.is_companion if on_site else partial(is_of_department, department=department)
    if not (custodian and fits(uow, custodian)):
        me = directory.colleagues(uow, [uow.actor.id]).get(uow.actor.id)
        is_fit = me is not None and me.agreement and me.may_be_custodian and (not on_site or fits(uow, me.id))
        custodian = uow.actor.id if is_fit else None
    days = last.requested_use_days if last else forms.USUAL_USE_DAYS
    return {
        "wayOfUse": ways.usual(uow.rules),
        "legalBasis": last.legal_basis if last else "internal-management",
        "placeOfUse": last.place_of_use if last else f"{department.name_zh}办公室",
        "requestedUseDays": str(min(days, uow.rules.max_use_days or days)),
        "custodianId": custodian or "",
        **FIRST_ITEM,
    }


def is_of_department(uow: UnitOfWork, person_id: str, department: Department) -> bool:
    """Return whether the person is active and works in the department."""
    person = uow.session.get(Person, person_id)
    return person is not None and person.active and person.department_id == department.id


def find_people(uow: UnitOfWork, typed: TypedForm, field: str, text: str) -> FoundPeople:
    """Find people for a field of the form: custodians of the own department, recipients, or anybody (R2, R57).

    On site the custodian is a companion, of Security or the storage office.

    Whoever is named already is left out, and of the recipients the custodian and the subjects, too.
    """
    named = {field: typed.all(field)}
    if field == "recipientIds":
        named = {other: typed.all(other) for other in typed_form.PEOPLE}
    on_site = typed.text("wayOfUse") == ways.ON_SITE
    own = [uow.session.get_one(Person, uow.actor.id).department_id] if field == "custodianId" and not on_site else []
    kinds = ways.COMPANIONS if field == "custodianId" and on_site else ()
    without = [person_id for ids in named.values() for person_id in ids if person_id]
    return directory.find_people(uow, text, without, department_ids=own, kinds=kinds, custodians=field != "subjectIds")


def stored_fields(uow: UnitOfWork, form: forms.Form, application_id: str | None = None) -> dict[str, Any]:
    """Return the fields of a stored form."""
    named = {item.camera_id for item in form.items}
    return typed_form.stored_fields(form, item_sources.cameras(uow, application_id, named))


def file_fields(uow: UnitOfWork, application_id: str) -> dict[str, dict[str, str]]:
    """Return the fields of an item for each file that is ready: all of the file."""
    finding = {}
    for file in item_sources.files(uow, application_id):
        if file.camera is not None and file.span is not None:
            start, end = (local_times.local_text(moment, file.camera.zone) for moment in file.span)
            values = (file.camera.id, *start, *end)
            finding[file.camera.id] = dict(zip(typed_form.ITEM, values, strict=True))
    return finding


def new_id() -> str:
    """Return the identifier of a form before it is saved, so that two saves of it make one draft."""
    return str(uuid4())


def build(
    uow: UnitOfWork,
    application_id: str,
    typed: TypedForm,
    *,
    version: int,
    saved_at: datetime | None = None,
    application: Application | None = None,
    looking: Looking = NOT_LOOKING,
) -> FormView:
    """Return the page of this form, as it is typed."""
    stored = application or uow.session.get(Application, application_id)
    known = stored.id if stored else None  # a form has its id before it is saved
    files = item_sources.files(uow, known)
    reading = _parse(uow, typed, files)
    custodian_id = reading.form.custodian_id
    # the checks ask for both again and again, and a session keeps no row that nobody holds
    _held = uow.session.scalars(select(Person).where(Person.id.in_({uow.actor.id, custodian_id or ""}))).all()
    people = {field: FoundPeople() for field in typed_form.PEOPLE}
    custodian = directory.colleagues(uow, [custodian_id]).get(custodian_id) if custodian_id else None
    if custodian is None:
        people["custodianId"] = find_people(uow, typed, "custodianId", "")
    if looking.field in people:
        people[looking.field] = find_people(uow, typed, looking.field, looking.text)
    previous_id = application.previous_id if application else typed.text("previousId") or None
    return FormView(
        application_id=application_id,
        version=version,
        saved_at=saved_at,
        number=application.number if application else None,
        typed=typed,
        reading=reading,
        found=directory.pick_cameras(uow, looking.cameras),
        files=files,
        attached=_attached(uow, known),
        behalf=stored.on_behalf if stored else None,
        outsiders=outsiders.count(uow, known) if known else 0,
        found_people=people,
        looking=looking,
        custodian=custodian,
        usernames=namesakes.get_usernames(uow, [*reading.form.subject_ids, *reading.form.recipient_ids]),
        subjects=recipients.list_people(uow, reading.form.subject_ids),
        departments=directory.departments(uow),
        recipients=recipients.list_people(uow, reading.form.recipient_ids),
        missing=list_findings(uow, reading, known),
        objection=objections.get_objection(uow, application) if application and application.correction_until else None,
        consultation=case_queries.get_consultation(uow, application) if application else None,
        previous=drafts.get_source(uow, previous_id)[0].number if previous_id else None,
        ways=_ways(uow, reading.form.way_of_use),
        rules=applicable_rules.list_in_force(uow),
        most_days=uow.rules.max_use_days,
        most_items=uow.rules.max_items,
        correction_until=application.correction_until if application else None,
    )


def _ways(uow: UnitOfWork, chosen: str) -> Sequence[str]:
    """Return the ways to choose from, the least first; on site is none without a station, unless it was chosen."""
    without_station = not uow.rules.viewing_stations and chosen != ways.ON_SITE
    return tuple(way for way in WAYS_OF_USE if not (without_station and way == ways.ON_SITE))


def _attached(uow: UnitOfWork, application_id: str | None) -> AttachmentList:
    """Return the attachments of a draft or a correction; none of a form that was never saved."""
    if application_id is None:
        return AttachmentList(attachments=[], identity_cards=None, may_add=True)
    return attachment_queries.get_list(uow, "application", application_id)


def parse(uow: UnitOfWork, typed: TypedForm, application_id: str | None, *, first: int = 0) -> Reading:
    """Return what of the typed form can be read; its items name cameras, and files of the person or of the application.

    ``first`` is the place, from 0, of the first item that is typed: a part of the page sends one item alone.
    """
    return _parse(uow, typed, item_sources.files(uow, application_id), first)


def _parse(uow: UnitOfWork, typed: TypedForm, files: Sequence[item_sources.File], first: int = 0) -> Reading:
    named = {item["cameraId"] for item in typed_form.items_of(typed)}
    by_id = {camera.id: camera for camera in item_sources.choices(uow, files, named)}
    return typed_form.parse(typed, by_id, uow.rules.zone, first)


def list_findings(uow: UnitOfWork, reading: Reading, application_id: str | None) -> list[Line]:
    """Return what cannot be read and what the checks find, the blocking ones first, by field."""
    positions = None if not reading.rows else reading.positions
    finding = [*reading.problems, *previews.preview(uow, reading.form, positions, application_id=application_id)]
    order = ("blocks", "warns", "informs")
    return sorted(
        (Line(finding, _target(finding)) for finding in finding), key=lambda line: order.index(line.finding.severity)
    )


def _target(finding: CheckFinding) -> str:
    if finding.item_id is not None:
        place = f"items-{int(finding.item_id) - 1}"
        return (
            f"f-{place}-{finding.code.removeprefix('item-')}" if finding.code in ("item-start", "item-end") else place
        )
    name = FIELDS.get(finding.code) or previews.FIELDS.get(finding.code)
    return "footage" if name in (None, "items") else f"f-{name}"


def get_view(uow: UnitOfWork, application_id: str, looking: Looking = NOT_LOOKING) -> FormView:
    """Return the page of a draft or of a returned application, as it was typed last."""
    application, draft = drafts.get_editable(uow, application_id)
    values: Mapping[str, Any] = draft.typed if draft else {}
    if not values:
        values = FIRST_ITEM | stored_fields(uow, forms.from_application(uow, application), application_id)
    return build(
        uow,
        application_id,
        typed_form.typed_of(values),
        version=draft.version if draft else 0,
        saved_at=draft.saved_at if draft else None,
        application=application,
        looking=looking,
    )
