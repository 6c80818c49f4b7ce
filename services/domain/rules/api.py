"""Serve the organisation's rules as JSON: values, their sources, changes with a reason."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from services.database.unit_of_work import UnitOfWork
from services.domain.rules import service
from services.domain.rules.service import RecordedChange, RuleState
from services.runtime.settings import Settings, variable
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Line, ListParameters, Moment

router = APIRouter(prefix="/api/admin/rules", tags=["administration"])

Value = Annotated[Line, Field(max_length=1000)]


class RuleBody(Body):
    """``value`` as in the environment (``PT24H``, ``30``), left out to take the rule back to the environment's.

    ``was`` is the value that was seen: nobody overwrites what somebody else has just changed.
    """

    value: Value | None = None
    was: Value | None = None
    reason: Annotated[Line, Field(min_length=4)]


class HistoryQuestion(ListParameters):
    """``text`` is searched in the rules' names, the reasons and the people."""

    sort: service.Sort = "at"
    order: Literal["asc", "desc"] = "desc"
    rule: Line | None = None


class ChangeAnswer(Answer):
    rule: str
    at: Moment
    by: str
    old: str | None
    new: str | None
    reason: str


class RuleAnswer(Answer):
    """``source`` is default, environment or changed; ``variable`` is the setting's name in the environment."""

    name: str
    kind: str
    zh: str
    en: str
    meaning_zh: str
    meaning_en: str
    value: str | None
    value_zh: str
    value_en: str
    source: str
    variable: str
    editable: bool
    changes: int
    last_change: ChangeAnswer | None


def change_answer(change: RecordedChange) -> ChangeAnswer:
    row = change.row
    return ChangeAnswer(rule=row.rule, at=row.at, by=change.by, old=row.old, new=row.new, reason=row.reason)


def rule_answer(state: RuleState, settings: Settings) -> RuleAnswer:
    rule, change = state.rule, state.change
    text = rule.describe(state.value)
    source = "environment" if settings.is_given(rule.setting) else "default"
    return RuleAnswer(
        name=rule.name,
        kind=rule.kind,
        zh=rule.zh,
        en=rule.en,
        meaning_zh=rule.meaning.zh,
        meaning_en=rule.meaning.en,
        value=state.value,
        value_zh=text.zh,
        value_en=text.en,
        source=source if change is None else "changed",
        variable=variable(rule.setting),
        editable=rule.editable,
        changes=state.changes,
        last_change=None if change is None else change_answer(change),
    )


@router.get("", responses=problems(401, 403))
async def list_rules(actor: Acting, database: GivenDatabase, settings: GivenSettings) -> list[RuleAnswer]:
    """Every rule with its current value. For administrators, Security's head and the supervision group."""
    states = await database.read(actor, service.list_rules)
    return [rule_answer(state, settings) for state in states]


@router.get("/history", responses=problems(401, 403, 404))
async def rule_history(
    question: Annotated[HistoryQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[ChangeAnswer]:
    """The changes of all rules or of one, the newest first."""
    changes = await database.read(actor, service.list_changes, question.rule, question.listing())
    return [change_answer(change) for change in changes]


@router.put("/{rule_name}", responses=problems(401, 403, 404, 409))
async def change_rule(
    rule_name: str, body: RuleBody, actor: Acting, database: GivenDatabase, settings: GivenSettings
) -> RuleAnswer:
    """Change one rule from now on; cases that run keep what they were promised. Administrators only."""
    await database.run(actor, service.change_rule, rule_name, body.value, body.reason, was=body.was)

    def read(uow: UnitOfWork) -> RuleState:
        return service.get_rule(uow, rule_name)

    return rule_answer(await database.read(actor, read), settings)
