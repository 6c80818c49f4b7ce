"""Years that are simulated for tests: the demo set with a few of its numbers changed, and models read once."""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from edited_models import Model, add_stage, review

from services.designers.simulation import demo_year
from services.designers.simulation.draws import Spread, Weights
from services.designers.simulation.models import Models
from services.designers.simulation.profile import Absences, Camera, Profile
from services.designers.simulation.result import Result, StageFigures, result_of
from services.designers.simulation.run import run
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

CASES = 12
INTERPRETING = "interpreting"
HOUR = 3600.0


@cache
def shipped() -> Models:
    return Models(BPMN, list(discover()))


@cache
def demo() -> Profile:
    return demo_year.read()


def read(folder: Path) -> Models:
    return Models(folder, list(discover()))


def edited(folder: Path) -> Model:
    """A copy of the shipped models in the folder, open for an edit of the main process."""
    shutil.copytree(BPMN, folder)
    return Model(folder)


def with_one_more_review(folder: Path) -> Path:
    """A copy of the models in which an interpreter is asked before Security."""
    model = edited(folder)
    add_stage(folder, INTERPRETING, "翻译审核", "interpreter's review", ("approved", "returned"))
    model.insert("Flow_DepartmentApproved", review("Call_Interprets", INTERPRETING, "interpreted"), "Flow_Interpreted")
    model.save()
    return folder


def simulate(
    models: Models | None = None, profile: Profile | None = None, *, cases: int = CASES, seed: int = 1
) -> Result:
    models, profile = models or shipped(), profile or demo()
    return result_of(run(models, profile, cases=cases, seed=seed), models, profile, seed)


def stage_of(result: Result, code: str) -> StageFigures:
    """The figures of a stage, which some case has come to."""
    return next(stage for stage in result.stages if stage.name == f"stage {code}")


def with_absences(per_year: float, days: float) -> Profile:
    return replace(demo(), absences=Absences({}, per_year, Spread((days,))))


def deciding(stage: str, **changes: Any) -> Profile:
    """The demo set with another way in which one stage is decided."""
    known = demo().stages[stage]
    return replace(demo(), stages={**demo().stages, stage: replace(known, **changes)})


def keeping(days: float, preserve: str) -> Profile:
    """The demo set with recorders that keep footage for so many days, asked for an hour after it was recorded."""
    cameras = Weights([(Camera("ordinary", days), 1.0)])
    footage = replace(demo().footage, cameras=cameras, age=Spread((HOUR,)), unpreserved=0.0)
    return replace(demo(), footage=footage, rules=replace(demo().rules, preserve=preserve))
