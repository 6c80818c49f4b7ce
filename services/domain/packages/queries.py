"""Evidence packages as pages and API show them."""

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.tables.applications import Application
from services.database.tables.evidence_packages import EvidencePackage
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.packages import making, policy, service
from services.domain.packages.schemas import FetchView, PackageLine, PackageView, State
from services.runtime.errors import Refused
from services.verifier import pyz
from services.verifier.page import build as page


def may_ask(uow: UnitOfWork) -> bool:
    """Return whether the acting person may ask for packages at all."""
    return policy.may_ask(access_queries.load_directory(uow), uow.actor.id)


def list_seen(uow: UnitOfWork, listing: Listing) -> Page[PackageLine]:
    """List what the acting person has asked for or may approve, page by page; Refused to those who may do neither."""
    if not may_ask(uow):
        raise Refused(
            "packages-not-yours",
            "Evidence packages are for Security, and for the head of Legal and the deputy: ask one of them.",
            status=403,
        )
    page = service.list_seen(uow, listing)
    names = access_queries.get_names(uow, {row.asked_by for row, _ in page.lines})
    approvable = service.list_approvable(uow, page.lines)

    def line(found: tuple[EvidencePackage, Application]) -> PackageLine:
        row, application = found
        return PackageLine(
            id=row.id,
            application_id=row.application_id,
            number=str(application.number),
            footage=row.footage,  # type: ignore[arg-type]  # the body has the three
            recipient=row.recipient,
            asked_by=names.get(row.asked_by, row.asked_by),
            asked_at=row.asked_at,
            state=_state(uow, row),
            expires_at=row.expires_at,
            may_approve=row.id in approvable,
        )

    return page.showing_each(line)


def get(uow: UnitOfWork, package_id: str) -> PackageView:
    """Return a package, for who asked for it or may approve it; NotFound for everybody else."""
    row, application = service.get(uow, package_id)
    fetches = service.list_fetches(uow, row.id)
    names = access_queries.get_names(uow, {row.asked_by, row.decided_by, *(one.person_id for one in fetches)})
    attempt = making.newest_attempt(uow, row.id) if row.made_at is None else None
    facts, sealed = row.facts or {}, row.sealed or {}
    return PackageView(
        id=row.id,
        application_id=row.application_id,
        number=str(application.number),
        footage=row.footage,  # type: ignore[arg-type]  # as above
        recipient_kind=row.recipient_kind,  # type: ignore[arg-type]  # as above
        recipient=row.recipient,
        reason=row.reason,
        asked_by=names.get(row.asked_by, row.asked_by),
        asked_at=row.asked_at,
        state=_state(uow, row),
        decided_by=names.get(row.decided_by) if row.decided_by else None,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        phase=attempt.phase if attempt is not None and attempt.abandoned_at is None else None,
        progress=1.0
        if row.made_at
        else min(1.0, attempt.reached / attempt.total)
        if attempt and attempt.total
        else 0.0,
        made_at=row.made_at,
        size=sealed.get("plainSize"),
        sha256=sealed.get("sha256Plain"),
        manifest_sha256=facts.get("manifestSha256"),
        fingerprints=facts.get("fingerprints", {}),
        failed_because=row.failed_because,
        expires_at=row.expires_at,
        suspended=service.is_suspended(uow, row.application_id),
        fetches=[
            FetchView(by=names.get(one.person_id, one.person_id), asked_at=one.asked_at, finished_at=one.finished_at)
            for one in fetches
        ],
        may_approve=_may_approve(uow, row, application),
        may_fetch=row.made_at is not None and service.fetch_refusal(uow, row, application) is None,
        verifier_page_sha256=page.sha256(),
        verifier_sha256=pyz.sha256(),
    )


def _may_approve(uow: UnitOfWork, row: EvidencePackage, application: Application) -> bool:
    return row.decided_at is None and service.approval_refusal(uow, row, application) is None


def _state(uow: UnitOfWork, row: EvidencePackage) -> State:
    if row.made_at is not None:
        over = row.key_destroyed_at is not None or (row.expires_at is not None and uow.now >= row.expires_at)
        return "expired" if over else "made"
    if row.failed_at is not None:
        return "failed"
    if row.queued_at is not None:
        return "queued"
    if row.decided_at is not None:
        return "refused"
    return "lapsed" if uow.now >= row.asked_at + policy.WAITS_FOR else "asked"
