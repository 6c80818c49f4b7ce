"""Serve the pages of the organisation's rules: table, form with a reason, history."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.rules import service
from services.domain.rules.api import RuleBody
from services.domain.rules.catalogue import RULES
from services.domain.rules.service import RecordedChange, RuleState
from services.runtime.errors import Refused
from services.runtime.settings import Settings, variable
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/rules")

UNITS = {"D": "P{}D", "H": "PT{}H", "M": "PT{}M"}


@dataclass(frozen=True)
class Amount:
    """A duration as the form shows it: a number and its unit, D, H or M."""

    number: str
    unit: str


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(service.Sort)
    FALLING: ClassVar = frozenset({"at"})


@router.get("")
async def list_rules(visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """Every rule with its meaning, its value, and where that comes from."""
    states = await database.read(visitor.actor, service.list_rules)
    return visitor.page("rules/rules.html", states=states, source=_source(settings), variable=variable)


@router.get("/history")
async def list_history(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    """All changes, the newest first; ``form=csv`` as CSV."""
    changes = await database.read(visitor.actor, service.list_changes, None, query.listing(visitor.language))
    if query.as_csv:
        rows = [
            (change.row.at.isoformat(), change.row.rule, change.row.old, change.row.new, change.by, change.row.reason)
            for change in changes
        ]
        return lists.csv_answer(visitor, "rule-changes", ("at", "rule", "old", "new", "by", "reason"), rows)
    return visitor.page("rules/rule_history.html", **query.shown(changes))


@router.get("/{name}")
async def show_rule(name: str, visitor: Visiting, database: GivenDatabase, settings: GivenSettings) -> Response:
    """One rule, the form to change it, and its history."""
    return await _page(name, visitor, database, settings)


@router.post("/{name}")
async def change_rule(
    name: str, visitor: Visiting, typed: Typed, database: GivenDatabase, settings: GivenSettings
) -> Response:
    """Change the rule, or take it back to the environment's value."""
    try:
        body = typed.body(_Form, **_value(typed, name))
        await database.run(visitor.actor, service.change_rule, name, body.value, body.reason, was=body.was)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(name, visitor, database, settings, refusal=refusal, typed=typed)
    rule = RULES[name]
    return visitor.redirect(
        f"/admin/rules/{name}", Message("Rule changed: {rule}. The new value is in force.", rule=rule.message)
    )


class _Form(RuleBody):
    """The form also has the parts of a duration, and the button that was pressed."""

    amount: str = ""
    unit: str = ""
    back: str = ""


def _value(typed: TypedForm, name: str) -> dict[str, Any]:
    """Read the value from the form's fields; None to go back to the environment's."""
    if typed.text("back"):
        return {"value": None}
    rule = RULES.get(name)
    if rule is not None and rule.kind == "duration":
        number, pattern = typed.text("amount"), UNITS.get(typed.text("unit"), "PT{}M")
        return {"value": pattern.format(number) if number.isascii() and number.isdecimal() else "?"}
    if not typed.text("value"):
        raise Refused("missing", "Enter the new value.", status=422, field="value")
    return {"value": typed.text("value")}


async def _page(
    name: str,
    visitor: Visitor,
    database: Database,
    settings: Settings,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: Any) -> tuple[RuleState, list[RecordedChange]]:
        return service.get_rule(uow, name), service.list_changes(uow, name)

    state, changes = await database.read(visitor.actor, read)
    return visitor.page(
        "rules/rule.html",
        refusal.status if refusal else 200,
        state=state,
        changes=changes,
        amount=_amount(state),
        source=_source(settings),
        variable=variable,
        refusal=refusal,
        typed=typed,
    )


def _amount(state: RuleState) -> Amount:
    """Split ``PT24H`` into 24 and H."""
    value = state.value
    if state.rule.kind != "duration" or value is None:
        return Amount("", "D")
    return Amount(value[:-1].removeprefix("PT").removeprefix("P"), value[-1])


def _source(settings: Settings) -> Callable[[RuleState], str]:
    """Return a function that names the source of a rule's value: default, environment or changed."""

    def source_of(state: RuleState) -> str:
        if state.change is not None:
            return "changed"
        return "environment" if settings.is_given(state.rule.setting) else "default"

    return source_of
