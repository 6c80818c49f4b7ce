"""Find the jobs of the case of an application that another process has, and of which no rule of that process speaks.

A rule speaks of one process. Drawn into another one, or into a new one, a job such as the hand-over would come there
whenever that process likes, and every rule would hold.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence

from services.designers.policy_check.report import Sentence
from services.designers.policy_check.root_processes import Root, job_types_of
from services.designers.policy_check.rules import Rule


def not_watched(rules: Iterable[Rule], roots: Sequence[Root], meant: Container[str]) -> Iterator[Sentence]:
    """Say which jobs are restricted in the case of an application, and not where they are too.

    ``meant`` has those that are to be so, each with its process: ``urgent-retrieval hand-over``. What is drawn in a
    file that several processes need, such as a review, is not told.
    """
    restricting: dict[str, set[str | None]] = defaultdict(set)
    for rule in rules:
        for pattern in rule.nevers:
            for job_type in pattern.names if pattern.kind == "job" else ():
                restricting[job_type].add(rule.process)
    needed_by = Counter(resource.name for root in roots for resource in root.resources)
    of_case = {job_type for job_type, processes in restricting.items() if None in processes}
    for root in roots:
        if root.is_main:
            continue
        own = job_types_of(resource for resource in root.resources if needed_by[resource.name] == 1)
        for job_type in sorted(own & of_case):
            if root.process_id not in restricting[job_type] and f"{root.process_id} {job_type}" not in meant:
                yield (
                    f"没有规则说明流程 {root.process_id} 中何时可以执行 {job_type}",
                    f"no rule says when {job_type} may come in the process {root.process_id}",
                )
