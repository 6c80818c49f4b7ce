"""What comes to a model from outside: how jobs end, what people decide, which messages the portal sends.

It is read from what there is: the workers' result types, the review stages, the messages of the portal. The folder's
``policy-world.yaml`` adds what the types do not say: the classes of a value, and the errors of our workers. What it
says under ``processes`` counts where that process is walked, and takes the place of what it says for all.
"""

import dataclasses
import itertools
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from services.designers.own_workers import OwnWorker
from services.designers.policy_check import facts, yaml_lines
from services.designers.policy_check.compared_numbers import Number, beside_ends, between
from services.designers.policy_check.facts import Fact, Pattern, PatternError
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.process.messages import SENT, Sent
from services.domain.stages.schema import Stage
from services.runtime.jobs.commands import RESERVED, camel
from services.runtime.jobs.worker import Worker
from services.runtime.places import own_or_shipped

NAME = "policy-world.yaml"
_OF_A_PROCESS = {"values", "ranges", "jobs", "errors", "messages", "means", "meant", "counters", "fixed", "unanswered"}
_KEYS = {*_OF_A_PROCESS, "processes", "keys"}
_KEY_PARTS = ("application", "matter", "round", "hand-over", "review")
Values = Mapping[str, Any]
NO_ANSWER = "none"
"""The outcome of a review that ended without one; a walk tries it where the world says ``unanswered``."""

# A value that is made when it is given: an id of its own, or a moment so long after now.
NEW_ID = "@new"
FROM_NOW = "@+"
ATTEMPT = "@attempt"
"""The number of the attempt that a work order is in."""
ITEMS = "@items"
KEEP = "@keep"
DUE_AT = "dueAt"
MARKS = ("importantInformation", "sensitiveEvent", "highImpact")
CORRECTIONS, ATTEMPTS = "application-corrected", "work-order-again"
COUNTED = (CORRECTIONS, ATTEMPTS)
"""What the register counts as the models do."""


@dataclasses.dataclass(frozen=True)
class Meaning:
    """A fact that means another one: a job that finds in the register what a message did not bring."""

    of: Pattern
    is_also: Fact


class World:
    """The outcomes that a walk tries, with ``items`` items in an application."""

    def __init__(
        self,
        folder: Path,
        workers: Iterable[Worker],
        stages: Mapping[str, Stage],
        items: int,
        *,
        compared: Mapping[str, frozenset[Number]] | None = None,
        computed: frozenset[str] = frozenset(),
        declared: Mapping[str, OwnWorker] | None = None,
        process: str | None = None,
        elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        """Read ``policy-world.yaml`` of the folder, if it has one; raises UnreadableFile.

        ``declared`` are the workers of the organisation's own; ``compared`` are the numbers that the models compare a
        variable with (``compared_numbers``), ``computed`` the variables that they compute with otherwise
        (``unvaried.computed_names``). ``process`` is what is walked, ``elsewhere`` the job types that only other
        processes have: what their workers give is not tried for it.
        """
        self.path = folder / NAME
        self._all_workers = {worker.job_type: worker for worker in workers}
        self._all_declared = declared or {}
        self.workers = {name: worker for name, worker in self._all_workers.items() if name not in elsewhere}
        self.declared = {name: worker for name, worker in self._all_declared.items() if name not in elsewhere}
        self.stages = stages
        self.items = tuple(f"item-{number}" for number in range(1, items + 1))
        given = yaml_lines.read(self.path) if self.path.exists() else yaml_lines.Entry({}, 1, {})
        for key in given.values:
            if key not in _KEYS:
                raise UnreadableFile(
                    self.path, given.lines[key], f"{key} is no part of the world: {', '.join(sorted(_KEYS))}"
                )
        self._given = given
        self._of_process: Mapping[str, Any] = self._sections().get(process or "", {})
        self.sent: Mapping[str, Sent] = self._all_sent()
        """The messages that come from outside, with their keys: the portal's, and those that the world tells."""
        self.ranges: Mapping[str, list[Number]] = self._mapping("ranges")
        self._compared = compared or {}
        self._computed = computed
        self.values: Mapping[str, list[Any]] = {
            name: [*values, *self._beside(name, values)] for name, values in self._mapping("values").items()
        }
        self._jobs: Mapping[str, list[Values]] = self._mapping("jobs")
        self._errors: Mapping[str, list[str]] = self._mapping("errors")
        self._messages: Mapping[str, list[Values]] = self._mapping("messages")
        self.counters: Mapping[str, str] = self._mapping("counters")
        for what in self.counters.values():
            if what not in COUNTED:
                raise self._unknown("counters", f"the register does not count {what}, but {', '.join(COUNTED)}")
        self.fixed: frozenset[str] = frozenset(self._list("fixed"))
        self.meant: Mapping[str, list[str]] = self._mapping("meant")
        self.meanings = [self._meaning(text, other) for text, other in self._mapping("means").items()]
        self.unanswered: frozenset[str] = frozenset(self._list("unanswered"))

    @property
    def known_job_types(self) -> frozenset[str]:
        """The job types of the product's workers and of those that are declared, whichever process has them."""
        return frozenset({*self._all_workers, *self._all_declared})

    def check_names(self, job_types: set[str]) -> None:
        """Raise UnreadableFile for a name that nobody has: a wrong world would weaken the check in silence."""
        fields = {
            job_type: {camel(f.name) for f in dataclasses.fields(worker.result)}
            for job_type, worker in self._all_workers.items()
            if dataclasses.is_dataclass(worker.result)
        }
        fields |= {job_type: set(worker.outputs) for job_type, worker in self._all_declared.items()}
        returned = {name for stage in self.stages.values() for name in stage.returns}
        for key in ("jobs", "errors"):
            for job_type in self._mapping(key):
                if job_type not in job_types:
                    raise self._unknown(key, f"no model and no worker has the job {job_type}")
        for job_type, outcomes in self._jobs.items():
            for name in {name for outcome in outcomes for name in outcome}:
                if job_type in fields and name not in fields.get(job_type, set()):
                    raise self._unknown("jobs", f"the worker of {job_type} gives no {name}")
        for key, named in (("values", self.values), ("fixed", self.fixed)):
            for name in named:
                if name not in returned and not any(name in names for names in fields.values()):
                    raise self._unknown(key, f"no worker and no review gives {name}")
        for name in self._messages:
            if name not in self.sent:
                raise self._unknown("messages", f"the portal sends no message {name}, and keys: does not have it")
        for code in self.unanswered - self.stages.keys():
            raise self._unknown("unanswered", f"there is no stage {code}")

    def _sections(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what is said of each process."""
        found = self._given.values.get("processes") or {}
        line = self._given.lines.get("processes", 1)
        if not isinstance(found, dict) or not all(isinstance(section, dict) for section in found.values()):
            raise UnreadableFile(self.path, line, "processes: has to have ids of processes, each with its part")
        for process_id, section in found.items():
            for key in section:
                if key not in _OF_A_PROCESS:
                    listed = ", ".join(sorted(_OF_A_PROCESS))
                    raise UnreadableFile(self.path, line, f"{process_id}: {key} is no part of its world: {listed}")
        return found

    @property
    def processes(self) -> frozenset[str]:
        """The ids of the processes of which the world says something of their own."""
        return frozenset(self._sections())

    def _all_sent(self) -> Mapping[str, Sent]:
        given = self._given.values.get("keys") or {}
        if not isinstance(given, dict):
            raise self._unknown("keys", "keys: has to have messages, each with a list of what its key is made of")
        found = dict(SENT)
        for name, parts in given.items():
            if not isinstance(parts, list) or not parts or not set(parts) <= set(_KEY_PARTS):
                listed = ", ".join(_KEY_PARTS)
                raise self._unknown("keys", f"the key of {name} has to be a list of some of {listed}")
            sent = Sent(tuple(parts))
            if found.setdefault(name, sent) != sent:
                key = " + ".join(SENT[name].key)
                raise self._unknown("keys", f"the portal sends {name} with another key ({key}): leave it out here")
        return found

    def _unknown(self, key: str, sentence: str) -> UnreadableFile:
        line = self._given.lines.get(key) or self._given.lines.get("processes", 1)
        return UnreadableFile(self.path, line, sentence)

    def _mapping(self, key: str) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for given in (self._given.values.get(key) or {}, self._of_process.get(key) or {}):
            if not isinstance(given, dict):
                raise self._unknown(key, f"{key}: has to have names, each with its values")
            found |= given
        return found

    def _list(self, key: str) -> list[str]:
        found: list[str] = []
        for given in (self._given.values.get(key) or [], self._of_process.get(key) or []):
            if not isinstance(given, list):
                raise self._unknown(key, f"{key}: has to be a list")
            found += map(str, given)
        return found

    def _meaning(self, text: str, other: str) -> Meaning:
        try:
            also = facts.parse(other)
            [name] = also.names
            return Meaning(facts.parse(text), Fact(also.kind, name, next(iter(also.whats), "")))
        except (PatternError, ValueError) as error:
            raise self._unknown("means", str(error)) from error

    def required(self, job_type: str) -> tuple[str, ...]:
        """Return the variables without which the worker of a job cannot work."""
        if job_type in self.declared:
            return self.declared[job_type].inputs
        worker = self.workers.get(job_type)
        if worker is None:
            return ()
        fields = dataclasses.fields(worker.command)
        return tuple(
            camel(field.name)
            for field in fields
            if field.name not in RESERVED
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        )

    def takes(self, job_type: str, name: str) -> bool:
        """Return whether the worker of a job reads the variable; unknown workers may read any."""
        worker = self.declared.get(job_type) or self.workers.get(job_type)
        return worker is None or name in worker.variables

    def is_checking(self, job_type: str) -> bool:
        """Return whether the worker declares that it looks into the register for what no message has brought yet."""
        worker = self.declared.get(job_type) or self.workers.get(job_type)
        return worker is not None and worker.checks_register

    def outcomes(self, job_type: str) -> Sequence[Values]:
        """Return the ways in which a job ends well; one without variables where nobody declared it."""
        if job_type not in self._outcomes:
            self._outcomes[job_type] = list(self._compute_outcomes(job_type))
        return self._outcomes[job_type]

    @cached_property
    def _outcomes(self) -> dict[str, list[Values]]:
        return {}

    def _compute_outcomes(self, job_type: str) -> Iterable[Values]:
        worker = self.workers.get(job_type)
        own = self.declared.get(job_type)
        typed: dict[str, list[Any]] = (
            {} if own is None else {name: list(values) for name, values in own.outputs.items()}
        )
        if worker is not None and dataclasses.is_dataclass(worker.result):
            hints = typing.get_type_hints(worker.result)
            for field in dataclasses.fields(worker.result):
                name = camel(field.name)
                typed[name] = self.values.get(name) or _values_of(hints[field.name])
        given = self._jobs.get(job_type)
        given = [{}] if given is None else self._on_each_side(given)
        for outcome in given:
            open_names = [name for name in typed if name not in outcome]
            for chosen in itertools.product(*(typed[name] for name in open_names)):
                yield self._with_items({**dict(zip(open_names, chosen, strict=True)), **outcome})

    def _beside(self, name: str, values: Sequence[Any]) -> list[Number]:
        """Return more values of a variable, where these are no measure of what the models do with it.

        Of one that they compare with numbers, on each side of each; of one that they compute with, beside the ends.
        """
        if name not in self.ranges:
            return []
        lowest, highest = self.ranges[name]
        found = between(self._compared.get(name, ()), values, lowest, highest)
        if name in self._computed:
            found += [value for value in beside_ends(values, lowest, highest) if value not in (*values, *found)]
        return found

    def above_compared(self, name: str) -> int | None:
        """Return the least whole number above all that the models compare a variable with; None where there is none."""
        numbers = self._compared.get(name)
        return math.floor(max(numbers)) + 1 if numbers else None

    def _on_each_side(self, outcomes: Sequence[Values]) -> list[Values]:
        """Return the outcomes with one more for each value that the models tell apart from those given."""
        found = list(outcomes)
        for name in self.ranges:
            of_name = [outcome for outcome in outcomes if name in outcome]
            more = self._beside(name, [outcome[name] for outcome in of_name]) if of_name else []
            found += [{**outcome, name: value} for outcome in of_name[:1] for value in more]
        return found

    def _with_items(self, outcome: Values) -> Values:
        lists = {ITEMS: list(self.items), f"{ITEMS}[1]": list(self.items[:1])}
        return {
            name: lists[value] if isinstance(value, str) and value in lists else value
            for name, value in outcome.items()
        }

    def errors(self, job_type: str) -> Sequence[str]:
        """Return the BPMN errors that the worker of a job throws."""
        own = self.declared[job_type].errors if job_type in self.declared else ()
        return [*self._errors.get(job_type, []), *own]

    def declared_errors(self) -> Mapping[str, list[str]]:
        return self._errors

    def decisions(self, stage_code: str, marks: tuple[bool, ...] | None) -> Sequence[tuple[str, Values]]:
        """Return the outcomes of a review with the variables that each brings.

        ``marks`` are those that somebody has set before: a stage that may not lower them keeps them.
        """
        stage = self.stages.get(stage_code)
        if stage is None:
            return ()
        floor = marks if marks is not None and not stage.may_lower else (False,) * len(MARKS)
        kept = dict(zip(MARKS, floor, strict=True))
        found: list[tuple[str, Values]] = []
        for outcome in stage.outcomes:
            approves = outcome == stage.favourable
            names = [name for name in stage.returns if approves or name != DUE_AT]
            # what a refusal brings as well is never read differently, so one value of each is enough
            choices = [
                [True] if kept.get(name) else self.values.get(name, [None])[: None if approves else 1] for name in names
            ]
            for chosen in itertools.product(*choices):
                found.append((outcome, {"decision": outcome, **dict(zip(names, chosen, strict=True))}))
        if stage_code in self.unanswered:
            found.append((NO_ANSWER, {"decision": None, **dict.fromkeys(stage.returns)}))
        return found

    def message(self, name: str) -> Sequence[Values]:
        """Return what a message brings."""
        return [self._with_items(values) for values in self._messages.get(name, [{}])]

    def constant(self, name: str) -> Any:
        """Return the value of a variable of which the world has one; None else."""
        found = {repr(outcome[name]): outcome[name] for outcome in self._all_outcomes() if name in outcome}
        return next(iter(found.values())) if len(found) == 1 else None

    def _all_outcomes(self) -> Iterator[Values]:
        for job_type in (*self.workers, *self.declared):
            yield from self.outcomes(job_type)

    def known_values(self) -> Mapping[str, list[Any]]:
        """Return the values that the world gives each variable, null left out."""
        found: dict[str, dict[str, Any]] = {}
        decided = [values for code in self.stages for _, values in self.decisions(code, None)]
        for outcome in (*self._all_outcomes(), *decided):
            for name, value in outcome.items():
                if value is not None:
                    found.setdefault(name, {})[repr(value)] = value
        # a count has as many values as there are rounds
        return {name: list(values.values()) for name, values in found.items() if name not in self.counters}

    def brought(self, beginnings: Iterable[Values]) -> frozenset[str]:
        """Return the names of the variables that workers, reviews, messages and the beginnings of a case give."""
        decided = [values for code in self.stages for _, values in self.decisions(code, None)]
        of_messages = [values for brought in self._messages.values() for values in brought]
        return frozenset(
            name for values in (*self._all_outcomes(), *decided, *of_messages, *beginnings) for name in values
        )

    def numbers(self) -> frozenset[int]:
        """Return the numbers that the world gives: a walk keeps them apart, however large they are."""
        given = [
            value for job_type in self.workers for outcome in self.outcomes(job_type) for value in outcome.values()
        ]
        given += [value for values in self.values.values() for value in values]
        return frozenset(value for value in given if isinstance(value, int) and not isinstance(value, bool))


def brought_by_messages(folder: Path) -> frozenset[str]:
    """Return the variables that messages bring, as the world of a folder says; none where it cannot be read."""
    path = own_or_shipped(folder, NAME)
    try:
        given = yaml_lines.read(path).values
    except UnreadableFile:
        return frozenset()  # the policy check says why
    parts = [given, *(given.get("processes") or {}).values()] if isinstance(given.get("processes"), dict) else [given]
    of_messages = [part.get("messages") for part in parts if isinstance(part, dict)]
    return frozenset(
        str(name)
        for messages in of_messages
        if isinstance(messages, dict)
        for brought in messages.values()
        if isinstance(brought, list)
        for values in brought
        if isinstance(values, dict)
        for name in values
    )


def _values_of(hint: Any) -> list[Any]:  # noqa: PLR0911 - one for each type
    """Return the values that a walk tries of a type."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return list(typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        return [value for part in typing.get_args(hint) for value in _values_of(part)]
    if hint is bool:
        return [False, True]
    if hint is type(None):
        return [None]
    if hint is datetime:
        return [f"{FROM_NOW}PT0S"]
    if hint is timedelta:
        return ["P1D"]
    if hint in (int, float):
        return [1]
    if origin is list:
        return [ITEMS]
    return ["given"]
