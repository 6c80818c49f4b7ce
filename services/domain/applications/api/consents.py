"""Consents of joint departments: what waits for me, the form it is about, and my answer (R17)."""

from fastapi import APIRouter

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.bodies import FormSigning
from services.domain.accounts.signatures.http import signed
from services.domain.applications import joint
from services.domain.cases import consent_queries
from services.domain.cases.schemas.consents import ConsentView, DepartmentConsent, WaitingConsent
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Account, Identifier

router = APIRouter(prefix="/api/consents", tags=["consents"])


class ConsentBody(FormSigning):
    """The department agrees that the form's department is the applicant; signed over the form's hash."""


class RefusalBody(FormSigning):
    reason: Account


@router.get("", responses=problems(401))
async def list_consents(actor: Acting, database: GivenDatabase) -> list[WaitingConsent]:
    """Return the consents that wait for me, the first to be overwritten first."""
    return await database.read(actor, consent_queries.list_waiting)


@router.get("/{consent_id}", responses=problems(401, 404))
async def read_consent(consent_id: Identifier, actor: Acting, database: GivenDatabase) -> ConsentView:
    """Return one consent with the form it is about."""
    return await database.read(actor, consent_queries.get_consent, consent_id)


@router.post("/{consent_id}/consent", responses=signed(*USUAL))
async def consent(
    consent_id: Identifier, body: ConsentBody, actor: Acting, database: GivenDatabase
) -> DepartmentConsent:
    """Consent for my department. With the last consent the application is submitted."""

    def act(uow: UnitOfWork) -> DepartmentConsent:
        return consent_queries.answer_of(uow, joint.consent(uow, consent_id, body.proof()))

    return await database.run(actor, act)


@router.post("/{consent_id}/refuse", responses=signed(*USUAL))
async def refuse(
    consent_id: Identifier, body: RefusalBody, actor: Acting, database: GivenDatabase
) -> DepartmentConsent:
    """Refuse for my department, with a reason. The application goes back to its drafter."""

    def act(uow: UnitOfWork) -> DepartmentConsent:
        return consent_queries.answer_of(uow, joint.refuse(uow, consent_id, body.reason, body.proof()))

    return await database.run(actor, act)
