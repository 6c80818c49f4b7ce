"""``footage-desk deploy``: examine the models, deploy them, and enter it in the audit trail."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from services.app import deployments, server
from services.app.container import use_models
from services.app.deployments import Examined
from services.cli.context import console, fail, operator, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor, Database
from services.domain.deployments import uploads
from services.domain.process import deployed_models
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.channel import open_channel
from services.runtime.engine_client import Deployment, PyzeebeEngineClient
from services.runtime.settings import Settings, variable

ACTOR = Actor("system", "deploy")


def deploy(settings: Settings, unchecked: str | None, *, named: bool = False) -> None:
    """Deploy the models of the settings; ends the command where they may not be deployed.

    A set that was deployed from the portal is deployed instead, unless the folder was ``named`` or was changed.
    """
    use_models(settings.models_dir)
    files = deployments.digests(settings.models_dir)
    examined = Examined(files, "shipped") if deployments.are_shipped(files) else None
    with opened_database(settings) as database:
        if examined is None and unchecked is None:
            examined = database.read_now(ACTOR, deployments.find_recorded, files)
            if examined is not None:
                why = "" if examined.reason is None else f", {examined.result}: {examined.reason}"
                console.print(f"These models were deployed on record before{why}.")
        from_portal = None
        if not named and examined is not None:
            from_portal = database.read_now(ACTOR, deployments.find_from_portal)
        if from_portal is not None:
            console.print("Models that were deployed from the portal stay in use; name a folder to replace them.")
            examined = from_portal[1]
            contents = from_portal[0]
            with uploads.written(contents) as written:
                deployed = asyncio.run(_deploy(settings, written))
        else:
            examined = examined or _examine(settings, unchecked, database.read_now(ACTOR, deployed_models.list_newest))
            contents = deployments.contents(settings.models_dir)
            deployed = asyncio.run(_deploy(settings, settings.models_dir))
        database.run_now(ACTOR, deployments.enter, examined, contents, deployed, by=operator())
    for name, version in sorted(deployed.versions.items()):
        console.print(f"{name} version {version}")


def _examine(settings: Settings, unchecked: str | None, deployed: Mapping[str, bytes]) -> Examined:
    # These load the checker, which an installation of the shipped models does not need.
    from services.app import model_examination  # noqa: PLC0415 - as above
    from services.cli import bpmn, policy  # noqa: PLC0415 - as above

    if unchecked is None:
        console.print("Checking the models against the policy; it takes up to a minute …", style="dim")
    try:
        return model_examination.examine(
            settings.models_dir,
            unchecked=unchecked,
            deployed=deployed,
            advise=bpmn.print_findings,
            note=policy.print_notes,
        )
    except ValueError as error:
        fail(f"{error}: --unchecked 'the reason'", 2)
    except model_examination.NotClean as refused:
        bpmn.print_findings(refused.findings)
        if refused.report is not None:
            policy.print_report(refused.report)
        if refused.unreadable:
            say(refused.unreadable)
        if refused.findings:
            fail("Nothing was deployed: correct the errors above; footage-desk bpmn lint shows all of them again.", 1)
        fail("Nothing was deployed: correct what is named above, or say why not with --unchecked.", refused.exit_code)


async def _deploy(settings: Settings, folder: Path | None) -> Deployment:
    channel = open_channel(settings)
    try:
        return await server.deploy(PyzeebeEngineClient(channel), folder)
    finally:
        await channel.close()


def _has_database(settings: Settings) -> bool:
    file = make_url(settings.database_address).database
    return not settings.database_address.startswith("sqlite") or bool(file and Path(file).exists())


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the installation's database, which keeps the deployment on record."""
    if not _has_database(settings):
        fail(
            f"There is no database in {settings.data_dir}/, and models are deployed on record: set "
            f"{variable('data_dir')} or {variable('database_url')} as footage-desk run or portal have it.",
            2,
        )
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with command_database(settings, clock) as database:
        database.run_now(ACTOR, database_schema.check)
        yield database
