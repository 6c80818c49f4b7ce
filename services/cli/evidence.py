"""``footage-desk package`` and ``footage-desk verify``."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from services.app.container import Container, open_container
from services.app.evidence import sources_of
from services.cli.context import fail, load_settings, reported_errors, say
from services.evidence import package as packaging
from services.evidence.announcement import announce
from services.runtime.settings import Settings
from services.verifier import main as verifying
from services.verifier import pyz
from services.verifier.layout import file_name
from services.verifier.page import build as verifier_page
from services.verifier.report import BROKEN, UNKNOWN


class Footage(StrEnum):
    """In which form the package contains the footage."""

    clear = "clear"
    sealed = "sealed"
    hash = "hash"


class Lang(StrEnum):
    """The languages of the report."""

    both = "both"
    zh = "zh"
    en = "en"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def package(
        number: Annotated[str, typer.Argument(help="The application's number, such as SQ-2026-000001.")],
        out: Annotated[
            Path | None, typer.Option(help="The ZIP to write; NUMBER.zip in this folder by default.")
        ] = None,
        footage: Annotated[
            Footage, typer.Option(help="clear: playable; sealed: still encrypted (age); hash: only its hash.")
        ] = Footage.clear,
        identity: Annotated[
            Path | None,
            typer.Option(help="An age identity (mode 0600) that opens the masters; the vault's by default."),
        ] = None,
    ) -> None:
        """Make the evidence package of an application: footage, documents, signatures, custody, proofs, in one ZIP.

        For operators on the machine with the keys; the portal may run meanwhile. Writes an audit event.
        """
        settings = load_settings()
        with reported_errors(), _second_container(settings) as container:
            target = out or Path(f"{file_name(number.strip())}.zip")
            made = packaging.make(sources_of(container, identity), number, target, footage.value)
        announce(made, say)

    @app.command()
    def verifier(
        out: Annotated[Path, typer.Option(help="The file to write.")] = Path("verify.pyz"),
        page: Annotated[
            Path | None, typer.Option(help="The page for a browser; verify.html beside the other by default.")
        ] = None,
    ) -> None:
        """Write verify.pyz and verify.html, the verifiers for readers of evidence packages, with their SHA-256.

        verify.html opens in a browser and needs no Python. The same bytes from the same release on every machine.
        Hand them out apart from packages, and publish the hashes.
        """
        release = f"footage-desk {version('footage-desk')}"
        beside = page or out.with_name("verify.html")
        for target, option, content, what in (
            (out, "--out", pyz.build(), "the verifier"),
            (beside, "--page", verifier_page.build(), "the verifier for a browser"),
        ):
            try:
                target.write_bytes(content)
            except OSError as error:
                reason = error.strerror or error
                fail(f"no verifier was written | {target} | {reason} | name another file with {option}", 1)
            say(f"{target}: {what} of {release}")
            say(f"sha256:{hashlib.sha256(content).hexdigest()}")

    @app.command(cls=_UsageErrorIsOne)
    def verify(
        package: Annotated[Path, typer.Argument(help="The ZIP that you were given.")],
        trust: Annotated[
            list[str] | None,
            typer.Option(help="A fingerprint of root, seal or log key that reached you another way; may be repeated."),
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the lines.")] = Lang.both,
    ) -> None:
        """Check an evidence package, without network or database; prints one line for each check.

        Exits with 0 if all checks pass under a trusted key, with 2 if they pass under an unknown key, else with 1.
        This is the verifier of this installation, not the copy that came in the package.
        """
        options = (
            [f"--trust={fingerprint}" for fingerprint in trust or ()]
            + (["--json"] if json else [])
            + [f"--lang={lang.value}"]
        )
        raise typer.Exit(verifying.main([*options, "--", str(package)], "footage-desk verify"))


class _UsageErrorIsOne(TyperCommand):
    """Exit with 1 for a wrong call, because 2 means that the package is sound."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().make_context(*arguments, **named)
        except Exception as error:
            # typer vendors click, so click.UsageError cannot be caught here: its exit code identifies it
            if getattr(error, "exit_code", None) == UNKNOWN:
                vars(error)["exit_code"] = BROKEN
            raise


@contextmanager
def _second_container(settings: Settings) -> Iterator[Container]:
    """Open a container beside a running portal: a second writer is allowed for a moment, nothing is started."""
    container = open_container(settings, apart=True)
    try:
        yield container
    finally:
        container.database.close()
