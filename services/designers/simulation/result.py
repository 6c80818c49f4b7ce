"""What a simulated year came to, in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from services.designers.policy_check.report import Sentence
from services.designers.simulation.models import Models
from services.designers.simulation.profile import Profile
from services.designers.simulation.run import Ran
from services.designers.simulation.tally import DAY_SECONDS, IN_USE, StageTimes

HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class StageFigures:
    """One stage. Times are hours a visit; ``waited`` is the part in which nobody who may decide was free and there.

    ``per_case`` is the mean of all cases, also of those that never came there; ``share`` of the time of all stages
    but the use period, which is counted nowhere.
    """

    name: str
    zh: str
    en: str
    visits: int
    mean: float
    median: float
    ninetieth: float
    waited: float
    per_case: float
    share: float


@dataclass(frozen=True)
class Count:
    """How often something was: at an element, or of a stage."""

    zh: str
    en: str
    count: int
    element: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Recordings:
    """The recordings that were asked for. ``lost_before``: overwritten already when the application was submitted."""

    all: int
    preserved: int
    retrieved: int
    lost_before: int
    lost_waiting: int

    @property
    def lost(self) -> int:
        return self.lost_before + self.lost_waiting


@dataclass(frozen=True)
class Result:
    """A year. Durations are days from submission to end, without the time in which copies were in use."""

    source: str
    seed: int
    cases: int
    ended: int
    mean_days: float
    median_days: float
    ninetieth_days: float
    stages: Sequence[StageFigures]
    recordings: Recordings
    ends: Sequence[Count]
    timers: Sequence[Count]
    unended: Sequence[Count]
    stops: Sequence[Count]
    undecidable: Sequence[Count]
    cases_per_cpu_second: float

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "recordings": {**asdict(self.recordings), "lost": self.recordings.lost}}


def result_of(ran: Ran, models: Models, profile: Profile, seed: int) -> Result:
    """Return the figures of a run."""
    tally, words = ran.tally, models.words
    days = sorted(seconds / DAY_SECONDS for seconds in tally.durations)
    total = sum(sum(times.seconds) for name, times in tally.stages.items() if name != IN_USE)
    stages = [
        _stage(name, times, ran.cases, total, _name(models, name, times))
        for name, times in tally.stages.items()
        if name != IN_USE
    ]
    recordings = tally.recordings
    return Result(
        source=profile.source,
        seed=seed,
        cases=ran.cases,
        ended=tally.ended,
        mean_days=sum(days) / len(days) if days else 0,
        median_days=_quantile(days, 0.5),
        ninetieth_days=_quantile(days, 0.9),
        stages=sorted(stages, key=lambda stage: (-stage.share, stage.name)),
        recordings=Recordings(
            recordings["all"],
            recordings["preserved"],
            recordings["retrieved"],
            recordings["lost before the application"],
            recordings["lost while it waited"],
        ),
        ends=_counts(models, tally.ends),
        timers=_counts(models, tally.timers),
        unended=_counts(models, tally.unended),
        stops=[
            Count(*words.element(*place), count, place[1], detail)
            for (place, detail), count in tally.stops.most_common()
        ],
        undecidable=[Count(*words.stage(code), count) for code, count in tally.undecidable.most_common()],
        cases_per_cpu_second=ran.cases / ran.cpu_seconds if ran.cpu_seconds else 0,
    )


def _stage(name: str, times: StageTimes, cases: int, total: float, label: Sentence) -> StageFigures:
    ordered, whole = sorted(times.seconds), sum(times.seconds)
    return StageFigures(
        name,
        *label,
        visits=len(ordered),
        mean=whole / len(ordered) / HOUR_SECONDS,
        median=_quantile(ordered, 0.5) / HOUR_SECONDS,
        ninetieth=_quantile(ordered, 0.9) / HOUR_SECONDS,
        waited=sum(times.waits) / len(ordered) / HOUR_SECONDS,
        per_case=whole / max(cases, 1) / HOUR_SECONDS,
        share=whole / total if total else 0,
    )


def _name(models: Models, name: str, times: StageTimes) -> Sentence:
    kind, _, code = name.partition(" ")
    return models.words.stage(code) if kind == "stage" else models.words.element(*times.place)


def _counts(models: Models, counted: Mapping[tuple[str, str], int]) -> list[Count]:
    found = [Count(*models.words.element(*place), count, place[1]) for place, count in counted.items()]
    return sorted(found, key=lambda count: (-count.count, count.element))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that so many lie at or below (nearest rank); 0 of none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0
