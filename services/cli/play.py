"""``footage-desk play``: walk through a case of edited models in the browser, and run saved walks again."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli.context import Lang, fail, reported_errors, say
from services.designers.play import saved
from services.designers.play.coverage import WalkResult, run_saved
from services.designers.play.models import Beginning, Models, UnreadableModels, load
from services.designers.play.session import Session
from services.designers.play.web import create_app, make_token
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.runtime.http import address_of, listen, serve
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN

DEPARTS, UNREADABLE = 1, 3


def add_to(app: typer.Typer) -> None:
    """Add the command ``play``."""

    @app.command()
    def play(  # noqa: PLR0917 - each is an option of the command line
        paths: Annotated[
            list[Path] | None, typer.Argument(help="The folder of the models; with --run, saved walks or such folders.")
        ] = None,
        run: Annotated[bool, typer.Option("--run", help="Run saved walks, and say where each departs.")] = False,
        models: Annotated[
            Path | None,
            typer.Option(help="With --run: the models to run on, instead of those that a walk was saved on."),
        ] = None,
        items: Annotated[int, typer.Option(min=1, max=2, help="How many items an application has.")] = 2,
        port: Annotated[int, typer.Option(min=0, max=65535, help="The port of the pages; 0 for a free one.")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="With --run: print one JSON object.")] = False,
        lang: Annotated[
            Lang | None, typer.Option(help="The language of the pages; else the one that the browser asks for.")
        ] = None,
    ) -> None:
        """Walk through a case of edited models in the browser: choose each answer, turn the clock, save it as a test.

        No data, database or engine is touched; walks are written beside the models. With --run, exits with 0 where
        every walk goes the same way, 1 where one departs, 3 where a file cannot be read.
        """
        if run:
            raise typer.Exit(_run(paths or [BPMN], models, items=items, as_json=as_json, lang=lang or Lang.en))
        if len(paths or []) > 1:
            fail("name one folder of models, or add --run to run saved walks", UNREADABLE)
        _serve(paths[0] if paths else BPMN, items=items, port=port, lang=lang)


def _serve(folder: Path, *, items: int, port: int, lang: Lang | None) -> None:
    try:
        session = Session(folder, discover(), items=items)
    except UnreadableModels as error:
        fail("\n".join(error.sentences(lang or Lang.en)), UNREADABLE)
    session.language = lang
    token = make_token()
    with reported_errors():
        listener = listen("127.0.0.1", port)
    # printed, and never given to a browser as an argument: every account of the machine can read those
    say(f"Open {address_of(listener)}/{token}/ in a browser of this machine. Ctrl+C ends it.")
    try:
        asyncio.run(serve(create_app(session, token), listener))
    except KeyboardInterrupt:
        return


def _run(paths: list[Path], models: Path | None, *, items: int, as_json: bool, lang: Lang) -> int:
    """Run the walks of these files and folders; return the exit code."""
    files = [file for path in paths for file in (saved.paths(path) if path.is_dir() else [path])]
    if not files:
        fail(f"there are no saved walks ({saved.FOLDER}/*.json) in {', '.join(map(str, paths))}", UNREADABLE)
    runner = _Runner(models, items)
    results = [runner.run(file) for file in files]
    if as_json:
        say(json.dumps([_as_json(result) for result in results], ensure_ascii=False, indent=2))
    else:
        for result in results:
            _print(result, lang)
    if any(result.unreadable for result in results):
        return UNREADABLE
    return DEPARTS if any(result.departures for result in results) else 0


class _Runner:
    """Loads the models that walks run on, each folder once for each beginning."""

    def __init__(self, models: Path | None, items: int) -> None:
        self._folder = models
        self._items = items
        self._workers = discover()
        self._loaded: dict[tuple[Path, Beginning], Models] = {}

    def run(self, file: Path) -> WalkResult:
        try:
            folder = self._folder or saved.read(file).folder
        except UnreadableFile as error:
            return WalkResult(file.stem, file, unreadable=str(error))
        return run_saved(file, lambda beginning: self._load(folder, beginning))

    def _load(self, folder: Path, beginning: Beginning) -> Models:
        key = (folder.resolve(), beginning)
        known = self._loaded.get(key)
        if known is None or not known.begins_as(beginning):
            known = self._loaded[key] = load(folder, self._workers, items=self._items, beginning=beginning)
        return known


def _print(result: WalkResult, lang: Lang) -> None:
    if result.unreadable:
        say(f"? {result.path}: {result.unreadable}")
        return
    say(f"{'✗' if result.departures else '✓'} {result.path}: {result.sentence.translate(lang)}")
    for departure in result.departures:
        say(f"    {departure.sentence.translate(lang)}")


def _as_json(result: WalkResult) -> dict[str, object]:
    departures = [{"step": d.step, "zh": d.sentence.zh, "en": d.sentence.en} for d in result.departures]
    outcome = "unreadable" if result.unreadable else "departs" if departures else "same"
    return {
        "file": str(result.path),
        "result": outcome,
        "steps": result.steps,
        "departures": departures,
        "sentence": result.unreadable,
    }
