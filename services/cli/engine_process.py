"""``footage-desk engine`` without a command: run the embedded engine alone, and import nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.engine import main
from services.engine.access import Credentials
from services.engine.errors import DataFileError, GatewayError
from services.engine.server import DEFAULT_RETENTION


def run(  # noqa: PLR0917 - each is an option of the command line
    context: typer.Context,
    address: Annotated[
        str,
        typer.Option(
            help="The address of the gateway: host:port, where clients need the token, or unix:PATH, a socket for this "
            "account alone."
        ),
    ] = "127.0.0.1:26500",
    data: Annotated[Path | None, typer.Option(help="The folder of its state; in memory by default.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="FOOTAGE_DESK_ENGINE__TOKEN_FILE",
            help="The file of the token that clients need, made if it is missing; gateway.token in the data folder by "
            "default.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="A PEM file with its certificate, for an address that other machines reach.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="A PEM file with the certificate's key.")] = None,
    management: Annotated[str | None, typer.Option(help="The address of health, metrics and incidents.")] = None,
    controlled_clock: Annotated[
        bool,
        typer.Option("--controlled-clock", help="A clock that can be turned, and no token on this machine: for tests."),
    ] = False,
    records: Annotated[
        Path | None, typer.Option(help="A file to write every record to, one JSON object a line.")
    ] = None,
    records_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="The number of days to keep records of ended instances.")
    ] = DEFAULT_RETENTION.days,
) -> None:
    """Run the embedded engine alone, with Zeebe's gateway protocol. Other processes set ZEEBE_ADDRESS to it.

    The commands below inspect an engine, also that of footage-desk run, and resolve its incidents.
    """
    if context.invoked_subcommand is not None:
        if data or certificate or key or management or records:
            typer.echo(f"Write the options of engine {context.invoked_subcommand} after it.", err=True)
            raise typer.Exit(2)
        return
    try:
        main.run(
            typer.echo,
            address,
            data=data,
            credentials=Credentials(token_file, certificate, key),
            management=management,
            controlled_clock=controlled_clock,
            records=records,
            retention=timedelta(days=records_days),
        )
    except (DataFileError, GatewayError, RuntimeError) as error:
        typer.echo(f"The engine could not start at {address}: {error}", err=True)
        raise typer.Exit(1) from error
