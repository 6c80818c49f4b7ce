"""A path that ``policy check --paths`` wrote, made ready for an engine with a clock of its own, and played there."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golden_scenario import CoreEngine
from golden_steps import Engine, Steps

from services.designers.policy_check.in_memory import START
from services.engine.state.records import Record

_WEEK = timedelta(weeks=1)
_MOMENT = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"')


class PlayedPath(Steps):
    """Says nothing of versions: the engine may have earlier ones of the same processes."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        super().__init__(folder, engine)
        self._instances: set[int] = set()

    def run(self) -> dict[str, Any]:
        report: dict[str, Any] = _without_versions(super().run())
        return report

    def clean_up(self) -> None:
        # A message began the case, and no call has told its key; on an engine that tells no records its jobs do.
        self._instances.update(job.processInstanceKey for jobs in self.jobs.values() for job in jobs)
        if self.records is None:
            self.names |= {f"#{key}": key for key in self._instances}
        super().clean_up()

    def _job_key(self, step: dict[str, Any]) -> int:
        job = self._job(step["job"])
        self.jobs[job.type].remove(job)  # a later step means another
        self._instances.add(job.processInstanceKey)
        return job.key


def _without_versions(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _without_versions(value) for name, value in told.items() if name != "version"}
    return [_without_versions(one) for one in told] if isinstance(told, list) else told


def start_after(moment: float) -> datetime:
    """The next moment after this one, in ms since 1970, that is whole weeks after the start of every path.

    Weekdays and hours are then those of the path, which timers go by.
    """
    weeks = (datetime.fromtimestamp(moment / 1000, UTC) - START) // _WEEK + 1
    return START + weeks * _WEEK


def make_ready(path: Path, to: Path, start: datetime) -> Path:
    """Copy a path's folder to where it is played from ``start`` on; the jobs that its last step begins are fetched too.

    Raises AssertionError where the engine's own core refuses a step.
    """
    shutil.copytree(path, to)
    spec = json.loads((to / "scenario.json").read_text(encoding="utf-8"))
    last = len(spec["steps"])
    _, records = _on_the_core(to, spec)
    began = [r.value["type"] for step, r in records if (step, r.value_type, r.intent) == (last, "JOB", "CREATED")]
    spec["steps"] += [{"do": "activate", "type": job_type} for job_type in dict.fromkeys(began)]
    answers, _ = _on_the_core(to, spec)
    _write(to, _MOMENT.sub(lambda found: _later(found[1], start - START), json.dumps(spec)), answers)
    return to


def _on_the_core(folder: Path, spec: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[int, Record]]]:
    _write(folder, json.dumps(spec), [{}] * len(spec["steps"]))
    scenario = PlayedPath(folder, CoreEngine())
    answers: list[dict[str, Any]] = scenario.run()["steps"]
    assert [answer["status"] for answer in answers] == ["OK"] * len(answers)
    return answers, scenario.records or []


def _write(folder: Path, scenario: str, answers: list[dict[str, Any]]) -> None:
    (folder / "scenario.json").write_text(scenario, encoding="utf-8")
    (folder / "golden.json").write_text(json.dumps({"order": "set", "steps": answers}), encoding="utf-8")


def _later(moment: str, by: timedelta) -> str:
    later = datetime.fromisoformat(moment) + by
    return f'"{later.isoformat().replace("+00:00", "Z")}"'
