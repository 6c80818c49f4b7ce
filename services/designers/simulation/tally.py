"""Add up what happens in a simulated year, element by element and stage by stage."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from services.designers.simulation.case import Place, SimulatedCase
from services.designers.simulation.models import Models
from services.domain.process.messages import COPY_RETURNED
from services.engine.model.bpmn import ElementType

IN_USE = f"message {COPY_RETURNED}"
DAY_SECONDS = 86400.0
Numbers: TypeAlias = "array[float]"
"""A year has a hundred thousand of them."""


@dataclass
class Visits:
    """How often something was visited, and for how long altogether (s)."""

    count: int = 0
    seconds: float = 0

    @property
    def mean(self) -> float:
        return self.seconds / self.count if self.count else 0


@dataclass
class StageTimes:
    """The visits of one stage in s; of reviews, how long each waited for somebody who was free and there."""

    place: Place
    seconds: Numbers = field(default_factory=lambda: array("d"))
    waits: Numbers = field(default_factory=lambda: array("d"))


class Tally:
    """Figures of a run. ``stages`` are named ``stage CODE``, ``job TYPE``, ``message NAME`` or ``wait ELEMENT``."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._names: dict[Place, str | None] = {}
        self.elements: dict[Place, Visits] = defaultdict(Visits)
        self.stages: dict[str, StageTimes] = {}
        self.timers: Counter[Place] = Counter()
        self.ends: Counter[Place] = Counter()
        self.stops: Counter[tuple[Place, str]] = Counter()
        self.durations: Numbers = array("d")
        self.ended = 0
        self.unended: Counter[Place] = Counter()
        self.recordings: Counter[str] = Counter()
        self.undecidable: Counter[str] = Counter()

    def left(self, case: SimulatedCase, place: Place, since: datetime, until: datetime) -> None:
        """Add the visit of an element that has ended."""
        seconds = (until - since).total_seconds()
        visits = self.elements[place]
        visits.count += 1
        visits.seconds += seconds
        name = self._name(place)
        if name is None:
            return
        if name == IN_USE:
            case.in_use += seconds
        times = self.stages.get(name)
        if times is None:
            times = self.stages[name] = StageTimes(place)
        times.seconds.append(seconds)

    def waited(self, stage: str, wait: timedelta) -> None:
        """Add how long an open review waited for somebody after it was looked at."""
        times = self.stages.get(f"stage {stage}")
        if times is not None:
            times.waits.append(wait.total_seconds())

    def close(self, case: SimulatedCase, horizon: datetime) -> None:
        """Add what a case comes to: when it has ended, or when the simulated time has."""
        if case.ended is None:
            for place in case.waiting_elements(self._models.review_processes):
                self.unended[place] += 1
        else:
            self.ended += 1
            self.durations.append((case.ended - case.arrival.at).total_seconds() - case.in_use)
        for recording in case.recordings.values():
            self.recordings["all"] += 1
            self.recordings["preserved"] += recording.preserved is not None
            self.recordings["retrieved"] += recording.retrieved is not None
            lost = recording.lost
            if case.ended is None and recording.preserved is None and recording.retrieved is None:
                lost = recording.item.kept_share(horizon) < 1
            if lost:
                early = recording.item.kept_share(case.arrival.at) < 1
                self.recordings["lost before the application" if early else "lost while it waited"] += 1

    def _name(self, place: Place) -> str | None:
        """Return the stage that an element is; None for gateways, phases, and what a review is made of."""
        if place not in self._names:
            self._names[place] = self._find_name(place)
        return self._names[place]

    def _find_name(self, place: Place) -> str | None:
        element = self._models.element(*place)
        if element is None or place[0] in self._models.review_processes:
            return None
        for kind, what in (("stage", element.stage), ("job", element.job_type), ("message", element.message)):
            if what is not None and element.kind not in ("startEvent", "boundaryEvent"):
                return f"{kind} {what}"
        return f"wait {element.id}" if element.kind in ("intermediateCatchEvent", "userTask") else None


def passes(record: Mapping[str, object]) -> bool:
    """Return whether a record of an element is of one that is drawn: not of the body around several instances."""
    return record["bpmnElementType"] not in (ElementType.PROCESS, ElementType.MULTI_INSTANCE_BODY)
