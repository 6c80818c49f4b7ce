"""My confidentiality agreements: without a valid one there is no task, no key and no view (R59)."""

from fastapi import APIRouter

from services.portal.api.dependencies import Books
from services.portal.api.errors import problems
from services.portal.api.session import Acting
from services.portal.api.shapes import Answer, Line, Moment
from services.portal.api.signing import Signing, signed
from services.register import agreements
from services.register.unit import Unit
from services.register.valid_agreements import valid_agreement

router = APIRouter(prefix="/api/agreements", tags=["agreements"])


class AgreementBody(Signing):
    """Signing: the version that was read, and the signature."""

    version: Line


class AgreementAnswer(Answer):
    id: str
    version: str
    signed_at: Moment
    expires_at: Moment
    ended_at: Moment | None


class AgreementsAnswer(Answer):
    """``version`` is the one that holds now; ``valid`` says whether a signature of it does."""

    version: str
    valid: bool
    signed: list[AgreementAnswer]


@router.get("", responses=problems(401))
async def my_agreements(actor: Acting, books: Books) -> AgreementsAnswer:
    """What I have signed, and what is to be signed."""

    def read(unit: Unit) -> AgreementsAnswer:
        return AgreementsAnswer(
            version=unit.rules.agreement_version,
            valid=valid_agreement(unit, unit.actor.id) is not None,
            signed=[AgreementAnswer.model_validate(row) for row in agreements.mine(unit)],
        )

    return await books.run(actor, read)


@router.post("", status_code=201, responses=signed(401, 403, 409))
async def sign_agreement(agreement: AgreementBody, actor: Acting, books: Books) -> AgreementAnswer:
    """Sign the present agreement for a year."""
    row = await books.run(actor, agreements.sign, agreement.version, agreement.proof())
    return AgreementAnswer.model_validate(row)
