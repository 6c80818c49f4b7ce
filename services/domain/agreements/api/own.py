"""Serve the acting person's confidentiality agreements as JSON (R59)."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.database.tables.agreements import Agreement
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.http import signed
from services.domain.agreements import service, texts
from services.domain.agreements.schemas import AgreementBody
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Moment

router = APIRouter(prefix="/api/agreements", tags=["agreements"])


class AgreementAnswer(Answer):
    """``document`` is the number of its document; old agreements have none."""

    id: str
    version: str
    signed_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    document: str | None = None


class AgreementsAnswer(Answer):
    """``version`` is the one to sign.

    ``valid``: it is signed and not expired, or the one before is and counts up to ``sign_by``.
    """

    version: str
    valid: bool
    sign_by: Moment | None = None
    signed: list[AgreementAnswer]


@router.get("", responses=problems(401))
async def my_agreements(actor: Acting, database: GivenDatabase) -> AgreementsAnswer:
    """Return my agreements, and the version to sign."""

    def read(uow: UnitOfWork) -> AgreementsAnswer:
        valid = access_queries.get_valid_agreement(uow, uow.actor.id)
        text = texts.get_current_text(uow)
        return AgreementsAnswer(
            version=text.version,
            valid=valid is not None,
            sign_by=text.counts_from if valid is not None and valid.version != text.version else None,
            signed=_answers(uow, service.list_own(uow)),
        )

    return await database.read(actor, read)


@router.post("", status_code=201, responses=signed(401, 403, 409))
async def sign_agreement(agreement: AgreementBody, actor: Acting, database: GivenDatabase) -> AgreementAnswer:
    """Sign the current agreement for a year."""

    def act(uow: UnitOfWork) -> AgreementAnswer:
        [answer] = _answers(uow, [service.sign(uow, agreement.version, agreement.proof())])
        return answer

    return await database.run(actor, act)


def _answers(uow: UnitOfWork, agreements: Sequence[Agreement]) -> list[AgreementAnswer]:
    numbers = service.get_document_numbers(uow, agreements)
    return [
        AgreementAnswer.model_validate(agreement).model_copy(update={"document": numbers.get(agreement.id)})
        for agreement in agreements
    ]
