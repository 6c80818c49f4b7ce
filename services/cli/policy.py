"""``footage-desk policy …``: what satisfies the policy's requirements, and whether an edit keeps them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from services.cli.context import Lang, fail, say
from services.designers.policy_check import listing, report
from services.designers.policy_check.check import check as check_models
from services.designers.policy_check.report import Report, Verdict
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.designers.policy_coverage.coverage import SHIPPED_COVERAGE, Coverage, read_coverage, shipped_file
from services.designers.policy_coverage.marks import WrongMark
from services.designers.policy_coverage.policy_page import State, Verb, WrongPage
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

_RESULTS = {
    report.ExitCode.CLEAN: "符合",
    report.ExitCode.BROKEN: "有规则被违反",
    report.ExitCode.UNDECIDED: "未能判定",
}


def add_to(app: typer.Typer) -> None:
    """Add the group ``policy``."""
    group = typer.Typer(help="The policy's requirements, and what satisfies them.", no_args_is_help=True)
    app.add_typer(group, name="policy")

    @group.command("coverage")
    def coverage(
        root: Annotated[Path, typer.Option(help="A checkout of Footage Desk.")] = Path(),
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        write: Annotated[
            bool, typer.Option("--write", help="Write the file that the portal shows, to be shipped with it.")
        ] = False,
    ) -> None:
        """Print what is done about each requirement, the elements that satisfy it, and the tests that show it.

        Exits with 1 where docs/policy.md says more than the tests show.
        """
        try:
            found = read_coverage(root)
        except OSError as error:
            fail(f"{error.filename} is not there: run this in a checkout of Footage Desk, or name one with --root", 1)
        except (WrongPage, WrongMark) as error:
            fail(str(error), 1)
        if write:
            target = root / SHIPPED_COVERAGE
            target.write_text(shipped_file(found, root), encoding="utf-8")
            say(f"Written: {target}")
        elif as_json:
            say(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        else:
            _print_coverage(found)
        raise typer.Exit(1 if found.faults else 0)

    @group.command("check")
    def check(  # noqa: PLR0917 - each is an option of the command line
        folder: Annotated[Path, typer.Argument(help="The folder of the models.")] = BPMN,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with the paths.")] = False,
        listed: Annotated[bool, typer.Option("--list", help="List R1 to R67 with the rules that watch each.")] = False,
        items: Annotated[int, typer.Option(min=1, max=2, help="How many items an application has.")] = 2,
        seconds: Annotated[float, typer.Option(min=1, help="End undecided after so many seconds of work.")] = 300,
        paths: Annotated[
            Path | None, typer.Option(help="Write each path that breaks a rule there, as scenario file and pictures.")
        ] = None,
        write_facts: Annotated[
            bool, typer.Option("--write-facts", help="Write down what can happen in these models, for later edits.")
        ] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the sentences.")] = Lang.en,
    ) -> None:
        """Walk the models through everything that may happen, and hold the policy's rules to it.

        Exits with 0 where every rule holds, 1 where one is broken, 2 where something was not decided, 3 where a file
        cannot be read.
        """
        try:
            if listed:
                _print_rules(listing.rules_by_requirement(folder), lang)
                return
            found = check_models(folder, discover(), items=items, seconds=seconds)
        except UnreadableFile as error:
            if as_json:
                say(json.dumps({"result": "unreadable", "sentence": str(error)}, ensure_ascii=False))
            fail(str(error), report.ExitCode.UNREADABLE)
        if write_facts and found.is_complete:
            listing.write_facts(found, folder)
        if paths is not None:
            listing.write_paths(found, folder, paths, lang)
        if as_json:
            say(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        else:
            print_report(found, lang)
        raise typer.Exit(found.exit_code)


def _print_coverage(found: Coverage) -> None:
    for one in found.requirements:
        row = one.row
        lacks = f": {row.lacks}" if row.lacks else ""
        say(f"{row.number} {row.verb}, {row.state}{lacks} ({row.where})")
        say(f"    {row.phrase}")
        say(f"    elements: {', '.join(one.elements) or '—'}")
        say(f"    tests: {len(one.tests)}, refusing: {one.refusing}")
        for name, mark in one.tests:
            said = "refuses" if mark.refuses else mark.verb if mark.verb != row.verb else ""
            say(f"        {name}{said and f' ({said})'}")
    for fault in found.faults:
        say(f"✗ {fault}")
    whole = ", ".join(f"{found.count_whole(verb)} {verb}" for verb in Verb)
    others = "".join(f"; {state}: {' '.join(found.numbers(state)) or '—'}" for state in (State.PARTLY, State.NOT_YET))
    say(f"{len(found.numbers(State.WHOLE))} of {len(found.requirements)} whole: {whole}{others}")


def _print_rules(rules: Iterable[listing.Watched], lang: Lang) -> None:
    for watched in rules:
        named = "; ".join(f"{name} ({_of(lang, text)})" for name, text in watched.rules) or "—"
        typer.echo(f"{watched.requirement}\t{named}")


def print_report(found: Report, lang: Lang = Lang.en) -> None:
    """Print what is broken, with its path, and what is not decided."""
    for verdict in found.broken:
        _print_verdict(verdict, "✗", lang)
    not_walked = [verdict.rule for verdict in found.undecided if verdict.why == report.NOT_WALKED]
    for verdict in found.undecided:
        if verdict.why != report.NOT_WALKED:
            _print_verdict(verdict, "?", lang)
    if not_walked:
        names = ", ".join(not_walked)
        say(f"? {_of(lang, report.NOT_WALKED)} ({len(not_walked)}): {names}")
    for sentence in found.unseen:
        say(f"? {_of(lang, sentence)}")
    print_notes(found.notes, lang)
    for part in found.parts:
        if part.process:
            zh = f"  流程 {part.process}：{part.states} 个状态，{part.moves} 步"
            say(_of(lang, (zh, f"  {part.process}: {part.states} states, {part.moves} moves")))
    holding = sum(verdict.result == report.HOLDS for verdict in found.verdicts)
    broken, undecided = len(found.broken), len(found.undecided)
    say(
        _of(
            lang,
            (
                f"{_RESULTS[found.exit_code]}：{holding} 条规则成立，{broken} 条被违反，{undecided} 条未能判定；"
                f"{found.states} 个状态，{found.moves} 步",
                f"{found.exit_code.name.lower()}: {holding} rules hold, {broken} broken, {undecided} not decided; "
                f"{found.states} states, {found.moves} moves",
            ),
        )
    )


def print_notes(notes: Iterable[report.Sentence], lang: Lang = Lang.en) -> None:
    """Print what a check notes beside its verdicts."""
    for sentence in notes:
        say(f"  {_of(lang, sentence)}")


def _print_verdict(verdict: Verdict, mark: str, lang: Lang) -> None:
    process = f"{verdict.process}: " if verdict.process else ""
    say(f"{mark} {process}{verdict.rule} [{' '.join(verdict.requirements)}]: {_of(lang, (verdict.zh, verdict.en))}")
    if verdict.why[0]:
        say(f"    {_of(lang, verdict.why)}")
    shown = verdict.counterexample
    if shown is not None:
        for step in shown.steps:
            say(f"    {step.number:2} {_of(lang, (step.zh, step.en))}")
        if shown.expected[0]:
            say(f"    {_of(lang, ('之前应有', 'what should have come'))}: {_of(lang, shown.expected)}")
    if verdict.floor is not None and verdict.result == report.BROKEN:
        say(f"    {_of(lang, report.FLOORS[verdict.floor])}")


def _of(lang: Lang, sentence: tuple[str, str]) -> str:
    return sentence[0] if lang is Lang.zh else sentence[1]
