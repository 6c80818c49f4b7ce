"""A walk through a case as a test chooses it: answers by what waits for them, until something is reached."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from services.designers.play.choices import Choice, choices, with_values
from services.designers.play.models import Models, load
from services.designers.play.walk import Step, Walk
from services.runtime.jobs.worker import Worker, discover
from services.runtime.places import BPMN

# How each job and review ends unless a test says otherwise: an ordinary case that is lent and returned.
USUAL: Mapping[str, Mapping[str, Any]] = {
    "open-case": {"duplicate": False, "itemIds": ["item-1"], "correctionPeriod": "P6D", "applicationNumber": "SQ-1"},
    "preliminary-review": {"applicationComplete": True, "onBehalf": False},
    "security-review": {
        "securityFindings": 0,
        "cameraClass": "ordinary",
        "securityInvolved": False,
        "managementInvolved": False,
    },
    "retrieve-footage": {"coverage": 1, "recordNumber": "DQ-1"},
}


@cache
def workers() -> tuple[Worker, ...]:
    return tuple(discover())


@cache
def shipped() -> Models:
    """The shipped models, loaded once: a walk changes nothing of them."""
    return load(BPMN, workers(), items=1)


class PlayedCase:
    def __init__(self, models: Models | None = None) -> None:
        self.walk = Walk(models or shipped())

    @property
    def about(self) -> list[str]:
        """The job types, stages and messages that wait for an answer."""
        return [choice.about for choice in self.choices()]

    def choices(self) -> list[Choice]:
        return choices(self.walk.models, self.walk.case)

    def waiting(self, about: str) -> Choice:
        return next(choice for choice in self.choices() if choice.about == about)

    def answer(self, about: str, code: str | None = None, **values: Any) -> Step:
        """Give an answer, the first one there is without a code, with these values instead of the usual ones."""
        choice = self.waiting(about)
        answer = choice.answers[0] if code is None else choice.answer(code)
        given = {**answer.moves[0].values, **USUAL.get(about, {}), **values} if choice.kind != "job" or not code else {}
        given.pop("decision", None)
        if answer.code.startswith("error-"):
            return self.walk.choose(answer.moves[0])
        return self.walk.choose(with_values(answer, given))

    def until(self, about: str) -> "PlayedCase":
        """Answer what waits as usual, reviews favourably, until this waits; the clock turns where nothing else can."""
        for _ in range(60):
            if about in self.about:
                return self
            usual = [choice.about for choice in self.choices() if choice.kind in ("job", "decision")]
            if not usual:
                break
            self.answer(usual[0])
        raise LookupError(f"{about} did not come; now there are {self.about}")
