"""Ask for an evidence package, approve it, and hand it out; a worker makes it (R2, R28, R47, R58, R67).

The register decides at each step: whoever may ask no longer, because of a post that ended, a suspension or a violation
that accuses them, fetches nothing either, and a transfer that goes on stops.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from services.database import keyset
from services.database.base import new_id
from services.database.keyset import Page, Section
from services.database.listing import Listing
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.evidence_packages import EvidencePackage, PackageFetch
from services.database.tables.masters import Master
from services.database.tables.people import Person, Post
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations, visibility
from services.domain.access.directory import Directory
from services.domain.access.parts import CaseFacts
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.custody import log, suspensions
from services.domain.notifications import service as notification_service
from services.domain.packages import policy
from services.domain.retrieval import masters
from services.domain.stages.schema import Level
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

SUBJECT = "evidence-package"  # in the audit trail
QUEUED = "package-queued"  # wakes the process that makes them
LEVEL: Level = "password+totp"
APPROVED, REFUSED = "approved", "refused"
NEWEST = Section((EvidencePackage.asked_at.expression, EvidencePackage.id.expression))  # the list's order


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    number: str
    footage: str
    recipient_kind: str
    recipient: str
    reason: str


def ask(uow: UnitOfWork, asked: Asked, log_keys: Sequence[str]) -> EvidencePackage:
    """Ask for a package. Footage in clear waits for a second person; else it is made at once.

    ``log_keys``: the public keys of the audit trail, as the portal has them.
    """
    application = _find_case(uow, asked.number)
    require_right(uow, application, uow.actor.id)
    _require_possible(uow, application, asked)
    _require_few(uow, application, asked)
    row = EvidencePackage(
        id=new_id(),
        application_id=application.id,
        footage=asked.footage,
        recipient_kind=asked.recipient_kind,
        recipient=asked.recipient.strip(),
        reason=asked.reason.strip(),
        asked_by=uow.actor.id,
        asked_at=uow.now,
        log_keys=list(log_keys),
    )
    uow.session.add(row)
    # why and for whom is for those who decide: the applicant sees the events of the case
    _record(uow, "package-asked", row, footage=row.footage, recipient=row.recipient_kind)
    if asked.footage == policy.CLEAR:
        _ask_second_person(uow, row, application)
    else:
        _queue(uow, row)
    return row


def decide(uow: UnitOfWork, package_id: str, outcome: str, reason: str, proof: Proof) -> EvidencePackage:
    """Approve or refuse footage in clear as its second person, signed."""
    row, application = get(uow, package_id, lock=True)
    refused = approval_refusal(uow, row, application)
    if refused is not None:
        raise refused
    if outcome == REFUSED and len(reason.strip()) < 4:
        raise Refused("missing", "Enter why it is not approved.", status=422, field="reason")
    if outcome == APPROVED:
        _require_possible(uow, application, _asked(row, application))
    statement = {
        "kind": "package-approval",
        "package": row.id,
        "application": application.id,
        "number": application.number,
        "footage": row.footage,
        "recipientKind": row.recipient_kind,
        "recipient": row.recipient,
        "because": row.reason,
        "askedBy": row.asked_by,
        "outcome": outcome,
        "reason": reason.strip() or None,
        "person": uow.actor.id,
        "decidedAt": signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signing.sign(uow, statement, proof, level=LEVEL)
    row.decided_by, row.decided_at, row.approved = uow.actor.id, uow.now, outcome == APPROVED
    row.decision_reason, row.signature = reason.strip() or None, signed.signature
    notification_service.mark_done(uow, "package", subject_id=row.id)
    _record(uow, f"package-{outcome}", row, **signed.event_fields)
    if row.approved:
        _queue(uow, row)
    else:
        notification_service.notify(
            uow, row.asked_by, "package-refused", application_id=row.application_id, subject_id=row.id
        )
    return row


def lapses_at(row: EvidencePackage) -> datetime:
    """Return until when a second person can approve a package."""
    return row.asked_at + policy.WAITS_FOR


def get(uow: UnitOfWork, package_id: str, *, lock: bool = False) -> tuple[EvidencePackage, Application]:
    """Return a package with its case, for who asked for it or may approve it; NotFound for everybody else."""
    if lock:
        row = uow.session.get(EvidencePackage, package_id, with_for_update=True, populate_existing=True)
    else:
        row = uow.session.get(EvidencePackage, package_id)
    application = None if row is None else uow.session.get_one(Application, row.application_id)
    if row is None or application is None or not _is_seen(uow, row, application):
        raise NotFound(Message("evidence package"), package_id)
    return row, application


def list_seen(uow: UnitOfWork, listing: Listing) -> Page[tuple[EvidencePackage, Application]]:
    """List the packages that the acting person has asked for or may approve, the newest first, page by page.

    One statement, which says of a list what ``_is_seen`` says of one package.
    """
    me, directory = str(uow.actor.id), access_queries.load_directory(uow)
    if uow.actor.kind != "person" or me in directory.administrators:
        return Page([])
    mine = EvidencePackage.asked_by == me
    concerned = select(Application.id).where(visibility.concerns(me))
    query = (
        select(EvidencePackage, Application)
        .join(Application, Application.id == EvidencePackage.application_id)
        .where(
            or_(mine, _approvable(uow, directory, me)) if policy.leads(directory, me) else mine,
            EvidencePackage.application_id.not_in(concerned),
        )
    )
    return keyset.page_of(uow.session, query, (NEWEST,), listing).showing_each(lambda row: (row[0], row[1]))


def _approvable(uow: UnitOfWork, directory: Directory, me: str) -> ColumnElement[bool]:
    """Build the condition of what somebody of another department has asked for in clear."""
    own = directory.departments_of(me)
    posts = select(Post.person_id).where(Post.department_id.in_(own), *access_queries.held_now(uow))
    near = select(Person.id).where(or_(Person.department_id.in_(own), Person.id.in_(posts)))
    return and_(EvidencePackage.footage == policy.CLEAR, EvidencePackage.asked_by.not_in(near))


def list_approvable(uow: UnitOfWork, rows: Sequence[tuple[EvidencePackage, Application]]) -> set[str]:
    """Return the ids of those of these packages that the acting person can answer now; three statements at most."""
    directory = access_queries.load_directory(uow)
    waiting = [
        (row, case)
        for row, case in rows
        if row.decided_at is None
        and row.footage == policy.CLEAR
        and policy.may_approve(directory, uow.actor.id, row.asked_by)
    ]
    barred = _load_barred(uow, [case for _, case in waiting], {uow.actor.id, *(row.asked_by for row, _ in waiting)})
    return {row.id for row, case in waiting if approval_refusal(uow, row, case, barred) is None}


def list_waiting(uow: UnitOfWork) -> list[tuple[EvidencePackage, Application]]:
    """List the packages that the acting person can approve now, the first to lapse first.

    One statement where none waits, four at most; none for who leads neither Security nor Legal.
    """
    me, directory = str(uow.actor.id), access_queries.load_directory(uow)
    if uow.actor.kind != "person" or not policy.leads(directory, me):
        return []
    query = (
        select(EvidencePackage, Application)
        .join(Application, Application.id == EvidencePackage.application_id)
        .where(
            _approvable(uow, directory, me),
            EvidencePackage.decided_at.is_(None),
            EvidencePackage.asked_at > uow.now - policy.WAITS_FOR,
            EvidencePackage.application_id.not_in(select(Application.id).where(visibility.concerns(me))),
        )
        .order_by(EvidencePackage.asked_at, EvidencePackage.id)
    )
    rows = [(row, application) for row, application in uow.session.execute(query)]
    approvable = list_approvable(uow, rows)
    return [(row, application) for row, application in rows if row.id in approvable]


def approval_refusal(
    uow: UnitOfWork, row: EvidencePackage, application: Application, barred: "_Barred | None" = None
) -> Refused | None:
    """Return why the acting person cannot answer as the second person now, or None."""
    barred = barred or _load_barred(uow, [application], {uow.actor.id, row.asked_by})
    directory = access_queries.load_directory(uow)
    if not policy.may_approve(directory, uow.actor.id, row.asked_by):
        return Refused(
            "not-second-person",
            "Who leads Legal or Security, of another department than the requester, decides about footage in clear.",
            status=403,
        )
    refused = _second_person_refusal(barred, application, uow.actor.id)
    if refused is not None:
        return refused
    if row.decided_at is not None or row.footage != policy.CLEAR:
        return Refused("decided-already", "This package has been decided already.")
    if uow.now >= lapses_at(row):
        return Refused("lapsed", "Nobody has answered in time: the package has to be asked for again.")
    return _right_refusal(uow, application, row.asked_by, barred)


def require_right(uow: UnitOfWork, application: Application, person_id: str) -> None:
    """Raise Refused where the person may have no package of the case."""
    refused = _right_refusal(uow, application, person_id)
    if refused is not None:
        raise refused
    access_queries.require_agreement(uow, person_id)


def fetch_refusal(uow: UnitOfWork, row: EvidencePackage, application: Application) -> Refused | None:
    """Return why the acting person cannot fetch the package now, or None."""
    if row.asked_by != uow.actor.id:
        return Refused("not-requester", "Only the person who asked for the package can download it.", status=403)
    refused = _right_refusal(uow, application, uow.actor.id)
    if refused is not None:
        return refused
    if access_queries.get_valid_agreement(uow, uow.actor.id) is None:
        return Refused("agreement-missing", "Sign the confidentiality agreement first: see “My account”.", status=403)
    return _not_there(uow, row)


def _not_there(uow: UnitOfWork, row: EvidencePackage) -> Refused | None:
    """Return why there is nothing to fetch, or None."""
    if row.made_at is None:
        return Refused("not-made", "The package is not made yet.")
    if row.key_destroyed_at is not None or row.expires_at is None or uow.now >= row.expires_at:
        return Refused("package-expired", "The package is kept no longer: ask for a new one.")
    if row.footage != policy.HASH and _awaits_disposal(uow, row.application_id):
        return _disposal_refusal()
    if uow.session.scalar(select(EvidencePackage.id).where(EvidencePackage.id == row.id, is_disposed_of())):
        return Refused("package-expired", "The package is kept no longer: ask for a new one.")
    return None


def is_disposed_of() -> ColumnElement[bool]:
    """Build the condition that footage of a package was deleted from the vault since it was made: so it goes too."""
    deleted = select(Master.id).where(
        Master.application_id == EvidencePackage.application_id, Master.discarded_at >= EvidencePackage.made_at
    )
    return and_(EvidencePackage.footage != policy.HASH, deleted.exists())


def still_may(uow: UnitOfWork, row: EvidencePackage, application: Application) -> bool:
    """Return whether who asked for the package may still have it, and its footage may be opened."""
    if _right_refusal(uow, application, row.asked_by) is not None:
        return False
    return row.footage == policy.HASH or not _awaits_disposal(uow, application.id)


def list_fetch(uow: UnitOfWork, package_id: str, *, address: str) -> PackageFetch:
    """Enter that the package is fetched, before its first byte leaves: in the custody log of a loan that runs, too."""
    row, application = get(uow, package_id, lock=True)
    refused = fetch_refusal(uow, row, application)
    if refused is not None:
        raise refused
    fetch = PackageFetch(
        id=new_id(), package_id=row.id, person_id=uow.actor.id, address=address, asked_at=uow.now, reads=0
    )
    uow.session.add(fetch)
    _record(uow, "package-fetched", row, fetch=fetch.id, footage=row.footage, file_sha256=_sealed(row)["sha256Plain"])
    hand_over = _running_loan(uow, application.id)
    if hand_over is not None:
        log.append(uow, hand_over, "packaged", person_id=uow.actor.id, package=row.id, footage=row.footage)
    return fetch


def start_reading(uow: UnitOfWork, fetch_id: str, start: int, end: int) -> tuple[EvidencePackage, PackageFetch]:
    """Check before bytes are sent, and record which; Refused where the package may not be fetched any more."""
    fetch, row = _fetch(uow, fetch_id)
    fetch.reads += 1
    _record(uow, "package-sent", row, fetch=fetch.id, begin=start, end=end, sendings=fetch.reads)
    return row, fetch


def continue_reading(uow: UnitOfWork, fetch_id: str, *, last: bool) -> None:
    """Check again before each stretch; Refused when the right ended meanwhile."""
    fetch, row = _fetch(uow, fetch_id)
    if last and fetch.finished_at is None:
        fetch.finished_at = uow.now
        notification_service.mark_done(uow, "download", subject_id=row.id)


def get_fetch(uow: UnitOfWork, fetch_id: str) -> EvidencePackage:
    """Return the package of a fetching of the acting person; Refused where it may not be fetched any more."""
    return _fetch(uow, fetch_id)[1]


def list_fetches(uow: UnitOfWork, package_id: str) -> Sequence[PackageFetch]:
    query = select(PackageFetch).where(PackageFetch.package_id == package_id)
    return uow.session.scalars(query.order_by(PackageFetch.asked_at, PackageFetch.id)).all()


def is_suspended(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether access to the copies of the running loan is suspended, which the second person reads."""
    hand_over = _running_loan(uow, application_id, lock=False)
    return hand_over is not None and bool(suspensions.list_open(uow, hand_over))


def _fetch(uow: UnitOfWork, fetch_id: str) -> tuple[PackageFetch, EvidencePackage]:
    fetch = uow.session.get(PackageFetch, fetch_id)
    if fetch is None or fetch.person_id != uow.actor.id:
        raise NotFound(Message("download"), fetch_id)
    row, application = get(uow, fetch.package_id)
    refused = fetch_refusal(uow, row, application)
    if refused is not None:
        raise refused
    return fetch, row


def _find_case(uow: UnitOfWork, number: str) -> Application:
    """Return a submitted case by its number, locked; NotFound where it concerns the acting person (T8)."""
    query = select(Application).where(Application.number == number.strip(), Application.submitted_at.is_not(None))
    if not policy.may_ask(access_queries.load_directory(uow), uow.actor.id):
        raise _not_yours()
    application = uow.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if application is None or uow.actor.id in application.subject_ids:
        raise NotFound(Message("application"), number)
    return application


@dataclass(frozen=True)
class _Barred:
    """What bars people from packages: who is accused, and the facts of each case, and who is suspended."""

    accused: Mapping[str, Collection[str]]
    facts: Mapping[str, CaseFacts]
    suspended: Collection[str]


def _load_barred(uow: UnitOfWork, applications: Collection[Application], people: Collection[str]) -> _Barred:
    """Load what bars these people from packages of these cases, in as many statements for all as for one."""
    ids = {application.id for application in applications}
    if not ids:
        return _Barred({}, {}, ())
    facts = access_queries.load_all_facts(uow, applications)
    return _Barred(violations.accused_by_case(uow, ids), facts, suspensions.list_suspended(uow, people))


def _right_refusal(
    uow: UnitOfWork, application: Application, person_id: str, barred: _Barred | None = None
) -> Refused | None:
    if not policy.may_ask(access_queries.load_directory(uow), person_id):
        return _not_yours()
    return _part_refusal(barred or _load_barred(uow, [application], {person_id}), application, person_id)


def _part_refusal(barred: _Barred, application: Application, person_id: str) -> Refused | None:
    """Return why the person's own part in the case bars them from its packages, or None."""
    if person_id in application.subject_ids or person_id in barred.accused.get(application.id, ()):
        return Refused(
            "accused",
            "The case concerns this person, or a violation accuses them: another person has to do this.",
            status=403,
        )
    if person_id in barred.facts[application.id].custodians or person_id in (application.recipient_ids or ()):
        return Refused(
            "own-loan",
            "The form names this person for the copies, as custodian or to view them, or they had them: another person "
            "has to do this.",
            status=403,
        )
    if person_id in barred.suspended:
        return Refused(
            "person-suspended",
            "This person's access to footage is suspended: another person has to do this.",
            status=403,
        )
    return None


def _second_person_refusal(barred: _Barred, application: Application, person_id: str) -> Refused | None:
    """Return why the person's part bars them from answering; whoever has applied is no second person, or None."""
    if (refused := _part_refusal(barred, application, person_id)) is not None:
        return refused
    if person_id not in barred.facts[application.id].done.get("applicant", ()):
        return None
    return Refused("own-case", "This person has applied for the footage: another person has to do this.", status=403)


def _require_possible(uow: UnitOfWork, application: Application, asked: Asked) -> None:
    """Raise Refused for a package that cannot be made, or not for such a recipient."""
    form = select(Document.id).where(Document.application_id == application.id, Document.kind == "application-form")
    violated = select(Violation.id).where(Violation.application_id == application.id)
    if all(uow.session.scalar(query.limit(1)) is None for query in (form, violated)):
        raise Refused(
            "not-filed", "No approved form was filed yet, on which a package is based: ask once it was.", field="number"
        )
    if asked.footage == policy.CLEAR and asked.recipient_kind not in policy.CLEAR_FOR:
        raise Refused(
            "clear-not-for-others",
            "The whole footage in clear is for this organisation and for authorities. Others get what a disclosure "
            "allows them, and a package without footage.",
            status=422,
            field="footage",
        )
    if asked.footage != policy.HASH and _awaits_disposal(uow, application.id):
        raise _disposal_refusal()


def _disposal_refusal() -> Refused:
    return Refused(
        "awaits-disposal",
        "The case has ended without a loan, and its footage can no longer be opened: ask for a package without "
        "footage.",
        field="footage",
    )


def _awaits_disposal(uow: UnitOfWork, application_id: str) -> bool:
    return any(row.awaits_disposal for row in masters.list_of_application(uow, application_id))


def _require_few(uow: UnitOfWork, application: Application, asked: Asked) -> None:
    """Raise Refused where the actor waits for this package already, or for ``MOST_WAITING`` of any cases."""
    # of two that the same person asks for at once, of two cases, the second sees the first
    uow.session.get_one(Person, uow.actor.id, with_for_update={"key_share": True})
    own = select(EvidencePackage).where(
        EvidencePackage.asked_by == uow.actor.id,
        EvidencePackage.made_at.is_(None),
        EvidencePackage.failed_at.is_(None),
        or_(EvidencePackage.approved.is_(None), EvidencePackage.approved.is_(True)),
        or_(EvidencePackage.queued_at.is_not(None), EvidencePackage.asked_at > uow.now - policy.WAITS_FOR),
    )
    waiting = uow.session.scalars(own).all()
    if any((row.application_id, row.footage) == (application.id, asked.footage) for row in waiting):
        raise Refused("asked-already", "You have asked for this package already: it is in the list.")
    if len(waiting) >= policy.MOST_WAITING:
        raise Refused(
            "packages-enough",
            "{most} packages that you asked for are not made yet: wait for one of them.",
            most=policy.MOST_WAITING,
        )


def _ask_second_person(uow: UnitOfWork, row: EvidencePackage, application: Application) -> None:
    directory = access_queries.load_directory(uow)
    approvers = policy.approvers(directory, row.asked_by)
    barred = _load_barred(uow, [application], approvers)
    able = [person for person in approvers if _second_person_refusal(barred, application, person) is None]
    if not able:
        raise Refused(
            "nobody-approves",
            "Nobody can approve footage in clear here: it takes the head of another department of Security and Legal. "
            "Ask the administrator to fill that post, or ask for a package without footage.",
            field="footage",
        )
    uow.session.flush()
    for person_id in able:
        notification_service.notify(
            uow, person_id, "package-to-approve", application_id=row.application_id, subject_id=row.id
        )


def _queue(uow: UnitOfWork, row: EvidencePackage) -> None:
    row.queued_at = uow.now
    uow.after_commit |= {QUEUED, checkpoints.WANTED}  # the package begins with a signed head of the trail


def _is_seen(uow: UnitOfWork, row: EvidencePackage, application: Application) -> bool:
    me = uow.actor.id
    if uow.actor.kind != "person" or me in application.subject_ids:
        return False
    directory = access_queries.load_directory(uow)
    if row.asked_by == me:
        return me not in directory.administrators
    return row.footage == policy.CLEAR and policy.may_approve(directory, me, row.asked_by)


def _running_loan(uow: UnitOfWork, application_id: str, *, lock: bool = True) -> HandOver | None:
    """Return the loan whose custody log goes on; once it has ended, the log is filed as a document."""
    query = select(HandOver).where(HandOver.application_id == application_id, HandOver.ended_at.is_(None))
    query = query.order_by(HandOver.issue.desc()).limit(1)
    return uow.session.scalar(query.with_for_update() if lock else query)


def _asked(row: EvidencePackage, application: Application) -> Asked:
    return Asked(str(application.number), row.footage, row.recipient_kind, row.recipient, row.reason)


def _sealed(row: EvidencePackage) -> dict[str, Any]:
    return dict(row.sealed or {})


def _record(uow: UnitOfWork, action: str, row: EvidencePackage, **detail: Any) -> None:
    audit_trail.record(uow, action, SUBJECT, row.id, application_id=row.application_id, **detail)


def _not_yours() -> Refused:
    return Refused(
        "packages-not-yours",
        "Evidence packages are for Security, and for the head of Legal and the deputy: ask one of them.",
        status=403,
    )
