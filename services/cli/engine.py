"""``footage-desk engine …``: what runs in the embedded engine, for people without Operate (docs/operations.md)."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import engine_process
from services.engine.inspection.client import InspectionError, query_engine
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable

Data = Annotated[
    Path | None,
    typer.Option(help="The engine's data folder; without it that of footage-desk run, by FOOTAGE_DESK_DATA_DIR."),
]
Process = Annotated[str, typer.Option(help="Of this process alone, by its BPMN id.")]
Element = Annotated[str, typer.Option(help="At this element alone, by its BPMN id.")]
OfInstance = Annotated[int, typer.Option("--instance", help="Of this instance alone, by its key.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, with all that is known.")]
Retries = Annotated[int, typer.Option(min=1, help="How often a job may be tried again.")]
Key = Annotated[int, typer.Argument(help="Its key.")]


class State(StrEnum):
    """Which instances: all that run, those without or with an incident, or those that have ended."""

    running = "running"
    active = "active"
    incident = "incident"
    ended = "ended"


class JobState(StrEnum):
    any = "any"
    activatable = "activatable"
    activated = "activated"
    backing_off = "backing-off"
    failed = "failed"
    error_thrown = "error-thrown"


@dataclass(frozen=True)
class Counter:
    """Where the commands ask, and how they answer; ``sentences`` leaves with the sentence of what went wrong."""

    settings: Callable[[], Settings]
    sentences: Callable[[], AbstractContextManager[None]]
    say: Callable[[str], None]

    def asked(self, data: Path | None, question: str, **given: Any) -> Any:
        """The engine's answer; Fatal where there is none."""
        folder = data
        if folder is None:
            loaded = self.settings()
            if not loaded.embedded:
                raise Fatal(
                    f"the engine is not ours | {variable('zeebe_address')} is {loaded.zeebe_address} | Operate shows "
                    "what runs in Camunda | look there; or name with --data the folder of a footage-desk engine here"
                )
            folder = loaded.data_dir / "engine"
        try:
            return query_engine(folder, question, **given)
        except InspectionError as error:
            raise Fatal(str(error)) from error

    def show(self, lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        for row in _rows(lines, columns):
            self.say(row)

    def table(self, lines: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
        if as_json:
            self.say(json.dumps(lines, ensure_ascii=False, indent=1))
        elif lines:
            self.show(lines, columns)
        else:
            self.say("There is none.")


def commands(
    settings: Callable[[], Settings], sentences: Callable[[], AbstractContextManager[None]], say: Callable[[str], None]
) -> typer.Typer:
    """``footage-desk engine`` and its commands."""
    app = typer.Typer()
    app.callback(invoke_without_command=True)(engine_process.run)
    counter = Counter(settings, sentences, say)
    _add_looks(app, counter)
    _add_acts(app, counter)
    return app


def _add_looks(app: typer.Typer, counter: Counter) -> None:
    @app.command()
    def instances(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        state: Annotated[State, typer.Option(help="Which of them.")] = State.running,
        key: Annotated[int, typer.Option(help="This one alone, by its key.")] = 0,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List process instances: those that run, or have ended."""
        with counter.sentences():
            wanted = {"process": process, "element": element, "text": str(key or ""), "limit": limit}
            narrowed = "" if state is State.running else state.value
            lines = counter.asked(data, "instances", state=narrowed, **wanted)
            counter.table(
                lines, ("key", "process_id", "version", "state", "incidents", "began", "ended"), as_json=as_json
            )

    @app.command()
    def instance(key: Key, data: Data = None, as_json: AsJson = False) -> None:
        """Show one instance: where it stands and waits for what, its incidents, its jobs, and the way it came."""
        with counter.sentences():
            found = _known(counter.asked(data, "instance", key=key), key)
            if as_json:
                counter.say(json.dumps(found, ensure_ascii=False, indent=1))
                return
            counter.show([found["line"]], _INSTANCE)
            for place in found["places"]:
                place["awaits"] = ", ".join(_awaited(one) for one in place["awaits"])
            for title, name, columns in _PARTS:
                if found[name]:
                    counter.say(f"\n{title}")
                    counter.show(found[name], columns)
            if not found["whole"]:
                counter.say("What happened earlier is not shown.")

    @app.command()
    def variables(key: Key, data: Data = None, as_json: AsJson = False) -> None:
        """Print the variables of one instance, each with the element that it belongs to."""
        with counter.sentences():
            _known(counter.asked(data, "instance", key=key), key)
            counter.table(
                counter.asked(data, "variables", instance_key=key), ("scope_id", "name", "value"), as_json=as_json
            )

    @app.command()
    def incidents(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        instance: OfInstance = 0,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List open incidents: what failed, where, why, and the keys by which it is resolved."""
        with counter.sentences():
            wanted = {"process": process, "element": element, "instance": instance, "limit": limit}
            counter.table(counter.asked(data, "incidents", **wanted), _INCIDENT, as_json=as_json)

    @app.command()
    def jobs(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        instance: OfInstance = 0,
        job_type: Annotated[str, typer.Option("--type", help="Of this job type alone.")] = "",
        state: Annotated[JobState, typer.Option(help="Which of them.")] = JobState.any,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List jobs that are not done yet: who works on them, and how many tries are left."""
        with counter.sentences():
            narrowed = "" if state is JobState.any else state.value.upper().replace("-", "_")
            wanted = {"process": process, "element": element, "instance": instance, "type": job_type, "limit": limit}
            counter.table(counter.asked(data, "jobs", state=narrowed, **wanted), _JOB, as_json=as_json)


def _add_acts(app: typer.Typer, counter: Counter) -> None:
    @app.command()
    def resolve(key: Key, retries: Retries = 3, data: Data = None) -> None:
        """Resolve one incident once its cause is removed; its job, where it has one, gets its tries back."""
        with counter.sentences():
            _done(counter.asked(data, "retry", incident_key=key, retries=retries))
        counter.say(f"Incident {key} is resolved.")

    @app.command()
    def retry(  # noqa: PLR0917 - each is an option of the command line
        instance: Annotated[int, typer.Argument(help="The key of an instance; 0 for those of all.")] = 0,
        process: Process = "",
        element: Element = "",
        everything: Annotated[bool, typer.Option("--all", help="Every incident there is.")] = False,
        retries: Retries = 3,
        data: Data = None,
    ) -> None:
        """Resolve all incidents of an instance, or of a process or element, once their cause is removed."""
        with counter.sentences():
            if not (instance or process or element or everything):
                raise Fatal(
                    "nothing was retried | it was not said what | name an instance, --process, --element or --all"
                )
            wanted = {"process": process, "element": element, "instance": instance, "limit": 10_000}
            found = counter.asked(data, "incidents", descending=False, **wanted)
            for one in found:
                _done(counter.asked(data, "retry", incident_key=one["key"], retries=retries))
        counter.say(f"{len(found)} incidents are resolved." if len(found) != 1 else "1 incident is resolved.")

    @app.command("retries")
    def set_retries(
        key: Annotated[int, typer.Argument(help="The job's key.")],
        number: Annotated[int, typer.Argument(min=1, help="How often it may be tried again.")],
        data: Data = None,
    ) -> None:
        """Set how often a job may be tried again."""
        with counter.sentences():
            _done(counter.asked(data, "set_retries", job_key=key, retries=number))
        counter.say(f"Job {key} may be tried {number} times.")


_MOMENTS = ("began", "ended", "since", "due")
_INSTANCE = ("key", "process_id", "version", "state", "incidents", "began", "ended")
_INCIDENT = ("key", "instance_key", "process_id", "element_id", "error_type", "since", "job_key", "message")
_JOB = ("key", "instance_key", "element_id", "type", "state", "retries", "worker", "due", "error")
_PARTS = (
    ("Where it stands", "places", ("element_id", "kind", "state", "since", "incident", "awaits")),
    ("Incidents", "incidents", ("key", "element_id", "error_type", "since", "job_key", "message")),
    ("Jobs", "jobs", ("key", "element_id", "type", "state", "retries", "worker", "due", "error")),
    ("The way it came", "passages", ("element_id", "kind", "began", "ended", "how")),
)


def _rows(lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """A line for each, below their names; the last column is as long as it is."""
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[_cell(column, line[column]) for column in columns] for line in lines]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns) - 1)] + [0]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(column: str, value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in _MOMENTS:
        return datetime.fromisoformat(value).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)


def _awaited(one: dict[str, Any]) -> str:
    told = one["name"] or one["key"]
    return f"{one['kind']} {told}" + (f" at {_cell('due', one['due'])}" if one["due"] else "")


def _known(found: Any, key: int) -> Any:
    if found is None:
        raise Fatal(f"there is no such instance | {key} | it never was, or its records are gone | list them: instances")
    return found


def _done(refused: str | None) -> None:
    if refused is not None:
        raise Fatal(refused)
