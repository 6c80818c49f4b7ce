"""Filing: the approved form becomes a numbered, unchangeable document, and the basis of the retrieval (R28, R29)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.people import Person
from services.database.tables.reviews import Confirmation, Decision, Finding
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms, security_check
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.handling import cases as handling_of_cases
from services.domain.process import outbox, permissions
from services.domain.process.messages import LOAN_CLOSED, REVIEW_DECIDED
from services.domain.process.permissions import CaseState
from services.domain.retrieval import preservations
from services.domain.reviews import ending, moot_matters
from services.domain.reviews.classification import IMPORTANT, ORDINARY, Classification, compute_floor, of_levels
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotPermitted

MANAGEMENT = "management"


@dataclass(frozen=True)
class Filed:
    """The form's number, and what is granted: the days of use and the items that Security has not removed (R4)."""

    form_number: str
    use_period_days: int
    item_ids: list[str]


def file(uow: UnitOfWork, application_id: str, claimed: Classification) -> Filed:
    """File the approved form of this round; filing it again finds what was filed, and changes nothing.

    ``claimed`` is the class by the deployed table, which only raises the one that the rows give. Raises NotPermitted
    when a decision of the round's chain is missing: no approval, no basis for a retrieval (R29).
    """
    state = permissions.lock(uow, application_id, "file the application")
    permissions.require_running(state, "file the application")
    application, document = state.application, state.form
    if application.issue > 1:
        outbox.settle(uow, application_id, "the copies are retrieved again", LOAN_CLOSED)
    if document is None:
        document = _file(uow, state, claimed)
        ending.close_passed(uow, application_id)
    days = application.granted_use_days or application.requested_use_days
    return Filed(document.number, days, [item.id for item in state.items])


def _file(uow: UnitOfWork, state: CaseState, claimed: Classification) -> Document:
    application = state.application
    revision = forms.current_revision(uow, application.id)
    if revision is None:
        raise _refusal(application.id, "it was never submitted")
    if state.returned:
        raise _refusal(application.id, f"it was sent back in round {application.round}")
    if claimed.importance not in (IMPORTANT, ORDINARY) or (claimed.max_use_days or 1) < 1:
        raise _refusal(application.id, "there is no such class: see the deployed decision table")
    raised = claimed.at_least(compute_floor(uow, application))
    items = preservations.items_in_scope(uow, application.id)
    rules = handling_of_cases.compute(uow, application, items, important=raised.importance == IMPORTANT)
    raised = raised.at_least(of_levels(rules))
    chain = decisions_of_round(uow, application.id, application.round)
    _require_chain(state, revision.sha256, management=raised.management_needed)
    outbox.settle(uow, application.id, "the form is filed", REVIEW_DECIDED)
    _set_class(application, raised)
    application.handling = rules.as_json()  # what is changed later does not touch this case
    if application.granted_way_of_use is not None:
        application.granted_way_of_use = handling_of_cases.limited(application, application.granted_way_of_use)
    granted = application.granted_use_days or application.requested_use_days
    limits = (granted, raised.max_use_days, uow.rules.max_use_days)
    application.granted_use_days = min(limit for limit in limits if limit is not None)
    number = permissions.form_number(application)
    content = _content(uow, application, revision.form, chain)
    document = document_service.write(uow, "application-form", number, content, application_id=application.id)
    audit_trail.record(
        uow,
        "application-filed",
        "application",
        application.id,
        application_id=application.id,
        number=number,
        importance=raised.importance,
    )
    moot_matters.application_approved(uow, application.id)
    return document


def decisions_of_round(uow: UnitOfWork, application_id: str, round_: int) -> list[Decision]:
    """Return the round's decisions, oldest first; of one stage asked twice, both."""
    query = (
        select(Decision)
        .where(Decision.application_id == application_id, Decision.matter_id.is_(None), Decision.round == round_)
        .order_by(Decision.decided_at)
    )
    return list(uow.session.scalars(query))


def _require_chain(state: CaseState, form_sha256: str, *, management: bool) -> None:
    application, decided = state.application, state.decisions
    needed = {
        # whatever else the models ask before the filing has to have been favourable too
        **{code: STAGES[code].favourable for code in STAGES.of_phase("approval") if code in decided},
        **{code: STAGES[code].favourable for code in state.order if code != MANAGEMENT or management},
    }
    for stage, outcome in needed.items():
        decision = decided.get(stage)
        if decision is None or decision.outcome != outcome:
            raise _refusal(
                application.id, f"the stage {stage} has not ended with {outcome!r} in round {application.round}"
            )
        if decision.form_sha256 != form_sha256:
            raise _refusal(application.id, f"the decision of the stage {stage} is bound to another form")


def _set_class(application: Application, classification: Classification) -> None:
    application.importance = classification.importance
    application.management_needed = classification.management_needed
    application.second_person = classification.second_person
    application.backup_needed = classification.backup_needed
    application.max_use_days = classification.max_use_days


def _content(uow: UnitOfWork, application: Application, form: dict[str, Any], chain: list[Decision]) -> dict[str, Any]:
    findings = uow.session.scalars(
        select(Finding).where(
            Finding.application_id == application.id,
            Finding.round == application.round,
            # they tell of another case, which is nothing for readers of the form (T8)
            Finding.code.not_in((security_check.SERIAL, security_check.ARCHIVED)),
        )
    )
    return {
        **form,
        "filedAt": uow.now.isoformat(),
        "importance": application.importance,
        "managementNeeded": application.management_needed,
        "secondPerson": application.second_person,
        "backupNeeded": application.backup_needed,
        "granted": {
            "wayOfUse": application.granted_way_of_use,
            "useDays": application.granted_use_days,
            "items": [
                {
                    "id": item.id,
                    "from": (item.granted_start or item.asked_start).isoformat(),
                    "to": (item.granted_end or item.asked_end).isoformat(),
                }
                for item in preservations.items_in_scope(uow, application.id)
            ],
        },
        "findings": [{"check": f.check, "code": f.code, "severity": f.severity, "zh": f.zh} for f in findings],
        "decisions": [_decision(uow, decision) for decision in chain],
    }


def _decision(uow: UnitOfWork, decision: Decision) -> dict[str, Any]:
    seconds = uow.session.scalars(select(Confirmation).where(Confirmation.review_id == decision.review_id))
    return {
        "stage": decision.stage,
        "outcome": decision.outcome,
        "by": {"id": decision.decided_by, "name": uow.session.get_one(Person, decision.decided_by).name},
        "standsInFor": decision.stands_in_for,
        "at": decision.decided_at.isoformat(),
        "answers": decision.answers,
        "reason": decision.reason,
        "opinion": decision.opinion,
        "form": decision.form_sha256,
        "statement": decision.statement_sha256,
        "signature": decision.signature,
        "confirmedBy": [row.person_id for row in seconds],
    }


def _refusal(application_id: str, cause: str) -> NotPermitted:
    return NotPermitted(
        f"could not file the application | application {application_id} | {cause} | "
        "read the case's decisions; a retrieval without an approved form is not allowed (R29)"
    )
