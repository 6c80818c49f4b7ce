"""Rule changes: append-only; the latest of a rule overrides the environment in every process."""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from services.database.tables.rule_changes import RuleChange
from services.domain.rules.catalogue import RULES
from services.runtime.logs import get_logger
from services.runtime.rules import Rules

log = get_logger(__name__)


@event.listens_for(RuleChange, "before_update")
@event.listens_for(RuleChange, "before_delete")
def _append_only(_mapper: object, _connection: object, change: RuleChange) -> NoReturn:
    raise TypeError(f"rule change {change.seq} is history: write a new one")


@dataclass(frozen=True)
class _Cached:
    version: tuple[int, int, datetime | None]
    base: Rules
    rules: Rules


class RuleOverrides:
    """The current rules; one for each database, whose threads share what was read last."""

    def __init__(self) -> None:
        self._cached: _Cached | None = None

    def rules(self, session: Session, base: Rules) -> Rules:
        """Return ``base`` with the changes that this transaction sees.

        Takes one small query while nothing has changed.
        """
        # Not by the session, which would flush what is half written in it. The count is part of the version: on
        # PostgreSQL a change with a lower number may be committed later. So is the moment: one that was read and then
        # undone may be followed by another with its number.
        connection = session.connection()
        newest = select(func.max(RuleChange.seq), func.count(), func.max(RuleChange.at))
        last, count, at = connection.execute(newest).one()
        version = (last or 0, count, at)
        cached = self._cached
        if cached is None or cached.version != version or cached.base != base:
            changes = connection.execute(select(RuleChange.rule, RuleChange.new).order_by(RuleChange.seq))
            latest: dict[str, str | None] = {row.rule: row.new for row in changes}
            cached = self._cached = _Cached(version, base, _override(base, latest))
        return cached.rules


def _override(base: Rules, latest: dict[str, str | None]) -> Rules:
    rules = base
    for name, value in latest.items():
        if name not in RULES:
            log.warning("the book has a rule that this version does not know", rule=name)
        elif value is not None:
            rules = RULES[name].apply(rules, value)
    return rules
