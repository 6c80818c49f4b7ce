"""Account for downloads of loans that have ended without an attestation: by recall, loss, provision, or with the case.

A work order of its own kind asks the custodian, and after they have left the head of their department, what became of
each download. It is signed with the checklist, and Security confirms it or has it done again (T2, R38, R39).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy, Download
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.work_orders import DownloadAccount, WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.custody import heads, log, numbered_media
from services.domain.holds import queries as holds
from services.domain.notifications import service as notification_service
from services.domain.work_orders import opening, service
from services.domain.work_orders.opening import Subject
from services.domain.work_orders.roles import HEAD, Role
from services.domain.work_orders.schemas import DownloadSaid, DownloadToAccount, DownloadWitness
from services.domain.work_orders.service import Done
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

KIND = "download-account"
GIVEN_BACK, DESTROYED, LOST = "given-back", "destroyed", "lost"
WITNESSED = "download-witnessed"  # the notice
FATES = (GIVEN_BACK, DESTROYED, LOST)
WITNESSES = ("security", "storage")  # kinds of departments whose people may see a destruction besides the doer's own
AT_ONCE = 50  # work orders that one transaction gives to somebody else
CLOCKS_APART = timedelta(minutes=5)  # between the watch of who destroys a medium and the portal's


@dataclass(frozen=True)
class Account:
    """What somebody says of one download. ``how``: how it was destroyed, or what happened where it was lost."""

    download_id: str
    fate: str
    medium: str = ""
    how: str = ""
    happened_at: datetime | None = None
    witness_id: str | None = None


def register() -> None:
    """Register what belongs to this kind of work order; again is no error."""
    service.REQUIREMENTS[KIND] = require_accounts
    service.SIGNED[KIND] = list_signed
    service.WITNESSES[KIND] = list_named_witnesses
    service.WHEN_DONE[KIND] = follow_confirmation
    service.UNTIL_DONE[KIND] = lambda _uow, _order: True


def ask(uow: UnitOfWork, hand_over: HandOver, downloads: Sequence[Download]) -> WorkOrder:
    """Open the work order by which these downloads are accounted for, once for each loan; the caller has locked it."""
    application = uow.session.get_one(Application, hand_over.application_id)
    doer = _doer(uow, application, hand_over)
    return _open(uow, application, hand_over.id, doer, _facts_of(uow, downloads), key=f"{KIND}:{hand_over.id}")


def reassign(uow: UnitOfWork) -> bool:
    """Give what a person has not accounted for who has left to the head of the department; whether more is left.

    The work order of the one who has left is cancelled, and names the downloads as before.
    """
    query = (
        select(WorkOrder)
        .join(WorkOrderAttempt, WorkOrderAttempt.work_order_id == WorkOrder.id)
        .join(Person, Person.id == WorkOrder.doer_id)
        .where(
            WorkOrder.kind == KIND,
            WorkOrder.closed_at.is_(None),
            WorkOrderAttempt.attempt == WorkOrder.attempt,
            WorkOrderAttempt.done_at.is_(None),
            Person.active.is_(False),
        )
        .order_by(WorkOrder.id)
    )
    left = uow.session.scalars(query.limit(AT_ONCE + 1)).all()
    for order in left[:AT_ONCE]:
        application = uow.session.get_one(Application, order.application_id)
        hand_over = uow.session.get_one(HandOver, order.subject_id)
        because = Message("The person has left: the head of the department accounts for the downloads.")
        service.cancel(uow, order.id, because.en, by_system=True)
        doer = _heads_role(uow, application, hand_over)
        _open(uow, application, hand_over.id, doer, order.facts["facts"], key=f"{KIND}:{hand_over.id}:{order.id}")
    return len(left) > AT_ONCE


def account(uow: UnitOfWork, work_order_id: str, accounts: Sequence[Account], said: Done, proof: Proof) -> WorkOrder:
    """Say what became of each download, and sign it with the checklist, as who does the work order.

    Refused for a download that is missing or named twice, an account that lacks what its fate needs, a destruction
    while the case is held, and witnesses beside whom nobody is left to confirm it. Each witness is told.
    """
    order = service.lock_seen(uow, work_order_id)
    if order.kind != KIND:
        raise NotFound(Message("account of downloads"), work_order_id)
    attempt = service.require_to_do(uow, order)
    application_service.lock_case(uow, str(order.application_id), "account for downloads")
    hand_over = log.lock(uow, order.subject_id, str(order.application_id))
    rows = [_checked(uow, order, one, number) for number, one in enumerate(_complete(order, accounts))]
    for row in rows:
        row.attempt = attempt.attempt
    uow.session.add_all(rows)
    uow.session.flush()
    named = list_named_witnesses(uow, order)
    if named and order.is_verified and not service.list_verifiers(uow, order):
        raise Refused(
            "account-witness",
            "Nobody beside this witness could confirm the account: choose another witness.",
            status=422,
            field=f"downloads-{next(number for number, row in enumerate(rows) if row.witness_id)}-witnessId",
        )
    service.done(uow, work_order_id, said, proof)
    lost = [row.download_id for row in rows if row.fate == LOST]
    if lost or any(given["answer"] == "no" for given in (attempt.answers or {}).values()):
        order.finding_due_at = order.finding_due_at or uow.now
    log.append(
        uow,
        hand_over,
        "downloads-accounted",
        person_id=uow.actor.id,
        workOrder=order.number,
        attempt=attempt.attempt,
        downloads={row.download_id: row.fate for row in rows},
        statement_sha256=attempt.done_sha256,
    )
    if lost:
        told = set(service.list_verifiers(uow, order)) | set(heads.list_of_security(uow, hand_over))
        service.notify(uow, order, sorted(told - {str(uow.actor.id)}), "download-lost")
    service.notify(uow, order, sorted(named), WITNESSED)
    return order


def require_accounts(uow: UnitOfWork, order: WorkOrder) -> Message | None:
    """Return why the work order is not done yet: a download has no account of this attempt."""
    query = select(DownloadAccount.download_id).where(
        DownloadAccount.work_order_id == order.id, DownloadAccount.attempt == order.attempt
    )
    said = set(uow.session.scalars(query))
    if any(one["id"] not in said for one in _asked(order)):
        return Message("Enter for each download what became of it: use the form on the page of this work order.")
    return None


def list_signed(uow: UnitOfWork, order: WorkOrder) -> list[dict[str, Any]]:
    """Return the accounts of the present attempt as they are signed."""
    return [_as_json(row) for row in _rows(uow, order) if row.attempt == order.attempt]


def follow_confirmation(uow: UnitOfWork, order: WorkOrder) -> None:
    """Enter in the custody log that Security has confirmed what became of the downloads; nobody is asked more (R47)."""
    hand_over = log.lock(uow, order.subject_id, str(order.application_id))
    attempt = uow.session.scalars(
        select(WorkOrderAttempt).where(
            WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
        )
    ).one()
    log.append(
        uow,
        hand_over,
        "downloads-confirmed",
        person_id=attempt.verified_by,
        workOrder=order.number,
        attempt=order.attempt,
        statement_sha256=attempt.verified_sha256,
    )
    notification_service.mark_done(uow, "account", subject_id=hand_over.id)


def list_named_witnesses(uow: UnitOfWork, order: WorkOrder) -> set[str]:
    """Return whom the doer names as witnesses in the present attempt; they do not confirm it themselves (R38)."""
    return {row.witness_id for row in _rows(uow, order) if row.attempt == order.attempt and row.witness_id is not None}


def list_accounted(uow: UnitOfWork, order: WorkOrder) -> list[DownloadToAccount]:
    """List the downloads that a work order asks about, each with what was said of it, by attempt; empty for others."""
    if order.kind != KIND:
        return []
    rows = _rows(uow, order)
    names = access_queries.get_names(uow, {row.witness_id for row in rows})
    said: dict[str, list[DownloadSaid]] = defaultdict(list)
    for row in rows:
        said[row.download_id].append(
            DownloadSaid(
                attempt=row.attempt,
                fate=row.fate,
                medium=row.medium,
                how=row.how,
                happened_at=row.happened_at,
                witness=names.get(row.witness_id) if row.witness_id is not None else None,
            )
        )
    return [
        DownloadToAccount(
            id=one["id"],
            camera=one["camera"],
            medium=one["medium"],
            asked_at=one["askedAt"],
            accounts=said[one["id"]],
        )
        for one in _asked(order)
    ]


def list_witnesses(uow: UnitOfWork, order: WorkOrder) -> list[DownloadWitness]:
    """List, by name, before whom the actor may destroy a download of this work order."""
    if order.kind != KIND:
        return []
    witnesses = _witnesses(uow, order)
    names, usernames = access_queries.get_names(uow, witnesses), namesakes.get_usernames(uow, witnesses)
    return [
        DownloadWitness(id=one, name=name, username=usernames.get(one))
        for one, name in sorted(names.items(), key=lambda pair: pair[1])
    ]


def find_fates(uow: UnitOfWork, download_ids: Collection[str]) -> Mapping[str, DownloadAccount]:
    """Return the newest account of each of these downloads."""
    query = select(DownloadAccount).where(DownloadAccount.download_id.in_(download_ids))
    return {row.download_id: row for row in uow.session.scalars(query.order_by(DownloadAccount.said_at))}


def _open(
    uow: UnitOfWork, application: Application, hand_over_id: str, doer: Role, facts: Mapping[str, Any], *, key: str
) -> WorkOrder:
    verifier: Any = "usual"
    directory = access_queries.load_directory(uow)
    if doer.person_id is not None and directory.holds_in(doer.person_id, "security", "security-reviewer", HEAD):
        verifier = Role("supervisor")  # who is of Security is not checked by colleagues
    return opening.open_work_order(
        uow,
        KIND,
        Subject("loan", hand_over_id, application.number or ""),
        key=key,
        doer=doer,
        verifier=verifier,
        facts=facts,
        application_id=application.id,
        by_system=True,
    )


def _doer(uow: UnitOfWork, application: Application, hand_over: HandOver) -> Role:
    if uow.session.get_one(Person, hand_over.custodian_id).active:
        return Role(person_id=hand_over.custodian_id)
    return _heads_role(uow, application, hand_over)


def _heads_role(uow: UnitOfWork, application: Application, hand_over: HandOver) -> Role:
    """Return who acts for a custodian who has left: the head of the department, with the deputies as substitutes.

    Where the case concerns one of them, one of the others alone, who may learn of it (T8).
    """
    department = application.department_id
    directory = access_queries.load_directory(uow)
    leaders = {*directory.holders(department, HEAD), *directory.holders(department, "deputy")}
    fit = heads.list_of_department(uow, hand_over)
    if fit and leaders & set(application.subject_ids):
        return Role(person_id=fit[0])
    if not fit:
        return Role(HEAD, department_kind="security")
    return Role(HEAD, department_id=department)


def _facts_of(uow: UnitOfWork, downloads: Sequence[Download]) -> dict[str, Any]:
    """Return the facts of the work order: each download with its camera and its medium, oldest first."""
    of_item = joinedload(Copy.item).joinedload(Item.camera)
    query = select(Copy).where(Copy.id.in_({one.copy_id for one in downloads})).options(of_item)
    cameras = {copy.id: copy.item.camera.name_zh for copy in uow.session.scalars(query)}
    return {
        "downloads": [
            {
                "camera": cameras[one.copy_id],
                "medium": one.medium,
                "askedAt": one.asked_at.isoformat(),
                "id": one.id,
            }
            for one in downloads
        ]
    }


def _asked(order: WorkOrder) -> list[dict[str, Any]]:
    downloads: list[dict[str, Any]] = order.facts["facts"]["downloads"]
    return downloads


def _complete(order: WorkOrder, accounts: Sequence[Account]) -> list[Account]:
    """Return the accounts in the order of the downloads; Refused unless each download has exactly one."""
    given = {one.download_id: one for one in accounts}
    asked = [one["id"] for one in _asked(order)]
    if set(given) != set(asked) or len(accounts) != len(asked):
        raise Refused(
            "accounts-incomplete",
            "Account for each of the {asked} downloads.",
            status=422,
            field="downloads",
            asked=len(asked),
        )
    return [given[one] for one in asked]


def _checked(uow: UnitOfWork, order: WorkOrder, said: Account, number: int) -> DownloadAccount:
    """Return the row of an account; Refused where it lacks what its fate needs."""

    def lacking(code: str, sentence: Message, name: str) -> Refused:
        return Refused(code, sentence, status=422, field=f"downloads-{number}-{name}")

    row = DownloadAccount(
        id=new_id(),
        work_order_id=order.id,
        download_id=said.download_id,
        fate=said.fate,
        said_by=str(uow.actor.id),
        said_at=uow.now,
    )
    if said.fate not in FATES:
        sentence = Message("Choose whether the download was given back, destroyed or lost.")
        raise lacking("account-fate", sentence, "fate")
    if said.fate == GIVEN_BACK:
        if not said.medium.strip():
            sentence = Message("Enter the number of the medium that is given back.")
            raise lacking("account-medium", sentence, "medium")
        row.medium = said.medium.strip()
        left_on = next(one["medium"] for one in _asked(order) if one["id"] == said.download_id)
        if row.medium != left_on and numbered_media.is_registered(uow, left_on):
            sentence = Message("This file was kept on the medium {number}: give that medium back.", number=left_on)
            raise lacking("account-other-medium", sentence, "medium")
        return row
    if not said.how.strip():
        sentence = Message("Describe how it was destroyed, or how it was lost.")
        raise lacking("account-how", sentence, "how")
    row.how = said.how.strip()
    if said.fate == LOST:
        return row
    asked_at = next(datetime.fromisoformat(one["askedAt"]) for one in _asked(order) if one["id"] == said.download_id)
    if said.happened_at is None or not asked_at - CLOCKS_APART <= said.happened_at <= uow.now + CLOCKS_APART:
        sentence = Message("Enter when it was destroyed: after the download, and not in the future.")
        raise lacking("account-when", sentence, "happenedAt")
    if said.witness_id not in _witnesses(uow, order):
        sentence = Message(
            "Choose the witness of the destruction: another person of the department, Security or storage."
        )
        raise lacking("account-witness", sentence, "witnessId")
    _require_unheld(uow, order, said.happened_at, number)
    row.happened_at, row.witness_id = said.happened_at, said.witness_id
    return row


def _require_unheld(uow: UnitOfWork, order: WorkOrder, happened_at: datetime, number: int) -> None:
    """Raise Refused for a destruction while the case is held; what was destroyed before is recorded (R67)."""
    held = holds.list_holdings(uow, str(order.application_id))
    if held and happened_at >= held[0].since:
        raise Refused(
            "case-held",
            "The case is held, so nothing of it may be destroyed: give the medium back to Security. If it is destroyed "
            "already, choose lost and write what happened.",
            field=f"downloads-{number}-fate",
        )


def _witnesses(uow: UnitOfWork, order: WorkOrder) -> set[str]:
    """Return before whom the actor may destroy it: people with a post near the case whom it does not concern."""
    directory, me = access_queries.load_directory(uow), str(uow.actor.id)
    application = uow.session.get_one(Application, order.application_id)
    near = {
        person_id
        for person_id, person in directory.people.items()
        if person.department_id == application.department_id
        or directory.departments[person.department_id].kind in WITNESSES
    }
    return near - {me, *([order.doer_id] if order.doer_id else []), *application.subject_ids, *directory.administrators}


def _rows(uow: UnitOfWork, order: WorkOrder) -> list[DownloadAccount]:
    query = select(DownloadAccount).where(DownloadAccount.work_order_id == order.id)
    return list(uow.session.scalars(query.order_by(DownloadAccount.attempt, DownloadAccount.download_id)))


def _as_json(row: DownloadAccount) -> dict[str, Any]:
    return {
        "download": row.download_id,
        "fate": row.fate,
        "medium": row.medium,
        "how": row.how,
        "happenedAt": row.happened_at.isoformat() if row.happened_at is not None else None,
        "witness": row.witness_id,
    }
