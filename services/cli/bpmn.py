"""``footage-desk bpmn …``: check, format and draw the models."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli.context import Lang, error_console, reported_errors, say
from services.designers import element_templates, model_diff, node_tools, own_workers, stage_notes
from services.designers.lint import camunda
from services.designers.lint import check as lint_check
from services.designers.lint.findings import Finding, Level, exit_code, in_order
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.models import read as read_models

Folder = Annotated[Path, typer.Argument(help="The folder of the models.")]
DEFAULT = Path("bpmn")


def add_to(app: typer.Typer) -> None:
    """Add the group ``bpmn``."""
    group = typer.Typer(help="Check, format and draw the models; make their element templates.", no_args_is_help=True)
    app.add_typer(group, name="bpmn")
    _add_diff(group)
    _add_annotate(group)

    @group.command()
    def lint(
        folder: Folder = DEFAULT,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the sentences.")] = Lang.en,
    ) -> None:
        """Check models, review stages, declared workers and element templates, for every Camunda version.

        Exits with 0 where nothing is found, 1 where something has to be corrected, 2 where there is only advice.
        """
        with reported_errors():
            models = _models(folder)
            found = lint_check.find(folder, discover())
            found = in_order([*found, *camunda.find(models), *camunda.find_templates(folder)])
        errors = sum(finding.level is Level.ERROR for finding in found)
        if as_json:
            listed = [finding.as_json() for finding in found]
            say(json.dumps({"errors": errors, "advice": len(found) - errors, "findings": listed}, ensure_ascii=False))
        else:
            print_findings(found, lang)
            say(f"{errors} to correct, {len(found) - errors} advised." if found else "Clean on every profile.")
        raise typer.Exit(exit_code(found))

    @group.command("format")
    def format_(
        folder: Folder = DEFAULT,
        check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if a file differs.")] = False,
    ) -> None:
        """Format the models as Camunda Modeler writes them."""
        with reported_errors():
            code = node_tools.run("format", *(["--check"] if check else []), *_models(folder))
        raise typer.Exit(code)

    @group.command()
    def render(
        folder: Folder = DEFAULT,
        to: Annotated[Path, typer.Option(help="The folder for the pictures.")] = Path("docs"),
    ) -> None:
        """Draw each model and each of its phases as SVG, with Chromium."""
        with reported_errors():
            models = _models(folder)
            _make(to)
            code = node_tools.run("render", f"--to={to.absolute()}", *models)
        raise typer.Exit(code)

    @group.command()
    def templates(
        folder: Folder = DEFAULT,
        check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if one differs.")] = False,
    ) -> None:
        """Write the element templates from workers, yours too, and review stages; a changed one gets a new version."""
        with reported_errors():
            paths = _models(folder)
            STAGES.use(folder)
            models = read_models(path for path in paths if path.suffix == ".bpmn")
            workers = discover()
            declared = own_workers.read(folder, frozenset(worker.job_type for worker in workers))
            made = element_templates.templates(workers, models.values(), declared)
            place = folder / element_templates.FOLDER
            names = element_templates.stale(made, place) if check else element_templates.write(made, place)
        for name in names:
            typer.echo(f"{place / name} {'is out of date' if check else 'was written'}")
        raise typer.Exit(1 if check and names else 0)


def _add_annotate(group: typer.Typer) -> None:
    @group.command()
    def annotate(
        folder: Folder = DEFAULT,
        check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if a file differs.")] = False,
    ) -> None:
        """Write beside each review who decides it and in what time, from the review stages."""
        with reported_errors():
            STAGES.use(folder)
            changed = [path for path in _models(folder) if path.suffix == ".bpmn" and _annotated(path, check=check)]
            if changed and not check:
                node_tools.run("format", *changed)
        for path in changed:
            say(f"{path} {'is out of date' if check else 'was written'}")
        raise typer.Exit(1 if check and changed else 0)


def _add_diff(group: typer.Typer) -> None:
    @group.command("diff")
    def diff_(
        before: Annotated[Path, typer.Argument(help="The folder of the models before.")],
        after: Annotated[Path, typer.Argument(help="The folder of the models after.")] = DEFAULT,
        as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of the changes.")] = False,
        pictures: Annotated[
            Path | None, typer.Option(help="Draw the diagrams there, with the numbers of the changes.")
        ] = None,
        lang: Annotated[Lang, typer.Option(help="The language of the sentences.")] = Lang.en,
    ) -> None:
        """List what changed between two folders of models: elements, conditions, timers, rows, review stages."""
        with reported_errors():
            changes = model_diff.diff(before, after)
            drawn = model_diff.draw_changes(changes, before, after, pictures, lang) if pictures else []
        if as_json:
            say(json.dumps([change.as_json() for change in changes], ensure_ascii=False, indent=2))
            return
        for number, change in enumerate(changes, 1):
            say(f"{number:3} {change.sentence(lang)}")
        say(f"{len(changes)} changes" if changes else "Nothing changed but the drawing, if anything did.")
        for picture in drawn:
            say(str(picture))


def print_findings(found: Iterable[Finding], lang: Lang = Lang.en) -> None:
    """Print each finding on a line of the standard error, after its level."""
    for finding in found:
        error_console.print(finding.sentence(lang), soft_wrap=True)


def _models(folder: Path) -> Sequence[Path]:
    """Return the folder's models; Fatal if it has none: the tools would use those of the checkout instead."""
    models = sorted(path.absolute() for path in folder.glob("*") if path.suffix in (".bpmn", ".dmn"))
    if not any(path.suffix == ".bpmn" for path in models):
        cause = "it has no BPMN files" if folder.is_dir() else "it is not a folder"
        cause = cause if folder.exists() else "there is no such folder"
        raise Fatal(
            f"could not read the models | {folder} | {cause} | name the folder of the models, or run this in a "
            "checkout, where it is bpmn"
        )
    return models


def _annotated(path: Path, *, check: bool) -> bool:
    """Return whether the notes of a file are missing or differ; write them unless it is only a ``check``."""
    content = path.read_bytes()
    written = stage_notes.annotate(content, STAGES)
    if written != content and not check:
        path.write_bytes(written)
    return written != content


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(
            f"could not draw the models | {folder} | {error.strerror} | name a folder for the pictures with --to"
        ) from error
