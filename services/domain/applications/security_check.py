"""The automatic part of the security review: do the rules allow it, who must not decide it? (R24, R3, R5, R50, T8)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.custody import HandOver
from services.database.tables.reviews import Finding
from services.database.unit_of_work import UnitOfWork
from services.domain.access import parts, visibility
from services.domain.access import queries as access_queries
from services.domain.applications import findings, joint, recipients
from services.domain.applications.findings import CheckFinding
from services.domain.cameras import clocks
from services.domain.process import outbox, permissions
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.retrieval import archive, preservations
from services.runtime.spans import Span
from services.runtime.translations import Bilingual, Message, Text

CHECK = "security-review"
CHECK_ACT = "check the application"
LONG_SPAN = timedelta(hours=4)
SERIAL, ARCHIVED = "serial-borrowing", "footage-archived"  # codes of findings that tell of other cases
SERIAL_WITHIN = timedelta(days=90)
OWN = aliased(Item)
HELD_UNTIL = func.coalesce(HandOver.returned_at, HandOver.lost_at, HandOver.ended_at)


@dataclass(frozen=True)
class SecurityCheckResult:
    """How many findings the reviewer should read, the highest camera class, and whose own matter it is."""

    findings: int
    camera_class: str
    security_involved: bool
    management_involved: bool


def review(uow: UnitOfWork, application_id: str) -> SecurityCheckResult:
    """Check the case against the rules and keep what was found for the security reviewer.

    Raises NotPermitted once Security has decided in this round: what the reviewer has read stays as it was.
    """
    state = permissions.lock_approval(uow, application_id, CHECK_ACT)
    application = state.application
    permissions.require_undecided(state, CHECK_ACT, *permissions.ORDER[1:])
    outbox.settle(uow, application_id, "the security review has begun", REVIEW_DECIDED)
    items = preservations.items_in_scope(uow, application_id)
    cameras = _cameras(uow, items)
    security, management = is_involved(uow, application_id, "security"), is_involved(uow, application_id, "management")
    check_findings = [
        *_conflicts(security=security, management=management),
        *_operators(uow),
        *_clocks(uow, items, cameras),
        *_archived(uow, application, items, cameras),
        *_serial_borrowing(uow, application),
        *for_applicant(uow, application, items),
    ]
    findings.store(uow, application_id, application.round, CHECK, check_findings)
    return SecurityCheckResult(len(check_findings), camera_class(uow, items), security, management)


def is_involved(uow: UnitOfWork, application_id: str, department_kind: str) -> bool:
    """Return whether people of such a department are drafter or subject of the case (T8)."""
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
    return bool(parts.people_concerned(directory, facts, department_kind))


def camera_class(uow: UnitOfWork, items: Sequence[Item]) -> str:
    """Return the highest class of the items' cameras: sensitive or ordinary (R5)."""
    classes = {camera.camera_class for camera in _cameras(uow, items).values()}
    return "sensitive" if "sensitive" in classes else "ordinary"


# What a finding says to its applicant, where the sentence of the reviewers does not fit; {n} is the item's number.
TO_APPLICANT: Mapping[str, Message] = {
    "custodian-is-subject": Message("The custodian is a person concerned in the case: choose another one."),
    "span-wide": Message("Item {n} has a long time span: request only what the purpose requires; less may be granted."),
    "recorder-clock-too-far": Message(
        "The recorder clock of item {n} is far off: the reviewers clarify which time is meant."
    ),
    "consent-to-verify": Message("The legal basis is consent: keep the written consent ready."),
    "download-asked": Message(
        "A download is requested; the default is viewing only, and Security decides whether to grant a download."
    ),
}
# Who decides and who operates is nothing that an applicant could mend, what Security asks it asks itself, and of other
# departments' cases the applicant hears nothing.
REVIEWERS_ONLY = frozenset({"security-involved", "management-involved", "operator-agreement-missing", ARCHIVED, SERIAL})


def words_for_applicant(code: str, position: str | int | None = None) -> Text | None:
    """Return the applicant's own sentence for a finding, of the item in this place; None where there is one for all."""
    message = TO_APPLICANT.get(code)
    return None if message is None else message.with_values(n=position or "")


def list_readable(uow: UnitOfWork, application: Application, found: Iterable[Finding]) -> list[Finding]:
    """Leave out what would tell the acting person of an earlier case that concerns them, or is none of theirs (T8).

    Custodians and heads of joint departments read nothing of other cases.
    """
    rows = list(found)
    if all(row.code not in (SERIAL, ARCHIVED) for row in rows):
        return rows
    me = uow.actor.id
    if me in access_queries.load_facts(uow, application.id).custodians or any(
        me in joint.answerers(uow, application, department_id)
        for department_id in application.joint_department_ids or ()
    ):
        return [row for row in rows if row.code not in (SERIAL, ARCHIVED)]
    if all(row.code != SERIAL for row in rows):
        return rows
    concerned = _select_lent_before(application).where(visibility.concerns(uow.actor.id)).limit(1)
    if uow.session.execute(concerned).first() is None:
        return rows
    return [row for row in rows if row.code != SERIAL]


def for_applicant(uow: UnitOfWork, application: Application, items: Sequence[Item]) -> list[CheckFinding]:
    """Return what the applicant can correct or should know beforehand; the rows need not be stored."""
    return [
        *_subjects(application),
        *_agreements(uow, application),
        *recipients.find_without_agreement(uow, application),
        *_scope(items, _cameras(uow, items)),
        *_use(application),
    ]


def _cameras(uow: UnitOfWork, items: Sequence[Item]) -> dict[str, Camera]:
    named = {item.camera_id for item in items}
    rows = uow.session.scalars(select(Camera).where(Camera.id.in_(named))) if named else ()
    cameras = {camera.id: camera for camera in rows}
    return {item.id: cameras[item.camera_id] for item in items}


def _subjects(application: Application) -> Iterator[CheckFinding]:
    if application.drafter_id in application.subject_ids:
        yield CheckFinding(
            "drafter-is-subject",
            "warns",
            Message("The drafter is a person concerned in the case: consider whether another person should apply."),
        )
    if application.custodian_id is not None and application.custodian_id in application.subject_ids:
        yield CheckFinding(
            "custodian-is-subject",
            "warns",
            Message("The custodian is a person concerned in the case: ask for another custodian."),
        )


def _conflicts(*, security: bool, management: bool) -> Iterator[CheckFinding]:
    if security:
        yield CheckFinding(
            "security-involved",
            "warns",
            Message("People from Security are involved: management decides and the signer changes."),
        )
    if management:
        yield CheckFinding(
            "management-involved",
            "warns",
            Message("People from management are involved: other managers decide."),
        )


def _agreements(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    if application.custodian_id is None:
        return
    until = uow.now + timedelta(days=application.requested_use_days)
    agreement = uow.session.scalar(
        select(Agreement)
        .where(
            Agreement.person_id == application.custodian_id,
            Agreement.signed_at <= uow.now,
            Agreement.ended_at.is_(None),
        )
        .order_by(Agreement.expires_at.desc())
        .limit(1)
    )
    if agreement is None or agreement.expires_at <= uow.now:
        yield CheckFinding(
            "custodian-agreement-missing",
            "warns",
            Message("The custodian has no valid confidentiality agreement: it must be signed before the hand-over."),
        )
    elif agreement.expires_at < until:
        yield CheckFinding(
            "custodian-agreement-ends",
            "warns",
            Message("The custodian's confidentiality agreement expires within the use period: ask for its renewal."),
        )


def _operators(uow: UnitOfWork) -> Iterator[CheckFinding]:
    directory = access_queries.load_directory(uow)
    if not set(directory.holders(None, "storage-operator")) & set(directory.agreed):
        yield CheckFinding(
            "operator-agreement-missing",
            "warns",
            Message(
                "No storage operator has a valid confidentiality agreement: at least one must sign it before the "
                "retrieval."
            ),
        )


def _scope(items: Sequence[Item], cameras: dict[str, Camera]) -> Iterator[CheckFinding]:
    for item in items:
        camera = cameras[item.id]
        if camera.camera_class == "sensitive":
            yield CheckFinding(
                "camera-sensitive",
                "warns",
                Message(
                    "Item {position} is a camera in a sensitive area ({name}).",
                    position=item.position,
                    name=Bilingual(camera.name_zh, camera.name_en),
                ),
                item.id,
            )
        if item.asked_end - item.asked_start > LONG_SPAN:
            yield CheckFinding(
                "span-wide",
                "informs",
                Message("Item {position} has a long time span: consider narrowing it.", position=item.position),
                item.id,
            )


def _clocks(uow: UnitOfWork, items: Sequence[Item], cameras: dict[str, Camera]) -> Iterator[CheckFinding]:
    """Return findings of clocks that are too far off to search by (R34, F3)."""
    for item in items:
        clock = clocks.get_clock(uow, cameras[item.id].recorder_id)
        if clock.too_far:
            seconds = f"{clock.offset.total_seconds():+.0f} ± {clock.uncertainty.total_seconds():.0f}"
            yield CheckFinding(
                "recorder-clock-too-far",
                "warns",
                Message(
                    "The recorder clock of item {position} is {seconds} s off true time, more than the search "
                    "allows for: clarify whether recorder time or true time is meant.",
                    position=item.position,
                    seconds=seconds,
                ),
                item.id,
            )


def _archived(
    uow: UnitOfWork, application: Application, items: Sequence[Item], cameras: Mapping[str, Camera]
) -> Iterator[CheckFinding]:
    """Return what the archive has of what the recorder may have no longer, of cases that may serve this one."""
    gone = [item for item in items if preservations.is_overwritten(uow, cameras[item.id], item.asked_end)]
    archived = archive.list_of(uow, application, *map(archive.wanted_of, gone))
    for item in gone:
        share = archive.share_of(archived[item.id], Span(item.asked_start, item.asked_end))
        if share:
            yield CheckFinding(
                ARCHIVED,
                "informs",
                Message(
                    "The footage of item {position} is past its retention period; the archive has {percent} % of the "
                    "time span from an earlier case. It serves whole alone: for a shorter span nothing is taken of it.",
                    position=item.position,
                    percent=archive.percent(share),
                ),
                item.id,
            )


def _serial_borrowing(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Return findings of footage that the same department had on loan until now or a short while ago (R50).

    Each loan by itself keeps to the longest use period; one after another they would not. What Security drafts on
    behalf of people outside is no loan of Security.
    """
    if application.on_behalf is not None:
        return
    since = uow.now - SERIAL_WITHIN
    query = _select_lent_before(application).where(
        OWN.dropped_in_round.is_(None),
        Item.dropped_in_round.is_(None),
        Item.asked_end > OWN.asked_start,
        func.coalesce(Item.granted_end, Item.asked_end) > func.coalesce(OWN.granted_start, OWN.asked_start),
        func.coalesce(Item.granted_start, Item.asked_start) < func.coalesce(OWN.granted_end, OWN.asked_end),
        or_(HELD_UNTIL.is_(None), since <= HELD_UNTIL),
    )
    # of several loans of one case the last one
    loans = {(row.position, row.number): row for row in uow.session.execute(query.order_by(HandOver.accepted_at))}
    for (position, number), row in sorted(loans.items()):
        until: datetime | None = row.until
        if until is None:
            message = Message(
                "Item {position}: this department has this footage on loan now ({number}): ask why it is needed twice.",
                position=position,
                number=number,
            )
        else:
            message = Message(
                "Item {position}: this department held this footage until {date} ({number}): ask why it is needed "
                "beyond the longest use period.",
                position=position,
                date=until.astimezone(ZoneInfo(uow.rules.zone)).date().isoformat(),
                number=number,
            )
        yield CheckFinding(SERIAL, "warns", message, row.item_id)


def _select_lent_before(application: Application) -> Select[*tuple[Any, ...]]:
    """Select the loans by the same department, in other cases, of the cameras of this one's items."""
    return (
        select(
            OWN.position,
            OWN.id.label("item_id"),
            Application.number,
            HELD_UNTIL.label("until"),
        )
        .join_from(OWN, Item, Item.camera_id == OWN.camera_id)
        .join(Application, Application.id == Item.application_id)
        .join(HandOver, HandOver.application_id == Application.id)
        .where(
            OWN.application_id == application.id,
            Application.id != application.id,
            Application.department_id == application.department_id,
            Application.on_behalf.is_(None),
            HandOver.accepted_at.is_not(None),
        )
    )


def _use(application: Application) -> Iterator[CheckFinding]:
    if application.legal_basis == "consent":
        yield CheckFinding(
            "consent-to-verify",
            "warns",
            Message("The legal basis is consent: verify that it exists in writing."),
        )
    if application.way_of_use == "download":
        yield CheckFinding(
            "download-asked",
            "informs",
            Message("A download is requested; the default is viewing only: decide whether to grant it."),
        )
