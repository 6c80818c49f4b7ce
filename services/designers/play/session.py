"""What one designer does in the browser: the present walk, the folder that is watched, and the next flash."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.designers.play import choices as play_choices
from services.designers.play import coverage as play_coverage
from services.designers.play import fields as value_fields
from services.designers.play import saved
from services.designers.play.choices import Choice
from services.designers.play.coverage import Coverage, WalkResult
from services.designers.play.models import Beginning, Models, UnreadableModels, digest_of, load
from services.designers.play.saved import Run
from services.designers.play.walk import Walk, next_due
from services.engine.model.timers import parse_duration
from services.runtime.errors import Refused
from services.runtime.jobs.worker import Worker
from services.runtime.translations import Counted, Message, Text

MOST_AT_ONCE = 500
"""Steps that one act takes; jobs that follow each other in a circle would have no end."""


@dataclass(frozen=True)
class Flash:
    """A sentence for the next page, with the ``details`` below it; ``kind`` is "" or "warn"."""

    text: Text
    kind: str = ""
    details: Sequence[Text] = ()


class Session:
    """The walk of one designer. Nothing here is safe for two threads: the pages come one at a time."""

    def __init__(self, folder: Path, workers: Sequence[Worker], *, items: int = 2) -> None:
        """Raise UnreadableModels for a folder that cannot be walked."""
        self.folder = folder
        self.language: str | None = None
        self.flash: Flash | None = None
        self.unreadable: UnreadableModels | None = None
        """Why the folder could not be loaded the last time."""
        self._workers = workers
        self._items = items
        self._tried = ""
        self._by_beginning: dict[Beginning, Models] = {}
        self._results: dict[Path, tuple[bytes, WalkResult]] = {}
        self.models = self._load(None)
        self.walk = Walk(self.models)
        self.before: Walk | None = None
        """The walk that the present one took the place of, or that lost several steps at once."""
        self.generation = 0

    @property
    def at(self) -> str:
        """What a page has been shown of: an act that names another moment is of a page that is out of date."""
        return f"{self.generation}.{len(self.walk.steps)}"

    def require(self, at: str) -> None:
        """Raise Refused for an act of a page that is out of date."""
        if at != self.at:
            raise play_choices.moved_on()

    def choices(self) -> list[Choice]:
        """Return what can happen now."""
        return play_choices.choices(self.models, self.walk.case)

    def choose(self, choice_id: str, code: str, number: int) -> None:
        """Take an answer with one of the values that it begins with; raises Refused."""
        moves = self._choice(choice_id).answer(code).moves
        if not 0 <= number < len(moves):
            raise play_choices.moved_on()
        self.walk.choose(moves[number])

    def choose_typed(self, choice_id: str, code: str, typed: dict[str, str], *, any_values: str = "") -> None:
        """Take an answer with the values that were typed, by variable; raises Refused."""
        answer = self._choice(choice_id).answer(code)
        if answer.fields is None:
            values: dict[str, Any] = value_fields.any_values(any_values)
        else:
            values = {field.name: field.read(typed.get(field.name, "").strip()) for field in answer.fields}
        move = play_choices.with_values(answer, values)
        self.walk.choose(move)

    def _choice(self, choice_id: str) -> Choice:
        found = next((choice for choice in self.choices() if choice.id == choice_id), None)
        if found is None:
            raise play_choices.moved_on()
        return found

    def run_on(self) -> None:
        """Complete each job that has one way to end, and what starts with it, as a step each."""
        for taken in range(MOST_AT_ONCE):
            jobs = [choice for choice in self.choices() if choice.is_plain_job]
            if not jobs:
                if not taken:
                    raise Refused("no-plain-job", "No open job has one way to end.")
                return
            self.choose(jobs[0].id, jobs[0].answers[0].code, 0)

    def throw(self, choice_id: str, code: str) -> None:
        """End a job that nobody declared with an error of this code; raises Refused."""
        answer = self._choice(choice_id).answer("done")
        if answer.fields is not None or not code.isprintable() or not 0 < len(code) <= 120:
            raise Refused(
                "error-code", "Enter the code of the error, at most 120 characters.", status=422, field="error"
            )
        self.walk.choose(play_choices.as_error(answer, code))

    def turn_to_next(self) -> None:
        """Turn the clock to the next timer; raises Refused without one."""
        due = next_due(self.walk.case)
        if due is None:
            raise Refused("no-timer", "No timer is set: turn the clock by an amount.")
        self.walk.turn(due)

    def turn_by(self, amount: str) -> None:
        """Turn the clock by a duration such as P3D or PT8H; raises Refused."""
        now = self.walk.case.now
        try:
            to = parse_duration(amount).after(now)
        except (ValueError, OverflowError) as error:
            raise Refused(
                "no-duration", "Enter a duration such as PT8H, P3D or P2M.", status=422, field="amount"
            ) from error
        self.walk.turn(to)

    def begin(self, wanted: Beginning | None = None) -> None:
        """Begin again, with another beginning if one is wanted; raises Refused for one that the models do not have."""
        if wanted is not None and wanted not in self.models.beginnings():
            raise play_choices.moved_on()
        models = self._readable(wanted or self.models.beginning)
        self._replace(Walk(models))

    def back_to(self, number: int) -> None:
        """Take back all steps after this one; they can be restored."""
        walk = self.walk.copy()
        walk.back_to(number)
        self._replace(walk)

    def restore(self) -> None:
        """Return to the walk before; raises Refused without one."""
        if self.before is None:
            raise play_choices.moved_on()
        self._replace(self.before)

    def _replace(self, walk: Walk) -> None:
        self.before, self.walk, self.models = self.walk, walk, walk.models
        self.generation += 1

    # -- the folder ---------------------------------------------------------------------------------------------

    def has_changed(self) -> bool:
        """Return whether a file was saved since it was loaded, or since loading it failed."""
        digest = digest_of(self.folder)
        if digest == self.models.digest:
            self.unreadable = None  # the file is as it was when it was loaded
        return digest not in (self.models.digest, self._tried)

    def reload(self) -> None:
        """Load the folder again and take the same way as far as it goes; what cannot be read changes nothing."""
        self._tried = digest_of(self.folder)
        try:
            models = self._load(self.models.beginning)
        except UnreadableModels as error:
            self.unreadable = error
            return
        first, acts = saved.of_walk(self.walk)
        self._use(saved.run(models, first, acts), Message("The models were loaded again."))

    def _load(self, beginning: Beginning | None) -> Models:
        models = load(self.folder, self._workers, items=self._items, beginning=beginning)
        self.unreadable = None
        self._by_beginning = {models.beginning: models}
        self._results = {}
        return models

    def _models_of(self, beginning: Beginning) -> Models:
        """Return the models as they were loaded, to begin in this way; raises UnreadableModels."""
        known = self._by_beginning.get(beginning)
        if known is not None and known.begins_as(beginning):
            return known
        models = load(self.folder, self._workers, items=self._items, beginning=beginning)
        if models.digest == self.models.digest:
            self._by_beginning[beginning] = models
        return models

    def _use(self, run: Run, done: Text) -> None:
        self._replace(run.walk)
        if run.is_same:
            steps = Counted("It goes the same way: {count} step.", "It goes the same way: {count} steps.", run.steps)
            self.flash = Flash(done, details=(steps,))
            return
        sentences = [departure.sentence for departure in run.departures]
        taken = len(run.walk.steps) - 1
        if taken < run.steps:
            sentences.append(
                Message("Of {steps} steps {taken} were taken: choose the rest.", steps=run.steps, taken=taken)
            )
        self.flash = Flash(Message("{done} The walk departs.", done=done), "warn", sentences)

    # -- saved walks --------------------------------------------------------------------------------------------

    def save(self, name: str, *, replaces: bool) -> None:
        """Save the walk beside the models; raises Refused."""
        path = saved.save(self.walk, name, replaces=replaces)
        self.flash = Flash(Message("The walk was saved: {path}", path=str(path)))

    def open(self, name: str) -> None:
        """Take a saved walk; raises Refused for one that is not there or cannot be read."""
        path = next((path for path in saved.paths(self.folder) if path.stem == name), None)
        if path is None:
            raise Refused("no-walk", "There is no walk {name}.", status=404, name=name)
        result = self._result(path)
        if result.unreadable:
            raise Refused("walk-unreadable", "The walk cannot be read: {cause}", cause=result.unreadable)
        found = saved.read(path)
        run = saved.run(self._readable(found.beginning), found.first, found.acts)
        self._use(run, Message("The walk {name} was taken.", name=name))

    def _readable(self, beginning: Beginning) -> Models:
        """Return the models to begin in this way; raises Refused where a file cannot be read meanwhile."""
        try:
            return self._models_of(beginning)
        except UnreadableModels as error:
            self.unreadable = error
            raise Refused("unreadable", "The models cannot be read: correct the file first.") from error

    def results(self) -> list[WalkResult]:
        """Run each saved walk on these models; one that has not changed is not run twice."""
        return [self._result(path) for path in saved.paths(self.folder)]

    def _result(self, path: Path) -> WalkResult:
        try:
            content = path.read_bytes()
        except OSError as error:
            return WalkResult(path.stem, path, unreadable=f"{path}: {error.strerror}")
        known = self._results.get(path)
        if known is None or known[0] != content:
            known = self._results[path] = (content, play_coverage.run_saved(path, self._models_of))
        return known[1]

    def coverage(self, results: Sequence[WalkResult]) -> Coverage:
        """Return what the saved walks and the present one visited."""
        return play_coverage.coverage(self.models, results, self.walk)
