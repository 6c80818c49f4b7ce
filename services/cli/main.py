"""``footage-desk …``: each command reads its arguments and calls the package that does the work."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from services.app import doctor as app_doctor
from services.app import server
from services.app.container import START, Container, check_models, locked_container, open_migrated_database
from services.app.server import Addresses, Ready, Roles
from services.cli import audit, backup, bench, bpmn, engine, evidence, keys, operations
from services.cli.context import console, error_console, fail, load_settings, reported_errors
from services.database import schema as database_schema
from services.demo import organisation, situations, walk
from services.demo.organisation import Account
from services.demo.people import StepFailed
from services.designers.policy_coverage import coverage as read_coverage
from services.runtime import data_folder
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.jobs.worker import WorkerError
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError, unknown_variables, variable

SETTINGS = "Settings come from the environment: docs/settings.md lists them, footage-desk doctor checks them."

app = typer.Typer(
    help="Footage Desk: an organisation's rules for retrieving video recordings.",
    epilog=SETTINGS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
policy = typer.Typer(help="The policy's requirements, and what satisfies them.", no_args_is_help=True)
app.add_typer(policy, name="policy")


@app.command()
def run(
    demo: Annotated[
        bool, typer.Option("--demo", help="With the demo organisation, its recordings, and a clock that can be turned.")
    ] = False,
    cases: Annotated[
        bool,
        typer.Option(
            "--cases", help="Have the demo's people lead a dozen cases to every stage, unless there are cases."
        ),
    ] = False,
) -> None:
    """Run everything in this process: engine, workers, portal. Ctrl-C or SIGTERM stops it, and nothing is lost.

    It writes below FOOTAGE_DESK_DATA_DIR (var) and listens on FOOTAGE_DESK_PORTAL__PORT (8080).
    """
    settings = load_settings(quiet=True, **(organisation.settings() if demo else {}))
    console.print(f"Opening database, keys and footage store in {settings.data_dir}/ …", style="dim", soft_wrap=True)
    with _opened(settings) as container:
        container.doctor = partial(app_doctor.examine, settings, unknown_variables())
        accounts: list[Account] = []
        if settings.demo:
            console.print(
                "Preparing the demo organisation and its recordings of yesterday …", style="dim", soft_wrap=True
            )
            accounts = organisation.prepare(container, situations.RECORDED if cases else (1,))
        console.print("Starting engine, workers and portal …", style="dim", soft_wrap=True)

        async def ready(addresses: Addresses) -> None:
            if accounts:
                console.print("\nAccounts of the demo organisation", style="bold")
                console.print(_accounts(accounts))
            console.print(f"\nFootage Desk · 录像调取台 is ready at [bold]{addresses.portal}[/]", soft_wrap=True)
            console.print(f"The API is described at {addresses.portal}/api/openapi.json", soft_wrap=True)
            console.print(f"Health and metrics are at {addresses.health}", soft_wrap=True)
            console.print("Ctrl-C stops it; the next start continues where this one stopped.\n")
            if accounts and cases:
                await _lay_out_cases(container, addresses, accounts)

        _finish(server.run_until_signalled(container, server.all_roles(), ready))


async def _lay_out_cases(container: Container, addresses: Addresses, accounts: list[Account]) -> None:
    """Make the demo's cases; if that fails, say why and let the demo run without them."""
    passwords = {account.login: account.password for account in accounts}
    console.print("The demo's people are leading a dozen cases to every stage; it takes about a minute.")
    try:
        day = (container.clock.now() - timedelta(days=1)).date()
        if made := await situations.lay_out(addresses.portal or "", passwords, day):
            console.print(
                f"{made} cases are there; the clock of the demo is turned {situations.AHEAD.days} days ahead.\n"
            )
    except StepFailed as error:
        error_console.print(f"The cases stopped half-way: {error}")


@app.command()
def portal() -> None:
    """Run the portal, and the relay that hands its messages to the engine. Engine and workers run elsewhere.

    Needs ZEEBE_ADDRESS, and a database that footage-desk migrate has brought up to date.
    """
    with _opened(_settings_of_one_process("portal"), apart=True) as container:
        container.doctor = partial(app_doctor.examine, container.settings, unknown_variables(), portal=True)
        _finish(server.run_until_signalled(container, Roles(portal=True, relay=True), _report_ready("The portal")))


@app.command()
def worker(
    job_types: Annotated[
        list[str],
        typer.Argument(help="The job types, such as retrieve-footage. An unknown one prints all of them."),
    ],
) -> None:
    """Run the workers of these job types only; any number of processes may run the same types.

    Needs ZEEBE_ADDRESS, a database that footage-desk migrate has brought up to date, and the stores and keys that
    these job types use. A worker of encrypt-copy also removes abandoned parts of uploads.
    """
    try:
        roles = server.roles_for(job_types)
    except WorkerError as error:
        fail(str(error), 2)
    with _opened(_settings_of_one_process("worker"), apart=True) as container:
        _finish(server.run_until_signalled(container, roles, _report_ready("The worker")))


@app.command()
def deploy() -> None:
    """Deploy the models to the engine at ZEEBE_ADDRESS; unchanged content makes no new version."""
    settings = load_settings()
    with reported_errors():
        check_models(settings.models_dir)

    async def work() -> None:
        channel = open_channel(settings)
        try:
            versions = await server.deploy(PyzeebeEngineClient(channel), settings.models_dir)
            for name, version in sorted(versions.items()):
                console.print(f"{name} version {version}")
        finally:
            await channel.close()

    _finish(work())


@app.command()
def migrate() -> None:
    """Migrate the database to the newest schema. Running it again changes nothing."""
    settings = load_settings()
    with reported_errors(), data_folder.exclusive(settings):
        database = open_migrated_database(settings, SystemClock())
        try:
            database.run_now(START, lambda uow: uow.session.connection())
            database_schema.migrate(database.engine)
        finally:
            database.close()
    console.print("The database is at the newest schema.")


@app.command()
def demo(
    data: Annotated[
        Path, typer.Option(help="The folder for everything that is written; its content is deleted first.")
    ] = Path("var/demo"),
) -> None:
    """Lead one application through every step without a person, and check the result. Exits with 0 if all is well."""
    raise typer.Exit(asyncio.run(walk.demonstrate(data, console)))


@policy.command("coverage")
def policy_coverage(root: Annotated[Path, typer.Option(help="A checkout of Footage Desk.")] = Path()) -> None:
    """Print each requirement with the elements that satisfy it and the tests that show it."""
    try:
        requirements = read_coverage(root)
    except OSError as error:
        fail(f"{error.filename} is not there: run this in a checkout of Footage Desk, or name one with --root", 1)
    table = Table("requirement", "where", "policy", "elements", "tests")
    for requirement in requirements:
        elements, tests = ", ".join(requirement.elements) or "—", ", ".join(requirement.tests) or "—"
        table.add_row(requirement.number, requirement.where, requirement.phrase, elements, tests)
    console.print(table)
    in_models = sum(bool(requirement.elements) for requirement in requirements)
    tested = sum(bool(requirement.tests) for requirement in requirements)
    console.print(f"{len(requirements)} requirements, {in_models} in the models, {tested} shown by tests.")


@app.command("doctor")
def examine(
    demo: Annotated[bool, typer.Option("--demo", help="With the settings of run --demo.")] = False,
) -> None:
    """Check every setting and part, and say what to do. Exits with 0 if all is well, else with 1."""
    configure_logs("error")
    try:
        settings = Settings.load(**(organisation.settings() if demo else {}))
    except SettingsError as error:
        fail("\n".join(f"✗ settings: {line}" for line in str(error).splitlines()), 1)
    findings = asyncio.run(app_doctor.examine(settings, unknown_variables()))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for line in findings:
        table.add_row("[green]✓[/]" if line.well else "[red]✗[/]", escape(line.part), escape(line.sentence))
    console.print(table)
    raise typer.Exit(0 if all(line.well for line in findings) else 1)


def _settings_of_one_process(command: str) -> Settings:
    """Load the settings of a process that is one of several."""
    settings = load_settings()
    if settings.embedded:
        fail(
            f"{variable('zeebe_address')} is not set, and footage-desk {command} starts no engine of its own: set it "
            "to the gateway's address, such as zeebe:26500, or run everything in one process with footage-desk run.",
            2,
        )
    if settings.demo:
        fail(
            f"{variable('demo')} is set, and a clock that can be turned belongs to one process: unset it for "
            f"footage-desk {command}, or run everything in one process with footage-desk run --demo.",
            2,
        )
    return settings


@contextmanager
def _opened(settings: Settings, *, apart: bool = False) -> Iterator[Container]:
    with reported_errors(), locked_container(settings, apart=apart) as container:
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


def _accounts(accounts: list[Account]) -> Table:
    """Return a table of the accounts that fits into 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("account", "password", "name", "department", "what for"):
        table.add_column(heading, no_wrap=True)
    for account in accounts:
        table.add_row(account.login, account.password, account.name, account.department_zh, account.does)
    return table


for group in (bpmn, backup, evidence, audit, keys, bench, operations, engine):
    group.add_to(app)
