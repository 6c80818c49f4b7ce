"""Applying, correcting and withdrawing: what the applicant's side does (R16, R22, T1, T6)."""

from collections.abc import Collection
from functools import cache
from zoneinfo import available_timezones

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import WAYS_OF_USE, Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applicable_rules import service as applicable_rules
from services.domain.applications import filing, forms, joint, ways
from services.domain.applications.forms import SENSITIVITIES, Form
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.domain.notifications import service as notification_service
from services.domain.process import messages, outbox
from services.domain.retrieval import preservations, upload_sources
from services.runtime.errors import NotFound, NotPermitted, Refused
from services.runtime.translations import Bilingual, Message, Text

LONGEST_TEXT = 4000


def create_draft(
    uow: UnitOfWork, form: Form, *, previous_id: str | None = None, application_id: str | None = None
) -> Application:
    """Create a draft of the actor for the actor's department; ``previous_id`` names the case it appeals (T6)."""
    person = _me(uow)
    if previous_id is not None and get_own(uow, previous_id).submitted_at is None:
        raise NotFound(Message("application"), previous_id)
    application = Application(
        id=application_id or new_id(),
        policy_version=uow.rules.policy_version,
        drafter_id=person.id,
        department_id=person.department_id,
        previous_id=previous_id,
        created_at=uow.now,
        round=0,
    )
    check_storable(uow, form)
    forms.fill(application, form, ways.usual(uow.rules))
    uow.session.add(application)
    uow.session.flush()
    forms.replace_items(uow, application, form.items)
    audit_trail.record(uow, "application-drafted", "application", application.id, application_id=application.id)
    return application


def update_draft(uow: UnitOfWork, application_id: str, form: Form) -> Application:
    """Change a draft; refused once it was submitted."""
    application = get_own(
        uow, application_id, for_change=True
    )  # or the form could be frozen before this and change after
    if application.submitted_at is not None:
        raise Refused(
            "already-submitted",
            "The application was submitted: it can only be changed if it is returned for correction.",
        )
    check_storable(uow, form, application)
    forms.fill(application, form, ways.usual(uow.rules))
    forms.replace_items(uow, application, form.items)
    joint.end_if_changed(uow, application)
    return application


def submit(uow: UnitOfWork, application_id: str) -> Application:
    """Submit a draft: give it its number, freeze its form, notify the process. A second call changes nothing.

    Of a joint application the departments are asked first (R17): it stays a draft until all have consented.
    """
    application = get_own(uow, application_id, for_change=True)
    if application.submitted_at is not None:
        return application
    if not preservations.items_in_scope(uow, application_id):
        raise Refused("no-items", "Choose at least one camera and time span.", field="items")
    if not joint.request_consents(uow, application, 0):
        filing.submit(uow, application, uow.actor.id)
    return application


def correct(uow: UnitOfWork, application_id: str, form: Form) -> Application:
    """Correct a returned application: a new round begins, every decision is asked for anew (R22).

    Where joint departments have to consent to the changed form, the round begins with the last consent.
    """
    application = get_own(uow, application_id, for_change=True)
    if application.correction_until is None or application.closed_at is not None:
        raise Refused(
            "not-returned",
            "The application was not returned, or the correction deadline has passed.",
        )
    if uow.now >= application.correction_until:
        raise Refused(
            "correction-over",
            "The correction deadline has passed: submit a new application and refer to this one.",
        )
    check_storable(uow, form, application)
    if not form.items:
        raise Refused("no-items", "Choose at least one camera and time span.", field="items")
    forms.fill(application, form, ways.usual(uow.rules))
    forms.replace_items(uow, application, form.items, application.round + 1)
    if not joint.request_consents(uow, application, application.round + 1):
        filing.resubmit(uow, application, uow.actor.id)
    return application


def withdraw(uow: UnitOfWork, application_id: str, reason: str) -> Application:
    """Withdraw before anything was handed over; afterwards somebody holds a copy and has to return it.

    Footage that was preserved is discarded with it, so nobody withdraws who must not sign yet after a reset.
    """
    application = get_own(uow, application_id, for_change=True)
    if application.withdrawn_at is not None:
        return application
    stopped = joint.cancel(uow, application)
    if stopped and application.submitted_at is None:
        return application  # a draft again
    loan = select(HandOver.id).where(HandOver.application_id == application.id, HandOver.issue == application.issue)
    handed_over = uow.session.scalar(loan) is not None
    of_case = select(Copy.item_id).where(Copy.application_id == application.id, Copy.discarded_at.is_(None))
    copied = set(uow.session.scalars(of_case))
    ready = copies_ready(preservations.items_in_scope(uow, application.id), copied)
    refusal = withdrawal_refusal(application, handed_over=handed_over, copies_ready=ready)
    if refusal is not None:
        raise refusal
    holds.check(uow, uow.actor.id)
    application.withdrawn_at = uow.now
    application.correction_until = None
    notification_service.mark_done(uow, "correction", application_id=application.id)
    audit_trail.record(
        uow,
        "application-withdrawn",
        "application",
        application_id,
        application_id=application_id,
        reason=reason,
    )
    outbox.publish(
        uow,
        messages.APPLICATION_WITHDRAWN,
        application_id,
        application_id=application_id,
        message_id=f"{application_id}:withdrawn",
        variables={"applicationId": application_id},
    )
    return application


def withdrawal_refusal(application: Application, *, handed_over: bool, copies_ready: bool) -> Refused | None:
    """Return why the application cannot be withdrawn now; None where it can, by those whose ``get_own`` it is."""
    if application.submitted_at is None or application.closed_at is not None:
        return Refused("not-running", "Only an application in progress can be withdrawn.")
    if handed_over:
        return Refused(
            "handed-over",
            "The copies were handed over: the application cannot be withdrawn. Decline or return the copies instead.",
        )
    if copies_ready:
        return Refused(
            "copies-ready",
            "The copies are about to be handed over: the application cannot be withdrawn. The custodian can decline "
            "the copies instead, and the head of the department can name another custodian on the page of the case.",
        )
    return None


def get_own(uow: UnitOfWork, application_id: str, *, for_change: bool = False) -> Application:
    """Return the application, if the actor drafted it or heads its department; NotFound for everybody else.

    A head whom the case concerns does not act for the department in it (T8).
    """
    query = select(Application).where(Application.id == application_id)
    application = uow.session.scalar(query.with_for_update() if for_change and not uow.reading else query)
    if application is None or not is_of_applicant(uow, application):
        raise NotFound(Message("application"), application_id)
    return application


def item_ids(uow: UnitOfWork, application_id: str) -> list[str]:
    return [item.id for item in preservations.items_in_scope(uow, application_id)]


def _check_codes(uow: UnitOfWork, form: Form) -> None:
    for code in form.sensitivities:
        if code not in SENSITIVITIES:
            raise _unknown("sensitivities", Message("type of sensitive content"), code)
    known = applicable_rules.read_all(uow) if form.rule_ids else {}
    for rule_id in form.rule_ids:
        if rule_id not in known:
            raise _unknown("rule_ids", Message("applicable rule"), rule_id)


def check_storable(uow: UnitOfWork, form: Form, application: Application | None = None) -> None:
    """What no draft may break: known cameras and people, spans that run forward, texts of a sane length.

    ``application`` is the one that the form is for, where there is one already.
    """
    own_department = application.department_id if application else _me(uow).department_id
    joint.check_departments(uow, form.joint_department_ids, own_department)
    for name in ("reason", "purpose", "way_of_use_because", "place_of_use", "incident_reference", "urgent_because"):
        text = getattr(form, name)
        if text is not None and (len(text) > LONGEST_TEXT or "\x00" in text):
            raise Refused(
                "text-too-long",
                "A text can have at most {longest_text} characters and no control characters.",
                status=422,
                field=name,
                longest_text=LONGEST_TEXT,
            )
    _check_title(form.title or "")
    if form.way_of_use not in ("", *WAYS_OF_USE):
        raise _unknown("way_of_use", Message("way of use"), form.way_of_use)
    _check_codes(uow, form)
    if len(form.items) > uow.rules.max_items:
        raise Refused(
            "too-many-items",
            "An application can have at most {max_items} items: apply for the rest separately.",
            status=422,
            field="items",
            max_items=uow.rules.max_items,
        )
    for asked in form.items:
        _camera_in_use(uow, asked.camera_id)
        if asked.zone not in _zones():
            raise _unknown("items", Message("time zone"), asked.zone)
        if asked.end <= asked.start:
            raise Refused(
                "span-backwards",
                "The end of the time span must be after its start.",
                status=422,
                field="items",
            )
    upload_sources.check(uow, {asked.camera_id for asked in form.items}, application)
    named = {
        "custodian_id": [form.custodian_id] if form.custodian_id is not None else [],
        "recipient_ids": form.recipient_ids,
        "subject_ids": form.subject_ids,
    }
    for name, person_ids in named.items():
        for person_id in person_ids:
            if uow.session.get(Person, person_id) is None:
                raise _unknown(name, Message("person"), person_id)


def _check_title(title: str) -> None:
    if len(title) > forms.LONGEST_TITLE or "\x00" in title or len(title.splitlines()) > 1:
        raise Refused(
            "title-too-long",
            "A title is one line of at most {longest} characters.",
            status=422,
            field="title",
            longest=forms.LONGEST_TITLE,
        )


def lock_case(uow: UnitOfWork, application_id: str, act: str) -> Application:
    """Lock the application for a worker that is to ``act``; NotPermitted where there is none."""
    application = uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)
    if application is None:
        raise NotPermitted(
            f"could not {act} | application {application_id} | the database does not have it | "
            "check the variables of the job, then resolve the incident"
        )
    return application


def _camera_in_use(uow: UnitOfWork, camera_id: str) -> None:
    camera = uow.session.get(Camera, camera_id)
    if camera is None:
        raise _unknown("items", Message("camera"), camera_id)
    recorder = uow.session.get_one(Recorder, camera.recorder_id)
    if not camera.active or not (recorder.active or recorder.kind == UPLOADED):
        raise Refused(
            "camera-retired",
            "The camera {name} is no longer in use: choose another one.",
            status=422,
            field="items",
            name=Bilingual(camera.name_zh, camera.name_en),
        )


def _me(uow: UnitOfWork) -> Person:
    return uow.session.get_one(Person, uow.actor.id)


def copies_ready(items: Collection[Item], copied: Collection[str]) -> bool:
    """Return whether every copy is made: from then on the process may enter Custody, where no withdrawal is heard.

    Before that one copy at least is missing, and it will not be finished for a withdrawn case (``attempts.finish``).
    """
    retrieved = {item.id for item in items if item.outcome in ("complete", "partial")}
    return bool(retrieved) and retrieved <= set(copied) and all(item.outcome is not None for item in items)


def is_of_applicant(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the actor drafted the application, or heads its department and is no subject of it."""
    if application.drafter_id == uow.actor.id:
        return True
    if application.submitted_at is None or uow.actor.id in application.subject_ids:
        return False
    return uow.actor.id in access_queries.load_directory(uow).holders(application.department_id, "head", "deputy")


@cache
def _zones() -> frozenset[str]:
    """Return the names of the IANA time zones."""
    return frozenset(available_timezones())


def _unknown(field: str, message: Text, key: str) -> Refused:
    return Refused(
        "unknown",
        "{key} is not a known {what}: choose one from the list.",
        status=422,
        field=field,
        key=key,
        what=message,
    )
