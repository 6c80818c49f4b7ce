"""The timeline of a case: the models as they are drawn, the markers for them, and the check of what the vault holds."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from services.domain.cases import queries, timeline
from services.domain.cases.schemas.case import IntegrityCheckView
from services.domain.cases.schemas.timeline import Timeline
from services.domain.custody.integrity_checks import Verifier
from services.runtime.errors import NotFound
from services.runtime.models import Model
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, given
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.language import KnownLanguage
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["cases"])


async def models(request: Request) -> dict[str, Model]:
    return cast("dict[str, Model]", given(request, "models"))


async def verifier(request: Request) -> Verifier:
    """Return the application's verifier, which bounds how many checks run at once."""
    state = request.app.state
    if not hasattr(state, "verifier"):
        trusted = state.dependencies.get("trusted_signers")
        state.verifier = Verifier(given(request, "database"), given(request, "store"), trusted)
    return cast("Verifier", state.verifier)


GivenModels = Annotated[dict[str, Model], Depends(models)]
GivenVerifier = Annotated[Verifier, Depends(verifier)]


@router.get("/models/{process_id}", responses=problems_beside(401, 404), response_class=Response)
async def read_model(
    process_id: Identifier,
    _actor: Acting,
    models: GivenModels,
    language: Annotated[KnownLanguage, Query()] = "zh",
) -> Response:
    """Return the deployed BPMN of a process, its names in one language."""
    model = models.get(process_id)
    if model is None:
        raise NotFound(Message("process"), process_id)
    return Response(model.xml(language), media_type="application/xml")


@router.get("/cases/{application_id}/timeline", responses=problems(401, 404))
async def read_steps(
    application_id: str,
    actor: Acting,
    database: GivenDatabase,
    models: GivenModels,
    review: Annotated[Identifier | None, Query()] = None,
) -> Timeline:
    """Read the timeline of the case in its process, or in one ``review`` that the process called."""
    if review is None:
        return await database.read(actor, timeline.get_timeline, application_id, models)
    return await database.read(actor, timeline.get_review_timeline, application_id, review, models)


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
