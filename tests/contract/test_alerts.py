"""Each alert fires when it should, and only then; promtool says the same in `make test-all`."""

import subprocess
from pathlib import Path

import alert_rules
import promql_parser as promql
import pytest
import tools

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))


@pytest.mark.parametrize("closed", [True, False], ids=["Prometheus 2", "Prometheus 3"])
@pytest.mark.parametrize("tests", TESTS, ids=lambda path: path.stem)
def test_an_alert_fires_when_it_should_and_only_then(tests: Path, closed: bool) -> None:
    for name, alerts, expected in alert_rules.firing(tests, closed=closed):
        assert sorted(alerts, key=repr) == sorted(expected, key=repr), name


@pytest.mark.parametrize(
    "expression",
    ["count(up)", "sum without (job) (up)", "up * on (job) up", "up > bool 1", "up @ 5", "rate(up[5m] offset 1m)"],
)
def test_what_the_evaluator_does_not_know_is_refused(expression: str) -> None:
    with pytest.raises(NotImplementedError):
        alert_rules.evaluate(promql.parse(expression), alert_rules.Database([], closed=False), 0.0)


@pytest.mark.long
@pytest.mark.tool("promtool")
@pytest.mark.parametrize(
    "command", [["check", "config", "prometheus.yml"], ["test", "rules", *TESTS]], ids=lambda c: c[0]
)
def test_promtool_says_the_same(command: list[str | Path]) -> None:
    program = tools.promtool()
    assert program is not None
    done = subprocess.run([program, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
