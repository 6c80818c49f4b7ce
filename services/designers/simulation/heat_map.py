"""Draw on the models where the time of a simulated year goes: the warmer an element, the more of it."""

from collections.abc import Iterator
from math import sqrt

from services.designers.drawing import Mark, draw_marks
from services.designers.simulation.models import Models
from services.designers.simulation.tally import DAY_SECONDS, Tally, Visits
from services.runtime.models import Model

COLD, HOT = (255, 250, 240), (240, 90, 60)
_UNITS = ((DAY_SECONDS, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def draw(models: Models, tally: Tally, language: str) -> Iterator[tuple[str, str]]:
    """Yield each plane that a case passed, by the element whose plane it is, as SVG."""
    for process_id, model in models.diagrams.items():
        visits = {place[1]: found for place, found in tally.elements.items() if place[0] == process_id}
        yield from draw_marks(model, language, _marks(model, visits, language))


def _marks(model: Model, visits: dict[str, Visits], language: str) -> dict[str, Mark]:
    """Colour by the share of what lies in the same scope, so that each plane shows where its own time goes."""
    marks: dict[str, Mark] = {}
    for element_id, found in visits.items():
        element = model.elements.get(element_id)
        if element is None:
            continue
        beside = [other.seconds for name, other in visits.items() if _scope(model, name) == element.scope]
        share, heat = found.seconds / (sum(beside) or 1), sqrt(found.seconds / (max(beside) or 1))
        said = (
            f"{found.count} 次，平均 {_short(found.mean)}，占本层 {share:.0%}"
            if language == "zh"
            else f"{found.count} times, {_short(found.mean)} on average, {share:.0%} of this plane"
        )
        if found.seconds:
            marks[element_id] = Mark(_colour(heat), _short(found.mean), said)
    return marks


def _scope(model: Model, element_id: str) -> str | None:
    element = model.elements.get(element_id)
    return None if element is None else element.scope


def _colour(heat: float) -> str:
    return "#" + "".join(f"{round(cold + (hot - cold) * heat):02x}" for cold, hot in zip(COLD, HOT, strict=True))


def _short(seconds: float) -> str:
    """Return a time in two or three characters: 1.5d, 20h, 5m."""
    for length, unit in _UNITS:
        if seconds >= length:
            amount = seconds / length
            return f"{amount:.1f}{unit}" if amount < 9.95 else f"{amount:.0f}{unit}"
    return "0s"
