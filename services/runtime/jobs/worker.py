"""A worker: one job type, one handler, its command and result; and how workers are found."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_type_hints

from services.runtime.jobs.commands import variables_to_fetch

Handler = Callable[..., Awaitable[Any]]


class WorkerError(Exception):
    """A worker's module is invalid; the text says what to change."""


@dataclass(frozen=True)
class Worker:
    """One job type and its handler. ``heavy`` jobs move footage: fewer of them run at once.

    ``checks_register``: it looks in the database for what a message may not have brought yet, so that a timer which
    ends a wait may lead to it.
    """

    job_type: str
    handle: Handler
    command: type[Any]
    result: type[Any]
    heavy: bool = False
    concurrency: int | None = None
    checks_register: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        return variables_to_fetch(self.command)

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the parameters of ``handle`` besides its command."""
        return tuple(inspect.signature(self.handle).parameters)[1:]

    def bind(self, dependencies: Mapping[str, object]) -> dict[str, object]:
        """Return the other arguments of ``handle`` by name; raises WorkerError if one is missing."""
        parameters = list(inspect.signature(self.handle).parameters.values())[1:]
        missing = [p.name for p in parameters if p.name not in dependencies and p.default is inspect.Parameter.empty]
        if missing:
            raise WorkerError(
                f"{self.job_type} needs {', '.join(missing)}: give it in services/app/container.py by this name."
            )
        return {p.name: dependencies[p.name] for p in parameters if p.name in dependencies}


def describe(
    job_type: str,
    handle: Handler,
    *,
    heavy: bool = False,
    concurrency: int | None = None,
    checks_register: bool = False,
) -> Worker:
    """Read command and result from the handler's annotations; raises WorkerError if invalid.

    The annotations are resolved, so they may be strings (docs/zeebe.md, trap 5).
    """
    if not inspect.iscoroutinefunction(handle):
        raise WorkerError(f"{job_type}: handle must be an async function.")
    try:
        hints = get_type_hints(handle)
    except NameError as error:
        raise WorkerError(f"{job_type}: an annotation of handle cannot be resolved ({error}).") from error
    parameters = list(inspect.signature(handle).parameters.values())
    command = hints.get(parameters[0].name) if parameters else None
    if not (inspect.isclass(command) and dataclasses.is_dataclass(command) and _frozen(command)):
        raise WorkerError(f"{job_type}: the first parameter of handle must be a frozen dataclass, its command.")
    result = hints.get("return", inspect.Parameter.empty)
    if result is not type(None) and not (inspect.isclass(result) and dataclasses.is_dataclass(result)):
        raise WorkerError(f"{job_type}: handle must say what it returns, a dataclass or None.")
    return Worker(job_type, handle, command, result, heavy, concurrency, checks_register)


def describe_module(module: ModuleType) -> Worker | None:
    """Return the worker of a module, or None for a module without one.

    A worker's module has ``JOB_TYPE`` and ``handle``, and may have ``HEAVY``, ``CONCURRENCY`` and ``CHECKS_REGISTER``.
    """
    job_type, handle = getattr(module, "JOB_TYPE", None), getattr(module, "handle", None)
    if job_type is None and handle is None:
        return None
    if job_type is None or handle is None:
        raise WorkerError(f"{module.__name__} has only one of JOB_TYPE and handle: a worker needs both.")
    expected = module.__name__.rpartition(".")[2].replace("_", "-")
    if job_type != expected:
        raise WorkerError(f"{module.__name__} is for {job_type}: its JOB_TYPE must be {expected}, after the module.")
    return describe(
        job_type,
        handle,
        heavy=getattr(module, "HEAVY", False),
        concurrency=getattr(module, "CONCURRENCY", None),
        checks_register=getattr(module, "CHECKS_REGISTER", False),
    )


def discover(package: ModuleType | str = "services.workers") -> list[Worker]:
    """List all workers of a package, by job type; raises WorkerError for an invalid module."""
    root = importlib.import_module(package) if isinstance(package, str) else package
    workers = []
    for module in pkgutil.iter_modules(root.__path__, root.__name__ + "."):
        worker = describe_module(importlib.import_module(module.name))
        if worker is not None:
            workers.append(worker)
    return sorted(workers, key=lambda worker: worker.job_type)


def choose(job_types: Sequence[str], package: ModuleType | str = "services.workers") -> list[Worker]:
    """Return the workers of these job types, and load no other module of the package.

    Raises WorkerError for an unknown type, with the known ones.
    """
    root = importlib.import_module(package) if isinstance(package, str) else package
    modules = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(root.__path__)}
    chosen = {
        job_type: describe_module(importlib.import_module(f"{root.__name__}.{modules[job_type]}"))
        for job_type in job_types
        if job_type in modules
    }
    workers = [worker for job_type in job_types if (worker := chosen.get(job_type)) is not None]
    if len(workers) < len(job_types):
        unknown = [job_type for job_type in job_types if chosen.get(job_type) is None]
        known = [worker.job_type for worker in discover(root)]
        raise WorkerError(f"no worker does {', '.join(unknown)}; there are: {', '.join(known)}.")
    return workers


def _frozen(command: type) -> bool:
    return bool(command.__dataclass_params__.frozen)  # type: ignore[attr-defined]  # dataclasses keep it unannounced
