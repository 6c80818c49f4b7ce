"""Applying: draft, submit, correct, withdraw; and what the recorder holds before one submits (R16 to R21)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from services.portal.api.dependencies import Books, GivenRecorders
from services.portal.api.errors import USUAL, problems
from services.portal.api.session import Acting
from services.portal.api.shapes import LAST_OFFSET, Answer, Body, Identifier, Line, Moment, Paragraph
from services.register import cases, forms, preservations, submissions, visibility
from services.register.cameras import Camera, Recorder
from services.register.unit import Unit
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span, covered_share, gaps

router = APIRouter(prefix="/api", tags=["applications"])


class ItemAsked(Body):
    camera_id: Identifier
    start: Moment
    end: Moment
    zone: Line = "Asia/Shanghai"


class Form(Body):
    """The application form 《视频录像调取申请表》; drafter and department are those of the signed-in person."""

    reason: Paragraph
    purpose: Paragraph
    purpose_category: Line
    legal_basis: Line
    way_of_use: Line = "view"
    place_of_use: Paragraph
    requested_use_days: Annotated[int, Field(ge=1, le=3650)]
    custodian_id: Identifier | None = None
    items: Annotated[list[ItemAsked], Field(max_length=100)]
    incident_reference: Paragraph | None = None
    subject_ids: Annotated[list[Identifier], Field(max_length=100, default_factory=list)]
    urgent_because: Paragraph | None = None
    important_information: bool = False
    sensitive_event: bool = False
    high_impact: bool = False

    def to_form(self) -> forms.Form:
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        values["subject_ids"] = tuple(self.subject_ids)
        values["items"] = tuple(forms.ItemAsked(item.camera_id, item.start, item.end, item.zone) for item in self.items)
        return forms.Form(**values)


class NewApplication(Form):
    """``submit`` hands it in at once; otherwise it stays a draft. ``previous_id`` names the case that this appeals."""

    submit: bool = False
    previous_id: Identifier | None = None


class Withdrawal(Body):
    reason: Paragraph = ""


class Summary(Answer):
    id: str
    number: str | None
    state: str
    state_detail: str | None
    drafter: str
    submitted_at: Moment | None
    overwrite_at: Moment | None
    way_of_use: str


class SpanAnswer(Answer):
    start: Moment
    end: Moment


class CoverageQuestion(Body):
    camera_id: Identifier
    start: Moment
    end: Moment


class CoverageAnswer(Answer):
    """What the recorder holds of a span: ``share`` is 0 to 1, from ``overwrite_at`` on the first may be gone."""

    covered: list[SpanAnswer]
    gaps: list[SpanAnswer]
    share: float
    overwrite_at: Moment
    zone: str


# OpenAPI has no word for a tuple that FastAPI writes right.
Both = Annotated[list[str], Field(min_length=2, max_length=2)]


class Choices(Answer):
    """Codes with their names in Chinese and English."""

    purpose_categories: dict[str, Both]
    legal_bases: dict[str, Both]


@router.get("/choices", responses=problems(401))
async def choices(_actor: Acting) -> Choices:
    """What the form's lists offer."""
    return Choices(
        purpose_categories={code: list(names) for code, names in forms.PURPOSE_CATEGORIES.items()},
        legal_bases={code: list(names) for code, names in forms.LEGAL_BASES.items()},
    )


@router.get("/applications", responses=problems(401))
async def list_applications(
    actor: Acting,
    books: Books,
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=LAST_OFFSET)] = 0,
) -> list[Summary]:
    """The applications that the signed-in person may see, newest first."""

    def read(unit: Unit) -> list[Summary]:
        rows = visibility.all_visible(unit, limit=limit, offset=offset, mine=mine)
        return [_summary(unit, row) for row in rows]

    return await books.run(actor, read)


@router.post("/applications", status_code=201, responses=problems(*USUAL))
async def apply(application: NewApplication, actor: Acting, books: Books) -> Summary:
    """Draft an application, or hand it in at once."""
    form = Form.model_validate(application.model_dump(exclude={"submit", "previous_id"})).to_form()

    def act(unit: Unit) -> Summary:
        row = submissions.draft(unit, form, previous_id=application.previous_id)
        if application.submit:
            row = submissions.submit(unit, row.id)
        return _summary(unit, row)

    return await books.run(actor, act)


@router.put("/applications/{application_id}", responses=problems(*USUAL))
async def redraft(application_id: str, form: Form, actor: Acting, books: Books) -> Summary:
    """Change a draft."""
    return await books.run(
        actor, lambda unit: _summary(unit, submissions.redraft(unit, application_id, form.to_form()))
    )


@router.post("/applications/{application_id}/submit", responses=problems(*USUAL))
async def submit(application_id: str, actor: Acting, books: Books) -> Summary:
    """Hand in a draft: it gets its number and its process begins."""
    return await books.run(actor, lambda unit: _summary(unit, submissions.submit(unit, application_id)))


@router.post("/applications/{application_id}/correct", responses=problems(*USUAL))
async def correct(application_id: str, form: Form, actor: Acting, books: Books) -> Summary:
    """Correct a returned application; all decisions are asked for anew."""
    return await books.run(
        actor, lambda unit: _summary(unit, submissions.correct(unit, application_id, form.to_form()))
    )


@router.post("/applications/{application_id}/withdraw", responses=problems(*USUAL))
async def withdraw(application_id: str, withdrawal: Withdrawal, actor: Acting, books: Books) -> Summary:
    """Withdraw an application of which nothing was handed over yet."""
    return await books.run(
        actor, lambda unit: _summary(unit, submissions.withdraw(unit, application_id, withdrawal.reason))
    )


@router.get("/coverage", responses=problems(401, 404))
async def coverage(
    asked_for: Annotated[CoverageQuestion, Query()],
    actor: Acting,
    books: Books,
    recorders: GivenRecorders,
) -> CoverageAnswer:
    """Ask the recorder what exists of a span, before applying for it (R20)."""
    if asked_for.end <= asked_for.start:
        raise Refused(
            "span-backwards", "结束时间必须晚于开始时间。", "A span ends after it starts.", status=422, field="end"
        )
    asked = Span(asked_for.start, asked_for.end)

    def read(unit: Unit) -> tuple[Camera, Recorder]:
        camera = unit.session.get(Camera, asked_for.camera_id)
        if camera is None:
            raise NotFound("摄像头", "camera", asked_for.camera_id)
        return camera, unit.session.get_one(Recorder, camera.recorder_id)

    camera, recorder = await books.run(actor, read)
    held = await recorders(recorder.kind, recorder.configuration).coverage(camera.channel, asked)
    covered = [part for span in held if (part := span.intersect(asked)) is not None]
    return CoverageAnswer(
        covered=[SpanAnswer(start=span.start, end=span.end) for span in covered],
        gaps=[SpanAnswer(start=span.start, end=span.end) for span in gaps(asked, covered)],
        share=covered_share(asked, covered),
        overwrite_at=preservations.overwrite_moment(camera, asked.start),
        zone=recorder.zone,
    )


def _summary(unit: Unit, application: Any) -> Summary:
    return Summary.model_validate(cases.summary(unit, application))
