"""The pages of operators name only commands, settings, parts, values, metrics and paths that exist."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page_rules
import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from services.cli import main as cli_main
from services.runtime import metrics
from services.runtime.places import ROOT
from services.runtime.settings import all_settings, variable

DOCS = ROOT / "docs"
PAGES = [
    DOCS / name for name in ("operations.md", "operations.zh.md", "capacity.md", "camunda.md") if (DOCS / name).exists()
]
CHART = ROOT / "charts" / "footage-desk"
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
ACCESS = json.loads((CHART / "files" / "access.json").read_text(encoding="utf-8"))
PROGRAM = "footage-desk"
# Words of the table of secrets, and what the chart's table of access calls them.
SECRETS = {
    "the store's key": {"store"},
    "the replica's key": {"replica"},
    "the vault's identity": {"vaultKey"},
    "the recipients (public)": {"recipients"},
    "loan keys": {"loanKeys", "loanKeysRead"},
    "the portal's key": {"portalKey"},
    "the recorders' key": {"recordersKey"},
    "the seal's key": {"sealKey"},
    "the seal's certificates (public)": {"sealKey", "sealChain"},
    "the audit trail's key": {"logKey"},
    "the time-stamping authority, where one is set": {"sealKey", "logKey"},
    "the recorders' networks and folders": {"recorders"},
    "mail and webhook": {"mail"},
    "the client's secret at the login provider": {"provider"},
    "the account of the directory, where one is set": {"directory"},
}
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def spans(page: str) -> list[str]:
    """What is set in code inside sentences."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def typed(page: str) -> Iterator[list[str]]:
    """The words of every line that an operator types: indented lines, units' lines and spans."""
    blocks = re.findall(r"^ {4,}(\S.*)$", page, re.MULTILINE)
    blocks += [line.partition("=")[2] for line in re.findall(r"^ExecStart=.*$", page, re.MULTILINE)]
    for line in [*blocks, *spans(page)]:
        if re.match(r"[\w./$-]", line):
            yield shlex.split(line, comments=True)


def commands(page: str) -> Iterator[list[str]]:
    """The arguments of each call of our own program."""
    for words in typed(page):
        places = [at for at, word in enumerate(words) if Path(word).name == PROGRAM and words[at - 1] != "helm"]
        if words[:3] == ["docker", "compose", "-f"] and "run" in words:
            services = [at for at, word in enumerate(words) if word in COMPOSE]
            yield words[services[0] + 1 :]
        elif places and not {"helm", "make"} & set(words[:1]) and not set(words[:1]) & {"sudo", "systemctl"}:
            yield words[places[-1] + 1 :]


def wrong_with(arguments: list[str]) -> str | None:
    """Why our program would not know what to do with these words; None when it would."""
    command: Any = typer.main.get_command(cli_main.app)
    name, words = PROGRAM, list(arguments)
    while isinstance(command, TyperGroup) and words and not words[0].startswith("--"):
        name, command = words[0], command.commands.get(words.pop(0))
        if command is None:
            return f"there is no command {name}"
    known = {one for parameter in command.params for one in parameter.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{name} has no {', '.join(unknown)}" if unknown else None


def test_a_command_that_is_not_there_is_seen() -> None:
    assert wrong_with(["backup", "/backup/x.zip", "--loan-keys", "y"]) is None
    assert wrong_with(["bench", "seal", "--runs", "1"]) is None
    assert wrong_with(["back-up"]) == "there is no command back-up"
    assert wrong_with(["restore", "x", "--force"]) == "restore has no --force"


@every_page
def test_every_command_is_there_with_its_options(path: Path) -> None:
    found = list(commands(text(path)))

    assert found
    assert [(words, wrong) for words in found if (wrong := wrong_with(words))] == []


def test_what_an_operator_needs_is_said() -> None:
    named = {words[0] for words in commands(text(DOCS / "operations.md")) if words}

    assert {"portal", "worker", "engine", "run", "migrate", "deploy", "doctor", "administrator"} <= named
    assert {"backup", "restore", "resolve"} <= named


@every_page
def test_every_setting_is_there(path: Path) -> None:
    settings = {variable(path) for path in all_settings()}

    assert set(re.findall(r"\b(?:FOOTAGE_DESK|CAMUNDA|ZEEBE)_\w+", text(path))) <= settings


@every_page
def test_every_target_service_and_value_is_there(path: Path) -> None:
    page = text(path)
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    for words in typed(page):
        assert words[0] != "make" or set(words[1:]) <= targets
        if words[:2] == ["docker", "compose"]:
            assert words[3] == "deploy/compose.yaml"
            verb, *rest = words[4:]
            ours = rest[: rest.index(PROGRAM)] if PROGRAM in rest else rest
            named = [word for word in ours if not word.startswith("-") and ":" not in word]
            services = named[:1] if verb in ("exec", "run") else named
            assert set(services) <= set(COMPOSE), words
    for span in spans(page):
        if re.fullmatch(r"[a-zA-Z]+(\.[a-zA-Z-]+)+", span) and span.partition(".")[0] in VALUES:
            place: Any = VALUES
            for name in span.split("."):
                assert name in place, span
                place = place[name]


def test_everything_that_must_stand_still_is_stopped() -> None:
    (line,) = re.findall(r"^ +docker compose \S+ \S+ stop (.+)$", text(DOCS / "operations.md"), re.MULTILINE)
    parts = {name for name in COMPOSE if name == "portal" or name.startswith("worker-")}

    assert set(line.split()) == parts


@every_page
def test_every_path_link_and_page_of_the_portal_is_there(path: Path) -> None:
    page = text(path)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if not link.startswith("http")]
    for link in links:
        name, _, section = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", text(target), re.MULTILINE) if section else []
        assert section in {"", *(re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings)}, link
    paths = set(re.findall(r"(?<![\w/])(?:deploy|charts|docs|services|tests)/[\w./-]*\w", page))
    assert {one for one in paths if not (ROOT / one).exists()} <= {"deploy/.env"}
    routes = {route.partition(" ")[2] for route in page_rules.PAGES}
    assert {span for span in spans(page) if re.fullmatch(r"/(?:admin|storage|register)/[\w/-]+", span)} <= routes


@every_page
def test_every_metric_is_exported(path: Path) -> None:
    exported = {
        name
        for registry in (metrics.REGISTRY, metrics.DATABASE_REGISTRY, metrics.INSTANCE_REGISTRY)
        for name in registry._names_to_collectors
    }

    assert set(re.findall(r"\bfootage_desk_\w+", text(path))) - {"footage_desk"} <= exported


def test_the_table_of_secrets_is_the_charts() -> None:
    section = text(DOCS / "operations.md").partition("## Settings and secrets")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    told = {what: set(re.findall(r"`([a-z-]+)`", who)) for what, who, _ in rows if what in SECRETS}
    given = {"portal": ACCESS["portal"], **ACCESS["jobTypes"]}

    assert set().union(*SECRETS.values()) == set().union(*map(set, given.values()))
    assert told == {
        what: {part for part, needs in given.items() if names & set(needs)} for what, names in SECRETS.items()
    }


def test_the_drain_is_shorter_than_every_grace() -> None:
    page = text(DOCS / "operations.md")
    drain = int(re.findall(r"^FOOTAGE_DESK_WORKERS__DRAIN_SECONDS=(\d+)$", page, re.MULTILINE)[0])

    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", page, re.MULTILINE)[0]) >= drain + 20
    for name, one in COMPOSE.items():
        if name == "portal" or name.startswith("worker-"):
            waits = int(one["stop_grace_period"].removesuffix("s"))
            assert f"waits {waits} s for {one['environment']['FOOTAGE_DESK_WORKERS__DRAIN_SECONDS']}" in page


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached and path.suffix == ".md" and path.exists():
            reached.add(path)
            links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(path))
            waiting += [(path.parent / link).resolve() for link in links]

    assert set(DOCS.glob("*.md")) - reached == set()
