"""The return: the custodian gives the copies back and attests for every download (R38, T2, T12)."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.http import signed
from services.domain.custody import returns, viewings
from services.domain.custody.returns import AttestedFate
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Identifier, Moment, Note

router = APIRouter(prefix="/api/hand-overs", tags=["custody"])


class DownloadFate(Body):
    """What became of one download and its medium."""

    download_id: Identifier
    fate: Literal["destroyed", "given-back"]
    note: Note = ""


class ReturnBody(Signing):
    """``downloads`` names every download exactly once; ``no_other_copies`` is the custodian's word, signed.

    The head of the department, in the place of a custodian who has left, attests neither.
    """

    return_to: Literal["security", "storage"]
    downloads: Annotated[list[DownloadFate], Field(max_length=viewings.MOST_DOWNLOADS)] = []  # noqa: RUF012  pydantic copies it
    no_other_copies: bool


class ReturnAnswer(Answer):
    """``statement_sha256`` is of the canonical attestation that was signed."""

    id: str
    hand_over_id: str
    returned_at: Moment
    return_to: str
    statement_sha256: str


@router.post("/{hand_over_id}/return", responses=signed(*USUAL))
async def return_copies(
    hand_over_id: Identifier, body: ReturnBody, actor: Acting, database: GivenDatabase
) -> ReturnAnswer:
    """Return the copies, at any time after the acceptance. Access ends with it."""
    row = await database.run(
        actor,
        returns.return_copies,
        hand_over_id,
        return_to=body.return_to,
        fates=[AttestedFate(download.download_id, download.fate, download.note) for download in body.downloads],
        no_other_copies=body.no_other_copies,
        proof=body.proof(),
    )
    return ReturnAnswer.model_validate(row)
