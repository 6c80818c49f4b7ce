"""The timeline of a case: the models as they are drawn, the markers for them, and the check of what the vault holds."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import engine_timeline, queries
from services.domain.cases import rows as case_rows
from services.domain.cases.schemas.case import IntegrityCheckView
from services.domain.cases.schemas.timeline import Timeline
from services.domain.custody.integrity_checks import Verifier
from services.domain.process.api import EngineHere
from services.domain.process.model_library import ModelLibrary
from services.domain.storage.damages import report_checked
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, given
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.language import KnownLanguage
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["cases"])


async def library(request: Request) -> ModelLibrary:
    return cast("ModelLibrary", given(request, "models"))


async def verifier(request: Request) -> Verifier:
    """Return the application's verifier, which bounds how many checks run at once."""
    state = request.app.state
    if not hasattr(state, "verifier"):
        trusted = state.dependencies.get("trusted_signers")
        state.verifier = Verifier(given(request, "database"), given(request, "store"), trusted, report=report_checked)
    return cast("Verifier", state.verifier)


GivenModels = Annotated[ModelLibrary, Depends(library)]
GivenVerifier = Annotated[Verifier, Depends(verifier)]


@router.get("/models/{process_id}", responses=problems_beside(401, 404), response_class=Response)
async def read_model(
    process_id: Identifier,
    actor: Acting,
    database: GivenDatabase,
    models: GivenModels,
    *,
    language: Annotated[KnownLanguage, Query()] = "zh",
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> Response:
    """Return the BPMN of a process, its names in one language: the newest, or the deployed file of this SHA-256."""
    model = models.get(process_id)
    if sha256 is not None and (model is None or model.sha256 != sha256):
        known = await models.find_known(database, actor, [sha256])
        model = known.find(process_id, sha256)
    if model is None:
        raise NotFound(Message("process"), process_id)
    return Response(model.xml(language), media_type="application/xml")


@router.get("/cases/{application_id}/timeline", responses=problems(401, 404))
async def read_steps(
    application_id: str,
    actor: Acting,
    database: GivenDatabase,
    models: GivenModels,
    *,
    engine: EngineHere,
    review: Annotated[Identifier | None, Query()] = None,
    process: Annotated[Identifier | None, Query()] = None,
) -> Timeline:
    """Read the timeline of the case in its process, in one ``review`` or in another ``process`` that it called."""

    def read(uow: UnitOfWork) -> tuple[Timeline, engine_timeline.Place]:
        rows = case_rows.of_case(uow, application_id)
        return engine_timeline.timeline_of(rows, models, review, process)

    line, place = await database.read(actor, read)
    return await engine_timeline.complete(line, place, engine, database=database, actor=actor, library=models)


@router.post("/cases/{application_id}/integrity", status_code=202, responses=problems(*USUAL))
async def check_integrity(
    application_id: str, actor: Acting, database: GivenDatabase, verifier: GivenVerifier
) -> IntegrityCheckView:
    """Begin to read again all that the vault holds of the case, and compare it with the database."""
    await verifier.begin(actor, application_id)
    check = await database.read(actor, queries.get_integrity_check, application_id)
    assert check is not None  # noqa: S101  it was begun
    return check


@router.get("/cases/{application_id}/integrity", responses=problems(401, 404))
async def read_integrity(application_id: str, actor: Acting, database: GivenDatabase) -> IntegrityCheckView | None:
    """Read the last check of the case, running or ended; null where there was none."""
    return await database.read(actor, queries.get_integrity_check, application_id)
