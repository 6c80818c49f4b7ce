"""What watches the product fits it: each metric, label and value that a rule, dashboard or runbook names is exported,
and each alert has its page and its test. That the rules fire is shown by test_alerts.py.
"""

import ast
import importlib
import json
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import page_rules
import pytest
import yaml
from promql import Named, names_in

import services
from services.domain.cases.states import STATES
from services.engine.metrics import ELEMENT_ACTIONS, INCIDENT_ACTIONS, JOB_ACTIONS, EngineMetrics
from services.runtime import metrics
from services.runtime.errors import Fatal, Retryable
from services.runtime.jobs.worker import discover
from services.runtime.places import ROOT
from services.runtime.settings import all_settings, variable
from services.web.observation import ABORTED, METHODS, OTHER

PROMETHEUS, GRAFANA, RUNBOOKS = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana", ROOT / "docs" / "runbooks"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
DASHBOARDS = sorted(GRAFANA.glob("*.json"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
# Zeebe's own metrics and their labels, as its exporter names them; the embedded engine exports the same.
ZEEBE = {
    "zeebe_job_events_total": {"action", "type", "partition"},
    "zeebe_element_instance_events_total": {"action", "type", "partition"},
    "zeebe_incident_events_total": {"action", "partition"},
    "zeebe_pending_incidents_total": {"partition"},
}
# Newer brokers' Prometheus client takes _total from a gauge's name (camunda/camunda#47390), so both are looked for.
NEWER_ZEEBE = {"zeebe_pending_incidents": {"partition"}}
OF_PROMETHEUS = {"job", "instance"}
OF_THE_CLIENT = ("process_", "python_")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rule(path: Path) -> dict[str, Any]:
    [group] = load(path)["groups"]
    [only] = group["rules"]
    return dict(only)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each series' name that the code exports."""
    found: dict[str, set[str]] = {"up": set()}
    engine = EngineMetrics(tmp_path_factory.mktemp("engine"), lambda: 0, lambda: 0)
    registries = metrics.REGISTRY, metrics.DATABASE_REGISTRY, metrics.INSTANCE_REGISTRY
    for collector in (collector for registry in registries for collector in registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.describe() if hasattr(collector, "describe") else collector.collect():
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    for family in engine.collect():
        name = family.name + SUFFIXES[family.type][0]
        found[name] = set(getattr(family, "_labelnames", ()))
    return found


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with where it stands: rules, dashboards and the runbooks' lines for Prometheus."""
    for path in RULES:
        yield path.name, rule(path)["expr"]
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text(encoding="utf-8"))):
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"].replace("$__rate_interval", "5m")
    for path in sorted(RUNBOOKS.glob("*.md")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("       ") and "# in Prometheus" in line:
                yield path.name, line.partition("  # in Prometheus")[0].strip()


def named() -> Iterator[tuple[str, Named]]:
    for where, expression in expressions():
        yield where, names_in(expression)


@pytest.mark.parametrize(
    ("expression", "metrics_", "labels"),
    [
        ('sum by (type) (rate(a_total{x="y z"}[5m])) > 0.5e3', {"a_total"}, {"type"}),
        ("max(a_b) == max(a_b offset 6h) and on (job) up", {"a_b", "up"}, {"job"}),
    ],
)
def test_names_are_read_from_an_expression(expression: str, metrics_: set[str], labels: set[str]) -> None:
    assert (names_in(expression).metrics, names_in(expression).grouped) == (metrics_, labels)


def test_a_word_that_is_no_metric_is_seen() -> None:
    with pytest.raises(ValueError, match="quantile"):
        names_in("quantile(0.5, a_b)")


def test_there_is_something_to_watch() -> None:
    assert len(RULES) >= 20
    assert [path.stem for path in DASHBOARDS] == ["custody", "engine", "footage", "portal", "process"]


def test_every_metric_that_is_named_is_exported(exported: dict[str, set[str]]) -> None:
    known = exported.keys() | NEWER_ZEEBE.keys()
    wrong = {(where, name) for where, found in named() for name in found.metrics if name not in known}

    assert wrong == set()


def test_the_embedded_engine_exports_zeebes_metrics_as_zeebe_does(exported: dict[str, set[str]]) -> None:
    assert {name: labels for name, labels in exported.items() if name.startswith("zeebe_")} == ZEEBE


def test_every_metric_of_ours_is_watched_somewhere(exported: dict[str, set[str]]) -> None:
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for _, found in named() for name in found.metrics}
    # Prometheus' own client has some for every Python process.
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if not name.startswith(OF_THE_CLIENT)}

    assert ours - used == set()


def test_every_label_that_is_used_exists(exported: dict[str, set[str]]) -> None:
    wrong = set()
    for where, found in named():
        there = OF_PROMETHEUS.union(*(exported.get(name, set()) for name in found.metrics))
        wrong |= {(where, label) for label in found.grouped - there}
        wrong |= {
            (where, match.metric, match.label)
            for match in found.matches
            if match.label not in exported.get(match.metric, set()) | OF_PROMETHEUS
        }

    assert wrong == set()


def test_every_value_that_a_label_is_compared_with_occurs() -> None:
    outcomes: dict[str, set[str]] = defaultdict(set)
    for name in ("footage_desk_sealings", "footage_desk_coverage_outcomes", "footage_desk_preservations"):
        for family in metrics.REGISTRY.restricted_registry([f"{name}_total"]).collect():
            outcomes[f"{name}_total"] |= {sample.labels["outcome"] for sample in family.samples}
    known = {
        ("camunda_job_invocations_total", "action"): set(metrics.JOB_ACTIONS),
        ("zeebe_job_events_total", "action"): {*JOB_ACTIONS.values(), "activated"},
        ("zeebe_element_instance_events_total", "action"): set(ELEMENT_ACTIONS.values()),
        ("zeebe_incident_events_total", "action"): set(INCIDENT_ACTIONS.values()),
        ("footage_desk_notices_total", "outcome"): set(metrics.NOTICE_OUTCOMES),
        ("footage_desk_timestamp_requests_total", "outcome"): set(metrics.TIMESTAMP_OUTCOMES),
        ("footage_desk_database_transaction_failures_total", "reason"): {"unavailable", "busy", "conflict"},
        ("footage_desk_applications", "state"): set(STATES),
        ("footage_desk_access_refused_total", "cause"): set(metrics.REFUSED_CAUSES),
        ("footage_desk_http_requests_total", "class"): {"2xx", "3xx", "4xx", "5xx", ABORTED},
        ("footage_desk_http_request_duration_seconds_bucket", "le"): {f"{b:g}" for b in metrics.HTTP_BUCKETS},
        **{
            (f"footage_desk_http_request_duration_seconds_{part}", "method"): {*METHODS, OTHER}
            for part in ("bucket", "count")
        },
        **{(name, "outcome"): values for name, values in outcomes.items()},
    }
    types = {worker.job_type for worker in discover()}
    wrong = set()
    for where, found in named():
        for match in found.matches:
            values = types if match.label == "type" else known.get((match.metric, match.label))
            if match.label not in OF_PROMETHEUS:
                wrong |= {(where, match.metric, one) for one in match.values if values is None or one not in values}

    assert wrong == set()


def test_a_worker_that_is_gone_is_missed_whatever_it_did() -> None:
    found = names_in(rule(PROMETHEUS / "rules" / "no-worker.yaml")["expr"])

    assert {value for match in found.matches for value in match.values} == {one.job_type for one in discover()}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_an_alert_says_what_is_wrong_and_where_to_read(path: Path) -> None:
    alert = rule(path)

    assert "".join(word.capitalize() for word in path.stem.split("-")) == alert["alert"]
    assert alert["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert sorted(alert["annotations"]) == ["description", "runbook_url", "summary"]
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{path.stem}.md"
    found = names_in(alert["expr"])
    # A sum over everything leaves no label to speak of.
    kept = found.grouped or {"job", "instance", "type"}
    spoken = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
    assert spoken <= kept


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_an_alert_has_a_page_for_somebody_who_never_saw_the_code(path: Path) -> None:
    page = (RUNBOOKS / f"{path.stem}.md").read_text(encoding="utf-8")
    alert = rule(path)

    assert page.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE)[:4] == SECTIONS
    assert "\n       " in page.partition("## Diagnosis")[2], "it has the commands themselves"
    assert f"Severity `{alert['labels']['severity']}`" in page


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_an_alert_is_tested_to_fire_and_not_to_fire(path: Path) -> None:
    tests = load(PROMETHEUS / "tests" / path.name)
    checks = [check for one in tests["tests"] for check in one["alert_rule_test"]]

    assert tests["rule_files"] == [f"../rules/{path.name}"]
    assert {check["alertname"] for check in checks} == {rule(path)["alert"]}
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}


def test_there_is_no_page_and_no_test_without_an_alert() -> None:
    alerts = {path.stem for path in RULES}

    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == alerts
    assert {path.stem for path in (PROMETHEUS / "tests").glob("*.yaml")} == alerts
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+)\.md\) \|", index)) == alerts


# The line of each alert in the Chinese guide: its name, its page, how soon, what it means, what to do first.
CHINESE_LINE = re.compile(
    r"^\| \[(\w+)\]\(runbooks/([\w-]+)\.md\) \| (立即|查看) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)


def test_each_alert_has_its_chinese_passage_and_its_page_leads_there() -> None:
    guide = (RUNBOOKS.parent / "operations.zh.md").read_text(encoding="utf-8")
    section = guide.partition("\n## 告警一览\n")[2]
    lines = {page: (alert, how_soon, *said) for alert, page, how_soon, *said in CHINESE_LINE.findall(section)}
    for path in RULES:
        alert = rule(path)
        name, how_soon, meaning, first = lines.pop(path.stem)
        assert name == alert["alert"]
        assert how_soon == {"critical": "立即", "warning": "查看"}[alert["labels"]["severity"]], name
        for said in (meaning, first):
            assert len(re.findall(r"[\u4e00-\u9fff]", said)) >= 4, (name, said)
        page = (RUNBOOKS / f"{path.stem}.md").read_text(encoding="utf-8")
        assert "(../operations.zh.md#告警一览)" in page.partition("## Meaning")[0], name
    assert lines == {}, "an alert that is no more"


def sections(page: str) -> set[str]:
    """What a heading is called in an address."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }


def there(name: str) -> bool:
    page, _, section = name.partition("#")
    path = RUNBOOKS / f"{page}.md"
    return path.exists() and (not section or section in sections(path.read_text(encoding="utf-8")))


def kinds(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for one in base.__subclasses__():
        yield from kinds(one)


def test_every_kind_of_failure_names_a_page_that_is_there() -> None:
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    named_by_kind = {str(one.runbook) for base in (Retryable, Fatal) for one in kinds(base)}  # type: ignore[attr-defined]
    named_by_one = {
        str(keyword.value.value)
        for path in (ROOT / "services").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "runbook" and isinstance(keyword.value, ast.Constant)
    }

    assert len(named_by_kind) >= 5
    assert {name for name in named_by_kind | named_by_one if not there(name)} == set()


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_names_only_settings_paths_and_pages_that_exist(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    settings = {variable(path) for path in all_settings()}
    routes = {re.sub(r"\{\w+\}", "", route.partition(" ")[2]) for route in page_rules.PAGES}

    mentioned = {name for name in re.findall(r"\b(?:FOOTAGE_DESK|CAMUNDA|ZEEBE)_\w+", page) if not name.endswith("_")}
    assert mentioned <= settings
    paths = set(re.findall(r"`(/(?:admin|register|storage|hand-overs)[\w/-]*)`", page))
    assert paths <= routes
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page)
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_dashboards_have_titles_in_both_languages_and_ids_of_their_own() -> None:
    for path in DASHBOARDS:
        board = json.loads(path.read_text(encoding="utf-8"))
        shown = list(panels(board))
        titles = [board["title"], *(panel["title"] for panel in shown)]

        assert [title for title in titles if not re.fullmatch(r"[ -~]+ · .*[\u4e00-\u9fff].*", title)] == []
        assert len({panel["id"] for panel in shown}) == len(shown)
        assert board["uid"] == f"footage-desk-{path.stem}"
        sources = {panel["datasource"]["uid"] for panel in shown if panel["type"] != "row"}
        assert sources == {"${datasource}"}


def test_dashboards_panels_do_not_lie_on_each_other() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels(json.loads(path.read_text(encoding="utf-8"))):
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not taken & cells, panel["title"]
            taken |= cells


def test_prometheus_reads_the_rules_and_grafana_finds_prometheus() -> None:
    config = load(PROMETHEUS / "prometheus.yml")
    [source] = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    [provider] = load(GRAFANA / "provisioning" / "dashboards" / "footage-desk.yaml")["providers"]

    assert config["rule_files"] == ["rules/*.yaml"]
    assert {"footage-desk-portal", "footage-desk-workers"} <= {job["job_name"] for job in config["scrape_configs"]}
    assert (source["type"], source["isDefault"], provider["type"]) == ("prometheus", True, "file")
