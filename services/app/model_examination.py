"""Examine models before they are deployed: lint, then the policy check (R2)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from services.app.deployments import Examined, are_shipped, digests
from services.designers.lint import check as lint_check
from services.designers.lint.findings import ExitCode as LintCode
from services.designers.lint.findings import Finding, exit_code
from services.designers.policy_check import rules
from services.designers.policy_check.check import check
from services.designers.policy_check.report import ExitCode, Report, Sentence
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.deployments.record import SHORTEST_REASON
from services.engine.processing.deployments import Resource
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN, own_or_shipped


class NotClean(Exception):
    """The models were not found to keep the policy; ``report`` says why, and ``findings`` where lint did first."""

    def __init__(self, *, findings: Sequence[Finding] = (), report: Report | None = None, unreadable: str = "") -> None:
        super().__init__(unreadable)
        self.findings = findings
        self.report = report
        self.unreadable = unreadable

    @property
    def exit_code(self) -> int:
        if self.unreadable:
            return ExitCode.UNREADABLE
        return ExitCode.BROKEN if self.report is None else self.report.exit_code


def examine(
    folder: Path | None,
    *,
    unchecked: str | None = None,
    seconds: float = 300,
    deployed: Mapping[str, bytes] = MappingProxyType({}),
    advise: Callable[[Sequence[Finding]], None] | None = None,
    note: Callable[[Sequence[Sentence]], None] | None = None,
) -> Examined:
    """Lint the models and walk them against the policy's rules, unless they are shipped or there is a reason not to.

    Takes up to ``seconds`` of the processor. ``deployed`` are the files that the engine has. ``advise`` gets what lint
    advises, ``note`` what the check of clean models notes. Raises NotClean; ValueError for a reason that says nothing.
    """
    files = digests(folder)
    if are_shipped(files):
        return Examined(files, "shipped")
    if unchecked is not None:
        if len(unchecked.strip()) < SHORTEST_REASON:
            raise ValueError("say in a few words why the models are deployed unchecked")
        return Examined(files, "unchecked", unchecked.strip())
    place = folder or BPMN
    workers = discover()
    found = lint_check.find(place, workers, templates=False)
    if exit_code(found) is LintCode.ERRORS:
        raise NotClean(findings=found)
    if advise is not None:
        advise(found)
    try:
        kept = [Resource(name, content) for name, content in deployed.items()]
        report = check(place, workers, seconds=seconds, deployed=kept)
    except UnreadableFile as error:
        raise NotClean(unreadable=str(error)) from error
    if report.exit_code != ExitCode.CLEAN:
        raise NotClean(report=report)
    if note is not None:
        note(report.notes)
    of_rules = own_or_shipped(place, rules.NAME)
    return Examined(
        files,
        "clean",
        rules=len(report.verdicts),
        rules_sha256=hashlib.sha256(of_rules.read_bytes()).hexdigest(),
        states=report.states,
    )
