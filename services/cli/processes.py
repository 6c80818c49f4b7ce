"""``footage-desk run``, ``portal``, ``worker``, and what comes before them: ``migrate``, ``deploy``."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from services.app import server, waiting_start
from services.app.container import (
    START,
    Container,
    check_models,
    locked_container,
    make_buckets,
    open_migrated_database,
)
from services.app.server import Addresses, Ready, Roles
from services.cli import model_deployment
from services.cli.context import console, fail, load_settings, log_to_file, reported_errors
from services.database import schema as database_schema
from services.runtime import data_folder
from services.runtime.channel import socket_answers
from services.runtime.clock import SystemClock
from services.runtime.errors import Retryable
from services.runtime.jobs.worker import WorkerError
from services.runtime.settings import Settings, unknown_variables, variable


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    _add_processes(app)
    _add_preparations(app)


def _add_processes(app: typer.Typer) -> None:
    @app.command()
    def run(
        demo: Annotated[
            bool,
            typer.Option("--demo", help="With the demo organisation, its recordings, and a clock that can be turned."),
        ] = False,
        cases: Annotated[
            bool,
            typer.Option(
                "--cases", help="Have the demo's people lead three dozen cases to every stage, unless there are cases."
            ),
        ] = False,
        log_to_terminal: Annotated[
            bool,
            typer.Option(
                "--log-to-terminal",
                help="With --demo at a terminal: log to it, and not to footage-desk.log in the data folder.",
            ),
        ] = False,
    ) -> None:
        """Run everything in this process: engine, workers, portal. Ctrl-C or SIGTERM stops it, and nothing is lost.

        It writes below FOOTAGE_DESK_DATA_DIR (var) and listens on FOOTAGE_DESK_PORTAL__PORT (8080).
        """
        from services.app import doctor  # noqa: PLC0415 - other processes start without these, a second earlier
        from services.cli import demonstration  # noqa: PLC0415 - as above
        from services.demo import organisation  # noqa: PLC0415 - as above

        settings = load_settings(quiet=True, **(organisation.settings() if demo else {}))
        console.print(
            f"Opening database, keys and footage store in {settings.data_dir}/ …", style="dim", soft_wrap=True
        )
        if settings.demo and not log_to_terminal:
            with reported_errors():
                log = log_to_file(settings)
            if log is not None:
                console.print(f"Logs go to {log}; --log-to-terminal shows them here.", style="dim", soft_wrap=True)
        with _opened(settings) as container:
            container.doctor = partial(doctor.examine, settings, unknown_variables())
            cases = cases and (not settings.demo or demonstration.can_lay_out(settings))
            shown = demonstration.of(container, cases=cases) if settings.demo else None
            if shown is not None:
                shown.prepare()
            console.print("Starting engine, workers and portal …", style="dim", soft_wrap=True)

            async def ready(addresses: Addresses) -> None:
                if shown is not None:
                    shown.print_accounts()
                console.print(f"\nFootage Desk · 录像调取台 is ready at [bold]{addresses.portal}[/]", soft_wrap=True)
                console.print(f"The API is described at {addresses.portal}/api/openapi.json", soft_wrap=True)
                console.print(f"Health and metrics are at {addresses.health}", soft_wrap=True)
                console.print("Ctrl-C stops it; the next start continues where this one stopped.\n")
                if shown is not None:
                    await shown.make_cases(addresses)

            _finish(server.run_until_signalled(container, server.all_roles(), ready))

    @app.command()
    def portal() -> None:
        """Run the portal, and the relay that hands its messages to the engine. Engine and workers run elsewhere.

        Needs ZEEBE_ADDRESS or an engine on the socket in FOOTAGE_DESK_DATA_DIR, and a database that footage-desk
        migrate has brought up to date.
        """
        from services.app import doctor  # noqa: PLC0415 - a worker does not need it

        with _opened(_settings_of_one_process("portal"), apart=True) as container:
            container.doctor = partial(doctor.examine, container.settings, unknown_variables(), portal=True)
            _finish(server.run_until_signalled(container, Roles(portal=True, relay=True), _report_ready("The portal")))

    @app.command()
    def worker(
        job_types: Annotated[
            list[str],
            typer.Argument(help="The job types, such as retrieve-footage. An unknown one prints all of them."),
        ],
    ) -> None:
        """Run the workers of these job types only; any number of processes may run the same types.

        Needs ZEEBE_ADDRESS or an engine on the socket in FOOTAGE_DESK_DATA_DIR, a database that footage-desk migrate
        has brought up to date, and the stores and keys that these job types use. A worker of encrypt-copy also removes
        abandoned parts of uploads.
        """
        try:
            roles = server.roles_for(job_types)
        except WorkerError as error:
            fail(str(error), 2)
        with _opened(_settings_of_one_process("worker"), apart=True) as container:
            _finish(server.run_until_signalled(container, roles, _report_ready("The worker")))


def _add_preparations(app: typer.Typer) -> None:
    @app.command()
    def deploy(
        folder: Annotated[
            Path | None,
            typer.Argument(help="The folder of the models; without it FOOTAGE_DESK_MODELS_DIR, or those shipped."),
        ] = None,
        unchecked: Annotated[
            str | None,
            typer.Option(
                metavar="REASON", help="Deploy the models though they are not checked; the audit trail keeps why."
            ),
        ] = None,
    ) -> None:
        """Check the models against the policy, deploy them to the engine, and enter that in the audit trail.

        What lint finds to correct stops it; advice is printed. Exits with 1 where something is to correct or a rule is
        broken, 2 where something was not decided, 3 where a file cannot be read; then nothing is deployed. The shipped
        models were checked when they were released. Unchanged content makes no new version. The engine is the one at
        ZEEBE_ADDRESS, or that of footage-desk run with the same FOOTAGE_DESK_DATA_DIR.
        """
        settings = load_settings()
        models_dir = folder or settings.models_dir
        with reported_errors():
            check_models(models_dir)
            given = settings.model_copy(update={"models_dir": models_dir})
            model_deployment.deploy(given, unchecked, named=folder is not None)

    @app.command()
    def migrate() -> None:
        """Migrate the database to the newest schema, and make the buckets of the S3 stores that the settings name.

        Running it again changes nothing.
        """
        settings = load_settings()
        settings = settings.model_copy(update={"database": settings.database.without_limits})
        with reported_errors(), data_folder.exclusive(settings):
            database = open_migrated_database(settings, SystemClock())
            try:
                database.run_now(START, lambda uow: uow.session.connection())
                database_schema.migrate(database.engine)
                stores = make_buckets(settings, database, SystemClock())
            finally:
                database.close()
        console.print("The database is at the newest schema.")
        for name in stores:
            console.print(f"The buckets of the {name} store are there, with object lock.")


def _settings_of_one_process(command: str) -> Settings:
    """Load the settings of a process that is one of several."""
    settings = load_settings()
    if settings.embedded:
        if not socket_answers(settings.gateway_address):
            fail(
                f"{variable('zeebe_address')} is not set, and footage-desk {command} starts no engine of its own: set "
                "it to the gateway's address, such as zeebe:26500, start footage-desk engine on the socket "
                f"{settings.gateway_address}, or run everything in one process with footage-desk run.",
                2,
            )
        settings = settings.model_copy(update={"zeebe_address": settings.gateway_address})
    if settings.demo:
        fail(
            f"{variable('demo')} is set, and a clock that can be turned belongs to one process: unset it for "
            f"footage-desk {command}, or run everything in one process with footage-desk run --demo.",
            2,
        )
    return settings


@contextmanager
def _opened(settings: Settings, *, apart: bool = False) -> Iterator[Container]:
    """Open the container; while the database is away, wait for it and answer liveness."""
    with reported_errors(), ExitStack() as stack:

        def attempt() -> Container:
            return stack.enter_context(locked_container(settings, apart=apart))

        try:
            container = attempt()
        except Retryable as error:
            if error.away is None:
                raise
            opened = asyncio.run(waiting_start.open_when_back(settings, attempt, error))
            if opened is None:
                raise typer.Exit(0) from None
            container = opened
        yield container


def _finish(work: Coroutine[Any, Any, None]) -> None:
    with reported_errors():
        asyncio.run(work)


def _report_ready(process: str) -> Ready:
    async def ready(addresses: Addresses) -> None:
        at = f" answers at {addresses.portal};" if addresses.portal else " works;"
        console.print(
            f"{process}{at} health and metrics are at {addresses.health}; its engine is {addresses.engine}.",
            soft_wrap=True,
        )

    return ready
