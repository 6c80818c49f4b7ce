"""Check a set of models, in a process of its own: ``python -m services.app.model_check NEW OLD``.

It prints one JSON object: lint's findings, what the policy check found, and the differences from one folder to the
other. The files may be hostile: the process has the bounds below, no setting and no credential, and writes no file.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from services.app.container import check_models
from services.designers.lint import check as lint_check
from services.designers.lint.findings import ExitCode as LintCode
from services.designers.lint.findings import exit_code
from services.designers.model_diff import diff
from services.designers.policy_check import rules
from services.designers.policy_check.check import check
from services.designers.policy_check.report import FLOORS, ExitCode, Report, Sentence, Verdict
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.engine.processing.deployments import Resource
from services.runtime import confine
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover
from services.runtime.places import own_or_shipped

LIMITS = confine.Limits(memory=3 << 30, cpu_seconds=420, files=64)
CHECK_SECONDS = 300
WALL_SECONDS = 900.0  # of the parent: a machine with much else to do
LARGEST = 4 << 20  # the answer
MOST_CHANGES, MOST_FINDINGS, MOST_STEPS = 200, 100, 60
VERDICTS = {ExitCode.CLEAN: "clean", ExitCode.BROKEN: "broken", ExitCode.UNDECIDED: "undecided"}


def main() -> None:
    """Check the first folder; the second one is what is deployed."""
    confine.set_limits(LIMITS)
    sys.stdout.write(json.dumps(examine(Path(sys.argv[1]), Path(sys.argv[2])), ensure_ascii=False))
    sys.stdout.flush()


def examine(folder: Path, before: Path) -> dict[str, Any]:
    """Return what is kept with a set of models: verdict, findings and differences, each sentence in both languages."""
    of_rules = own_or_shipped(folder, rules.NAME)
    result: dict[str, Any] = {
        "verdict": "unreadable",
        "rules": 0,
        "rules_sha256": hashlib.sha256(of_rules.read_bytes()).hexdigest(),
        "states": 0,
    }
    try:
        changes = diff(before, folder)
        result |= {
            "changes": [_both((change.sentence("zh"), change.sentence("en"))) for change in changes[:MOST_CHANGES]],
            "more_changes": max(len(changes) - MOST_CHANGES, 0),
        }
        check_models(folder)
        workers = discover()
        findings = lint_check.find(folder, workers, templates=False)
        result["lint"] = [_both((each.sentence("zh"), each.sentence("en"))) for each in findings[:MOST_FINDINGS]]
        if exit_code(findings) is LintCode.ERRORS:
            return result | {"verdict": "lint"}
        deployed = [Resource(path.name, path.read_bytes()) for path in sorted(before.glob("*.bpmn"))]
        report = check(folder, workers, seconds=CHECK_SECONDS, deployed=deployed)
    except (UnreadableFile, Fatal) as error:
        # The folder is a temporary one, and only its files mean anything to the reader.
        return result | {"unreadable": str(error).replace(f"{folder}/", "").replace(str(folder), "")}
    return result | _summary(report)


def _summary(report: Report) -> dict[str, Any]:
    undecided = [_verdict(verdict) for verdict in report.undecided]
    undecided += [_both(sentence) | {"why_zh": "", "why_en": ""} for sentence in report.unseen]
    return {
        "verdict": VERDICTS[report.exit_code],
        "rules": len(report.verdicts),
        "states": report.states,
        "broken": [_verdict(verdict) for verdict in report.broken][:MOST_FINDINGS],
        "undecided": undecided[:MOST_FINDINGS],
        "notes": [_both(sentence) for sentence in report.notes][:MOST_FINDINGS],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    shown = verdict.counterexample
    floor = FLOORS[verdict.floor] if verdict.floor is not None else ("", "")
    expected = shown.expected if shown is not None else ("", "")
    steps = shown.steps[:MOST_STEPS] if shown is not None else ()
    return {
        **_both((verdict.zh, verdict.en)),
        "rule": f"{verdict.process}: {verdict.rule}" if verdict.process else verdict.rule,
        "requirements": list(verdict.requirements),
        **{f"why_{name}": text for name, text in _both(verdict.why).items()},
        **{f"floor_{name}": text for name, text in _both(floor).items()},
        **{f"expected_{name}": text for name, text in _both(expected).items()},
        "steps": [_both((step.zh, step.en)) for step in steps],
    }


def _both(sentence: Sentence) -> dict[str, str]:
    return {"zh": sentence[0], "en": sentence[1]}


if __name__ == "__main__":
    main()
