"""Emergency views: the two people of an urgent retrieval see it before it is approved, and never download it (T9, 4.6).

A copy of what the quarantine has, under a key of its own. It opens only while the application is under approval, inside
the time of the grant, to people with a valid confidentiality agreement whom nothing suspends; each look is booked. This
looks at the case itself: the view ends with the approval or the refusal, also where the process is late or away.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.emergency_views import EmergencyCopy, EmergencyGrant, EmergencyViewing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import suspensions, viewings
from services.domain.custody.grants import ADMINISTRATOR, NOT_BEGUN, SUSPENDED, CopyKind
from services.domain.custody.viewings import OpenedViewing
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.retrieval import attempts
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text

SHOWN = ("asked", "covered", "gaps", "codecs", "firstFrame", "lastFrame")  # of a coverage, what a player needs
SUBJECT: CopyKind = "emergency-copy"
OVER = ("emergency-view-over", Message("The emergency view has ended: wait for the copies that follow the approval."))
CONCERNED = ("concerned", Message("The case concerns you, so that you do not see its footage."))


@dataclass(frozen=True)
class OpenedEmergencyCopy:
    """An emergency copy that the actor may see now. ``sealed`` says where it lies and what it is."""

    application_id: str
    purpose: str
    sealed: dict[str, Any]


def is_decided(state: CaseState) -> bool:
    """Return whether the application waits for no approval any more: approved, refused, expired, withdrawn."""
    application = state.application
    ended = application.closed_at is not None or application.withdrawn_at is not None or state.expired
    return ended or state.form is not None or state.rejected_in("approval") is not None


def list_of_matter(uow: UnitOfWork, matter_id: str) -> list[EmergencyCopy]:
    """List the emergency copies of an urgent retrieval, by the position of their item."""
    query = (
        select(EmergencyCopy)
        .join(Item, Item.id == EmergencyCopy.item_id)
        .where(EmergencyCopy.matter_id == matter_id)
        .options(joinedload(EmergencyCopy.item).joinedload(Item.camera))
        .order_by(Item.position)
    )
    return list(uow.session.scalars(query))


def create(uow: UnitOfWork, attempt_id: str, matter_id: str, sealed: dict[str, Any]) -> EmergencyCopy | None:
    """Record an emergency copy; None when it is no longer wanted: then its object and its key go."""
    if not attempts.finish(uow, attempt_id, sealed["versionId"]):
        return None
    attempt = attempts.get(uow, attempt_id)
    copy = uow.session.scalar(select(EmergencyCopy).where(EmergencyCopy.item_id == attempt.item_id))
    if copy is None:
        copy = EmergencyCopy(
            id=attempt.subject_id,
            matter_id=matter_id,
            application_id=attempt.application_id,
            item_id=attempt.item_id,
            attempt_id=attempt_id,
            made_at=uow.now,
            sealed=sealed,
        )
        uow.session.add(copy)
        audit_trail.record(
            uow,
            "emergency-copy-made",
            SUBJECT,
            copy.id,
            application_id=copy.application_id,
            key=attempt.key,
            sha256_plain=sealed["sha256Plain"],
            sha256_cipher=sealed["sha256Cipher"],
        )
    return copy


def grant(
    uow: UnitOfWork, matter_id: str, application_id: str, people: Collection[str], until: datetime
) -> Sequence[EmergencyGrant]:
    """Let these people see the emergency copies of a matter up to ``until``; a second run changes nothing."""
    known = list_grants(uow, matter_id)
    if known:
        return known
    for person_id in sorted(people):
        uow.session.add(EmergencyGrant(matter_id=matter_id, person_id=person_id, since=uow.now, until=until))
        audit_trail.record(
            uow,
            "emergency-view-granted",
            "matter",
            matter_id,
            application_id=application_id,
            person=person_id,
            until=until.isoformat(),
        )
    uow.session.flush()
    return list_grants(uow, matter_id)


def list_grants(uow: UnitOfWork, matter_id: str) -> list[EmergencyGrant]:
    query = select(EmergencyGrant).where(EmergencyGrant.matter_id == matter_id).order_by(EmergencyGrant.person_id)
    return list(uow.session.scalars(query))


def end(uow: UnitOfWork, matter_id: str, application_id: str, because: str) -> None:
    """End every grant of a matter for good."""
    for one in list_grants(uow, matter_id):
        if one.ended_at is None:
            one.ended_at, one.ended_because = uow.now, because
            audit_trail.record(
                uow,
                "emergency-view-ended",
                "matter",
                matter_id,
                application_id=application_id,
                person=one.person_id,
                because=because,
            )


def mark_gone(uow: UnitOfWork, copy_ids: Collection[str]) -> None:
    """Record that the keys of these copies are destroyed, and their objects gone."""
    for copy_id in copy_ids:
        copy = uow.session.get_one(EmergencyCopy, copy_id)
        if copy.discarded_at is None:
            copy.key_destroyed_at = copy.discarded_at = uow.now
            audit_trail.record(uow, "emergency-copy-gone", SUBJECT, copy_id, application_id=copy.application_id)


def check(uow: UnitOfWork, copy_id: str) -> OpenedEmergencyCopy:
    """Return the copy, when the actor may see it now. Refused with the reason, NotFound for strangers.

    A refusal leaves no trace here, because its unit is rolled back: callers record it with ``grants.record_denial``.
    """
    return open_with_grant(uow, copy_id)[0]


def open_with_grant(uow: UnitOfWork, copy_id: str) -> tuple[OpenedEmergencyCopy, EmergencyGrant]:
    """Return the same, with the actor's grant."""
    copy, found = get_granted(uow, copy_id)
    refusal = refusal_for(uow, copy, found)
    if refusal is not None:
        raise refusal
    application = uow.session.get_one(Application, copy.application_id)
    return OpenedEmergencyCopy(copy.application_id, application.purpose, dict(copy.sealed)), found


def get_granted(uow: UnitOfWork, copy_id: str) -> tuple[EmergencyCopy, EmergencyGrant]:
    """Return an emergency copy that was granted to the actor, whether or not it opens now; NotFound for strangers."""
    copy = uow.session.get(EmergencyCopy, copy_id)
    found = None
    if copy is not None and uow.actor.kind == "person":
        of_me = select(EmergencyGrant).where(
            EmergencyGrant.matter_id == copy.matter_id, EmergencyGrant.person_id == uow.actor.id
        )
        found = uow.session.scalar(of_me)
    if copy is None or found is None:
        raise NotFound(Message("copy"), copy_id)
    return copy, found


def refusal_for(uow: UnitOfWork, copy: EmergencyCopy, mine: EmergencyGrant) -> Refused | None:
    """Return why the actor cannot see a copy now that was granted to them; None where they can."""
    application = uow.session.get_one(Application, copy.application_id)
    try:
        _require_open(uow, application, mine, gone=is_gone(copy))
    except Refused as refusal:
        return refusal
    return None


def is_open(uow: UnitOfWork, application_id: str, mine: EmergencyGrant) -> bool:
    """Return whether the actor may see now what a grant of theirs is about, of those copies that are not gone."""
    try:
        _require_open(uow, uow.session.get_one(Application, application_id), mine)
    except Refused:
        return False
    return True


def is_gone(copy: EmergencyCopy) -> bool:
    return copy.key_destroyed_at is not None or copy.discarded_at is not None


def _require_open(uow: UnitOfWork, application: Application, mine: EmergencyGrant, *, gone: bool = False) -> None:
    """Raise Refused unless the actor may see now what the grant is about; ``gone``: a copy that is kept no longer."""
    if access_queries.load_directory(uow).holds(uow.actor.id, "administrator"):
        raise _refused(*ADMINISTRATOR)
    access_queries.require_agreement(uow, uow.actor.id)
    if uow.actor.id in application.subject_ids:
        raise _refused(*CONCERNED)
    cause = suspensions.first_cause(row.cause for row in suspensions.of_person(uow, uow.actor.id))
    if cause is not None:
        raise _refused(*SUSPENDED[cause])
    decided = is_decided(permissions.read(uow, application.id))
    if gone or decided or mine.ended_at is not None or uow.now >= mine.until:
        raise _refused(*OVER)
    if uow.now < mine.since:
        raise _refused(*NOT_BEGUN)


def open_viewing(uow: UnitOfWork, copy_id: str, *, purpose_confirmed: bool, address: str) -> OpenedViewing:
    """Begin a look: the purpose is shown, and confirmed anew each time (R41)."""
    opened = check(uow, copy_id)
    viewings.require_confirmed(purpose_confirmed)
    viewing = EmergencyViewing(
        id=new_id(),
        copy_id=copy_id,
        person_id=uow.actor.id,
        opened_at=uow.now,
        address=address,
        reads=0,
        bytes_read=0,
        ranges=[],
    )
    uow.session.add(viewing)
    audit_trail.record(
        uow,
        "emergency-viewed",
        SUBJECT,
        copy_id,
        application_id=opened.application_id,
        viewing=viewing.id,
        address=address,
    )
    return OpenedViewing(viewing.id, copy_id, opened.purpose, opened.sealed["plainSize"])


def require_open(
    uow: UnitOfWork, copy_id: str, viewing_id: str, *, lock: bool = False
) -> tuple[OpenedEmergencyCopy, EmergencyViewing]:
    """Return the copy and a look that the actor has begun at it, locked if asked for; NotFound for another's."""
    opened = check(uow, copy_id)
    viewing = uow.session.get(EmergencyViewing, viewing_id, with_for_update=lock or None, populate_existing=True)
    if viewing is None or viewing.copy_id != copy_id or viewing.person_id != uow.actor.id:
        raise NotFound(Message("viewing"), viewing_id)
    return opened, viewing


def record_read(uow: UnitOfWork, copy_id: str, viewing_id: str, offset: int, length: int) -> None:
    """Check the grant and count one read of ``length`` bytes at ``offset`` of the plaintext."""
    opened, viewing = require_open(uow, copy_id, viewing_id, lock=True)
    viewings.count_read(uow, viewing, offset, length, subject=SUBJECT, application_id=opened.application_id)


def count_looks(uow: UnitOfWork, matter_id: str) -> Mapping[str, int]:
    """Count the looks at each emergency copy of a matter, by the copy's id; a copy that nobody has seen is left out."""
    query = (
        select(EmergencyViewing.copy_id, func.count())
        .join(EmergencyCopy, EmergencyCopy.id == EmergencyViewing.copy_id)
        .where(EmergencyCopy.matter_id == matter_id)
        .group_by(EmergencyViewing.copy_id)
    )
    return {copy_id: int(number) for copy_id, number in uow.session.execute(query)}


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
