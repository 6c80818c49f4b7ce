"""The workers of the organisation's own, as the folder of the models declares them in ``workers.json``.

What is declared feeds lint, the element templates and what the policy check tries. The workers themselves run in
processes of their own (docs/designers.md); nothing here starts one.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from services.domain.stages.schema import BilingualLabel, Shape
from services.runtime import json_lines
from services.runtime.errors import Fatal
from services.runtime.json_lines import KeyPath, Problem

NAME = "workers.json"
HUMAN_STEP = "io.camunda.zeebe:userTask"
"""The job type of a user task; who declares it serves the user tasks of the models."""

JobType = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._:-]*$", max_length=120)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=120)]
ErrorCode = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=120)]
Value = StrictBool | StrictInt | StrictFloat | StrictStr | None
PATTERNS = {
    "zh": "has no Chinese",
    "en": "has to be English",
    "": "is made of letters, digits and underscores (a job type and an error also of hyphens and dots)",
}


class OwnWorker(BilingualLabel):
    """One job type. ``zh`` and ``en`` are the sentence that says what the worker does.

    ``inputs`` are the variables without which it cannot work, ``optional_inputs`` others that it reads; ``outputs``
    maps each variable that it gives to the values that a model may have to tell apart, one of each kind. ``errors``
    are the codes of the BPMN errors that it throws. ``checks_register`` says that it looks in the database for what a
    message may not have brought yet, so that a timer which ends a wait may lead to it.
    """

    inputs: tuple[Variable, ...] = ()
    optional_inputs: tuple[Variable, ...] = ()
    outputs: dict[Variable, Annotated[tuple[Value, ...], Field(min_length=1)]] = Field(default_factory=dict)
    errors: tuple[ErrorCode, ...] = ()
    checks_register: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """Return all variables that it reads."""
        return (*self.inputs, *self.optional_inputs)

    def outcomes(self) -> Iterator[Mapping[str, Value]]:
        """Yield each way in which its job ends well: every combination of the values of its outputs."""
        for values in itertools.product(*self.outputs.values()):
            yield dict(zip(self.outputs, values, strict=True))


class WorkersFile(Shape):
    """The whole file."""

    workers: dict[JobType, OwnWorker]


def check(path: Path, shipped: frozenset[str] = frozenset()) -> tuple[WorkersFile | None, list[Problem]]:
    """Parse the file; return its content, None if malformed, and its problems.

    ``shipped`` are the job types of the product's own workers, which nobody else may declare.
    """

    def contradictions(file: WorkersFile) -> Iterator[tuple[KeyPath, str]]:
        for job_type, worker in file.workers.items():
            if job_type in shipped:
                yield ("workers", job_type), "is a worker of the product: leave it out, or give yours another job type"
            for index, name in enumerate(worker.optional_inputs):
                if name in worker.inputs:
                    yield ("workers", job_type, "optionalInputs", index), f"{name} is among the inputs already"

    return json_lines.read(path, WorkersFile, patterns=PATTERNS, contradictions=contradictions)


def read(folder: Path, shipped: frozenset[str] = frozenset()) -> Mapping[str, OwnWorker]:
    """Read the workers that a folder declares, by job type; none without the file. Fatal with every line to correct."""
    path = folder / NAME
    if not path.exists():
        return {}
    content, problems = check(path, shipped)
    if content is None or problems:
        raise Fatal(
            f"could not read the workers of your own | {path} | {'; '.join(map(str, problems))} | "
            "correct the file; docs/designers.md describes each key"
        )
    return content.workers
