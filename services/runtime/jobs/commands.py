"""Build a worker's command from a job's variables, and variables from its result.

A command is a frozen dataclass; its fields are the variables to fetch, ``application_id`` for ``applicationId``, save
the fields in ``RESERVED``, which come from the job itself. A field with a default is optional.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from services.runtime.errors import Fatal

RESERVED = frozenset(
    {
        "job_key",
        "element_instance_key",
        "process_instance_key",
        "element_id",
        "bpmn_process_id",
        "process_definition_version",
        "process_definition_key",
    }
)

C = TypeVar("C")

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


class JobFacts(Protocol):
    """The parts of a job that a command may have; pyzeebe's ``Job`` is one."""

    @property
    def key(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def element_id(self) -> str: ...
    @property
    def element_instance_key(self) -> int: ...
    @property
    def process_instance_key(self) -> int: ...
    @property
    def bpmn_process_id(self) -> str: ...
    @property
    def process_definition_version(self) -> int: ...
    @property
    def process_definition_key(self) -> int: ...
    @property
    def variables(self) -> Mapping[str, Any]: ...


def camel(name: str) -> str:
    """Turn ``application_id`` into ``applicationId``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def variables_to_fetch(command: type) -> tuple[str, ...]:
    """Return the names of a command's variables, in the order of its fields."""
    return tuple(camel(field.name) for field in dataclasses.fields(command) if field.name not in RESERVED)


def build_command(command: type[C], job: JobFacts) -> C:
    """Build a job's command; raises Fatal if a variable is missing or wrong, without its value."""
    values: dict[str, Any] = {}
    readers = _readers(command)
    for field in dataclasses.fields(command):  # type: ignore[arg-type]  # describe() has checked that it is a dataclass
        if field.name in RESERVED:
            values[field.name] = job.key if field.name == "job_key" else getattr(job, field.name)
            continue
        name = camel(field.name)
        value = job.variables.get(name)
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if value is None and optional:
            continue
        try:
            # JSON, because that is what the variable was: a date is text there, and true is no number.
            values[field.name] = readers[field.name].validate_json(json.dumps(_whole(value)), strict=True)
        except ValidationError as error:
            cause = "is not given" if value is None else f"is not what {job.type} expects: {error.errors()[0]['msg']}"
            raise Fatal(
                f"could not read the variables of {job.type} | variable {name} of job {job.key} at {job.element_id} | "
                f"{name} {cause} | set the variable, then resolve the incident",
                runbook="incidents-pending#variables",
            ) from None
    return command(**values)


def result_variables(result: object) -> dict[str, Any]:
    """Turn a result into JSON variables: moments as ISO text in UTC, durations as ISO text."""
    if result is None:
        return {}
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        raise Fatal(
            f"could not answer the job | a result of type {type(result).__name__} | "
            "a handler answers with a dataclass or None | correct the worker"
        )
    return {
        camel(field.name): _JSON.dump_python(getattr(result, field.name), mode="json")
        for field in dataclasses.fields(result)
    }


_readers_by_command: dict[type, Mapping[str, TypeAdapter[Any]]] = {}


def _readers(command: type) -> Mapping[str, TypeAdapter[Any]]:
    if command not in _readers_by_command:
        hints = get_type_hints(command)
        _readers_by_command[command] = {name: TypeAdapter(hint) for name, hint in hints.items()}
    return _readers_by_command[command]


def _whole(value: object) -> object:
    """Turn 30.0 into 30: FEEL has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
