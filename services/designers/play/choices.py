"""What can happen now, as a designer chooses it: each open job, review and message with its answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.designers.play import fields as value_fields
from services.designers.play.fields import Field
from services.designers.play.models import Models
from services.designers.policy_check.case import Case
from services.designers.policy_check.moves import DECISION, ERROR, JOB, MESSAGE, SIGNAL, TIMER, Move
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text, in_context

_GROUPS = (DECISION, JOB, MESSAGE, SIGNAL)
MOST_BUTTONS = 4
"""More ways to answer than these are a form, and no row of buttons."""


@dataclass(frozen=True)
class Answer:
    """One way to answer. ``moves`` have the values to begin with; ``fields`` None: any variables may be given."""

    code: str
    label: Text
    moves: Sequence[Move]
    fields: Sequence[Field] | None = ()
    grave: bool = False

    @property
    def has_buttons(self) -> bool:
        """Whether each of the values that the models tell apart has a button of its own."""
        return len(self.moves) <= MOST_BUTTONS

    def told_apart(self) -> list[str]:
        """Return, for each move, the values that tell it from the others; empty where there is one."""
        if len(self.moves) == 1:
            return [""]
        names = [
            name
            for name in self.moves[0].values
            if any(move.values.get(name) != self.moves[0].values.get(name) for move in self.moves)
        ]
        return [", ".join(f"{name} = {value_fields.shown(m.values.get(name))}" for name in names) for m in self.moves]


@dataclass(frozen=True)
class Choice:
    """Something that waits for an answer; ``about`` is the job type, the stage or the message."""

    id: str
    kind: str
    title: Text
    about: str
    element_id: str
    process_id: str
    answers: Sequence[Answer]
    of: str = ""

    @property
    def is_plain_job(self) -> bool:
        """Whether it is a job with one way to end."""
        return self.kind == JOB and len(self.answers) == 1 and len(self.answers[0].moves) == 1

    def answer(self, code: str) -> Answer:
        """Return the answer of this code; raises Refused."""
        found = next((answer for answer in self.answers if answer.code == code), None)
        if found is None:
            raise moved_on()
        return found


def moved_on() -> Refused:
    """Return the refusal of what was chosen on a page that is out of date."""
    return Refused("moved-on", "The walk has moved on since this page was shown: choose again.", status=409)


def choices(models: Models, case: Case) -> list[Choice]:
    """Return what waits for an answer: reviews first, then jobs, messages and signals."""
    by_thing: dict[tuple[str, int], list[Move]] = {}
    for move in models.simulation.moves(case):
        if move.kind != TIMER:
            kind = JOB if move.kind == ERROR else move.kind
            by_thing.setdefault((kind, move.key), []).append(move)
    found = [_choice(models, case, kind, moves) for (kind, _), moves in by_thing.items()]
    return sorted(found, key=lambda choice: _GROUPS.index(choice.kind))


def _choice(models: Models, case: Case, kind: str, moves: Sequence[Move]) -> Choice:
    first = moves[0]
    title = models.element_name(first.process_id, first.element_id)
    match kind:
        case "decision":
            title = Bilingual(*models.words.stage(first.name))
            answers = _decisions(models, case, moves)
        case "job":
            answers = _job_ends(models, moves)
        case "message":
            fields = value_fields.of_message(models.world, first.name)
            answers = [Answer("comes", Message("Message arrives"), moves, fields)]
        case _:
            answers = [Answer("comes", Message("Signal arrives"), moves)]
    of = ", ".join(f"{name} = {value}" for name, value in first.of)
    return Choice(
        f"{kind}-{first.key}", kind, title, first.name, first.element_id, first.process_id, tuple(answers), of
    )


def _decisions(models: Models, case: Case, moves: Sequence[Move]) -> list[Answer]:
    by_outcome: dict[str, list[Move]] = {}
    for move in moves:
        by_outcome.setdefault(move.what, []).append(move)
    answers = []
    for code, of_outcome in by_outcome.items():
        outcome = models.prepared.files.stage_file.outcomes.get(code)
        label = Bilingual(code, code) if outcome is None else Bilingual(outcome.zh, outcome.en)
        fields = value_fields.of_decision(models.world, moves[0].name, code, case.register.marks)
        answers.append(Answer(code, label, of_outcome, fields, grave=outcome is not None and outcome.grave))
    return answers


def _job_ends(models: Models, moves: Sequence[Move]) -> list[Answer]:
    done = [move for move in moves if move.kind == JOB]
    fields = value_fields.of_job(models.world, done[0].name)
    answers = [Answer("done", in_context("play", "Done"), done, fields)]
    for move in moves:
        if move.kind == ERROR:
            answers.append(
                Answer(f"error-{move.what}", Message("Ends with {code}", code=move.what), [move], grave=True)
            )
    return answers


def with_values(answer: Answer, values: dict[str, Any]) -> Move:
    """Return the answer with these values; raises Refused for a value outside of its type."""
    refusal = value_fields.check(answer.fields, values)
    if refusal is not None:
        raise Refused("value-outside", refusal, status=422)
    move = answer.moves[0]
    given = {"decision": move.what, **values} if move.kind == DECISION else values
    return replace(move, values=given)


def as_error(answer: Answer, code: str) -> Move:
    """Return the job of an answer as one that ends with this error."""
    return replace(answer.moves[0], kind=ERROR, what=code, values={})
