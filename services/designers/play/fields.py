"""The values of an answer: of which type each is, as the worker, the review stage or the message declares it."""

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from services.designers.policy_check.world import FROM_NOW, NEW_ID, World
from services.engine.model.timers import parse_date, parse_duration
from services.runtime.errors import Refused
from services.runtime.jobs.commands import camel
from services.runtime.translations import Message, Text

Kind = Literal["choice", "whole", "number", "text", "moment", "duration", "list", "any"]
_MOST = 2**53  # what every engine keeps exactly
_LONGEST = 2000  # characters of one value
LATEST = datetime(2400, 1, 1, tzinfo=UTC)
"""Where the clock of a walk ends, so that a moment from then still has four digits."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # half of a character, which no page can show
_MOMENT = Message("a moment such as 2026-03-19T08:00:00Z, or @+P17D for 17 days from now")
_SEPARATOR = re.compile(r"[,，、\s]+")


@dataclass(frozen=True)
class Field:
    """One variable of an answer. A ``choice`` has its values; a number may have a least and a most."""

    name: str
    kind: Kind
    choices: tuple[Any, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    nullable: bool = False

    def options(self) -> list[tuple[str, str]]:
        """Return the choices as a form has them: the value as JSON, and what is shown."""
        values = [*self.choices, *([None] if self.nullable and None not in self.choices else [])]
        return [(json.dumps(value, ensure_ascii=False), shown(value)) for value in values]

    def text_of(self, value: Any) -> str:
        """Return a value as a form has it."""
        if self.kind == "choice":
            return json.dumps(value, ensure_ascii=False)
        if value is None:
            return ""
        if self.kind == "list" and isinstance(value, list):
            return ", ".join(map(str, value))
        return json.dumps(value, ensure_ascii=False) if self.kind == "any" else shown(value)

    def read(self, text: str) -> Any:
        """Return the value of what was typed; raises Refused for one outside of the type."""
        value = self._parsed(text)
        refusal = self.refusal(value)
        if refusal is not None:
            raise Refused("value-outside", refusal, status=422, field=self.name)
        return int(value) if self.kind == "whole" and value is not None else value

    def _parsed(self, text: str) -> Any:  # noqa: PLR0911 - one for each kind
        if len(text) > _LONGEST:
            raise Refused(
                "value-long", "{name} is too long: at most {longest} characters.",
                status=422, field=self.name, name=self.name, longest=_LONGEST,
            )  # fmt: skip
        if not text and self.nullable and self.kind != "choice":
            return None
        match self.kind:
            case "choice" | "any":
                try:
                    return json.loads(text)
                except ValueError:
                    return text
            case "whole" | "number":
                try:
                    number = float(text)
                except ValueError:
                    return text
                is_whole = math.isfinite(number) and re.fullmatch(r"[+-]?[0-9]+", text)
                return int(text) if is_whole else number
            case "list":
                return [part for part in _SEPARATOR.split(text) if part]
            case "moment":
                return text if text.startswith("@") else _utc(text)
        return text

    def refusal(self, value: Any) -> Text | None:
        """Return why a value is none of this variable, None where it is one."""
        if value is None and self.nullable:
            return None
        what = self._expected(value)
        return None if what is None else Message("{name} has to be {what}.", name=self.name, what=what)

    def _expected(self, value: Any) -> Text | None:
        """Return what a value should have been, None where it is that."""
        if not _can_be_given(value):
            return _MOMENT
        if self.kind == "choice":
            known = any(_same(value, choice) for choice in self.choices)
            return None if known else Message("one of: {choices}", choices=", ".join(map(shown, self.choices)))
        if self.kind in ("whole", "number"):
            return self._expected_number(value)
        is_one, what = _FORMS[self.kind]
        return None if is_one(value) else what

    def _expected_number(self, value: Any) -> Text | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and -_MOST < value < _MOST
        if not is_number or (self.kind == "whole" and not float(value).is_integer()):
            return Message("a whole number") if self.kind == "whole" else Message("a number")
        if self.lowest is not None and self.highest is not None and not self.lowest <= value <= self.highest:
            return Message("between {lowest} and {highest}", lowest=self.lowest, highest=self.highest)
        return None


def shown(value: Any) -> str:
    """Return a value as people read it: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def of_job(world: World, job_type: str) -> list[Field] | None:
    """Return the variables that the worker of a job gives; None where nobody declared it, and any may be given."""
    outcomes = world.outcomes(job_type)
    own = world.declared.get(job_type)
    if own is not None:
        return [_of_values(name, values, world) for name, values in own.outputs.items()]
    worker = world.workers.get(job_type)
    if worker is None:
        return None
    if not dataclasses.is_dataclass(worker.result):
        return []
    hints = typing.get_type_hints(worker.result)
    return [
        _of_hint(camel(field.name), hints[field.name], _given(camel(field.name), outcomes), world)
        for field in dataclasses.fields(worker.result)
    ]


def of_decision(world: World, stage: str, outcome: str, marks: tuple[bool, ...] | None) -> list[Field]:
    """Return the variables that a review brings besides its decision.

    ``marks`` are those of importance that were set before, and that this stage may not lower.
    """
    decisions = [values for code, values in world.decisions(stage, marks) if code == outcome]
    names = [name for name in decisions[0] if name != "decision"] if decisions else []
    fields = []
    for name in names:
        values = _given(name, decisions)
        known = world.values.get(name, values)
        # a mark that was set stays; a refusal brings one value of each, and may bring any
        held = values if values == [True] else known
        fields.append(_of_values(name, held, world))
    return fields


def of_message(world: World, name: str) -> list[Field] | None:
    """Return what a message of the portal brings; None for another one, which may bring anything."""
    if name not in world.sent:
        return None
    given = world.message(name)
    return [_of_values(variable, _given(variable, given), world) for variable in (given[0] if given else ())]


def check(fields: Iterable[Field] | None, values: Mapping[str, Any]) -> Text | None:
    """Return why these values are none of the fields', None where they are."""
    if fields is None:
        wrong = next((name for name, value in values.items() if not _can_be_given(value)), None)
        return None if wrong is None else Message("{name} has to be {what}.", name=wrong, what=_MOMENT)
    by_name = {field.name: field for field in fields}
    for name, value in values.items():
        if name not in by_name:
            return Message("{name} is no longer among the variables that this gives", name=name)
        refusal = by_name[name].refusal(value)
        if refusal is not None:
            return refusal
    return None


def any_values(text: str) -> dict[str, Any]:
    """Return the variables that were typed as a JSON object; raises Refused."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(
            "not-json", "The variables have to be a JSON object: {cause}.", status=422, cause=str(error)
        ) from error
    if not isinstance(found, dict) or _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
        raise Refused("not-json", 'The variables have to be a JSON object, such as {{"name": "value"}}.', status=422)
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _given(name: str, outcomes: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return the different values of a variable in these outcomes, in their order."""
    values = {repr(outcome[name]): outcome[name] for outcome in outcomes if name in outcome}
    return list(values.values())


def _of_hint(name: str, hint: Any, examples: Sequence[Any], world: World) -> Field:  # noqa: PLR0911 - one for each type
    origin = typing.get_origin(hint)
    if origin is Literal:
        return Field(name, "choice", typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        inner = _of_hint(name, parts[0], examples, world) if len(parts) == 1 else Field(name, "any")
        return dataclasses.replace(inner, nullable=True) if len(parts) < len(typing.get_args(hint)) else inner
    if hint is bool:
        return Field(name, "choice", (True, False))
    if hint in (int, float):
        return _number(name, "whole" if hint is int else "number", world)
    if hint is datetime:
        return Field(name, "moment")
    if hint is timedelta:
        return Field(name, "duration")
    if hint is str:
        return _of_texts(name, [one for one in examples if isinstance(one, str)], world)
    if origin is list and typing.get_args(hint) == (str,):
        return Field(name, "list")
    return Field(name, "any")


def _of_values(name: str, values: Sequence[Any], world: World) -> Field:
    """Return the field of a variable of which only values are declared, one of each kind."""
    given = [value for value in values if value is not None]
    nullable = len(given) < len(values)
    if given and all(isinstance(value, bool) for value in given):
        # one of both alone: the other may not be given, as a mark that may not be lowered
        return Field(name, "choice", tuple(dict.fromkeys(given)), nullable=nullable)
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        whole = all(isinstance(value, int) for value in given)
        return dataclasses.replace(_number(name, "whole" if whole else "number", world), nullable=nullable)
    if given and all(isinstance(value, str) for value in given):
        return dataclasses.replace(_of_texts(name, given, world), nullable=nullable)
    if given and all(isinstance(value, list) for value in given):
        return Field(name, "list", nullable=nullable)
    return Field(name, "choice", tuple(given), nullable=nullable) if given else Field(name, "any", nullable=True)


def _of_texts(name: str, examples: Sequence[str], world: World) -> Field:
    """Return the field of a text: several texts are all there are, one is an example of its form."""
    if any(example.startswith(FROM_NOW) for example in examples if example != NEW_ID):
        return Field(name, "moment")
    if examples and all(_is_duration(example) for example in examples):
        return Field(name, "duration")
    known = world.values.get(name, examples)
    return Field(name, "choice", tuple(known)) if len(known) > 1 else Field(name, "text")


def _number(name: str, kind: Literal["whole", "number"], world: World) -> Field:
    lowest, highest = world.ranges.get(name, (None, None))
    return Field(name, kind, lowest=lowest, highest=highest)


def _same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


def _can_be_given(value: Any) -> bool:
    """Return whether a text that begins as a moment from now is one: it is computed as it is given."""
    return not (isinstance(value, str) and value.startswith(FROM_NOW)) or _is_moment(value)


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    if text.startswith(FROM_NOW):
        try:
            parse_duration(text.removeprefix(FROM_NOW)).after(LATEST)
        except (ValueError, OverflowError):
            return False
        return True
    try:
        parse_date(text)
    except ValueError:
        return False
    return True


def _utc(text: str) -> str:
    """Return a moment as workers give it; a text that is none as it is."""
    try:
        return parse_date(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return text


_FORMS: Mapping[Kind, tuple[Callable[[Any], bool], Text]] = {
    "text": (lambda value: isinstance(value, str) and _CONTROL.search(value) is None, Message("a text")),
    "moment": (lambda value: isinstance(value, str) and _is_moment(value), _MOMENT),
    "duration": (
        lambda value: isinstance(value, str) and _is_duration(value),
        Message("a duration such as P7D or PT8H"),
    ),
    "list": (
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        Message("a list of texts, with commas between"),
    ),
    "any": (lambda _value: True, Message("a text")),
}
