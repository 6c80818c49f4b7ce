"""Say on whose behalf footage is asked for: kind, letter and people are parts of the form, changed as attachments are.

In a draft or a correction, by its drafter's side. The whole number of a card is sealed with the portal's key.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from services.database.tables.applications import Application
from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import attached, joint, outsiders, service
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text

_NUMBER = re.compile(r"(?=.*[0-9])[^\W_](?:[^\W_]|-){4,39}")
_BREAKS = re.compile("[\t\r\n\u2028\u2029]")
_RESIDENT = re.compile("[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
TAIL = 4  # characters of a card's number that are shown


@dataclass(frozen=True)
class Letter:
    """The letter as it lies there; ``dated`` is the date that it bears.

    ``first``: how an authority has asked before it came, one of ``outsiders.FIRST``.
    """

    title: str = ""
    number: str = ""
    dated: date | None = None
    seal_checked: bool = False
    first: str | None = None


@dataclass(frozen=True)
class Named:
    """A person outside, as somebody types them in."""

    name: str
    unit: str
    card_kind: str
    card_number: str
    contact: str


def set_kind(uow: UnitOfWork, application_id: str, kind: str | None, letter: Letter) -> Application:
    """Say on whose behalf it is asked, with the letter; None: on nobody's, and the people are removed."""
    application = _edited(uow, application_id)
    if kind is not None and kind not in outsiders.KINDS:
        raise _refused("kind", Message("Choose on whose behalf the footage is asked for."))
    for name, text in (("title", letter.title), ("number", letter.number)):
        if len(text) > service.LONGEST_TEXT // 10:
            raise _refused(name, Message("This text is too long: shorten it."))
        _require_line(name, text)
    if letter.first is not None and (letter.first not in outsiders.FIRST or kind != outsiders.AUTHORITY):
        raise _refused("first", Message("Only an authority may ask before its letter comes."))
    if application.submitted_at is not None and (application.on_behalf is None) != (kind is None):
        raise Refused(
            "behalf-bound",
            "A submitted application cannot change on whose behalf it is made: withdraw it and submit a new one.",
        )
    application.on_behalf = kind
    application.letter_title = letter.title.strip() or None if kind else None
    application.letter_number = letter.number.strip() or None if kind else None
    application.letter_date = letter.dated.isoformat() if kind and letter.dated else None
    application.letter_seal_checked = letter.seal_checked if kind else None
    application.letter_first = letter.first
    if kind is None:
        for row in outsiders.list_of(uow, application_id):
            uow.session.delete(row)
    uow.session.flush()
    audit_trail.record(
        uow, "on-behalf-set", "application", application_id, application_id=application_id, on_behalf=kind
    )
    joint.end_if_changed(uow, application)
    return application


def add(uow: UnitOfWork, application_id: str, named: Named) -> Outsider:
    """Add a person; Refused for a card number that cannot be one."""
    application = _edited(uow, application_id)
    if application.on_behalf is None:
        raise _refused("kind", Message("Say first on whose behalf the footage is asked for."))
    if outsiders.count(uow, application_id) >= outsiders.MOST_NAMED:
        raise _refused(
            "name", Message("There are {most} people already, which is the limit.", most=outsiders.MOST_NAMED)
        )
    number = _checked(named)
    _require_own_card(uow, application_id, named.card_kind, number)
    row = Outsider(
        application_id=application_id,
        position=outsiders.last_position(uow, application_id) + 1,
        name=named.name.strip(),
        unit=named.unit.strip(),
        card_kind=named.card_kind,
        card_tail=number[-TAIL:],
        card_sealed="",
        contact=named.contact.strip(),
        added_by=uow.actor.id,
        added_at=uow.now,
        purge_after=uow.now + uow.rules.identity_card_retention,  # of a draft that nobody submits
    )
    uow.session.add(row)
    uow.session.flush()
    row.card_sealed = uow.secrets.encrypt(number, _purpose(row.id))
    audit_trail.record(
        uow, "outsider-added", "outsider", row.id, application_id=application_id, card_kind=row.card_kind
    )
    joint.end_if_changed(uow, application)
    return row


def remove(uow: UnitOfWork, outsider_id: str) -> str:
    """Remove a person of a form that is edited, and return the application's id."""
    row = uow.session.get(Outsider, outsider_id)
    if row is None:
        raise NotFound(Message("person"), outsider_id)
    try:
        application = _edited(uow, row.application_id)
    except NotFound as hidden:
        raise NotFound(Message("person"), outsider_id) from hidden
    uow.session.delete(row)
    uow.session.flush()
    audit_trail.record(uow, "outsider-removed", "outsider", outsider_id, application_id=application.id)
    joint.end_if_changed(uow, application)
    return application.id


def card_numbers(uow: UnitOfWork, application_id: str) -> list[tuple[Outsider, str | None]]:
    """Return the people with the whole numbers of their cards, for who handles the case; it is on record.

    None for a number that was deleted after its time.

    NotFound for everybody else: to compare the cards is the task of those who decide.
    """
    if not attached.SUBJECT.read(uow, application_id).identity_cards:
        raise NotFound(Message("application"), application_id)
    audit_trail.record(uow, "card-numbers-read", "application", application_id, application_id=application_id)
    return [
        (row, None if row.purged_at else uow.secrets.decrypt(row.card_sealed, _purpose(row.id)))
        for row in outsiders.list_of(uow, application_id)
    ]


def enter_original(uow: UnitOfWork, application_id: str, letter: Letter) -> Application:
    """Enter the original of a letter that came after an authority had asked by telephone or fax (R3, R58).

    By the drafter's side, or Security that handles the case; once, whole, and with its seal checked.
    """
    attached.SUBJECT.lock(uow, application_id)
    reading = attached.SUBJECT.read(uow, application_id)
    application = uow.session.get_one(Application, application_id)
    if not reading.identity_cards and not service.is_of_applicant(uow, application):
        raise Refused("not-yours", "Only Security enters the original letter.", status=403)
    if application.submitted_at is None or application.letter_first is None:
        raise Refused("letter-not-awaited", "No original letter is awaited in this case.")
    if application.original_letter is not None:
        raise Refused("letter-entered", "The original letter is entered already.")
    if application.closed_at is not None:
        raise Refused("case-closed", "The case has ended: the letter can no longer be entered.")
    for name, text, message in (
        ("title", letter.title, Message("Enter the title of the letter.")),
        ("number", letter.number, Message("Enter the number of the letter.")),
    ):
        if not text.strip():
            raise _refused(name, message)
        if len(text) > service.LONGEST_TEXT // 10:
            raise _refused(name, Message("This text is too long: shorten it."))
    if letter.dated is None:
        raise _refused("date", Message("Enter the date of the letter."))
    if letter.dated > uow.now.astimezone(ZoneInfo(uow.rules.zone)).date():
        raise _refused("date", Message("The letter is dated in the future: check its date."))
    if not letter.seal_checked:
        raise _refused("sealChecked", Message("Check the seal of the letter, then mark it as checked."))
    late = application.letter_due_at is not None and uow.now > application.letter_due_at
    application.original_letter = {
        "title": letter.title.strip(),
        "number": letter.number.strip(),
        "date": letter.dated.isoformat(),
        "sealChecked": True,
        "enteredAt": uow.now.isoformat(),
        "enteredBy": uow.actor.id,
        "late": late,
    }
    notification_service.mark_done(uow, "letter", application_id=application_id)
    audit_trail.record(
        uow,
        "original-letter-entered",
        "application",
        application_id,
        application_id=application_id,
        number=letter.number.strip(),
        late=late,
    )
    return application


def may_enter_original(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the acting person may enter the original letter that this case lacks."""
    if not outsiders.lacks_letter(application) or application.submitted_at is None or application.closed_at is not None:
        return False
    handles = attached.SUBJECT.read(uow, application.id).identity_cards
    return handles or service.is_of_applicant(uow, application)


def may_edit(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether the acting person may change whose behalf it is on now; NotFound where it is hidden."""
    return attached.SUBJECT.read(uow, application_id).edits


def _edited(uow: UnitOfWork, application_id: str) -> Application:
    """Return the application, locked; NotFound where it is hidden, Refused where its form is not edited now."""
    attached.SUBJECT.lock(uow, application_id)
    if not may_edit(uow, application_id):
        raise Refused(
            "form-bound",
            "The application was submitted: it can only be changed if it is returned for correction.",
        )
    return uow.session.get_one(Application, application_id)


def _checked(named: Named) -> str:
    """Return the card's number as it is kept: capitals and digits of one kind, without blanks."""
    for name, text, message in (
        ("name", named.name, Message("Enter the name.")),
        ("unit", named.unit, Message("Enter the authority or company.")),
        ("contact", named.contact, Message("Enter a telephone number or an address.")),
    ):
        _require_line(name, text)
        if not any(unicodedata.category(letter)[0] in "LN" for letter in text):
            raise _refused(name, message)
    if named.card_kind not in outsiders.CARDS:
        raise _refused("cardKind", Message("Choose the kind of card."))
    number = "".join(unicodedata.normalize("NFKC", named.card_number).split()).upper()
    if not _NUMBER.fullmatch(number):
        raise _refused("cardNumber", Message("Enter the number of the card as it is printed there."))
    if named.card_kind == "resident-card" and not _is_resident(number):
        raise _refused(
            "cardNumber",
            Message("This is no number of a resident identity card: compare its 18 characters with the card."),
        )
    return number


def _require_line(field: str, text: str) -> None:
    """Raise Refused for more than one line: it stands in one line of signed lists and of what is handed out."""
    if _BREAKS.search(text.strip()):
        raise _refused(field, Message("Enter this on one line."))


def _require_own_card(uow: UnitOfWork, application_id: str, kind: str, number: str) -> None:
    """Raise Refused for a card that another person has already: two officers are two people."""
    for row in outsiders.list_of(uow, application_id):
        alike = (row.card_kind, row.card_tail) == (kind, number[-TAIL:])
        if alike and uow.secrets.decrypt(row.card_sealed, _purpose(row.id)) == number:
            raise _refused(
                "cardNumber",
                Message("This card is entered for another person already: each person has a card of their own."),
            )


def _is_resident(number: str) -> bool:
    """Return whether the last character is the check character of GB 11643."""
    if not _RESIDENT.fullmatch(number):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return _CHECKS[total % 11] == number[17]


def _purpose(outsider_id: str) -> str:
    return f"card of outsider {outsider_id}"


def _refused(field: str, message: Text) -> Refused:
    return Refused("missing", message, status=422, field=field)
