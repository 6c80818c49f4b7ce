"""Applying: draft, submit, correct, withdraw (R16 to R21)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.database.keyset import LONGEST_PLACE, Page
from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications import drafts, forms, previews, service
from services.domain.applications.findings import CheckFinding
from services.domain.applications.schemas import Form
from services.domain.cases import own_applications
from services.domain.cases import queries as case_queries
from services.domain.cases.schemas.case import CaseSummary
from services.domain.cases.schemas.lists import OwnApplication
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import LAST_OFFSET, Answer, Body, Code, Identifier, Moment, Paragraph, PlaceText

router = APIRouter(prefix="/api", tags=["applications"])


class NewApplication(Form):
    """``submit`` hands it in at once; otherwise it stays a draft. ``previous_id`` names the case that this appeals."""

    submit: bool = False
    previous_id: Identifier | None = None


class ApplicationsQuestion(BaseModel):
    """``mine``: what I drafted; ``place`` is one that `Link` names, in place of an ``offset``."""

    mine: bool = False
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=LAST_OFFSET)] = 0
    place: PlaceText = ""


class OwnQuestion(Body):
    """``state``: one of the codes, or ``open`` for what is under way."""

    department: bool = False
    state: Code | None = None
    search: Code = ""
    sort: own_applications.OwnSort = "changed"
    descending: bool = True
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=LAST_OFFSET)] = 0
    place: Annotated[str, Field(max_length=LONGEST_PLACE)] = ""

    def listing(self) -> Listing:
        return Listing(self.search, self.sort, self.descending, self.limit, self.offset, place=self.place)


class DraftBody(Form):
    """``version`` is the one that was read: a later save elsewhere is then not overwritten, and 409 answered."""

    version: Annotated[int, Field(ge=0, le=2**31)] | None = None


class FormAnswer(Answer):
    """The form as it is now, to change or to copy; ``version`` counts the saves of a draft."""

    id: str
    number: str | None
    version: int
    saved_at: Moment | None
    form: Form


class FormFindingAnswer(Answer):
    """``field`` names the form's field; ``position`` the item, from 1."""

    code: str
    severity: str
    zh: str
    en: str
    field: str | None
    position: int | None


class CheckedForm(Answer):
    """``complete``: the preliminary review would let it pass to the department's head."""

    complete: bool
    findings: list[FormFindingAnswer]


class CopyBody(Body):
    """``appeal``: the new application names the old one as the case it appeals (T6)."""

    appeal: bool = False


class Withdrawal(Body):
    reason: Paragraph = ""


# OpenAPI has no word for a tuple that FastAPI writes right.
Both = Annotated[list[str], Field(min_length=2, max_length=2)]


class Choices(Answer):
    """Codes with their names in Chinese and English."""

    purpose_categories: dict[str, Both]
    legal_bases: dict[str, Both]


@router.get("/choices", responses=problems(401))
async def choices(_actor: Acting) -> Choices:
    """Return what the form's lists offer."""
    return Choices(
        purpose_categories={code: [name.zh, name.en] for code, name in forms.PURPOSE_CATEGORIES.items()},
        legal_bases={code: [name.zh, name.en] for code, name in forms.LEGAL_BASES.items()},
    )


@router.post("/applications/check", responses=problems(401, 403, 404))
async def check(form: Form, actor: Acting, database: GivenDatabase) -> CheckedForm:
    """Return what the automatic review would find of this form; nothing is stored."""

    def read(uow: UnitOfWork) -> list[CheckFinding]:
        service.check_storable(uow, form.to_form())
        return previews.preview(uow, form.to_form())

    found = await database.read(actor, read)
    return CheckedForm(
        complete=not any(finding.severity == "blocks" for finding in found),
        findings=[
            FormFindingAnswer(
                code=finding.code,
                severity=finding.severity,
                zh=finding.zh,
                en=finding.en,
                field=previews.FIELDS.get(finding.code, "items"),
                position=int(finding.item_id) if finding.item_id else None,
            )
            for finding in found
        ],
    )


@router.get("/applications", responses=problems(401))
async def list_applications(
    question: Annotated[ApplicationsQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[CaseSummary]:
    """Return the applications that the signed-in person may see, newest first.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    limit, mine = question.limit, question.mine

    def read(uow: UnitOfWork) -> Page[CaseSummary]:
        if question.offset:
            rows = visibility.list_visible(uow, limit=limit, offset=question.offset, mine=mine)
            return Page(case_queries.list_summaries(uow, rows))
        page = visibility.page_of_visible(uow, limit=limit, place=question.place, mine=mine)
        return Page(case_queries.list_summaries(uow, page.lines), page.previous, page.next)

    page = await database.read(actor, read)
    return paged.lines(page)


@router.get("/applications/own", responses=problems(401))
async def list_own(
    asked: Annotated[OwnQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[OwnApplication]:
    """Return what I drafted, or what my department has submitted where I head it, with states and due dates.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """

    def read(uow: UnitOfWork) -> Page[OwnApplication]:
        return own_applications.read_own(uow, asked.listing(), department=asked.department, state=asked.state)

    return paged.lines(await database.read(actor, read))


@router.post("/applications", status_code=201, responses=problems(*USUAL))
async def apply(application: NewApplication, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Draft an application, or hand it in at once."""
    form = application.to_form()

    def act(uow: UnitOfWork) -> CaseSummary:
        finding = service.create_draft(uow, form, previous_id=application.previous_id)
        if application.submit:
            finding = service.submit(uow, finding.id)
        return _summary(uow, finding)

    return await database.run(actor, act)


@router.get("/applications/{application_id}/form", responses=problems(401, 403, 404, 409))
async def read_form(application_id: str, actor: Acting, database: GivenDatabase) -> FormAnswer:
    """Return the form of a draft, or of a returned application, to go on with."""

    def read(uow: UnitOfWork) -> FormAnswer:
        finding, draft = drafts.get_editable(uow, application_id)
        return FormAnswer(
            id=finding.id,
            number=finding.number,
            version=draft.version if draft else 0,
            saved_at=draft.saved_at if draft else None,
            form=Form.from_form(forms.from_application(uow, finding)),
        )

    return await database.read(actor, read)


@router.put("/applications/{application_id}", responses=problems(*USUAL))
async def update_draft(application_id: str, redraft: DraftBody, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Change a draft."""
    form = redraft.to_form()

    def act(uow: UnitOfWork) -> CaseSummary:
        finding = service.update_draft(uow, application_id, form)
        drafts.save(uow, application_id, form, version=redraft.version)
        return _summary(uow, finding)

    return await database.run(actor, act)


@router.delete("/applications/{application_id}", status_code=204, responses=problems(*USUAL))
async def discard(application_id: str, actor: Acting, database: GivenDatabase) -> None:
    """Delete a draft that was never submitted."""
    await database.run(actor, drafts.discard, application_id)


@router.post("/applications/{application_id}/copy", status_code=201, responses=problems(*USUAL))
async def copy(application_id: str, wish: CopyBody, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Draft a new application with what an earlier one says."""

    def act(uow: UnitOfWork) -> CaseSummary:
        finding, form = drafts.get_source(uow, application_id)
        return _summary(uow, service.create_draft(uow, form, previous_id=finding.id if wish.appeal else None))

    return await database.run(actor, act)


@router.post("/applications/{application_id}/submit", responses=problems(*USUAL))
async def submit(application_id: str, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Hand in a draft: it gets its number and its process begins."""
    return await database.run(actor, lambda uow: _summary(uow, service.submit(uow, application_id)))


@router.post("/applications/{application_id}/correct", responses=problems(*USUAL))
async def correct(application_id: str, form: Form, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Correct a returned application; all decisions are asked for anew."""
    return await database.run(actor, lambda uow: _summary(uow, service.correct(uow, application_id, form.to_form())))


@router.post("/applications/{application_id}/withdraw", responses=problems(*USUAL))
async def withdraw(application_id: str, withdrawal: Withdrawal, actor: Acting, database: GivenDatabase) -> CaseSummary:
    """Withdraw an application of which nothing was handed over yet."""
    return await database.run(
        actor, lambda uow: _summary(uow, service.withdraw(uow, application_id, withdrawal.reason))
    )


def _summary(uow: UnitOfWork, application: Any) -> CaseSummary:
    return case_queries.get_summary(uow, application)
