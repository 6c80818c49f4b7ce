"""``footage-desk package`` and ``footage-desk verify``: arguments, and what is said of the outcome."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from services.app.container import Container, open_container
from services.app.evidence import sources_of
from services.evidence import package as packaging
from services.evidence.announcement import Say, announce
from services.runtime.settings import Settings
from services.verifier import main as verifying
from services.verifier.layout import file_name
from services.verifier.report import BROKEN, UNKNOWN


class Footage(StrEnum):
    """How the footage goes along."""

    clear = "clear"
    sealed = "sealed"
    hash = "hash"


class Lang(StrEnum):
    """The languages of the report."""

    both = "both"
    zh = "zh"
    en = "en"


def add_to(
    app: typer.Typer,
    settings: Callable[[], Settings],
    sentences: Callable[[], AbstractContextManager[None]],
    say: Say,
) -> None:
    """Add both commands; ``sentences`` leaves with the sentence of what could not be done."""

    @app.command()
    def package(
        number: Annotated[str, typer.Argument(help="The application's number, such as SQ-2026-000001.")],
        out: Annotated[Path | None, typer.Option(help="The ZIP to be made; NUMBER.zip here without.")] = None,
        footage: Annotated[
            Footage, typer.Option(help="clear: as it plays; sealed: still encrypted (age); hash: its hash alone.")
        ] = Footage.clear,
        identity: Annotated[
            Path | None, typer.Option(help="An age identity (mode 0600) that opens the masters; the vault's without.")
        ] = None,
    ) -> None:
        """Make the evidence package of an application: footage, documents, signatures, custody, proofs, one ZIP.

        For operators on the machine that has the keys; it may run beside the portal. That it was made is an event.
        """
        loaded = settings()
        with sentences(), _beside(loaded) as container:
            target = out or Path(f"{file_name(number.strip())}.zip")
            made = packaging.make(sources_of(container, identity), number, target, footage.value)
        announce(made, say)

    @app.command(cls=_EndsWithOne)
    def verify(
        package: Annotated[Path, typer.Argument(help="The ZIP that you were given.")],
        trust: Annotated[
            list[str] | None,
            typer.Option(help="A fingerprint of root, seal or log key that came to you another way; may be repeated."),
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the lines.")] = Lang.both,
    ) -> None:
        """Check an evidence package, with no network and no database: one line for each check.

        Ends with 0 when all holds under a key that is trusted, 2 when all holds under an unknown key, else with 1.
        """
        options = [f"--trust={one}" for one in trust or ()] + (["--json"] if json else []) + [f"--lang={lang.value}"]
        raise typer.Exit(verifying.main([*options, "--", str(package)], "footage-desk verify"))


class _EndsWithOne(TyperCommand):
    """A wrong call ends with 1, for 2 means that the package is sound."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().make_context(*arguments, **named)
        except Exception as error:
            # typer carries click within itself: what says that a call was wrong is told by the code it would end with
            if getattr(error, "exit_code", None) == UNKNOWN:
                vars(error)["exit_code"] = BROKEN
            raise


@contextmanager
def _beside(settings: Settings) -> Iterator[Container]:
    """A house beside one that may be running: the books bear a second writer for a moment, and nothing is started."""
    container = open_container(settings, apart=True)
    try:
        yield container
    finally:
        container.database.close()
