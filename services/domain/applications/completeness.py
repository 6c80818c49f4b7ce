"""The automatic part of the preliminary review: is the form complete and the reason reasonable? (R18 to R22)."""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations

from services.database.tables.applications import WAYS_OF_USE, Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts
from services.domain.access import queries as access_queries
from services.domain.applications import findings, outsiders, recipients, ways
from services.domain.applications.findings import CheckFinding
from services.domain.applications.forms import LEGAL_BASES, PURPOSE_CATEGORIES
from services.domain.handling import cases as handling_of_cases
from services.domain.notifications import service as notification_service
from services.domain.process import messages, outbox, permissions
from services.domain.retrieval import masters, preservations, upload_sources
from services.domain.rules import agreed_limits
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.vault.sealing import FASTEST_CAMERA
from services.vault.store.s3_parts import LARGEST_OBJECT

CHECK = "preliminary-review"
CHECK_ACT = "check the application"
STORABLE = timedelta(seconds=LARGEST_OBJECT / FASTEST_CAMERA)  # at any rate that cameras have: 46 hours
USUAL_RATE = 8_000_000 / 8  # bytes a second, of a camera whose own rate is not known yet
FILLERS = "\u115f\u1160\u3164\uffa0"  # letters of Hangul that nobody sees
LEAST_MEANING = 8  # letters or Chinese characters that a reason or a purpose needs at least


def review(uow: UnitOfWork, application_id: str) -> bool:
    """Check this round's form and keep what was found; whether it may go to those who decide first.

    An incomplete form goes back to the drafter at once: the time to correct it begins. Raises NotPermitted once
    somebody has decided in this round, so that no check takes back what people have signed.
    """
    state = permissions.lock_approval(uow, application_id, CHECK_ACT)
    application = state.application
    permissions.require_undecided(state, CHECK_ACT, *state.decisions)
    if state.expired:
        raise permissions.refusal(CHECK_ACT, application_id, "the time to correct it is over")
    outbox.settle(uow, application_id, "the process has begun the round", messages.APPLICATION_CORRECTED)
    check_findings = check(uow, application, preservations.items_in_scope(uow, application_id))
    findings.store(uow, application_id, application.round, CHECK, check_findings)
    complete = not any(finding.severity == "blocks" for finding in check_findings)
    if not complete and application.correction_until is None:
        application.correction_until = uow.now + agreed_limits.get_correction_period(uow, application)
        notification_service.notify(
            uow, application.drafter_id, "application-incomplete", application_id=application_id
        )
    return complete


def check(uow: UnitOfWork, application: Application, items: Sequence[Item]) -> list[CheckFinding]:
    """Return what is missing or unreasonable; the rows need not be stored, as for a form that is still being typed."""
    return [
        *_texts(application),
        *_facts(application),
        *_people(uow, application),
        *ways.check(uow, application),
        *_handling(uow, application, items),
        *outsiders.check(uow, application),
        *_spans(uow, items),
    ]


def _texts(application: Application) -> Iterator[CheckFinding]:
    for name, message in (("reason", Message("reason")), ("purpose", Message("purpose"))):
        if _meaning(getattr(application, name)) < LEAST_MEANING:
            yield CheckFinding(
                f"{name}-too-short",
                "blocks",
                Message(
                    "The {what} is not specific: describe the case in at least {least_meaning} characters.",
                    least_meaning=LEAST_MEANING,
                    what=message,
                ),
            )
    if application.reason.strip() and application.reason.strip() == application.purpose.strip():
        yield CheckFinding(
            "reason-is-purpose",
            "blocks",
            Message("Reason and purpose are the same: describe what happened, and what the footage is for."),
        )
    if not application.place_of_use.strip():
        yield CheckFinding("place-of-use-missing", "blocks", Message("Enter where the footage will be used."))


def _facts(application: Application) -> Iterator[CheckFinding]:
    if application.purpose_category not in PURPOSE_CATEGORIES:
        yield CheckFinding("category-unknown", "blocks", Message("Choose a purpose category."))
    if application.legal_basis not in LEGAL_BASES:
        yield CheckFinding("legal-basis-unknown", "blocks", Message("Choose the legal basis."))
    first = application.letter_first is not None  # its number comes with the letter
    if application.legal_basis == "authority-request" and not application.incident_reference and not first:
        yield CheckFinding(
            "authority-reference-missing",
            "blocks",
            Message("Enter the reference number of the authority's letter."),
        )


def _people(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    if application.custodian_id is None:
        yield CheckFinding("custodian-missing", "blocks", Message("Name the custodian of the footage."))
    else:
        custodian = uow.session.get_one(Person, application.custodian_id)
        # on site it is a companion, of Security or storage: ``ways`` says who
        elsewhere = application.way_of_use != ways.ON_SITE and custodian.department_id != application.department_id
        if not custodian.active or elsewhere:
            yield CheckFinding(
                "custodian-elsewhere",
                "blocks",
                Message("The custodian must be a member of the applying department: choose another person."),
            )
        elif application.submitted_at is not None and parts.has_decided(
            access_queries.load_facts(uow, application.id), custodian.id
        ):
            yield CheckFinding(
                "custodian-has-decided",
                "blocks",
                Message("The custodian has decided in this case before: choose another person."),
            )
    yield from recipients.find_unfit(uow, application)
    most = uow.rules.max_use_days
    if application.requested_use_days < 1 or (most is not None and application.requested_use_days > most):
        yield CheckFinding(
            "use-period-too-long",
            "blocks",
            Message("The use period must be 1 to {value} days: change it.", value=most or "…"),
        )


def _handling(uow: UnitOfWork, application: Application, items: Sequence[Item]) -> Iterator[CheckFinding]:
    rules = handling_of_cases.compute(uow, application, items)
    most = rules.handling.way_of_use
    if application.way_of_use in WAYS_OF_USE and ways.exceeds(application.way_of_use, most):
        yield CheckFinding(
            "way-above-level",
            "blocks",
            Message(
                "This footage may be used no further than this: {way} (confidentiality level: {level}). Choose that "
                "way of use.",
                way=Label(most),
                level=rules.named("way_of_use"),
            ),
        )


def _spans(uow: UnitOfWork, items: Sequence[Item]) -> Iterator[CheckFinding]:
    yield from _sizes(uow, items)
    for item in items:
        yield from _span(uow, item, uow.session.get_one(Camera, item.camera_id))
    for first, other in combinations(items, 2):
        if (
            first.camera_id == other.camera_id
            and first.asked_start < other.asked_end
            and other.asked_start < first.asked_end
        ):
            yield CheckFinding(
                "items-overlap",
                "blocks",
                Message(
                    "Items {position} and {position_2} overlap on the same camera: merge them.",
                    position=first.position,
                    position_2=other.position,
                ),
                other.id,
            )


def _span(uow: UnitOfWork, item: Item, camera: Camera) -> Iterator[CheckFinding]:
    n = item.position
    if item.asked_end > uow.now:
        yield CheckFinding(
            "span-in-future",
            "blocks",
            Message("Item {n} ends in the future: request a time span in the past.", n=n),
            item.id,
        )
    if item.asked_end - item.asked_start > uow.rules.max_span:
        hours = uow.rules.max_span // timedelta(hours=1)
        yield CheckFinding(
            "span-too-long",
            "blocks",
            Message("Item {n} is longer than {hours} hours: shorten it or split it.", n=n, hours=hours),
            item.id,
        )
    gone_at = preservations.overwrite_moment(camera, item.asked_end)
    if gone_at is None:
        yield from _file(uow, item)
    elif gone_at <= uow.now:
        yield CheckFinding(
            "span-overwritten",
            "warns",
            Message(
                "The footage of item {n} is past its retention period and may have been overwritten; retrieval is "
                "still attempted.",
                n=n,
            ),
            item.id,
        )
    elif preservations.is_at_risk(uow, camera, item.asked_start):
        yield CheckFinding(
            "span-at-risk",
            "informs",
            Message(
                "The footage of item {n} may be overwritten before approval; its preservation has been scheduled.", n=n
            ),
            item.id,
        )


def _sizes(uow: UnitOfWork, items: Sequence[Item]) -> Iterator[CheckFinding]:
    """Find what is so long that a store would refuse it half-way; that takes a rule that allows days."""
    long = [
        item
        for item in items
        if STORABLE < item.asked_end - item.asked_start <= uow.rules.max_span
        and uow.session.get_one(Camera, item.camera_id).overwritten  # a file that was uploaded is stored
    ]
    rates = masters.list_rates(uow, {item.camera_id for item in long}) if long else {}
    for item in long:
        rate = rates.get(item.camera_id, USUAL_RATE)
        size = (item.asked_end - item.asked_start).total_seconds() * rate
        if size > LARGEST_OBJECT:
            yield CheckFinding(
                "span-not-storable",
                "blocks",
                Message(
                    "Item {n} is too long to be stored: at {megabits} Mbit/s it has {size} GiB, and a store takes "
                    "{most} GiB of one item. Ask for several spans of at most {hours} hours each.",
                    n=item.position,
                    megabits=f"{rate * 8 / 1_000_000:.1f}",
                    size=f"{size / 2**30:.0f}",
                    most=LARGEST_OBJECT // 2**30,
                    hours=int(LARGEST_OBJECT / rate / 3600),
                ),
                item.id,
            )


def _file(uow: UnitOfWork, item: Item) -> Iterator[CheckFinding]:
    """Check an uploaded file: what it lacks, and whether the span lies inside it (R8, R9)."""
    upload = upload_sources.get_of_camera(uow, item.camera_id)
    if upload is None or upload.sealed is None:
        return
    n, held = item.position, upload.sealed["coverage"]["asked"]
    if item.asked_start.isoformat() < held[0] or held[1] < item.asked_end.isoformat():
        yield CheckFinding(
            "span-outside-file",
            "blocks",
            Message("Item {n} exceeds the uploaded file: request a time span within it.", n=n),
            item.id,
        )
    if upload.sealed["outcome"] != "complete":
        yield CheckFinding(
            "file-incomplete",
            "warns",
            Message("The file of item {n} is damaged or has gaps: only the intact parts are available.", n=n),
            item.id,
        )
    yield CheckFinding(
        "start-as-stated",
        "informs",
        Message(
            "Item {n} is an uploaded file; source of its start time: {known_by}.",
            n=n,
            known_by=upload.known_by,
        ),
        item.id,
    )


def _meaning(text: str) -> int:
    """Return how many letters, digits or characters a text has; blanks and punctuation say nothing."""
    return sum(unicodedata.category(letter)[0] in "LN" and letter not in FILLERS for letter in text)
