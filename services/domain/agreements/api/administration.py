"""The agreement's texts, issuing a new one, and who has signed (R59)."""

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
    """``text`` is looked for in names and departments."""

    sort: queries.Sort = "name"
    state: Annotated[str, Field(max_length=20)] = ""


class IssueBody(Body):
    """A new version. Everybody has to sign it before the next task, key or view."""

    version: Version
    text_zh: Wording
    text_en: Wording
    reason: Annotated[Line, Field(min_length=4)]


class TextAnswer(Answer):
    """``present``: the one that is to be signed now."""

    version: str
    text_zh: str
    text_en: str
    present: bool
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


def signer_answer(one: Signer) -> SignerAnswer:
    return SignerAnswer(
        person_id=one.person_id,
        name=one.name,
        department_zh=one.department.name_zh,
        department_en=one.department.name_en,
        state=one.state,
        version=one.version,
        signed_at=one.signed_at,
        expires_at=one.expires_at,
    )


def signers_csv(signers: list[Signer]) -> Response:
    """The list as CSV; moments in UTC."""
    rows = [
        (
            *(one.name, one.department.name_zh, one.department.name_en, one.state, one.version),
            *(
                one.signed_at.isoformat() if one.signed_at else None,
                one.expires_at.isoformat() if one.expires_at else None,
            ),
        )
        for one in signers
    ]
    return web_csv.csv_answer("agreements", COLUMNS, rows)


@router.get("/agreements/text", responses=problems(401))
async def read_text(actor: Acting, database: GivenDatabase) -> TextAnswer:
    """The text that is to be signed now."""
    return TextAnswer.model_validate(await database.run(actor, texts.get_current_text))


@router.get("/agreements/texts/{version}", responses=problems(401, 404))
async def read_old_text(version: str, actor: Acting, database: GivenDatabase) -> TextAnswer:
    """The text of a version, such as the one that was signed."""
    return TextAnswer.model_validate(await database.run(actor, texts.get_text, version))


@router.get("/admin/agreements/texts", responses=problems(401, 403))
async def list_texts(actor: Acting, database: GivenDatabase) -> list[TextAnswer]:
    """All versions, the newest first."""
    return [TextAnswer.model_validate(text) for text in await database.run(actor, texts.list_texts)]


@router.post("/admin/agreements/texts", status_code=201, responses=problems(401, 403, 409))
async def issue_text(body: IssueBody, actor: Acting, database: GivenDatabase) -> TextAnswer:
    """Issue a new version: from now on everybody has to sign it. Administrators only."""
    text = await database.run(actor, texts.issue_version, body.version, body.text_zh, body.text_en, body.reason)
    return TextAnswer.model_validate(text)


@router.get("/admin/agreements/signers", responses=problems(401, 403))
async def list_signers(
    question: Annotated[SignersQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[SignerAnswer]:
    """Who has signed which version when, and who has not."""

    def read(uow: UnitOfWork) -> list[SignerAnswer]:
        return [signer_answer(one) for one in queries.list_signers(uow, question.listing(), state=question.state)]

    return await database.run(actor, read)


@router.get("/admin/agreements/signers.csv", response_class=Response, responses={**problems_beside(401, 403), **CSV})
async def export_signers(actor: Acting, database: GivenDatabase) -> Response:
    """The same as CSV."""
    return signers_csv(await database.run(actor, queries.list_signers))
