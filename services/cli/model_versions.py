"""``footage-desk models …``: which versions cases run on, and moving them to another one, on record."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.app import case_migration, deployments, model_versions, server
from services.app.case_migration import Planned, Planner, Target
from services.app.case_moves import Moved, Mover, Order, must_be_completed
from services.app.deployments import Examined
from services.app.model_versions import Version
from services.cli.context import Lang, fail, load_settings, operator, reported_errors, say
from services.cli.model_deployment import opened_database
from services.database.unit_of_work import Actor, Database
from services.designers import migration_words as words
from services.designers.migration_words import Sentence
from services.designers.policy_check import rules
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.cases.case_models import MAIN
from services.domain.deployments import record as deployment_record
from services.domain.process import running_cases
from services.domain.process.deployed_models import ProcessVersion
from services.engine.inspection.client import InspectionError, query_engine
from services.runtime.channel import open_channel
from services.runtime.engine_client import Deployment, PyzeebeEngineClient
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN, own_or_shipped
from services.runtime.settings import Settings

ACTOR = Actor("system", "migrate")
Language = Annotated[Lang, typer.Option(help="The language of the sentences.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_commands(group: typer.Typer) -> None:
    """Add the commands to the group ``models``."""

    @group.command()
    def versions(
        against: Annotated[
            Path | None, typer.Option(help="Count the cases before, at and past what this folder changes.")
        ] = None,
        as_json: AsJson = False,
        lang: Language = Lang.en,
    ) -> None:
        """List the versions of the case process, with how many open cases run on each."""
        with reported_errors(), opened_database(load_settings()) as database:
            found = database.read_now(ACTOR, model_versions.list_versions, MAIN)
            if against is not None:
                found = _positions(database, found, against)
        if as_json:
            say(json.dumps([_as_json(version) for version in found], ensure_ascii=False, indent=2))
            return
        for version in found:
            say(_of(lang, _line(version, compared=against is not None)))
        if not found:
            say(_of(lang, words.NOTHING))

    @group.command()
    def migrate(  # noqa: PLR0917 - each is an option of the command line
        folder: Annotated[Path, typer.Argument(help="The folder of the models, which were deployed on record.")] = BPMN,
        reason: Annotated[str, typer.Option(help="Why the cases are moved; it goes into the audit trail.")] = "",
        case: Annotated[str | None, typer.Option(help="Only this case, by its number or id.")] = None,
        from_version: Annotated[int | None, typer.Option(help="Only the cases on this version.")] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")] = False,
        seconds: Annotated[float, typer.Option(min=1, help="Decide on one case within so many seconds of work.")] = 300,
        as_json: AsJson = False,
        lang: Language = Lang.en,
    ) -> None:
        """Move running cases to these models, each only where every rule of the policy holds from where it stands.

        Exits with 0 where every case is on them now, 1 where one was not moved.
        """
        if not dry_run and not reason.strip():
            fail("say why the cases are moved: --reason 'the reason'", 2)
        settings = load_settings()
        outcomes: list[Moved] = []

        def tell(outcome: Moved) -> None:
            outcomes.append(outcome)
            if not as_json:
                say(_of(lang, _outcome(outcome)))

        with reported_errors(), opened_database(settings) as database:
            try:
                wish = _Wish(case_migration.target_of(folder), reason.strip(), case, from_version, seconds)
                asyncio.run(_migrate(settings, database, wish, tell, dry_run=dry_run))
            except UnreadableFile as error:
                fail(str(error), 3)
            except (LookupError, FileNotFoundError) as error:
                fail(f"{error}: name the folder of the models", 3)
        if as_json:
            say(json.dumps([_outcome_json(one, dry_run=dry_run) for one in outcomes], ensure_ascii=False, indent=2))
        else:
            say(_of(lang, _total(outcomes)))
        raise typer.Exit(0 if all(outcome.is_moved for outcome in outcomes) else 1)


@dataclass(frozen=True)
class _Wish:
    """What the command was asked for."""

    target: Target
    reason: str
    case: str | None
    from_version: int | None
    seconds: float


def _positions(database: Database, found: Sequence[Version], folder: Path) -> list[Version]:
    cases = database.read_now(ACTOR, running_cases.list_running)
    recorded = database.read_now(ACTOR, case_migration.read_recorded)
    return database.read_now(
        ACTOR, lambda uow: list(model_versions.count_positions(uow, found, cases, of=recorded, folder=folder))
    )


async def _migrate(
    settings: Settings, database: Database, wish: _Wish, tell: Callable[[Moved], None], *, dry_run: bool
) -> None:
    """Move the cases one by one; ``tell`` gets each as it is done, so that a call that is ended has told so far."""
    recorded = await database.read(ACTOR, case_migration.read_recorded)
    newest = recorded.sets[-1].fingerprint if recorded.sets else ""
    examined: Examined | None = None
    if newest == deployment_record.fingerprint(wish.target.files):
        examined = await database.read(ACTOR, deployments.find_recorded, wish.target.files)
    if examined is None and not dry_run:
        raise Fatal(
            f"nothing was moved | {wish.target.folder} | these models were not deployed on record, or others after "
            "them | footage-desk deploy checks and deploys them; then run this again"
        )
    cases = await database.read(
        ACTOR, lambda uow: running_cases.list_running(uow, case=wish.case, version=wish.from_version)
    )
    if wish.case is not None and not cases:
        raise Fatal(f"nothing was moved | {wish.case} | no such case is open | name its number or id")
    planner = Planner(wish.target, discover(), wish.seconds, partial(_active_elements, settings))
    if dry_run or examined is None:
        for planned in planner.plan(cases, recorded):
            tell(_would_be(planned))
        return
    channel = open_channel(settings)
    try:
        deployed = await server.deploy(PyzeebeEngineClient(channel), wish.target.folder)
        contents = deployments.contents(wish.target.folder)
        await database.run(ACTOR, deployments.enter, examined, contents, deployed, by=operator())
        mover = Mover(database, channel, _order(wish.target, deployed, wish.reason))
        for planned in planner.plan(cases, recorded):
            tell(await _moved(mover, planned))
    finally:
        await channel.close()


def _active_elements(settings: Settings, key: int) -> frozenset[str] | None:
    """Return the elements at which the embedded engine has an instance; None for an engine that is another process."""
    if not settings.embedded:
        return None
    try:
        found = query_engine(settings.data_dir / "engine", "instance", key=key)
    except InspectionError as error:
        raise Fatal(str(error)) from error
    return None if found is None else frozenset(element["element_id"] for element in found["active_elements"])


def _order(target: Target, deployed: Deployment, reason: str) -> Order:
    version = next(process for process in deployed.processes if process.process_id == MAIN)
    of_rules = hashlib.sha256(own_or_shipped(target.folder, rules.NAME).read_bytes()).hexdigest()
    process = ProcessVersion(version.process_id, version.version, version.definition_key)
    return Order(target, process, of_rules, operator(), reason)


async def _moved(mover: Mover, planned: Planned) -> Moved:
    if planned.is_there and not must_be_completed(planned):
        return Moved(planned, True, words.THERE)
    if planned.is_there or planned.verdict.is_allowed:
        return await mover.move(planned)
    return Moved(planned, False, planned.verdict.why)


def _would_be(planned: Planned) -> Moved:
    if planned.is_there:
        return Moved(planned, True, words.THERE)
    if planned.verdict.is_allowed:
        return Moved(planned, True, words.WOULD_BE)
    return Moved(planned, False, planned.verdict.why)


def _outcome(outcome: Moved) -> Sentence:
    return words.outcome(outcome.planned.case.name, outcome.sentence, is_moved=outcome.is_moved)


def _outcome_json(outcome: Moved, *, dry_run: bool) -> dict[str, object]:
    verdict = outcome.planned.verdict
    return {
        "case": outcome.planned.case.name,
        "moved": outcome.is_moved and not dry_run,
        "result": verdict.result,
        "rule": verdict.rule,
        "zh": outcome.sentence[0],
        "en": outcome.sentence[1],
        "steps": [{"zh": step.zh, "en": step.en} for step in verdict.steps],
    }


def _total(outcomes: Sequence[Moved]) -> Sentence:
    done = sum(outcome.is_moved for outcome in outcomes)
    return words.total(done, len(outcomes) - done)


def _line(version: Version, *, compared: bool) -> Sentence:
    zh, en = words.version(MAIN, version.number, version.deployed_at, version.cases)
    if compared and version.cases and version.number is not None:
        counts = (version.positions.get(position, 0) for position in ("before", "at", "past", "unknown"))
        more_zh, more_en = words.positions(*counts)
        return zh + more_zh, en + more_en
    return zh, en


def _as_json(version: Version) -> dict[str, object]:
    return {
        "process": MAIN,
        "version": version.number,
        "sha256": version.sha256,
        "deployedAt": None if version.deployed_at is None else version.deployed_at.isoformat(),
        "cases": version.cases,
        **({"positions": dict(version.positions)} if version.positions else {}),
    }


def _of(lang: Lang, sentence: Sentence) -> str:
    return sentence[0] if lang is Lang.zh else sentence[1]
