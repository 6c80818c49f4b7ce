"""Find the processes that begin by themselves, and what each of them needs, so that each is walked alone.

Processes that meet only by messages do not share a walk: what one of them sends comes to the others at any moment, as
what the portal sends does. So each adds its own states, and none multiplies those of another.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.designers import required_steps
from services.designers.policy_check.live_variables import calls
from services.domain.process.messages import APPLICATION_SUBMITTED
from services.engine.errors import InvalidModel
from services.engine.model.bpmn import Element, ElementType, Process
from services.engine.model.dmn import parse_dmn
from services.engine.model.parse import parse_bpmn
from services.engine.processing.deployments import Resource

# what a review does, in whichever process it is held
REVIEW_JOBS = frozenset({"open-review", "remind-reviewer", "escalate-review"})


@dataclass(frozen=True)
class Root:
    """A process that no other calls, or that a message or a timer begins.

    ``messages`` are those that begin it, ``timers`` the start events that a timer triggers; ``resources`` are the
    files that it needs: its own, and those of what it calls. ``is_main``: whether it is the case of an application;
    rules that name no process are about it.
    """

    process_id: str
    messages: tuple[str, ...]
    resources: tuple[Resource, ...]
    job_types: frozenset[str]
    timers: tuple[str, ...] = ()
    is_main: bool = False


@dataclass(frozen=True)
class Rivals:
    """Two processes that one message begins, and the types of the jobs that both have."""

    message: str
    first: str
    second: str
    job_types: tuple[str, ...]


def find_roots(resources: Sequence[Resource]) -> list[Root]:
    """Return the root processes of these files, the case of an application first; none where a file is not valid."""
    try:
        drawn = {r.name: list(parse_bpmn(r.content, deployed=True)) for r in resources if r.name.endswith(".bpmn")}
        tables = {r.name: set(parse_dmn(r.content, deployed=True).decisions) for r in resources if _is_table(r)}
    except (InvalidModel, LookupError):
        return []  # the deployment says why
    processes = [process for of_file in drawn.values() for process in of_file]
    called = {target.id.text for process in processes for target in calls(process)}
    needs = _Needs(drawn, tables)
    found = []
    for process in processes:
        messages = tuple(dict.fromkeys(_start_messages(process)))
        timers = tuple(start.id for start in process.timer_start_events())
        if not messages and not timers and process.id in called:
            continue
        names = needs.of(process)
        found.append(
            Root(
                process.id,
                messages,
                tuple(resource for resource in resources if resource.name in names),
                frozenset(_job_types(p for name in names for p in drawn.get(name, ()))),
                timers,
            )
        )
    # a second process may begin beside the case of an application: the case does what the policy requires
    submitted = [root for root in found if APPLICATION_SUBMITTED in root.messages]
    main = max(submitted, key=lambda root: len(root.job_types & required_steps.JOBS.keys()), default=None)
    found = [replace(root, is_main=root is main) for root in found]
    return sorted(found, key=lambda root: (not root.is_main, root.process_id))


def find_rivals(roots: Iterable[Root], others: Iterable[Root], job_types: Container[str]) -> Iterator[Rivals]:
    """Yield which of ``others`` begin by a message that begins one of ``roots`` too, and do the same work.

    ``job_types`` are those that count. What a review does is no such work: any process may hold one.
    """
    known = list(roots)
    for other in others:
        for root in (one for one in known if one.process_id != other.process_id):
            shared = sorted(name for name in (root.job_types & other.job_types) - REVIEW_JOBS if name in job_types)
            for message in root.messages if shared else ():
                if message in other.messages:
                    yield Rivals(message, root.process_id, other.process_id, tuple(shared))


def job_types_elsewhere(roots: Iterable[Root], root: Root | None) -> frozenset[str]:
    """Return the job types that only other processes than this one have; none for all models together."""
    if root is None:
        return frozenset()
    return frozenset[str]().union(*(one.job_types for one in roots)) - root.job_types


def main_resources(resources: Sequence[Resource]) -> Sequence[Resource]:
    """Return the files that the case of an application needs; all where no process is that case."""
    main = next((root for root in find_roots(resources) if root.is_main), None)
    return resources if main is None else main.resources


class _Needs:
    """Finds the files that a process needs."""

    def __init__(self, drawn: Mapping[str, Sequence[Process]], tables: Mapping[str, set[str]]) -> None:
        self._drawn = drawn
        self._tables = tables
        self._file_of = {process.id: name for name, of_file in drawn.items() for process in of_file}

    def of(self, process: Process) -> set[str]:
        """Return the names of the files; all, where what it calls is computed as it is called."""
        found: set[str] = set()
        todo = [self._file_of[process.id]]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            for element in (e for of_file in self._drawn.get(name, ()) for e in of_file.elements.values()):
                if element.called is None:
                    continue
                if element.called.id.compiled is not None:
                    return {*self._drawn, *self._tables}
                todo += self._files(element)
        return found

    def _files(self, element: Element) -> list[str]:
        target = element.called.id.text if element.called is not None else ""
        if element.element_type == ElementType.CALL_ACTIVITY:
            return [self._file_of[target]] if target in self._file_of else []
        return [name for name, decisions in self._tables.items() if target in decisions]


def _is_table(resource: Resource) -> bool:
    return resource.name.endswith(".dmn")


def _start_messages(process: Process) -> Iterator[str]:
    for start in process.message_start_events():
        if start.event is not None and start.event.name is not None:
            yield start.event.name.text


def job_types_of(resources: Iterable[Resource]) -> frozenset[str]:
    """Return the job types of the processes in these files."""
    drawn = (resource for resource in resources if resource.name.endswith(".bpmn"))
    return frozenset(_job_types(p for resource in drawn for p in parse_bpmn(resource.content, deployed=True)))


def _job_types(processes: Iterable[Process]) -> Iterator[str]:
    for process in processes:
        yield from (e.job.type.text for e in process.elements.values() if e.job is not None)
