"""Serve the agreement's texts, versions and signers as JSON (R59)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field

from services.database.unit_of_work import UnitOfWork
from services.domain.agreements import queries, texts
from services.domain.agreements.queries import Signer
from services.web import csv as web_csv
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Line, ListParameters, Moment, no_control

router = APIRouter(prefix="/api", tags=["administration"])

Wording = Annotated[str, Field(min_length=20, max_length=20_000), AfterValidator(no_control)]
Version = Annotated[Line, Field(max_length=40)]
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "The list"}}
COLUMNS = ("name", "department_zh", "department_en", "state", "version", "signed_at", "expires_at")


class SignersQuestion(ListParameters):
    """``text`` is searched in names and departments."""

    sort: queries.Sort = "name"
    state: Annotated[str, Field(max_length=20)] = ""


class IssueBody(Body):
    """A new version, which everybody has to sign within ``grace_days``, by default those of the rule.

    Very few days, or more than those of the rule, need a second person.
    """

    version: Version
    text_zh: Wording
    text_en: Wording
    reason: Annotated[Line, Field(min_length=4)]
    grace_days: Annotated[int | None, Field(ge=0, le=365)] = None


class TextAnswer(Answer):
    """``present``: the version to sign now; up to ``counts_from`` signatures under ``replaces`` are valid too."""

    version: str
    text_zh: str
    text_en: str
    present: bool
    replaces: str | None = None
    counts_from: Moment | None = None
    issued_at: Moment | None
    issued_by: str | None
    reason: str | None


class SignerAnswer(Answer):
    """``state``: valid, outdated (an older version), expired, ended, never."""

    person_id: str
    name: str
    department_zh: str
    department_en: str
    state: str
    version: str | None
    signed_at: Moment | None
    expires_at: Moment | None


def signer_answer(signer: Signer) -> SignerAnswer:
    return SignerAnswer(
        person_id=signer.person_id,
        name=signer.name,
        department_zh=signer.department.name_zh,
        department_en=signer.department.name_en,
        state=signer.state,
        version=signer.version,
        signed_at=signer.signed_at,
        expires_at=signer.expires_at,
    )


def csv_rows(signers: list[Signer]) -> list[tuple[web_csv.Cell, ...]]:
    """Return the signers as rows of ``COLUMNS``, with times in UTC."""
    return [
        (
            *(signer.name, signer.department.name_zh, signer.department.name_en, signer.state, signer.version),
            *(
                signer.signed_at.isoformat() if signer.signed_at else None,
                signer.expires_at.isoformat() if signer.expires_at else None,
            ),
        )
        for signer in signers
    ]


@router.get("/agreements/text", responses=problems(401))
async def read_text(actor: Acting, database: GivenDatabase) -> TextAnswer:
    """Return the text to sign now."""
    return TextAnswer.model_validate(await database.read(actor, texts.get_current_text))


@router.get("/agreements/texts/{version}", responses=problems(401, 404))
async def read_old_text(version: str, actor: Acting, database: GivenDatabase) -> TextAnswer:
    """Return the text of a version."""
    return TextAnswer.model_validate(await database.read(actor, texts.get_text, version))


@router.get("/admin/agreements/texts", responses=problems(401, 403))
async def list_texts(actor: Acting, database: GivenDatabase) -> list[TextAnswer]:
    """List all versions, newest first."""
    return [TextAnswer.model_validate(text) for text in await database.read(actor, texts.list_texts)]


@router.post("/admin/agreements/texts", status_code=201, responses=problems(401, 403, 409))
async def issue_text(body: IssueBody, actor: Acting, database: GivenDatabase) -> TextAnswer:
    """Issue a version, which everybody has to sign. Administrators only; at short notice with a second person."""
    text = await database.run(actor, texts.issue_version, **body.model_dump())
    return TextAnswer.model_validate(text)


@router.get("/admin/agreements/signers", responses=problems(401, 403))
async def list_signers(
    question: Annotated[SignersQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[SignerAnswer]:
    """List who has signed which version, and who has not."""

    def read(uow: UnitOfWork) -> list[SignerAnswer]:
        return [signer_answer(signer) for signer in queries.list_signers(uow, question.listing(), state=question.state)]

    return await database.read(actor, read)


@router.get("/admin/agreements/signers.csv", response_class=Response, responses={**problems_beside(401, 403), **CSV})
async def export_signers(actor: Acting, database: GivenDatabase) -> Response:
    """Export the signers as CSV."""
    signers = await database.read(actor, queries.list_signers)
    return web_csv.csv_answer("agreements", COLUMNS, csv_rows(signers))
