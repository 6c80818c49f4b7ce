"""What people decide in a simulated review, and which variables a decision brings."""

from datetime import datetime, timedelta
from typing import Any

from services.designers.policy_check.world import DUE_AT, MARKS
from services.designers.simulation.answers import MOMENT
from services.designers.simulation.case import SimulatedCase
from services.designers.simulation.demo_year import FAVOURABLE
from services.designers.simulation.draws import Draws, Weights, word
from services.designers.simulation.profile import Profile
from services.domain.stages.schema import Stage


class Decisions:
    """Draws the outcome of a review: by the stage's own weights, or for one that nobody knows, by those of others."""

    def __init__(self, profile: Profile, draws: Draws) -> None:
        self._profile, self._draws = profile, draws
        self._outcomes: dict[str, Weights[str]] = {}
        self._values = {
            name: Weights(dict(weights))
            for name, weights in profile.values.items()
            if any(weight > 0 for weight in weights.values())
        }

    def decide(self, case: SimulatedCase, stage: Stage, number: int, now: datetime) -> dict[str, Any]:
        """Return the variables of the ``number``-th decision of a stage in a case."""
        outcome = self._weights(stage).at(self._draws.share("decision", case.id, stage.code, number))
        values: dict[str, Any] = {"decision": outcome}
        for name in stage.returns:
            if name == DUE_AT:
                values[name] = self._due(case, outcome == stage.favourable, now)
            elif name in MARKS:
                values[name] = self._mark(case, stage, name)
            else:
                values[name] = self._value(case, stage, name)
        return values

    def _weights(self, stage: Stage) -> Weights[str]:
        if stage.code not in self._outcomes:
            known = self._profile.deciding(stage.code).outcomes
            weights = {outcome: known.get(outcome, 0.0) for outcome in stage.outcomes}
            if not any(weights.values()):
                others = len(stage.outcomes) - 1
                share = known.get(FAVOURABLE, 1.0)
                weights = dict.fromkeys(stage.outcomes, (1 - share) / others) | {stage.favourable: share}
            self._outcomes[stage.code] = Weights(weights)
        return self._outcomes[stage.code]

    def _mark(self, case: SimulatedCase, stage: Stage, name: str) -> bool:
        """Return a mark of importance; a stage that may not lower one keeps it."""
        if case.marks.get(name) and not stage.may_lower:
            return True
        # one that was asked before and left out stays so: nobody raises by chance what was looked at
        if name not in case.marks or stage.may_lower:
            case.marks[name] = self._value(case, stage, name) is True
        return case.marks[name]

    def _value(self, case: SimulatedCase, stage: Stage, name: str) -> Any:
        weights = self._values.get(name)
        if weights is None:
            return None
        return unworded(weights.at(self._draws.share("value", case.id, stage.code, name)))

    @staticmethod
    def _due(case: SimulatedCase, accepted: bool, now: datetime) -> str | None:
        if not accepted:
            return None
        case.due = now + timedelta(days=case.use_days)
        return case.due.strftime(MOMENT)


def unworded(text: str) -> Any:
    """Return the value that ``draws.word`` writes as this text."""
    for value in (True, False, None):
        if word(value) == text:
            return value
    return int(text) if text.isdecimal() else text
