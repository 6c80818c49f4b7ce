"""``footage-desk policy …``: what satisfies the policy's requirements."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.cli.context import console, fail
from services.designers.policy_coverage import coverage as read_coverage


def add_to(app: typer.Typer) -> None:
    """Add the group ``policy``."""
    group = typer.Typer(help="The policy's requirements, and what satisfies them.", no_args_is_help=True)
    app.add_typer(group, name="policy")

    @group.command("coverage")
    def coverage(root: Annotated[Path, typer.Option(help="A checkout of Footage Desk.")] = Path()) -> None:
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
