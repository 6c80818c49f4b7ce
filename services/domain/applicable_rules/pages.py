"""Serve the pages of the rules that apply: the register, one rule with its versions, and Legal's form (R3)."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applicable_rules import service
from services.domain.applicable_rules.entries import BEHALVES, KINDS, Entry
from services.domain.applicable_rules.schemas import ApplicableRuleBody
from services.domain.handling.levels import LEVELS
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/applicable-rules")
NEW = "new"


@router.get("")
async def list_applicable_rules(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the register, to every logged-in person."""

    def read(uow: UnitOfWork) -> dict[str, Any]:
        in_force = {one.rule_id for one in service.list_in_force(uow)}
        found = sorted(service.read_all(uow).values(), key=lambda one: KINDS.index(one.entry.kind))
        return {"rules": found, "in_force": in_force, "may_change": service.may_change(uow)}

    return visitor.page("applicable_rules/rules.html", **await database.read(visitor.actor, read))


@router.get("/{rule_id}")
async def show_applicable_rule(rule_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one rule with its versions, and to Legal the form; ``new`` shows the form of a new one."""
    return await _page(rule_id, visitor, database)


@router.post("/{rule_id}")
async def change_applicable_rule(
    rule_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Enter a rule or a new version of one, which a second person has to confirm before."""
    known = None if rule_id == NEW else rule_id
    try:
        lists = {name: typed.all(name) for name in ("onBehalf", "levels")}
        body = typed.body(ApplicableRuleBody, **lists, toCheck=typed.text("toCheck") == "true")
        row = await database.run(
            visitor.actor, service.change_rule, known, body.entry(), body.reason, version=body.version
        )
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(rule_id, visitor, database, refusal=refusal, typed=typed)
    return visitor.redirect(f"/applicable-rules/{row.rule_id}", Message("The rule is entered."))


async def _page(
    rule_id: str,
    visitor: Visitor,
    database: Database,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        may_change = service.may_change(uow)
        if rule_id == NEW:
            return {"rule": None, "versions": [], "entry": Entry("law", ""), "may_change": may_change}
        versions = service.list_versions(uow, rule_id)
        rule = service.read_all(uow)[rule_id]
        return {"rule": rule, "versions": versions, "entry": rule.entry, "may_change": may_change}

    view = await database.read(visitor.actor, read)
    return visitor.page(
        "applicable_rules/rule.html",
        refusal.status if refusal else 200,
        rule_id=rule_id,
        kinds=KINDS,
        behalves=BEHALVES,
        levels=LEVELS,
        **view,
        refusal=refusal,
        typed=typed,
    )
