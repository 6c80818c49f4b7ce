"""The command ``footage-desk``. Each loads its own module alone; all of them take a second of the processor more."""

import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

import typer

SETTINGS = "Settings come from the environment: docs/settings.md lists them, footage-desk doctor checks them."
# The module of this package that has the command; whatever is not here loads all of them, as --help does.
MODULES = {
    **dict.fromkeys(("run", "portal", "worker", "deploy", "migrate"), "processes"),
    **dict.fromkeys(("backup", "restore"), "backup"),
    **dict.fromkeys(("package", "verify", "verifier"), "evidence"),
    **dict.fromkeys(("resolve", "modify", "accept-loss", "administrator"), "operations"),
    **dict.fromkeys(("demo",), "demonstration"),
    **dict.fromkeys(("simulate",), "simulation"),
    **{
        name: name
        for name in (
            "audit",
            "bench",
            "bpmn",
            "doctor",
            "engine",
            "events",
            "inspection",
            "keys",
            "models",
            "people",
            "play",
            "policy",
            "storage",
        )
    },
}
INSPECTING = {"instances", "instance", "variables", "incidents", "jobs", "resolve", "retry", "retries"}


def main() -> None:
    """Run the command line, and exit with its code."""
    os.umask(0o077)  # what any command writes is for this account alone
    gc.disable()  # what is imported stays to the end: to look for garbage in it took a sixth of each start
    run = _load(sys.argv[1:])
    gc.freeze()
    gc.enable()
    run()


def _load(arguments: list[str]) -> Callable[[], object]:
    """Import what these arguments need; call the result to run it."""
    if arguments[:1] == ["engine"] and not {"--help", *INSPECTING}.intersection(arguments):
        # Loads nothing but the engine.
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command()(import_module("services.cli.engine_process").run)
        return partial(alone, arguments[1:], prog_name="footage-desk engine")
    if (module := MODULES.get(next(iter(arguments), ""))) is not None:
        app = make_app()
        import_module(f"services.cli.{module}").add_to(app)
        return app
    whole: typer.Typer = import_module("services.cli.main").app
    return whole


def make_app() -> typer.Typer:
    """Return the command line without a command."""
    app = typer.Typer(
        help="Footage Desk: an organisation's rules for retrieving video recordings.",
        epilog=SETTINGS,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # A command line with one command would leave its name out.
    app.callback()(lambda: None)
    return app
