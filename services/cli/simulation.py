"""``footage-desk simulate``: a year of cases by the models, and what an edit changes."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from services.cli.context import Lang, console, fail, load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.designers.policy_check.report import ExitCode, Sentence
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.designers.simulation import demo_year, heat_map, history, sentences
from services.designers.simulation.event_log import SimulatedLog
from services.designers.simulation.models import CannotEnd, Models
from services.designers.simulation.profile import Profile
from services.designers.simulation.result import Result, StageFigures, result_of
from services.designers.simulation.run import Ran, run
from services.domain.cases.event_log import ocel, xes
from services.domain.cases.event_log.file import new_file
from services.domain.stages.catalogue import STAGES
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

ACTOR = Actor("system", "simulate")
MOST_CASES = 1_000_000
XES = ".xes"
MOST_LINES = 12  # of a table


@dataclass(frozen=True)
class _Scenario:
    """What is drawn from, and how much."""

    profile: Profile
    cases: int
    seed: int


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def simulate(  # noqa: PLR0917 - each is an option of the command line
        folder: Annotated[Path, typer.Argument(help="The folder of the models.")] = BPMN,
        beside: Annotated[
            Path | None, typer.Option(help="The models before the edit: the same cases go through both.")
        ] = None,
        from_history: Annotated[
            bool,
            typer.Option("--history", help="Draw from the register of this installation, not from the demo set."),
        ] = False,
        cases: Annotated[
            int | None, typer.Option(min=1, max=MOST_CASES, help="How many cases are submitted in the year.")
        ] = None,
        seed: Annotated[int, typer.Option(help="The same seed gives the same year again.")] = 1,
        to: Annotated[Path | None, typer.Option(help="Write there where the time goes, drawn on each phase.")] = None,
        log: Annotated[
            Path | None, typer.Option(help="Write the event log there: OCEL 2.0 as JSON, or XES for a name in .xes.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the sentences.")] = Lang.en,
    ) -> None:
        """Run a year of cases through the models, and say where the time goes and how much footage is lost.

        Conditions, tables and timers are the models' own; a decision waits for somebody who may give it, is there and
        has time. Exits with 1 where the cases cannot end, with 3 where a file cannot be read.
        """
        with reported_errors():
            profile = _from_register() if from_history else demo_year.read()
            scenario = _Scenario(profile, cases or profile.cases, seed)
            try:
                workers = list(discover())
                models = Models(folder, workers)
                before = None if beside is None else _simulate(Models(beside, workers), scenario)[0]
                result, ran = _simulate(models, scenario, log)
            except UnreadableFile as error:
                fail(str(error), ExitCode.UNREADABLE)
            except CannotEnd as error:
                fail(_of(lang, sentences.no_end(error)), 1)
        if to is not None:
            _draw(models, ran, to, lang)
        if as_json:
            say(json.dumps(_json(before, result), ensure_ascii=False, indent=2))
        else:
            _print(before, result, lang)
            if models.others:
                say(_of(lang, sentences.not_simulated(models.others)))
        raise typer.Exit(0 if result.ended else 1)


def _from_register() -> Profile:
    settings = load_settings(quiet=True)
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    if settings.models_dir is not None:
        STAGES.use(settings.models_dir)
    with command_database(settings, clock) as database:
        database.read_now(ACTOR, database_schema.check)
        return database.read_now(ACTOR, history.read, settings.models_dir or BPMN)


def _simulate(models: Models, scenario: _Scenario, log: Path | None = None) -> tuple[Result, Ran]:
    run_year = partial(run, models, scenario.profile, cases=scenario.cases, seed=scenario.seed)
    if log is None:
        ran = run_year()
    else:
        watch, write = SimulatedLog(models, scenario.profile.directory), xes.write if log.suffix == XES else ocel.write
        with new_file(log) as file:
            ran = run_year(watch=watch, consume=lambda ended: write(watch.logs(ended), file))
    return result_of(ran, models, scenario.profile, scenario.seed), ran


def _draw(models: Models, ran: Ran, to: Path, lang: Lang) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        for plane, svg in heat_map.draw(models, ran.tally, lang.value):
            (to / f"{plane}.svg").write_text(svg, encoding="utf-8")
    except OSError as error:
        fail(f"no pictures were written | {to} | {error.strerror or error} | name another folder with --to", 1)


def _json(before: Result | None, result: Result) -> dict[str, Any]:
    said = [sentences.where_the_time_goes(result), sentences.what_is_lost(result), *sentences.warnings(result)]
    content: dict[str, Any] = {"sentences": [{"zh": zh, "en": en} for zh, en in said], **result.as_json()}
    if before is not None:
        zh, en = sentences.difference(before, result)
        content |= {"difference": {"zh": zh, "en": en}, "before": before.as_json()}
    return content


def _print(before: Result | None, result: Result, lang: Lang) -> None:
    say(_of(lang, sentences.where_the_time_goes(result)))
    say(_of(lang, sentences.what_is_lost(result)))
    for warning in sentences.warnings(result):
        say(f"! {_of(lang, warning)}")
    if before is None:
        _print_stages(result, lang)
    else:
        say(_of(lang, sentences.difference(before, result)))
        _print_changes(before, result, lang)


def _print_stages(result: Result, lang: Lang) -> None:
    table = Table(*(_of(lang, head) for head in sentences.STAGE_HEADS))
    for stage in result.stages[:MOST_LINES]:
        times = (stage.mean, stage.median, stage.ninetieth, stage.waited)
        table.add_row(_name(stage, lang), str(stage.visits), *(f"{hours:.1f}" for hours in times), f"{stage.share:.0%}")
    console.print(table)


def _print_changes(before: Result, result: Result, lang: Lang) -> None:
    table = Table(*(_of(lang, head) for head in sentences.CHANGE_HEADS))
    for stage, was, is_now in sentences.changes_by_stage(before, result)[:MOST_LINES]:
        table.add_row(_name(stage, lang), f"{was:.1f}", f"{is_now:.1f}", f"{is_now - was:+.1f}")
    console.print(table)


def _name(stage: StageFigures, lang: Lang) -> str:
    return stage.zh if lang is Lang.zh else stage.en


def _of(lang: Lang, sentence: Sentence) -> str:
    return sentence[0] if lang is Lang.zh else sentence[1]
