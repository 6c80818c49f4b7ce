"""What all commands share: reading the settings, reporting errors as sentences, printing."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from services.runtime import data_folder
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError, unknown_variables

LOG_FILE = "footage-desk.log"
EXPECTED_ERRORS = (Fatal, Retryable, SettingsError)

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False, markup=False)


def load_settings(*, quiet: bool = False, **overrides: Any) -> Settings:
    """Load the settings and configure the logs by them.

    ``quiet``: on a terminal, log warnings only, unless the settings name a level.
    """
    try:
        settings = Settings.load(**overrides)
    except SettingsError as error:
        fail(str(error), 2)
    at_terminal = settings.log.format != "json" and sys.stderr.isatty()
    level_given = settings.is_given("log.level")
    level = "warning" if quiet and at_terminal and not level_given else settings.log.level
    configure_logs(level, settings.log.format)
    for sentence in unknown_variables():
        error_console.print(str(sentence), soft_wrap=True)
    return settings


def operator() -> str:
    """Return the account that the command runs under, for the audit trail; its number where it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # KeyError: before Python 3.13
        return f"uid {os.getuid()}"


def log_to_file(settings: Settings) -> Path | None:
    """Send the logs to a file in the data folder if they would go to a terminal; return the file.

    So a terminal shows the lines that are meant for it and nothing between them.
    """
    if not sys.stderr.isatty():
        return None
    data_folder.prepare(settings.data_dir)
    path = settings.data_dir / LOG_FILE
    # Open until the process ends, as the standard error is.
    configure_logs(settings.log.level, "json", path.open("a", encoding="utf-8"))
    return path


@contextmanager
def reported_errors() -> Iterator[None]:
    """Exit with the sentence of an expected error (2 for settings, else 1); show any other with its stack."""
    try:
        yield
    except (*EXPECTED_ERRORS, BaseExceptionGroup) as error:
        errors = _ungrouped(error)
        if not all(isinstance(member, EXPECTED_ERRORS) for member in errors):
            raise
        fail("\n".join(map(str, errors)), 2 if isinstance(errors[0], SettingsError) else 1)


def _ungrouped(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [inner for member in error.exceptions for inner in _ungrouped(member)]
    return [error]


def fail(sentence: str, code: int) -> NoReturn:
    """Print the sentence to the standard error and exit with the code."""
    error_console.print(sentence, soft_wrap=True)
    raise typer.Exit(code)


class Lang(StrEnum):
    """The language of a command's sentences."""

    zh = "zh"
    en = "en"


def say(text: str) -> None:
    """Print the text neither wrapped nor marked up."""
    console.print(text, markup=False, soft_wrap=True)
