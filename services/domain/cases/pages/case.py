"""The case page, its diagram of one review, and the check of what the vault holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.tables.integrity import IntegrityCheck
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import details, event_messages, timeline
from services.domain.cases import rows as case_rows
from services.domain.cases.api.timeline import GivenModels, GivenVerifier
from services.domain.cases.details import CaseDetails
from services.domain.cases.next_actions import NextAct
from services.domain.cases.timeline import Standing
from services.domain.custody import integrity
from services.runtime.errors import Refused
from services.runtime.models import Model
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/cases")

# What the vault does beneath the acts that are told.
MECHANICS = ("upload-",)
PATHS: Mapping[str, str] = {
    "hand-in": "/applications/{}/edit",
    "correct": "/applications/{}/edit",
    "consent": "/consents/{}",
    "decide": "/reviews/{}",
    "confirm": "/reviews/{}",
    "accept": "/hand-overs/{}",
    "give-back": "/hand-overs/{}",
}


@dataclass(frozen=True)
class Checked:
    """The case's last check; ``share`` is how far it is, from 0 to 100, and ``runs`` whether it is under way."""

    check: IntegrityCheck | None
    runs: bool
    asked_by: str | None

    @property
    def share(self) -> int:
        if self.check is None or not self.check.bytes_total:
            return 0
        return min(100, 100 * self.check.bytes_read // self.check.bytes_total)


@router.get("/{application_id}")
async def show(
    application_id: str,
    visitor: Visiting,
    database: GivenDatabase,
    models: GivenModels,
    settings: GivenSettings,
    *,
    review: Annotated[Identifier | None, Query()] = None,
) -> Response:
    """The case; with ``review`` the diagram shows that review's own process."""
    case, stands, checked = await database.run(visitor.actor, _read, application_id, models, review)
    return visitor.page(
        "cases/case.html",
        case=case,
        stands=stands,
        checked=checked,
        shown_review=review,
        path_of=path_of,
        told=[_told(visitor, event) for event in case.time_line if not str(event["action"]).startswith(MECHANICS)],
        operate=operate_link(settings.operate_url, case),
    )


@router.post("/{application_id}/integrity")
async def check(application_id: str, visitor: Visiting, database: GivenDatabase, verifier: GivenVerifier) -> Response:
    """Begin to read again all that the vault holds of the case."""
    refusal = None
    try:
        await verifier.begin(visitor.actor, application_id)
    except Refused as error:
        if error.status == 404:
            raise
        refusal = error
    if not visitor.hurried:
        if refusal is not None:
            return visitor.go(f"/cases/{application_id}#integrity", refusal.message)
        return visitor.go(f"/cases/{application_id}#integrity")
    return await _integrity(application_id, visitor, database, refusal)


@router.get("/{application_id}/integrity")
async def progress(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """How far the check is, asked again by the page itself while it runs."""
    part = await _integrity(application_id, visitor, database, None)
    return part if visitor.hurried else visitor.go(f"/cases/{application_id}#integrity")


async def _integrity(
    application_id: str, visitor: Visitor, database: GivenDatabase, refusal: Refused | None
) -> Response:
    checked = await database.run(visitor.actor, _checked, application_id)
    # htmx shows a refusal only in an answer that is none
    return visitor.part("cases/_integrity.html", application_id=application_id, checked=checked, refusal=refusal)


def path_of(act: NextAct) -> str:
    """The page on which the act is done."""
    return PATHS[act.kind].format(quote(act.subject_id, safe=""))


def operate_link(operate_url: str | None, case: CaseDetails) -> str | None:
    """Where Operate shows the case's process instance; None where there is no Operate or no instance yet."""
    key = case.application.process_instance_key
    return f"{operate_url.rstrip('/')}/processes/{key}" if operate_url and key else None


def _read(
    uow: UnitOfWork, application_id: str, models: Mapping[str, Model], review_id: str | None
) -> tuple[CaseDetails, Standing, Checked]:
    rows = case_rows.of_case(uow, application_id)
    case = details.read(rows)
    stands = timeline.of_rows(rows, models) if review_id is None else timeline.review_of_rows(rows, review_id, models)
    found = rows.head.check
    asked_by = case.names[found.asked_by] if found is not None else None
    return case, stands, Checked(found, integrity.runs(uow, found), asked_by)


def _checked(uow: UnitOfWork, application_id: str) -> Checked:
    found = integrity.read(uow, application_id)
    asked_by = uow.session.get_one(Person, found.asked_by).name if found is not None else None
    return Checked(found, integrity.runs(uow, found), asked_by)


def _told(visitor: Visitor, event: Mapping[str, object]) -> dict[str, object]:
    detail = event["detail"]
    assert isinstance(detail, Mapping)  # noqa: S101  as the trail has it
    return {
        "at": event["at"],
        "actor": event["actor"] if event["byPerson"] else None,
        "what": event_messages.said(visitor.language, str(event["action"]), detail, visitor.zone),
        "reason": detail.get("reason"),
    }
