"""Where a case stands: the models as they are drawn, the markers for them, and the check of what the vault holds."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from services.database.tables.integrity import IntegrityCheck
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import timeline
from services.domain.custody import integrity
from services.domain.custody.integrity_checks import Verifier
from services.runtime.errors import NotFound
from services.runtime.models import Model
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, given
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Answer, Identifier

router = APIRouter(prefix="/api", tags=["cases"])


def models(request: Request) -> dict[str, Model]:
    return cast("dict[str, Model]", given(request, "models"))


def verifier(request: Request) -> Verifier:
    """One for each application: it bounds how many checks run at once."""
    state = request.app.state
    if not hasattr(state, "verifier"):
        seals = state.dependencies.get("own_seals")
        state.verifier = Verifier(given(request, "database"), given(request, "store"), seals)
    return cast("Verifier", state.verifier)


GivenModels = Annotated[dict[str, Model], Depends(models)]
GivenVerifier = Annotated[Verifier, Depends(verifier)]


class MarkerAnswer(Answer):
    """One element: ``passed``, or the case is there: ``working``, ``waiting`` for people, ``stuck`` in an incident.

    Elements that take no time have no moments. ``seconds`` adds up all ``times``.
    """

    element_id: str
    zh: str
    en: str
    kind: Literal["passed", "working", "waiting", "stuck"]
    since: datetime | None
    until: datetime | None
    seconds: float | None
    times: int
    attempts: int
    review_id: str | None


class StandingAnswer(Answer):
    """``inTransit``: a message is on its way to the process engine and nobody has anything to do meanwhile."""

    process_id: str
    markers: list[MarkerAnswer]
    in_transit: bool


class CheckedObject(Answer):
    """One object and its faults.

    missing, replaced, size, bytes, hold, retention, label-missing, label-wrong, label-seal; ``remarks`` are no faults:
    label-unsigned, of a label from before labels were signed.
    """

    kind: Literal["master", "copy", "document", "record"]
    id: str
    of: str
    size: int
    sha256: str
    faults: list[str]
    remarks: list[str] = Field(default_factory=list)
    unread: bool


class CheckAnswer(Answer):
    """The last check of a case; ``outcome`` is None while it runs, ``unfinished`` when the store did not answer."""

    id: str
    asked_by: str
    began_at: datetime
    ended_at: datetime | None
    outcome: Literal["intact", "damaged", "unfinished"] | None
    bytes_read: int
    bytes_total: int
    objects: list[CheckedObject]


@router.get("/models/{process_id}", responses=problems_beside(401, 404), response_class=Response)
async def read_model(
    process_id: Identifier,
    _actor: Acting,
    models: GivenModels,
    language: Annotated[Literal["zh", "en"], Query()] = "zh",
) -> Response:
    """The deployed BPMN of a process, its names in one language."""
    model = models.get(process_id)
    if model is None:
        raise NotFound(Message("process"), process_id)
    return Response(model.xml(language), media_type="application/xml")


@router.get("/cases/{application_id}/steps", responses=problems(401, 404))
async def read_steps(
    application_id: str,
    actor: Acting,
    database: GivenDatabase,
    models: GivenModels,
    review: Annotated[Identifier | None, Query()] = None,
) -> StandingAnswer:
    """Where the case stands in its process, or in one ``review`` that the process called."""
    if review is None:
        found = await database.run(actor, timeline.of_case, application_id, models)
    else:
        found = await database.run(actor, timeline.of_review, application_id, review, models)
    return StandingAnswer(
        process_id=found.model.process_id,
        in_transit=found.in_transit,
        markers=[
            MarkerAnswer(
                element_id=marker.element.id,
                zh=marker.element.zh,
                en=marker.element.en,
                kind=marker.kind,
                since=marker.since,
                until=marker.until,
                seconds=marker.took.total_seconds() if marker.took is not None else None,
                times=marker.times,
                attempts=marker.attempts,
                review_id=marker.review_id,
            )
            for marker in found.markers
        ],
    )


@router.post("/cases/{application_id}/integrity", status_code=202, responses=problems(*USUAL))
async def check_integrity(
    application_id: str, actor: Acting, database: GivenDatabase, verifier: GivenVerifier
) -> CheckAnswer:
    """Begin to read again all that the vault holds of the case, and compare it with the books."""
    check = await verifier.begin(actor, application_id)
    return CheckAnswer(**await database.run(actor, _told, check.id))


@router.get("/cases/{application_id}/integrity", responses=problems(401, 404))
async def read_integrity(application_id: str, actor: Acting, database: GivenDatabase) -> CheckAnswer | None:
    """The last check of the case, running or ended; null where there was none."""
    check = await database.run(actor, integrity.read, application_id)
    return CheckAnswer(**await database.run(actor, _told, check.id)) if check is not None else None


def _told(uow: UnitOfWork, check_id: str) -> dict[str, Any]:
    check = uow.session.get_one(IntegrityCheck, check_id)
    return {
        "id": check.id,
        "asked_by": uow.session.get_one(Person, check.asked_by).name,
        "began_at": check.began_at,
        "ended_at": check.ended_at,
        "outcome": check.outcome,
        "bytes_read": check.bytes_read,
        "bytes_total": check.bytes_total,
        "objects": [CheckedObject(**one) for one in check.objects],
    }
