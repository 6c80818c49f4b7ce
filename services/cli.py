"""``footage-desk …``: each command translates its arguments and calls the room that does the work."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from services import bootstrap, doctor
from services import policy as policy_book
from services.bootstrap import Addresses, House, Parts
from services.demo import organisation, walk
from services.engine import main as engine_main
from services.register import schema
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError, unknown_variables
from services.runtime.worker import WorkerError

P = ParamSpec("P")
T = TypeVar("T")

app = typer.Typer(
    help="Footage Desk: an organisation's rules for retrieving video recordings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
policy = typer.Typer(help="The policy, and what satisfies it.", no_args_is_help=True)
app.add_typer(policy, name="policy")
console = Console()
complaints = Console(stderr=True)

DATA = Annotated[Path | None, typer.Option(help="The folder for everything that is written.")]


@app.command()
def run(
    demo: Annotated[bool, typer.Option("--demo", help="With the demo organisation and a clock to turn.")] = False,
) -> None:
    """Run everything in this process: engine, workers, portal."""
    loaded = _settings(**(organisation.settings() if demo else {}))
    house = _guarded(bootstrap.open_house, loaded)
    accounts = organisation.prepare(house) if loaded.demo else []

    async def ready(addresses: Addresses) -> None:
        console.print(f"\nFootage Desk · 录像调取台 is ready at [bold]{addresses.portal}[/bold]")
        console.print(f"API description {addresses.portal}/api/openapi.json · health and metrics {addresses.health}")
        if accounts:
            console.print(_accounts(accounts))
        console.print("Ctrl-C stops it; the next start goes on where this one stopped.\n")

    _finish(bootstrap.run_until_signalled(house, bootstrap.everything(), ready))


@app.command()
def portal() -> None:
    """Run the portal with the relay of its messages; engine and workers run elsewhere."""
    _finish(bootstrap.run_until_signalled(_house(), Parts(portal=True, relay=True)))


@app.command()
def worker(job_types: Annotated[list[str], typer.Argument(help="Job types, such as retrieve-footage.")]) -> None:
    """Run the workers of these job types alone."""
    try:
        parts = bootstrap.only(job_types)
    except WorkerError as error:
        _leave(str(error), 2)
    _finish(bootstrap.run_until_signalled(_house(), parts))


@app.command()
def engine(
    address: Annotated[str, typer.Option(help="Where the gateway listens.")] = "127.0.0.1:26500",
    data: Annotated[Path | None, typer.Option(help="The folder of its state; in memory when not given.")] = None,
    management: Annotated[str | None, typer.Option(help="Where the controlled clock answers.")] = None,
    controlled_clock: Annotated[bool, typer.Option("--controlled-clock", help="A clock that can be turned.")] = False,
    records: Annotated[Path | None, typer.Option(help="A file that gets every record, one JSON object a line.")] = None,
) -> None:
    """Run the embedded engine by itself."""
    try:
        engine_main.run(
            typer.echo,
            address,
            data=data,
            management=management,
            controlled_clock=controlled_clock,
            records=records,
        )
    except RuntimeError as error:
        _leave(str(error), 1)


@app.command()
def deploy() -> None:
    """Deploy the models to the engine; the same content again makes no new version."""
    loaded = _settings()

    async def work() -> None:
        channel = open_channel(loaded)
        try:
            for name, version in sorted((await bootstrap.deploy(PyzeebeEngineClient(channel))).items()):
                console.print(f"{name} version {version}")
        finally:
            await channel.close()

    _finish(work())


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    register = _guarded(bootstrap.open_register, _settings(), SystemClock())
    schema.migrate(register.engine)
    console.print("The database is at the newest schema.")


@app.command()
def demo(data: DATA = None) -> None:
    """Take one application through every step with no person, and check what came of it."""
    raise typer.Exit(asyncio.run(walk.demonstrate(data or Path("var/demo"), console)))


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
def examine() -> None:
    """Check every setting and part, and say in a sentence what to do."""
    try:
        loaded = Settings.load()
    except SettingsError as error:
        _leave(str(error), 1)
    found = asyncio.run(doctor.examine(loaded, unknown_variables()))
    for line in found:
        console.print(f"[{'green' if line.well else 'red'}]{'✓' if line.well else '✗'}[/] {line.part}: {line.sentence}")
    raise typer.Exit(0 if all(line.well for line in found) else 1)


def _house() -> House:
    return _guarded(bootstrap.open_house, _settings())


def _settings(**overrides: Any) -> Settings:
    try:
        loaded = Settings.load(**overrides)
    except SettingsError as error:
        _leave(str(error), 2)
    configure_logs(loaded.log_level, loaded.log_format)
    for sentence in unknown_variables():
        complaints.print(sentence)
    return loaded


def _guarded(build: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return build(*arguments, **named)
    except (Fatal, Retryable, SettingsError) as error:
        _leave(str(error), 1)


def _finish(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except* (Fatal, Retryable, SettingsError) as group:
        _leave("\n".join(str(error) for error in _leaves(group)), 1)


def _leaves(group: BaseException) -> list[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        return [leaf for error in group.exceptions for leaf in _leaves(error)]
    return [group]


def _leave(sentence: str, code: int) -> NoReturn:
    complaints.print(sentence, markup=False, highlight=False)
    raise typer.Exit(code)


def _accounts(accounts: list[Any]) -> Table:
    table = Table(title="Accounts of the demo organisation", title_justify="left")
    for heading in ("account", "password", "name", "department", "what for"):
        table.add_column(heading)
    for account in accounts:
        table.add_row(account.login, account.password, account.name, account.department_zh, account.does)
    return table
