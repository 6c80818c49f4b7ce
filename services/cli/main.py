"""``footage-desk …``: each command translates its arguments and calls the room that does the work."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.app import doctor as app_doctor
from services.app import server
from services.app.container import START, Container, alone, check_models, locked_container, open_register
from services.app.server import Addresses, Parts, Ready
from services.cli import audit, bench, engine, evidence, keys, operations
from services.cli import backup as keeping
from services.cli import bpmn as designing
from services.database import schema as database_schema
from services.demo import organisation, situations, walk
from services.demo.organisation import Account
from services.demo.people import Stuck
from services.designers import policy_coverage as policy_book
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.worker import WorkerError
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError, unknown_variables, variable

FORESEEN = (Fatal, Retryable, SettingsError)
SETTINGS = "Settings come from the environment: docs/settings.md lists them, footage-desk doctor checks them."

app = typer.Typer(
    help="Footage Desk: an organisation's rules for retrieving video recordings.",
    epilog=SETTINGS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
policy = typer.Typer(help="The policy, and what satisfies it.", no_args_is_help=True)
app.add_typer(policy, name="policy")
console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False, markup=False)


@app.command()
def run(
    demo: Annotated[
        bool, typer.Option("--demo", help="With the demo organisation, its recordings, and a clock that can be turned.")
    ] = False,
    cases: Annotated[
        bool,
        typer.Option("--cases", help="Have the demo's people bring a dozen cases to every stage, if there is none."),
    ] = False,
) -> None:
    """Run everything in this process: engine, workers, portal. Ctrl-C or SIGTERM ends it, and nothing is lost.

    What it writes is under FOOTAGE_DESK_DATA_DIR (var); it listens on FOOTAGE_DESK_PORTAL__PORT (8080).
    """
    loaded = _settings(quiet=True, **(organisation.settings() if demo else {}))
    _say(f"Opening books, keys and footage store in {loaded.data_dir}/ …")
    with _opened(loaded) as container:
        container.doctor = partial(app_doctor.examine, loaded, unknown_variables())
        accounts: list[Account] = []
        if loaded.demo:
            _say("Laying out the demo organisation and its recordings of yesterday …")
            accounts = organisation.prepare(container, situations.RECORDED if cases else (1,))
        _say("Starting engine, workers and portal …")

        async def ready(addresses: Addresses) -> None:
            if accounts:
                console.print("\nAccounts of the demo organisation", style="bold")
                console.print(_accounts(accounts))
            console.print(f"\nFootage Desk · 录像调取台 is ready at [bold]{addresses.portal}[/]", soft_wrap=True)
            console.print(f"The API describes itself at {addresses.portal}/api/openapi.json", soft_wrap=True)
            console.print(f"Health and metrics are at {addresses.health}", soft_wrap=True)
            console.print("Ctrl-C stops it; the next start goes on where this one stopped.\n")
            if accounts and cases:
                await _lay_out_cases(container, addresses, accounts)

        _finish(server.run_until_signalled(container, server.everything(), ready))


async def _lay_out_cases(container: Container, addresses: Addresses, accounts: list[Account]) -> None:
    """Cases are for looking at: a demo that cannot have them runs all the same, and says why."""
    passwords = {account.login: account.password for account in accounts}
    console.print("The demo's people are bringing a dozen cases to every stage; it takes about a minute.")
    try:
        day = (container.clock.now() - timedelta(days=1)).date()
        if made := await situations.lay_out(addresses.portal or "", passwords, day):
            console.print(
                f"{made} cases are there; the clock of the demo is turned {situations.AHEAD.days} days ahead.\n"
            )
    except Stuck as error:
        complaints.print(f"The cases stopped half-way: {error}")


@app.command()
def portal() -> None:
    """Run the portal, and the relay that takes its messages to the engine. Engine and workers run elsewhere.

    Needs ZEEBE_ADDRESS, and a database that footage-desk migrate has brought up to date.
    """
    with _opened(_apart("portal"), apart=True) as container:
        container.doctor = partial(app_doctor.examine, container.settings, unknown_variables(), portal=True)
        _finish(server.run_until_signalled(container, Parts(portal=True, relay=True), _ready("The portal")))


@app.command()
def worker(
    job_types: Annotated[
        list[str],
        typer.Argument(help="What to do, such as retrieve-footage. A type that nobody does prints all there are."),
    ],
) -> None:
    """Run the workers of these job types alone, as many processes of it as you like.

    Needs ZEEBE_ADDRESS, a database that footage-desk migrate has brought up to date, and of stores and keys what
    these job types use. Who does encrypt-copy also removes what dead uploads have left.
    """
    try:
        parts = server.only(job_types)
    except WorkerError as error:
        _leave(str(error), 2)
    with _opened(_apart("worker"), apart=True) as container:
        _finish(server.run_until_signalled(container, parts, _ready("The worker")))


@app.command()
def deploy() -> None:
    """Deploy the models to the engine at ZEEBE_ADDRESS; the same content again makes no new version."""
    loaded = _settings()
    with _sentences():
        check_models(loaded.models_dir)

    async def work() -> None:
        channel = open_channel(loaded)
        try:
            versions = await server.deploy(PyzeebeEngineClient(channel), loaded.models_dir)
            for name, version in sorted(versions.items()):
                console.print(f"{name} version {version}")
        finally:
            await channel.close()

    _finish(work())


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema. Running it again changes nothing."""
    loaded = _settings()
    with _sentences(), alone(loaded):
        database = open_register(loaded, SystemClock())
        try:
            database.run_now(START, lambda uow: uow.session.connection())
            database_schema.migrate(database.engine)
        finally:
            database.close()
    console.print("The database is at the newest schema.")


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="The folder for everything that is written; what is in it goes.")] = Path(
        "var/demo"
    ),
) -> None:
    """Take one application through every step with no person, and check what came of it. Ends with 0 when all holds."""
    raise typer.Exit(asyncio.run(walk.demonstrate(data, console)))


@policy.command("coverage")
def policy_coverage(root: Annotated[Path, typer.Option(help="A checkout of Footage Desk.")] = Path()) -> None:
    """Print each requirement with the elements that satisfy it and the tests that show it."""
    try:
        requirements = policy_book.coverage(root)
    except OSError as error:
        _leave(f"{error.filename} is not there: run this in a checkout of Footage Desk, or name one with --root", 1)
    table = Table("requirement", "where", "policy", "elements", "tests")
    for one in requirements:
        table.add_row(one.number, one.where, one.phrase, ", ".join(one.elements) or "—", ", ".join(one.tests) or "—")
    console.print(table)
    drawn = sum(bool(one.elements) for one in requirements)
    shown = sum(bool(one.tests) for one in requirements)
    console.print(f"{len(requirements)} requirements, {drawn} in the models, {shown} shown by tests.")


@app.command("doctor")
def examine(
    demo: Annotated[bool, typer.Option("--demo", help="With the settings of run --demo.")] = False,
) -> None:
    """Check every setting and part, and say in a sentence what to do. Ends with 0 when all is well, else with 1."""
    configure_logs("error")
    try:
        loaded = Settings.load(**(organisation.settings() if demo else {}))
    except SettingsError as error:
        _leave("\n".join(f"✗ settings: {line}" for line in str(error).splitlines()), 1)
    found = asyncio.run(app_doctor.examine(loaded, unknown_variables()))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for line in found:
        table.add_row("[green]✓[/]" if line.well else "[red]✗[/]", escape(line.part), escape(line.sentence))
    console.print(table)
    raise typer.Exit(0 if all(line.well for line in found) else 1)


def _settings(*, quiet: bool = False, **overrides: Any) -> Settings:
    """The settings, with the logs set up by them; ``quiet`` shows people at a terminal what they have to know only."""
    try:
        loaded = Settings.load(**overrides)
    except SettingsError as error:
        _leave(str(error), 2)
    at_terminal = loaded.log.format != "json" and sys.stderr.isatty()
    chosen = loaded.is_given("log.level")
    configure_logs("warning" if quiet and at_terminal and not chosen else loaded.log.level, loaded.log.format)
    for sentence in unknown_variables():
        complaints.print(sentence, soft_wrap=True)
    return loaded


def _apart(command: str) -> Settings:
    """The settings of a process that is one of several."""
    loaded = _settings()
    if loaded.embedded:
        _leave(
            f"{variable('zeebe_address')} is not set, and footage-desk {command} starts no engine of its own: set it "
            "to the gateway's address, such as zeebe:26500, or run everything in one process with footage-desk run.",
            2,
        )
    if loaded.demo:
        _leave(
            f"{variable('demo')} is set, and a clock that can be turned belongs to one process: unset it for "
            f"footage-desk {command}, or run everything in one process with footage-desk run --demo.",
            2,
        )
    return loaded


@contextmanager
def _opened(settings: Settings, *, apart: bool = False) -> Iterator[Container]:
    with _sentences(), locked_container(settings, apart=apart) as container:
        yield container


def _finish(work: Coroutine[Any, Any, None]) -> None:
    with _sentences():
        asyncio.run(work)


@contextmanager
def _sentences() -> Iterator[None]:
    """Leave with the sentence of what the set-up or a part of it cannot do; what nobody foresaw is shown whole."""
    try:
        yield
    except (*FORESEEN, BaseExceptionGroup) as error:
        leaves = _leaves(error)
        if not all(isinstance(leaf, FORESEEN) for leaf in leaves):
            raise
        _leave("\n".join(map(str, leaves)), 2 if isinstance(leaves[0], SettingsError) else 1)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


def _leave(sentence: str, code: int) -> NoReturn:
    complaints.print(sentence, soft_wrap=True)
    raise typer.Exit(code)


def _say(sentence: str) -> None:
    console.print(sentence, style="dim", soft_wrap=True)


def _plainly(text: str) -> None:
    """As it is: neither wrapped nor marked up."""
    console.print(text, markup=False, soft_wrap=True)


def _ready(who: str) -> Ready:
    async def ready(addresses: Addresses) -> None:
        at = f" answers at {addresses.portal};" if addresses.portal else " works;"
        console.print(
            f"{who}{at} health and metrics are at {addresses.health}; its engine is {addresses.engine}.",
            soft_wrap=True,
        )

    return ready


def _accounts(accounts: list[Account]) -> Table:
    """One line for each, also on 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("account", "password", "name", "department", "what for"):
        table.add_column(heading, no_wrap=True)
    for account in accounts:
        table.add_row(account.login, account.password, account.name, account.department_zh, account.does)
    return table


designing.add_to(app, _sentences)
keeping.add_to(app, _settings, _sentences, _plainly)
evidence.add_to(app, _settings, _sentences, _plainly)
app.add_typer(audit.commands(_settings, _sentences, _plainly), name="audit")
app.add_typer(keys.commands(_settings, _sentences, _plainly), name="keys")
app.add_typer(bench.commands(_settings, _sentences, _plainly), name="bench")
operations.add_to(app, _settings, _sentences, _plainly)
app.add_typer(engine.commands(_settings, _sentences, _plainly), name="engine")
