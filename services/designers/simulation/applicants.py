"""What applicants and custodians do besides reviews: correct, withdraw, return, lose, ask for more time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.designers.simulation.answers import MOMENT
from services.designers.simulation.case import SimulatedCase
from services.designers.simulation.draws import Draws
from services.designers.simulation.models import Models
from services.designers.simulation.profile import Profile
from services.domain.process.messages import (
    APPLICATION_CORRECTED,
    APPLICATION_WITHDRAWN,
    COPY_LOST,
    COPY_RETURNED,
    LOAN_CLOSED,
    USE_PERIOD_CHANGED,
)

OWN_MESSAGE = timedelta(days=1)
"""How long a message of the designer's own takes, of which no history can tell."""


@dataclass(frozen=True)
class Sending:
    """A message that comes at a moment."""

    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


class Senders:
    """Says when what a case waits for comes."""

    def __init__(self, models: Models, profile: Profile, draws: Draws) -> None:
        self._models, self._draws = models, draws
        self._habits = profile.applicants
        self._own: Mapping[str, Callable[[SimulatedCase, datetime], Sending | None]] = {
            APPLICATION_CORRECTED: self._correction,
            APPLICATION_WITHDRAWN: self._withdrawal,
            COPY_RETURNED: self._return,
            USE_PERIOD_CHANGED: self._extension,
            LOAN_CLOSED: self._loss,
            COPY_LOST: self._loss,
        }

    def sending(self, case: SimulatedCase, message: str, now: datetime) -> Sending | None:
        """Return when a message comes that a case begins to wait for now; None where it never does."""
        own = self._own.get(message)
        if own is not None:
            return own(case, now)
        [values, *_] = self._models.world.message(message) or [{}]
        return Sending(now + OWN_MESSAGE, values)

    def _correction(self, case: SimulatedCase, now: datetime) -> Sending | None:
        round_ = case.corrections + 1
        if self._draws.share("corrects", case.id, round_) >= self._habits.corrects:
            return None
        seconds = self._habits.correction.at(self._draws.share("correction", case.id, round_))
        return Sending(now + timedelta(seconds=seconds), {"itemIds": list(case.recordings)})

    def _withdrawal(self, case: SimulatedCase, now: datetime) -> Sending | None:
        """Return the one withdrawal of a case, counted from its submission, where the case still takes it."""
        if self._draws.share("withdraws", case.id) >= self._habits.withdraws:
            return None
        at = case.arrival.at + timedelta(seconds=self._habits.withdrawal.at(self._draws.share("withdrawal", case.id)))
        return Sending(at) if at >= now else None

    def _return(self, case: SimulatedCase, now: datetime) -> Sending:
        share = self._habits.returned.at(self._draws.share("returned", case.id))
        began = now if case.due is None else case.due - timedelta(days=case.use_days)
        return Sending(max(now, began + share * timedelta(days=case.use_days)))

    def _loss(self, case: SimulatedCase, now: datetime) -> Sending | None:
        if self._draws.share("loses", case.id) >= self._habits.loses:
            return None
        at = now + self._draws.share("loss", case.id) * timedelta(days=case.use_days)
        return Sending(at, {"loanOutcome": "lost"})

    def _extension(self, case: SimulatedCase, now: datetime) -> Sending | None:
        """Return the one extension of a loan: as long again, asked for before it is due."""
        if case.times["extension"] or self._draws.share("extends", case.id) >= self._habits.extends:
            return None
        length = timedelta(days=case.use_days)
        case.nth("extension")
        due = (case.due or now + length) + length
        return Sending(now + self._draws.share("extension", case.id) * length, {"dueAt": due.strftime(MOMENT)})
