"""Lint a folder of models: what stops a deployment, and what is advised."""

from collections.abc import Iterable
from pathlib import Path

from services.designers.lint import answers, brackets, consistency, human_steps, loop_backs, routes, variables
from services.designers.lint.findings import Finding, in_order
from services.designers.lint.folder import read
from services.designers.policy_check.world import brought_by_messages
from services.domain.process.messages import SENT
from services.runtime.jobs.worker import Worker


def find(folder: Path, workers: Iterable[Worker], *, templates: bool = True) -> list[Finding]:
    """Return what the product itself finds in a folder, errors first; the tools on Node find more (``camunda.py``).

    ``templates``: also whether elements are at the newest version of their template, which matters to Modeler alone.
    """
    shipped = list(workers)
    job_types = frozenset(worker.job_type for worker in shipped)
    found = read(folder, job_types)
    findings = list(found.findings)
    findings += consistency.find(found, job_types, templates=templates)
    findings += human_steps.find(found)
    findings += answers.find(found)
    findings += routes.find(found)
    findings += brackets.find(found)
    findings += loop_backs.find(found, shipped)
    if found.declaration_is_read:
        findings += variables.find(found, shipped, tuple(SENT), brought_by_messages(folder))
    return in_order(findings)
