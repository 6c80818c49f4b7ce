"""Enter and change the rules that apply, by Legal and a second person; read which were in force (R3)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applicable_rules import ApplicableRule
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.applicable_rules.entries import BEHALVES, KINDS, Entry, shipped
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import policy as change_policy
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.handling.levels import LEVELS
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

KIND = "applicable-rule"  # of a change request


@dataclass(frozen=True)
class Registered:
    """A rule of the register. ``version`` counts what Legal has entered; 0: as shipped, checked by nobody."""

    rule_id: str
    version: int
    entry: Entry


@dataclass(frozen=True)
class RecordedEntry:
    """One version as it was entered, with who entered it."""

    version: int
    at: datetime
    by: str
    reason: str
    entry: Entry


def read_all(uow: UnitOfWork) -> dict[str, Registered]:
    """Return the newest version of every rule, in one statement; those that are not in force too."""
    found = {rule_id: Registered(rule_id, 0, entry) for rule_id, entry in shipped().items()}
    rows = uow.session.execute(
        select(ApplicableRule.rule_id, ApplicableRule.version, ApplicableRule.entry).order_by(
            ApplicableRule.version, ApplicableRule.at, ApplicableRule.rule_id
        )
    )
    for rule_id, version, stored in rows:
        found[rule_id] = Registered(rule_id, version, Entry.from_json(stored))
    return found


def list_in_force(uow: UnitOfWork) -> list[Registered]:
    """Return the rules that are in force today: laws, then standards, then own rules."""
    today = uow.now.astimezone(ZoneInfo(uow.rules.zone)).date().isoformat()
    found = [one for one in read_all(uow).values() if one.entry.is_in_force(today)]
    return sorted(found, key=lambda one: KINDS.index(one.entry.kind))


def list_bearing_on(uow: UnitOfWork, on_behalf: str | None, levels: Collection[str]) -> list[Registered]:
    """Return the rules in force today that bear on an application for these people, of these levels."""
    return [one for one in list_in_force(uow) if one.entry.bears_on(on_behalf, levels)]


def list_versions(uow: UnitOfWork, rule_id: str) -> list[RecordedEntry]:
    """Return what was entered of a rule, the newest first; NotFound where there is no such rule."""
    query = (
        select(ApplicableRule, Person.name)
        .join(Person, Person.id == ApplicableRule.changed_by)
        .where(ApplicableRule.rule_id == rule_id)
        .order_by(ApplicableRule.version.desc())
    )
    found = [
        RecordedEntry(row.version, row.at, by, row.reason, Entry.from_json(row.entry))
        for row, by in uow.session.execute(query)
    ]
    if not found and rule_id not in shipped():
        raise NotFound(Message("applicable rule"), rule_id)
    return found


def may_change(uow: UnitOfWork) -> bool:
    """Return whether the acting person leads Legal, and so enters and changes the rules."""
    return uow.actor.kind == "person" and change_policy.may_ask(access_queries.load_directory(uow), KIND, uow.actor.id)


def change_rule(uow: UnitOfWork, rule_id: str | None, entry: Entry, reason: str, *, version: int) -> ApplicableRule:
    """Enter a rule (``rule_id`` None) or a new version of one, once a second person has confirmed it.

    ``version`` is the one that was seen. Refused for who does not lead Legal, and until it is confirmed.
    """
    if not may_change(uow):
        raise Refused(
            "legal-only",
            "Only the head of Legal or the deputy enters the rules that apply: ask one of them.",
            status=403,
        )
    administrators.lock_setup(uow)
    before = None
    if rule_id is not None:
        before = read_all(uow).get(rule_id)
        if before is None:
            raise NotFound(Message("applicable rule"), rule_id)
    if version != (before.version if before is not None else 0):
        raise Refused(
            "applicable-rule-changed", "Another person has just changed this rule: read it before you change it."
        )
    _check(entry)
    if before is not None and entry == before.entry:
        raise Refused("applicable-rule-same", "This is already what is entered: there is nothing to change.")
    payload = {
        "rule_id": rule_id,
        "version": version,
        "was": before.entry.as_json() if before is not None else None,
        "value": entry.as_json(),
        "reason": reason,
    }
    change_requests.authorise(uow, Change(KIND, None, payload))
    row = ApplicableRule(
        rule_id=rule_id or new_id(),
        version=version + 1,
        at=uow.now,
        changed_by=uow.actor.id,
        entry=entry.as_json(),
        reason=reason,
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(
        uow,
        "applicable-rule-changed",
        "applicable-rule",
        row.rule_id,
        version=row.version,
        old=payload["was"],
        new=payload["value"],
        reason=reason,
    )
    return row


def _check(entry: Entry) -> None:
    if entry.kind not in KINDS or not set(entry.on_behalf) <= set(BEHALVES) or not set(entry.levels) <= set(LEVELS):
        raise Refused("applicable-rule", "Choose kind, applications and levels from the lists.", status=422)
    for name, day in (("since", entry.since), ("until", entry.until)):
        if day and not _is_day(day):
            raise Refused("day", "Enter a day such as 2026-01-31.", status=422, field=name)
    if entry.since and entry.until and entry.until < entry.since:
        raise Refused(
            "days-reversed", "The last day lies before the first one: correct one of them.", status=422, field="until"
        )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
