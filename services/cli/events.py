"""``footage-desk events …``: the register's history for process-mining tools."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.domain.cases.event_log import export as event_log
from services.domain.cases.event_log.file import new_file
from services.domain.stages.catalogue import STAGES
from services.domain.wiring import command_database
from services.runtime import data_folder

ACTOR = Actor("system", "events")
LEAST_REASON = 4  # characters


def add_to(app: typer.Typer) -> None:
    """Add the group ``events``."""
    group = typer.Typer(help="The register's history as an event log, for process mining.", no_args_is_help=True)
    app.add_typer(group, name="events")
    group.callback()(lambda: None)  # a group with one command would leave its name out

    @group.command()
    def export(
        to: Annotated[Path, typer.Option(help="The file to write; one that exists is not replaced.")],
        format_: Annotated[
            event_log.Format, typer.Option("--format", help="ocel: OCEL 2.0, as JSON; xes: IEEE 1849.")
        ] = event_log.Format.OCEL,
        since: Annotated[
            datetime | None, typer.Option(help="Only cases submitted from this day or moment on, in the site's time.")
        ] = None,
        until: Annotated[datetime | None, typer.Option(help="Only cases submitted before it.")] = None,
        names: Annotated[
            str | None,
            typer.Option(help="Name people instead of codes; say why. The reason is entered in the audit trail."),
        ] = None,
    ) -> None:
        """Write the history of the cases: who did what when, to which items, reviews and copies.

        People are codes that differ in each export. No reasons, purposes or subjects. Writes an audit event.
        """
        named_because = None if names is None else names.strip()
        if named_because is not None and len(named_because) < LEAST_REASON:
            raise typer.BadParameter("say why people are to be named", param_hint="--names")
        settings = load_settings()
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database, new_file(to) as file:
            if settings.models_dir is not None:
                STAGES.use(settings.models_dir)
            database.read_now(ACTOR, database_schema.check)
            zone = ZoneInfo(database.read_now(ACTOR, lambda uow: uow.rules.zone))
            # The trail has the export before the file has its name.
            written = database.read_now(
                ACTOR,
                event_log.export,
                file,
                format_,
                since=_moment(since, zone),
                until=_moment(until, zone),
                named_because=named_because,
            )
        say(f"{to}: {written.events} events of {written.cases} cases.")
        if named_because is None:
            say("A reader of the register can find out who a code is: protect the file as you protect the register.")


def _moment(given: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if given is None else given.replace(tzinfo=zone).astimezone(UTC)
