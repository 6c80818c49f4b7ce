"""``footage-desk bpmn …``: what designers do with the models, from the command line."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from services.designers import element_templates, node_tools
from services.designers.agreement import disagreements
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.models import read as read_models

Folder = Annotated[Path, typer.Argument(help="The folder of the models.")]
BESIDE = Path("bpmn")


def add_to(app: typer.Typer, sentences: Callable[[], AbstractContextManager[None]]) -> None:
    """Add ``bpmn`` with its commands; ``sentences`` leaves with the sentence of what could not be done."""
    bpmn = typer.Typer(help="Check, format and draw the models; make their element templates.", no_args_is_help=True)
    app.add_typer(bpmn, name="bpmn")

    @bpmn.command()
    def lint(folder: Folder = BESIDE) -> None:
        """Check models, review stages and element templates for every Camunda version. Ends with 0 when all is well."""
        with sentences():
            models = _models(folder)
            wrong = disagreements(folder, discover())
            for sentence in wrong:
                typer.echo(sentence, err=True)
            codes = [node_tools.run("lint", *models), _templates(folder)]
        raise typer.Exit(1 if wrong or any(codes) else 0)

    @bpmn.command("format")
    def format_(
        folder: Folder = BESIDE,
        check: Annotated[
            bool, typer.Option("--check", help="Change nothing; end with 1 where a file differs.")
        ] = False,
    ) -> None:
        """Bring the models into the one formatting that Camunda Modeler writes."""
        with sentences():
            code = node_tools.run("format", *(["--check"] if check else []), *_models(folder))
        raise typer.Exit(code)

    @bpmn.command()
    def render(
        folder: Folder = BESIDE,
        to: Annotated[Path, typer.Option(help="The folder of the pictures.")] = Path("docs"),
    ) -> None:
        """Draw each model and each of its phases as SVG, with Chromium."""
        with sentences():
            models = _models(folder)
            _make(to)
            code = node_tools.run("render", f"--to={to.absolute()}", *models)
        raise typer.Exit(code)

    @bpmn.command()
    def templates(
        folder: Folder = BESIDE,
        check: Annotated[bool, typer.Option("--check", help="Change nothing; end with 1 where one differs.")] = False,
    ) -> None:
        """Make the element templates anew, from the workers and the review stages; what changed gets a new version."""
        with sentences():
            paths = _models(folder)
            STAGES.use(folder)
            models = read_models(path for path in paths if path.suffix == ".bpmn")
            made = element_templates.templates(discover(), models.values())
            place = folder / element_templates.FOLDER
            names = element_templates.stale(made, place) if check else element_templates.write(made, place)
        for name in names:
            typer.echo(f"{place / name} {'is not up to date' if check else 'is made anew'}")
        raise typer.Exit(1 if check and names else 0)


def _models(folder: Path) -> Sequence[Path]:
    """The folder's models. Fatal where it has none: the tools would take those of the checkout instead."""
    found = sorted(path.absolute() for path in folder.glob("*") if path.suffix in (".bpmn", ".dmn"))
    if not any(path.suffix == ".bpmn" for path in found):
        cause = "it has no BPMN files" if folder.is_dir() else "it is no folder"
        cause = cause if folder.exists() else "there is no such folder"
        raise Fatal(
            f"could not read the models | {folder} | {cause} | name the folder of the models, or be in a checkout, "
            "where it is bpmn"
        )
    return found


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(
            f"could not draw the models | {folder} | {error.strerror} | name a folder for the pictures with --to"
        ) from error


def _templates(folder: Path) -> int:
    place = folder / element_templates.FOLDER
    return node_tools.run("templates", place.absolute()) if place.is_dir() else 0
