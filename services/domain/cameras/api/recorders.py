"""Serve recorders as JSON; secrets are written, never read back (F22)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field

from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import recorder_forms, recorder_probe
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.recorders import RecorderLine
from services.recorders.kinds import Places
from services.recorders.registry import KINDS, places_of
from services.web.dependencies import GivenDatabase, GivenRecorders, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Line, ListParameters, Moment, no_control

router = APIRouter(prefix="/api/admin/recorders", tags=["administration"])

Value = Annotated[str, Field(max_length=500), AfterValidator(no_control)]


async def places(settings: GivenSettings) -> Places:
    """Return where the settings allow recorders."""
    return places_of(settings)


GivenPlaces = Annotated[Places, Depends(places)]


class RecordersQuestion(ListParameters):
    """``text`` is searched in names and sites."""

    sort: camera_recorders.Sort = "name"
    retired: bool = False


class RecorderBody(Body):
    """A recorder.

    ``configuration`` has the fields of its kind; a secret that is left out stays.
    """

    name: Line
    site: Line
    kind: Line = "folder"
    zone: Line = "Asia/Shanghai"
    configuration: Annotated[dict[str, Value], Field(default_factory=dict, max_length=40)]


class ActiveBody(Body):
    active: bool


class FieldAnswer(Answer):
    name: str
    kind: str
    zh: str
    en: str
    hint_zh: str
    hint_en: str
    required: bool
    default: str
    choices: list[str]


class KindAnswer(Answer):
    """A kind of recorder and the fields of its configuration.

    ``package`` is the package that brings it, with its version; null for a kind of our own.
    """

    code: str
    zh: str
    en: str
    package: str | None = None
    fields: list[FieldAnswer]


class RecorderRowAnswer(Answer):
    """A recorder; ``secrets_set`` lists the secrets that are set."""

    id: str
    name: str
    site: str
    kind: str
    zone: str
    active: bool
    cameras: int | None
    configuration: dict[str, str]
    secrets_set: list[str]
    last_seen_at: Moment | None
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None


class ProbeFindingAnswer(Answer):
    """One result of the test."""

    code: str
    zh: str
    en: str
    ok: bool


class TestAnswer(Answer):
    ok: bool
    make: str | None
    model: str | None
    clock_offset_ms: int | None
    channels: list[str]
    findings: list[ProbeFindingAnswer]


def row_answer(line: RecorderLine) -> RecorderRowAnswer:
    row = line.row
    return RecorderRowAnswer(
        id=row.id,
        name=row.name,
        site=row.site,
        kind=row.kind,
        zone=row.zone,
        active=row.active,
        cameras=line.cameras,
        configuration=recorder_forms.shown_configuration(row),
        secrets_set=recorder_forms.list_secrets_set(row),
        last_seen_at=row.last_seen_at,
        clock_offset_ms=row.clock_offset_ms,
        clock_method=row.clock_method,
        clock_uncertainty_ms=row.clock_uncertainty_ms,
    )


@router.get("/kinds", responses=problems(401))
async def list_kinds(_actor: Acting) -> list[KindAnswer]:
    """List the kinds of recorder and the fields of each."""
    return [
        KindAnswer.model_validate(kind.schema).model_copy(update={"package": kind.package}) for kind in KINDS.values()
    ]


@router.get("", responses=problems(401, 403))
async def list_recorders(
    question: Annotated[RecordersQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[RecorderRowAnswer]:
    """List the recorders in use, or the retired ones."""
    lines = await database.read(actor, camera_recorders.list_recorders, question.listing(), retired=question.retired)
    return [row_answer(line) for line in lines]


@router.get("/{recorder_id}", responses=problems(401, 403, 404))
async def read_recorder(recorder_id: str, actor: Acting, database: GivenDatabase) -> RecorderRowAnswer:
    """Return one recorder, without its secrets."""
    return row_answer(await database.read(actor, camera_recorders.get_recorder, recorder_id))


@router.post("", status_code=201, responses=problems(401, 403, 409))
async def add_recorder(
    body: RecorderBody, actor: Acting, database: GivenDatabase, places: GivenPlaces
) -> RecorderRowAnswer:
    """Add a recorder. Administrators only."""
    await database.read(actor, administrators.require_administrator)
    entry = await recorder_forms.build_entry(places, **body.model_dump())

    def act(uow: UnitOfWork) -> RecorderLine:
        return RecorderLine(camera_recorders.add(uow, entry), 0)

    return row_answer(await database.run(actor, act))


@router.put("/{recorder_id}", responses=problems(401, 403, 404, 409))
async def change_recorder(
    recorder_id: str, body: RecorderBody, actor: Acting, database: GivenDatabase, places: GivenPlaces
) -> RecorderRowAnswer:
    """Change a recorder from now on.

    Secrets that are left out stay, unless the address changes.
    """
    line = await database.run(actor, camera_recorders.get_for_change, recorder_id)
    entry = await recorder_forms.build_entry(places, **body.model_dump(), row=line.row)
    await database.run(actor, camera_recorders.change_recorder, recorder_id, entry)
    return row_answer(await database.run(actor, camera_recorders.get_recorder, recorder_id))


@router.post("/{recorder_id}/active", responses=problems(401, 403, 404, 409))
async def retire_recorder(
    recorder_id: str, body: ActiveBody, actor: Acting, database: GivenDatabase
) -> RecorderRowAnswer:
    """Retire or reactivate a recorder."""
    await database.run(actor, camera_recorders.set_active, recorder_id, body.active)
    return row_answer(await database.run(actor, camera_recorders.get_recorder, recorder_id))


@router.post("/{recorder_id}/test", responses=problems(401, 403, 404))
async def test_recorder(
    recorder_id: str, actor: Acting, database: GivenDatabase, recorders: GivenRecorders
) -> TestAnswer:
    """Test the recorder and its cameras. No picture is shown."""
    result = await recorder_probe.test_recorder(database, actor, recorders, recorder_id)
    facts = result.facts
    return TestAnswer(
        ok=result.ok,
        make=facts.make if facts else None,
        model=facts.model if facts else None,
        clock_offset_ms=facts.clock_offset_ms if facts else None,
        channels=sorted(facts.oldest_frame) if facts else [],
        findings=[ProbeFindingAnswer.model_validate(finding) for finding in result.findings],
    )
