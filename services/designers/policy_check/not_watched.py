"""Find the jobs that rules restrict in one process and another has, without a rule of its own that speaks of them.

A rule speaks of one process. Drawn into another one, or into a new one, a job such as the hand-over, or the clearing of
a violation, would come there whenever that process likes, and every rule would hold.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from services.designers.policy_check.report import Sentence
from services.designers.policy_check.root_processes import REVIEW_JOBS, Root, job_types_of
from services.designers.policy_check.rules import Rule


def not_watched(
    rules: Iterable[Rule], roots: Sequence[Root], started: Mapping[str | None, Collection[str]], meant: Container[str]
) -> Iterator[Sentence]:
    """Say which jobs are restricted elsewhere, and not where they are too.

    ``started`` has the types of the jobs that the walk of each process saw, by its id, None for the case of an
    application: also those of a type that is computed, and of a process that several call. ``meant`` has those that are
    to be so, each with its process: ``urgent-retrieval hand-over``.
    """
    restricting: dict[str, set[str | None]] = defaultdict(set)
    for rule in rules:
        for pattern in rule.nevers:
            for job_type in pattern.names if pattern.kind == "job" else ():
                restricting[job_type].add(rule.process)
    needed_by = Counter(resource.name for root in roots for resource in root.resources)
    for root in roots:
        process = None if root.is_main else root.process_id
        own = job_types_of(resource for resource in root.resources if needed_by[resource.name] == 1)
        for job_type in sorted((own.union(started.get(process, ())) & restricting.keys()) - REVIEW_JOBS):
            if process not in restricting[job_type] and f"{root.process_id} {job_type}" not in meant:
                yield (
                    f"没有规则说明流程 {root.process_id} 中何时可以执行 {job_type}",
                    f"no rule says when {job_type} may come in the process {root.process_id}",
                )
