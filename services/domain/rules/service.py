"""Change the organisation's rules, with reason and history; running cases keep their limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from services.database.listing import EVERYTHING, Listing
from services.database.tables.people import Person
from services.database.tables.rule_changes import RuleChange
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.rules.catalogue import RULES, Rule
from services.runtime.errors import NotFound, Refused
from services.runtime.rules import Rules
from services.runtime.translations import Message

Sort = Literal["at", "rule", "person"]


@dataclass(frozen=True)
class RecordedChange:
    """One line of the history, with the changer's name."""

    row: RuleChange
    rule: Rule
    by: str


@dataclass(frozen=True)
class RuleState:
    """A rule's current value; ``change`` is the one in force, None if the environment's value is."""

    rule: Rule
    value: str | None
    change: RecordedChange | None
    changes: int


def list_rules(uow: UnitOfWork) -> list[RuleState]:
    """List every rule with its value and source; for administrators, Security's head and supervisors."""
    administrators.require_reader(uow)
    changes = list_changes(uow)
    return [
        _rule_state(uow.rules, rule, [change for change in changes if change.rule is rule]) for rule in RULES.values()
    ]


def get_rule(uow: UnitOfWork, name: str) -> RuleState:
    """Return one rule with its value and source; NotFound."""
    administrators.require_reader(uow)
    rule = _find_rule(name)
    return _rule_state(uow.rules, rule, list_changes(uow, name))


def list_changes(uow: UnitOfWork, name: str | None = None, listing: Listing = EVERYTHING) -> list[RecordedChange]:
    """List the changes of all rules or of one, newest first; searches rule, reason, people."""
    administrators.require_reader(uow)
    text = listing.text.strip().casefold()
    named = [rule.name for rule in RULES.values() if text in f"{rule.name}\n{rule.zh}\n{rule.en}".casefold()]
    query = (
        select(RuleChange, Person.name)
        .join(Person, Person.id == RuleChange.changed_by)
        .where(
            RuleChange.rule.in_(RULES),
            listing.mentioned(RuleChange.reason, Person.name, also=RuleChange.rule.in_(named)),
        )
    )
    if name is not None:
        query = query.where(RuleChange.rule == name)
    columns = {"at": RuleChange.seq, "rule": RuleChange.rule, "person": Person.name}
    rows = uow.session.execute(listing.part(query, columns, RuleChange.seq.desc()))
    return [RecordedChange(row, RULES[row.rule], by) for row, by in rows]


def change_rule(uow: UnitOfWork, name: str, value: str | None, reason: str, *, was: str | None) -> RuleChange:
    """Set a rule from the next unit of work on; ``value`` None restores the environment's.

    ``was`` is the value that the administrator saw: Refused if somebody else has changed it since, and until a second
    person has confirmed what weakens a protection.
    """
    administrators.require_administrator(uow)
    rule = _find_rule(name)
    if not rule.editable:
        raise Refused(
            "rule-follows",
            "This rule changes with the confidentiality agreement: issue a new version of the agreement instead.",
            field="value",
        )
    return record_change(uow, rule, value, reason, was=was)


def record_change(uow: UnitOfWork, rule: Rule, value: str | None, reason: str, *, was: str | None) -> RuleChange:
    """Change a rule; the caller has checked that it may be done."""
    administrators.lock_setup(uow)  # before the rules are read, so that they are the latest
    old = rule.text(uow.rules)
    if (None if was is None else rule.normalise(was)) != old:
        raise Refused(
            "rule-changed",
            "Another person has just changed the {rule} to {said}: check it before you change it.",
            field="value",
            rule=rule.message,
            said=rule.describe(old),
        )
    new = None if value is None else rule.normalise(value)
    if new == old or (new is None and not list_changes(uow, rule.name)):
        raise Refused("rule-same", "This is already the value: there is nothing to change.", field="value")
    if new is not None:
        _check_retention_order(rule.apply(uow.rules, new))
    if rule.weakens(old, new):
        payload = {"rule": rule.name, "was": old, "value": new, "reason": reason}
        change_requests.authorise(uow, Change("rule", None, payload))
    row = RuleChange(at=uow.now, changed_by=uow.actor.id, rule=rule.name, old=old, new=new, reason=reason)
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "rule-changed", "rule", rule.name, old=old, new=new, reason=reason, change=row.seq)
    return row


def _rule_state(rules: Rules, rule: Rule, changes: Sequence[RecordedChange]) -> RuleState:
    current = changes[0] if changes and changes[0].row.new is not None else None
    return RuleState(rule, rule.text(rules), current, len(changes))


def _find_rule(name: str) -> Rule:
    if name not in RULES:
        raise NotFound(Message("rule"), name)
    return RULES[name]


def _check_retention_order(rules: Rules) -> None:
    if rules.important_retention < rules.ordinary_retention:
        raise Refused(
            "retention-order",
            "The retention of important footage cannot be shorter than that of ordinary footage: change the "
            "other rule first.",
            status=422,
            field="value",
        )


def get_first_value(uow: UnitOfWork, name: str) -> str | None:
    """Return the rule's value before its first change; None if it was never changed."""
    query = select(RuleChange.old).where(RuleChange.rule == name).order_by(RuleChange.seq)
    return uow.session.scalar(query.limit(1))
