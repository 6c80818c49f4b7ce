"""``footage-desk engine …``: inspect the embedded engine without Operate (docs/operations.md)."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import engine_process
from services.cli.context import load_settings, reported_errors, say
from services.engine.inspection.client import InspectionError, query_engine
from services.runtime.errors import Fatal
from services.runtime.settings import variable

Data = Annotated[
    Path | None,
    typer.Option(help="The engine's data folder; by default that of footage-desk run, below FOOTAGE_DESK_DATA_DIR."),
]
Process = Annotated[str, typer.Option(help="Only of this process, by its BPMN id.")]
Element = Annotated[str, typer.Option(help="Only at this element, by its BPMN id.")]
OfInstance = Annotated[int, typer.Option("--instance", help="Only of this instance, by its key.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The most to list, newest first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON with every field.")]
Retries = Annotated[int, typer.Option(min=1, help="How many more times a job may be tried.")]
Key = Annotated[int, typer.Argument(help="Its key.")]


class State(StrEnum):
    """Which instances: all that run, those without or with an incident, or ended ones."""

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


def _query(data: Path | None, operation: str, **parameters: Any) -> Any:
    """Run an operation of the engine in this data folder; raises Fatal if it cannot be reached."""
    folder = data
    if folder is None:
        settings = load_settings()
        if not settings.embedded:
            raise Fatal(
                f"the embedded engine does not run | {variable('zeebe_address')} is {settings.zeebe_address} | Operate "
                "shows what runs in Camunda | use Operate; or name with --data the folder of a footage-desk engine"
            )
        folder = settings.data_dir / "engine"
    try:
        return query_engine(folder, operation, **parameters)
    except InspectionError as error:
        raise Fatal(str(error)) from error


def _print_rows(lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    for row in _rows(lines, columns):
        say(row)


def _print_table(lines: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(lines, ensure_ascii=False, indent=1))
    elif lines:
        _print_rows(lines, columns)
    else:
        say("There is none.")


def add_to(app: typer.Typer) -> None:
    """Add the group ``engine``."""
    group = typer.Typer()
    app.add_typer(group, name="engine")
    group.callback(invoke_without_command=True)(engine_process.run)
    _add_queries(group)
    _add_acts(group)


def _add_queries(group: typer.Typer) -> None:
    @group.command()
    def instances(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        state: Annotated[State, typer.Option(help="In which state.")] = State.running,
        key: Annotated[int, typer.Option(help="Only this one, by its key.")] = 0,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List process instances, running or ended."""
        with reported_errors():
            filters = {"process": process, "element": element, "text": str(key or ""), "limit": limit}
            state_filter = "" if state is State.running else state.value
            lines = _query(data, "instances", state=state_filter, **filters)
            _print_table(
                lines,
                ("key", "bpmn_process_id", "version", "state", "incidents", "start_date", "end_date"),
                as_json=as_json,
            )

    @group.command()
    def instance(key: Key, data: Data = None, as_json: AsJson = False) -> None:
        """Show one instance: active elements and what they wait for, incidents, jobs, and all element instances."""
        with reported_errors():
            details = _known(_query(data, "instance", key=key), key)
            if as_json:
                say(json.dumps(details, ensure_ascii=False, indent=1))
                return
            _print_rows([details["process_instance"]], _INSTANCE)
            for element in details["active_elements"]:
                element["wait_states"] = ", ".join(_describe_wait(wait) for wait in element["wait_states"])
            for title, name, columns in _PARTS:
                if details[name]:
                    say(f"\n{title}")
                    _print_rows(details[name], columns)
            if not details["history_complete"]:
                say("Earlier elements are not shown.")

    @group.command()
    def variables(key: Key, data: Data = None, as_json: AsJson = False) -> None:
        """Print the variables of one instance, each with its element."""
        with reported_errors():
            _known(_query(data, "instance", key=key), key)
            _print_table(
                _query(data, "variables", process_instance_key=key), ("scope_id", "name", "value"), as_json=as_json
            )

    @group.command()
    def incidents(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        instance: OfInstance = 0,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List open incidents: what failed, where, why, and the keys to resolve it."""
        with reported_errors():
            filters = {"process": process, "element": element, "instance": instance, "limit": limit}
            _print_table(_query(data, "incidents", **filters), _INCIDENT, as_json=as_json)

    @group.command()
    def jobs(  # noqa: PLR0917 - each is an option of the command line
        process: Process = "",
        element: Element = "",
        instance: OfInstance = 0,
        job_type: Annotated[str, typer.Option("--type", help="Only of this job type.")] = "",
        state: Annotated[JobState, typer.Option(help="In which state.")] = JobState.any,
        limit: Limit = 50,
        data: Data = None,
        as_json: AsJson = False,
    ) -> None:
        """List open jobs: their workers, and the retries left."""
        with reported_errors():
            state_filter = "" if state is JobState.any else state.value.upper().replace("-", "_")
            filters = {"process": process, "element": element, "instance": instance, "type": job_type, "limit": limit}
            _print_table(_query(data, "jobs", state=state_filter, **filters), _JOB, as_json=as_json)


def _add_acts(group: typer.Typer) -> None:
    @group.command()
    def resolve(key: Key, retries: Retries = 3, data: Data = None) -> None:
        """Resolve one incident after its cause was removed; its job, if it has one, gets new retries."""
        with reported_errors():
            _check(_query(data, "retry", incident_key=key, retries=retries))
        say(f"Incident {key} is resolved.")

    @group.command()
    def retry(  # noqa: PLR0917 - each is an option of the command line
        instance: Annotated[int, typer.Argument(help="The key of an instance; 0 for all instances.")] = 0,
        process: Process = "",
        element: Element = "",
        everything: Annotated[bool, typer.Option("--all", help="Every open incident.")] = False,
        retries: Retries = 3,
        data: Data = None,
    ) -> None:
        """Resolve all incidents of an instance, process or element, after their cause was removed."""
        with reported_errors():
            if not (instance or process or element or everything):
                raise Fatal(
                    "nothing was retried | no incident is named | name an instance, --process, --element or --all"
                )
            filters = {"process": process, "element": element, "instance": instance, "limit": 10_000}
            incidents = _query(data, "incidents", descending=False, **filters)
            for incident in incidents:
                _check(_query(data, "retry", incident_key=incident["key"], retries=retries))
        say(f"{len(incidents)} incidents are resolved." if len(incidents) != 1 else "1 incident is resolved.")

    @group.command("retries")
    def set_retries(
        key: Annotated[int, typer.Argument(help="The job's key.")],
        number: Annotated[int, typer.Argument(min=1, help="How many more times it may be tried.")],
        data: Data = None,
    ) -> None:
        """Set how many more times a job may be tried."""
        with reported_errors():
            _check(_query(data, "update_job_retries", job_key=key, retries=number))
        say(f"Job {key} may be tried {number} times.")


_MOMENTS = ("start_date", "end_date", "creation_time", "deadline", "due_date")
_INSTANCE = ("key", "bpmn_process_id", "version", "state", "incidents", "start_date", "end_date")
_INCIDENT = (
    "key", "process_instance_key", "bpmn_process_id", "element_id", "error_type", "creation_time", "job_key",
    "error_message",
)  # fmt: skip
_JOB = (
    "key", "process_instance_key", "element_id", "type", "state", "retries", "worker", "deadline", "error_message",
)  # fmt: skip
_PARTS = (
    (
        "Active elements",
        "active_elements",
        ("element_id", "element_type", "state", "start_date", "has_incident", "wait_states"),
    ),
    ("Incidents", "incidents", ("key", "element_id", "error_type", "creation_time", "job_key", "error_message")),
    ("Jobs", "jobs", ("key", "element_id", "type", "state", "retries", "worker", "deadline", "error_message")),
    ("Element instances", "element_instances", ("element_id", "element_type", "start_date", "end_date", "state")),
)


def _rows(lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """Yield a heading and a row for each line; the last column is not padded."""
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


def _describe_wait(wait: dict[str, Any]) -> str:
    text = f"{wait['kind']} {wait['name'] or wait['key']}"
    return f"{text} at {_cell('due_date', wait['due_date'])}" if wait["due_date"] else text


def _known(details: Any, key: int) -> Any:
    if details is None:
        raise Fatal(
            f"there is no such instance | {key} | it never existed, or its records were removed | list them: instances"
        )
    return details


def _check(refused: str | None) -> None:
    if refused is not None:
        raise Fatal(refused)
