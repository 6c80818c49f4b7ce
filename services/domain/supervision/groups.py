"""The supervision group: proposed by one of the management, confirmed by another; its term and its end (R60, R61)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from services.database.base import new_id
from services.database.tables.documents import Document
from services.database.tables.inspections import GroupMember, SupervisionGroup
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import supervision as policy
from services.domain.access.administrators import lock_setup
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.stages.schema import Level
from services.domain.supervision import attached, group_sheet
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

LEVEL: Level = "password+totp"
DOCUMENT = "group-appointment"
LEADER, MEMBER = "leader", "member"
LONGEST_TERM = timedelta(days=3 * 366)
WITHDRAWN, REFUSED, REPLACED = "withdrawn", "refused", "replaced"
ABSENT = Message("There is no valid supervision group: management has to appoint one first.")


@dataclass(frozen=True)
class Appointment:
    """What is proposed: who leads, who else belongs to it, until when, and on which decision it rests.

    ``basis`` is empty where the appointment document is attached to the proposal instead.
    """

    leader_id: str
    member_ids: Collection[str]
    until: datetime
    basis: str

    @property
    def people(self) -> list[str]:
        return sorted({self.leader_id, *self.member_ids})


def propose(uow: UnitOfWork, appointment: Appointment, proof: Proof) -> SupervisionGroup:
    """Propose a group, signed; another one of the management has to confirm it.

    Refused to all but the management, for a group that lacks a department, for one that names whoever proposes it, and
    while another proposal waits.
    """
    lock_setup(uow)
    directory = access_queries.load_directory(uow)
    _require_appointer(uow)
    if uow.actor.id in appointment.people:
        raise Refused("own-appointment", "Nobody appoints himself: another manager has to do this.", status=403)
    refusal = policy.composition_refusal(directory, policy.Composition(appointment.leader_id, appointment.people))
    if refusal is not None:
        raise refusal
    if not uow.now < appointment.until <= uow.now + LONGEST_TERM:
        raise Refused("term", "Enter the end of the term: later than now, and within three years.", field="until")
    if uow.session.scalar(select(SupervisionGroup.id).where(*_waiting()).limit(1)) is not None:
        raise Refused("proposed-already", "A group is proposed already: confirm or withdraw it first.")
    group_id = new_id()
    statement = {
        "kind": "group-proposal",
        "leader": appointment.leader_id,
        "members": appointment.people,
        "until": appointment.until.isoformat(),
        "basis": appointment.basis,
        **_by(uow, proof),
    }
    signed = signing.sign(uow, statement, proof, level=LEVEL)
    group = SupervisionGroup(
        id=group_id,
        basis=appointment.basis,
        since=uow.now,
        until=appointment.until,
        proposed_by=uow.actor.id,
        proposed_at=uow.now,
        proposal=signed.signature,
    )
    uow.session.add(group)
    uow.session.flush()
    uow.session.add_all(
        GroupMember(
            group_id=group_id,
            person_id=person_id,
            part=LEADER if person_id == appointment.leader_id else MEMBER,
            department_kind=policy.department_kind(directory, person_id),
        )
        for person_id in appointment.people
    )
    uow.session.flush()
    _record(uow, "group-proposed", group, members=appointment.people, **signed.event_fields)
    for person_id in policy.appointers(directory):
        if person_id != uow.actor.id:
            _notify(uow, person_id, "group-to-confirm", group)
    return group


def confirm(uow: UnitOfWork, group_id: str, proof: Proof) -> SupervisionGroup:
    """Confirm the proposed group as the second person, signed: it counts from now on, and the one before ends.

    Refused to whoever proposed it, where its composition does not hold any more, and while it rests on nothing: neither
    on the number of a decision nor on an attached document.
    """
    lock_setup(uow)
    group = _lock_waiting(uow, group_id)
    _require_appointer(uow)
    people = [member.person_id for member in group.members]
    if uow.actor.id == group.proposed_by:
        raise Refused(
            "not-second-person", "You have proposed this group: another manager has to confirm it.", status=403
        )
    if uow.actor.id in people:
        raise Refused("own-appointment", "Nobody appoints himself: another manager has to do this.", status=403)
    _require_composition(uow, group)
    files = attached.list_files(uow, group.id)
    if not group.basis.strip() and not files:
        raise Refused(
            "appointment-lacking",
            "The proposal names no decision of the organisation: attach the appointment document first, or withdraw "
            "it and propose the group with the number of the decision.",
            field="basis",
        )
    if group.until <= uow.now:
        raise Refused("term", "The term of this group is over: withdraw it, and propose another one.")
    statement = {
        "kind": "group-confirmation",
        "group": group.id,
        "confirms": group.proposal["sha256"],
        "members": people,
        "leader": leader_of(group),
        "attachments": [file.sha256 for file in files],
        **_by(uow, proof),
    }
    signed = signing.sign(uow, statement, proof, level=LEVEL)
    before = find_current(uow)
    if before is not None:
        _end(uow, before, REPLACED)
    group.confirmed_by, group.confirmed_at, group.confirmation = uow.actor.id, uow.now, signed.signature
    group.since = uow.now
    uow.session.flush()
    group.document = _write(uow, group).number
    notification_service.mark_done(uow, "check", subject_id=group.id)
    _record(uow, "group-appointed", group, document=group.document, **signed.event_fields)
    for person_id in people:
        _notify(uow, person_id, "group-appointed", group)
    return group


def withdraw(uow: UnitOfWork, group_id: str) -> SupervisionGroup:
    """End a proposal: withdrawn by whoever made it, or refused by another one of the management."""
    group = _lock_waiting(uow, group_id)
    _require_appointer(uow)
    _end(uow, group, WITHDRAWN if uow.actor.id == group.proposed_by else REFUSED)
    return group


def find_current(uow: UnitOfWork, *, for_change: bool = False) -> SupervisionGroup | None:
    """Return the group that was appointed last and not replaced, whether its term is over or not; with its members.

    ``for_change``: locked, so that those who change what the group does take turns.
    """
    query = (
        select(SupervisionGroup)
        .where(SupervisionGroup.confirmed_at.is_not(None), SupervisionGroup.ended_at.is_(None))
        .order_by(SupervisionGroup.confirmed_at.desc())
        .limit(1)
    )
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    return uow.session.scalar(query.options(selectinload(SupervisionGroup.members)))


def get(uow: UnitOfWork, group_id: str) -> SupervisionGroup:
    """Return a group with its members; NotFound where there is none."""
    query = select(SupervisionGroup).where(SupervisionGroup.id == group_id)
    group = uow.session.scalar(query.options(selectinload(SupervisionGroup.members)))
    if group is None:
        raise NotFound(Message("supervision group"), group_id)
    return group


def find_waiting(uow: UnitOfWork) -> SupervisionGroup | None:
    """Return the proposal that waits for its second person; with its members."""
    query = select(SupervisionGroup).where(*_waiting()).order_by(SupervisionGroup.proposed_at).limit(1)
    return uow.session.scalar(query.options(selectinload(SupervisionGroup.members)))


def refusal_of(uow: UnitOfWork, group: SupervisionGroup | None) -> Refused | None:
    """Return why this is no valid group now: none there, its term over, or its composition broken; None if it is."""
    if group is None or group.confirmed_at is None or group.ended_at is not None:
        return Refused("no-group", ABSENT)
    if group.until <= uow.now:
        return Refused("group-term", "The term of the supervision group is over: management has to appoint it again.")
    return composition_refusal(uow, group)


def composition_refusal(uow: UnitOfWork, group: SupervisionGroup) -> Refused | None:
    """Return why the members are no group any more, whatever its term; None if they are."""
    people = [member.person_id for member in group.members]
    composition = policy.Composition(leader_of(group), people)
    return policy.composition_refusal(access_queries.load_directory(uow), composition)


def leader_of(group: SupervisionGroup) -> str:
    return next((member.person_id for member in group.members if member.part == LEADER), "")


def people_of(group: SupervisionGroup) -> list[str]:
    """List the members by id, the leader first."""
    leader = leader_of(group)
    return [leader, *sorted(member.person_id for member in group.members if member.person_id != leader)]


def _require_composition(uow: UnitOfWork, group: SupervisionGroup) -> None:
    refusal = composition_refusal(uow, group)
    if refusal is not None:
        raise refusal


def _require_appointer(uow: UnitOfWork) -> None:
    if not policy.may_appoint(access_queries.load_directory(uow), uow.actor.id):
        raise Refused("appointers-only", "Only the management appoints the supervision group.", status=403)


def _waiting() -> tuple[Any, ...]:
    return SupervisionGroup.confirmed_at.is_(None), SupervisionGroup.ended_at.is_(None)


def _lock_waiting(uow: UnitOfWork, group_id: str) -> SupervisionGroup:
    query = select(SupervisionGroup).where(SupervisionGroup.id == group_id).with_for_update()
    group = uow.session.scalar(
        query.options(selectinload(SupervisionGroup.members)).execution_options(populate_existing=True)
    )
    if group is None:
        raise NotFound(Message("supervision group"), group_id)
    if group.confirmed_at is not None or group.ended_at is not None:
        raise Refused("not-waiting", "This group is confirmed or withdrawn already.")
    return group


def _end(uow: UnitOfWork, group: SupervisionGroup, because: str) -> None:
    group.ended_at, group.ended_because = uow.now, because
    notification_service.mark_done(uow, "check", subject_id=group.id)
    _record(uow, "group-ended", group, because=because)


def _by(uow: UnitOfWork, proof: Proof) -> dict[str, Any]:
    return {"person": uow.actor.id, "decidedAt": signing.signing_moment(uow, proof).isoformat()}


def _write(uow: UnitOfWork, group: SupervisionGroup) -> Document:
    """Write 《监督小组任命书》, with both signatures."""
    directory = access_queries.load_directory(uow)
    people = [*people_of(group), group.proposed_by, str(group.confirmed_by)]
    names = access_queries.get_names(uow, people)

    def person(person_id: str) -> dict[str, Any]:
        return {"id": person_id, "name": names.get(person_id)}

    def signature(person_id: str, at: datetime, signed: Mapping[str, Any]) -> dict[str, Any]:
        return {"by": person(person_id), "at": at.isoformat(), "statement": signed["sha256"], "signature": signed}

    content = {
        "title": group_sheet.TITLE,
        "basis": group.basis,
        "attachments": [{"name": file.file_name, "sha256": file.sha256} for file in attached.list_files(uow, group.id)],
        "since": group.since.isoformat(),
        "until": group.until.isoformat(),
        "members": [
            {
                **person(person_id),
                "part": LEADER if person_id == leader_of(group) else MEMBER,
                "department": policy.department_kind(directory, person_id),
            }
            for person_id in people_of(group)
        ],
        "proposed": signature(group.proposed_by, group.proposed_at, group.proposal),
        "confirmed": signature(str(group.confirmed_by), uow.now, group.confirmation or {}),
    }
    return document_service.write_once(uow, DOCUMENT, group.id, lambda: content, application_id=None)


def _record(uow: UnitOfWork, action: str, group: SupervisionGroup, **detail: Any) -> None:
    audit_trail.record(uow, action, "supervision-group", group.id, **detail)


def _notify(uow: UnitOfWork, person_id: str, code: str, group: SupervisionGroup) -> None:
    notification_service.notify(uow, person_id, code, application_id=None, subject_id=group.id)
