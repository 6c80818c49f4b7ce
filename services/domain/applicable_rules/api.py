"""Serve the register of the rules that apply as JSON (R3)."""

from fastapi import APIRouter

from services.database.unit_of_work import UnitOfWork
from services.domain.applicable_rules import service
from services.domain.applicable_rules.schemas import (
    ApplicableRuleAnswer,
    ApplicableRuleBody,
    ApplicableRuleView,
    rule_answer,
    rule_view,
)
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api/applicable-rules", tags=["policy"])


@router.get("", responses=problems(401))
async def list_applicable_rules(actor: Acting, database: GivenDatabase) -> list[ApplicableRuleAnswer]:
    """Return the newest version of every rule, to every logged-in person; those no longer in force too."""
    found = await database.read(actor, service.read_all)
    return [rule_answer(one) for one in found.values()]


@router.post("", status_code=201, responses=problems(*USUAL))
async def enter_applicable_rule(
    body: ApplicableRuleBody, actor: Acting, database: GivenDatabase
) -> ApplicableRuleAnswer:
    """Enter a rule, as the head of Legal; a second person has to confirm it before."""

    def act(uow: UnitOfWork) -> ApplicableRuleAnswer:
        row = service.change_rule(uow, None, body.entry(), body.reason, version=0)
        return rule_answer(service.read_all(uow)[row.rule_id])

    return await database.run(actor, act)


@router.get("/{rule_id}", responses=problems(401, 404))
async def read_applicable_rule(rule_id: Identifier, actor: Acting, database: GivenDatabase) -> ApplicableRuleView:
    """Return one rule with its versions, to every logged-in person."""
    return await database.read(actor, _view, rule_id)


@router.put("/{rule_id}", responses=problems(*USUAL))
async def change_applicable_rule(
    rule_id: Identifier, body: ApplicableRuleBody, actor: Acting, database: GivenDatabase
) -> ApplicableRuleView:
    """Enter a new version of a rule, as the head of Legal; a second person has to confirm it before."""

    def act(uow: UnitOfWork) -> ApplicableRuleView:
        service.change_rule(uow, rule_id, body.entry(), body.reason, version=body.version)
        return _view(uow, rule_id)

    return await database.run(actor, act)


def _view(uow: UnitOfWork, rule_id: str) -> ApplicableRuleView:
    versions, found = service.list_versions(uow, rule_id), service.read_all(uow).get(rule_id)
    if found is None:
        raise NotFound(Message("applicable rule"), rule_id)
    return rule_view(found, versions)
