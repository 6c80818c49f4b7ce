"""On behalf of people outside: who they are, what letter they bring, and what lacks of it (R3, R21, R58).

Of the number of a card the form and all lists have the end alone; ``on_behalf`` changes what is read here.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.outsiders import Outsider
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.findings import CheckFinding
from services.domain.audit import trail as audit_trail
from services.domain.holds import queries as holds
from services.domain.notifications import service as notification_service
from services.domain.process.permissions import CREDENTIALS
from services.domain.rules.catalogue import duration_text
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import deadlines
from services.runtime.translations import Joined, Message, Text

FORM_VERSION = 2  # of forms that say on whose behalf they are; those without are as they always were
AUTHORITY, FILMED = "authority", "filmed-person"
KINDS: Mapping[str, Message] = {
    AUTHORITY: Message("An authority (police, court, prosecutor)"),
    FILMED: Message("A person who was filmed"),
    "counterpart": Message("Another party (insurer, lawyer)"),
}
FIRST: Mapping[str, Message] = {
    "phone": Message("by telephone"),
    "fax": Message("by fax or a photo of the letter"),
}  # how an authority may ask before its letter comes
WITH_LETTER = (AUTHORITY, "counterpart")
CARDS: Mapping[str, Message] = {
    "police-card": Message("Police card"),
    "work-card": Message("Work card"),
    "resident-card": Message("Resident identity card"),
    "lawyer-card": Message("Lawyer card"),
    "passport": Message("Passport"),
}
LEAST_OFFICERS = 2
MOST_NAMED = 20  # people of one application


def list_of(uow: UnitOfWork, application_id: str) -> list[Outsider]:
    """List the people whom the application names, in the order in which they were added."""
    query = select(Outsider).where(Outsider.application_id == application_id)
    return list(uow.session.scalars(query.order_by(Outsider.position)))


def count(uow: UnitOfWork, application_id: str) -> int:
    query = select(func.count()).select_from(Outsider).where(Outsider.application_id == application_id)
    return uow.session.scalar(query) or 0


def last_position(uow: UnitOfWork, application_id: str) -> int:
    """Return the place of the person who was added last; 0 where there is none."""
    query = select(func.max(Outsider.position)).where(Outsider.application_id == application_id)
    return uow.session.scalar(query) or 0


def to_json(uow: UnitOfWork, application: Application) -> dict[str, Any]:
    """Return the form's part; empty for a form on nobody's behalf, which keeps its hash."""
    if application.on_behalf is None:
        return {}
    return {
        "formVersion": FORM_VERSION,
        "onBehalf": {
            "kind": application.on_behalf,
            "letter": {
                "title": application.letter_title,
                "number": application.letter_number,
                "date": application.letter_date,
                "sealChecked": bool(application.letter_seal_checked),
                **({"first": application.letter_first} if application.letter_first else {}),
            },
            "outsiders": [person_to_json(row) for row in list_of(uow, application.id)],
        },
    }


def person_to_json(row: Outsider) -> dict[str, str]:
    """Return a person as signed forms and lists show them: of the card's number its end."""
    return {
        "id": row.id,
        "name": row.name,
        "unit": row.unit,
        "cardKind": row.card_kind,
        "cardTail": row.card_tail,
        "contact": row.contact,
    }


def check(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Yield what lacks of an application on behalf of people outside."""
    if application.on_behalf is None:
        return
    if CREDENTIALS not in STAGES:
        yield _blocks(
            "stage-lacking",
            Message(
                "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
                stage=CREDENTIALS,
            ),
        )
    if not _is_of_security(uow, application):
        yield _blocks(
            "outsiders-elsewhere",
            Message("Only Security asks on behalf of people outside: send them to Security."),
        )
    people = list_of(uow, application.id)
    if application.on_behalf == AUTHORITY and len(people) < LEAST_OFFICERS:
        yield _blocks(
            "officers-missing",
            Message("An authority sends at least two officers: add both with their cards."),
        )
    elif not people:
        yield _blocks("outsiders-missing", Message("Add the person on whose behalf you ask, with the card."))
    if len({(row.card_kind, row.name, row.card_tail) for row in people}) < len(people):
        yield _blocks("outsider-twice", Message("The same person is entered twice: remove one of the entries."))
    gone = [row.name for row in people if row.purged_at is not None]
    if gone:
        yield _blocks(
            "card-number-gone",
            Message(
                "The card number of {names} was deleted after its time: add the person again.",
                names=Joined(", ", gone),
            ),
        )
    if application.letter_first is not None:
        yield from _first(uow, application)
    elif application.on_behalf in WITH_LETTER:
        yield from _letter(uow, application)


def lacks_letter(application: Application) -> bool:
    """Return whether an authority has asked by telephone or fax, and its original letter is not entered yet."""
    return application.letter_first is not None and application.original_letter is None


def begin_deadlines(uow: UnitOfWork, application: Application) -> None:
    """Set, when an application is submitted, until when the letter has to come and who was filmed has to be answered.

    A correction changes neither: what was asked for on the first day is answered from that day on.
    """
    for row in list_of(uow, application.id):
        row.purge_after = None  # until the case has ended
    if application.letter_first is not None and application.letter_due_at is None:
        application.letter_due_at = uow.now + uow.rules.letter_period
    if application.on_behalf == FILMED and application.answer_due_at is None:
        limit = timedelta(days=uow.rules.filmed_answer_days)
        application.answer_due_at = deadlines.try_out(uow, uow.now, limit).due_at


def record_answer(uow: UnitOfWork, application: Application, how: str) -> None:
    """Record once that a person who was filmed has got an answer; nothing for anybody else."""
    if application.answer_due_at is None or application.answered_at is not None:
        return
    application.answered_at = uow.now
    notification_service.mark_done(uow, "answer", application_id=application.id)
    audit_trail.record(
        uow,
        "filmed-person-answered",
        "application",
        application.id,
        application_id=application.id,
        how=how,
        late=uow.now > application.answer_due_at,
    )


def end(uow: UnitOfWork, application_id: str) -> None:
    """The case has ended: from now on the time of the whole card numbers runs, as that of copies of the cards."""
    for row in list_of(uow, application_id):
        if row.purged_at is None and row.purge_after is None:
            row.purge_after = uow.now + uow.rules.identity_card_retention


def purge(uow: UnitOfWork, limit: int) -> int:
    """Delete whole card numbers whose time is over and whose case nothing holds; return how many, up to ``limit``.

    Of cases that have ended before there was an end to it, the time begins with the end of the case.
    """
    ended = select(Outsider, Application.closed_at).join(Application, Application.id == Outsider.application_id)
    ended = ended.where(
        Application.closed_at.is_not(None), Outsider.purge_after.is_(None), Outsider.purged_at.is_(None)
    )
    for row, closed_at in uow.session.execute(ended.limit(limit)).all():
        row.purge_after = (closed_at or uow.now) + uow.rules.identity_card_retention
    uow.session.flush()
    due = select(Outsider).where(
        Outsider.purge_after <= uow.now,
        Outsider.purged_at.is_(None),
        ~holds.holding(Outsider.application_id.expression),
    )
    rows = uow.session.scalars(due.order_by(Outsider.purge_after, Outsider.id).limit(limit).with_for_update()).all()
    for row in rows:
        row.card_sealed, row.purged_at = "", uow.now
        audit_trail.record(
            uow,
            "card-number-deleted",
            "outsider",
            row.id,
            application_id=row.application_id,
            card_kind=row.card_kind,
        )
    return len(rows)


def _first(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Yield what lacks where an authority has asked before its letter came."""
    if application.on_behalf != AUTHORITY:
        yield _blocks("letter-first-elsewhere", Message("Only an authority may ask before its letter comes."))
    if not (application.urgent_because or "").strip():
        yield _blocks(
            "urgency-missing", Message("Explain why it is urgent: the authority asks before its letter comes.")
        )
    yield CheckFinding(
        "letter-later",
        "warns",
        Message(
            "The authority has asked {how}: the original letter has to be entered within {period} of the submission, "
            "and nothing is provided before.",
            how=FIRST.get(application.letter_first or "", Message("by telephone")),
            period=duration_text(uow.rules.letter_period),
        ),
    )


def _letter(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    for text, message in (
        (application.letter_title, Message("Enter the title of the letter.")),
        (application.letter_number, Message("Enter the number of the letter.")),
        (application.letter_date, Message("Enter the date of the letter.")),
    ):
        if not text:
            yield _blocks("letter-incomplete", message)
    today = uow.now.astimezone(ZoneInfo(uow.rules.zone)).date()
    if application.letter_date and date.fromisoformat(application.letter_date) > today:
        yield _blocks("letter-in-future", Message("The letter is dated in the future: check its date."))
    if not application.letter_seal_checked:
        yield _blocks("seal-unchecked", Message("Check the seal of the letter, then mark it as checked."))
    held = select(Attachment.id).where(Attachment.application_id == application.id, Attachment.kind == "letter")
    if uow.session.scalar(held.limit(1)) is None:
        yield CheckFinding("letter-not-attached", "warns", Message("The letter is not attached: add a scan or photo."))


def _is_of_security(uow: UnitOfWork, application: Application) -> bool:
    department = uow.session.get(Department, application.department_id)
    return department is not None and department.kind == "security"


def _blocks(code: str, message: Text) -> CheckFinding:
    return CheckFinding(code, "blocks", message)
