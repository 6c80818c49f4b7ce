"""``footage-desk engine`` without a command: the embedded engine by itself, and nothing imported beside it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.engine import main
from services.engine.errors import DataFileError
from services.engine.server import DEFAULT_RETENTION


def run(  # noqa: PLR0917 - each is an option of the command line
    context: typer.Context,
    address: Annotated[str, typer.Option(help="Where the gateway listens.")] = "127.0.0.1:26500",
    data: Annotated[Path | None, typer.Option(help="The folder of its state; in memory when not given.")] = None,
    management: Annotated[str | None, typer.Option(help="Where health, metrics and incidents answer.")] = None,
    controlled_clock: Annotated[bool, typer.Option("--controlled-clock", help="A clock that can be turned.")] = False,
    records: Annotated[Path | None, typer.Option(help="A file that gets every record, one JSON object a line.")] = None,
    records_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="For how many days it keeps its own records of what happened.")
    ] = DEFAULT_RETENTION.days,
) -> None:
    """Run the embedded engine by itself, speaking Zeebe's gateway protocol. Set ZEEBE_ADDRESS to it elsewhere.

    The commands below look into one, which may be that of footage-desk run, and let what has stopped go on.
    """
    if context.invoked_subcommand is not None:
        if data or management or records:
            typer.echo(f"Write the options of engine {context.invoked_subcommand} behind it.", err=True)
            raise typer.Exit(2)
        return
    try:
        main.run(
            typer.echo,
            address,
            data=data,
            management=management,
            controlled_clock=controlled_clock,
            records=records,
            retention=timedelta(days=records_days),
        )
    except (DataFileError, RuntimeError) as error:
        typer.echo(f"The engine could not start at {address}: {error}", err=True)
        raise typer.Exit(1) from error
