"""The command ``footage-desk``. A separate engine starts without loading the rest, in a fraction of the time."""

import sys
from importlib import import_module

import typer

INSPECTING = {"instances", "instance", "variables", "incidents", "jobs", "resolve", "retry", "retries"}


def main() -> None:
    """Run the command line, and exit with its code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["engine"] and not {"--help", *INSPECTING}.intersection(arguments):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command()(import_module("services.cli.engine_process").run)
        alone(arguments[1:], prog_name="footage-desk engine")
    else:
        import_module("services.cli.main").app()
