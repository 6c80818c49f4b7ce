"""The rules of style that a tool does not check, as tests over the source's syntax trees."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from services.runtime.places import ROOT

SERVICES = ROOT / "services"

# A migration is a record of what was done to the tables; nobody reads it from top to bottom, nobody edits it.
MODULES = sorted(path for path in SERVICES.rglob("*.py") if "migrations/versions" not in path.as_posix())

Found = list[str]


def place(path: Path, node: ast.AST | int) -> str:
    line = node if isinstance(node, int) else getattr(node, "lineno", 0)
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.fixture(scope="module", autouse=True)
def _parsed_once() -> Iterator[None]:
    yield
    for cached in (_nodes_of, called):  # trees of the whole product are nothing to keep for the rest of the run
        cached.cache_clear()


@cache
def _nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))))


def nodes(*packages: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in MODULES:
        if not packages or path.relative_to(SERVICES).parts[0] in packages:
            for node in _nodes_of(path):
                yield path, node


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


@cache
def called(node: ast.AST) -> str:
    """The dotted name of what is called, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def test_the_rules_look_at_the_source() -> None:
    assert SERVICES / "runtime" / "jobs" / "runner.py" in MODULES


def test_annotations_are_classes_where_pyzeebe_looks_at_them() -> None:
    found: Found = [place(p, n) for p, n in nodes("runtime", "workers") if "__future__" in imported(n)]

    assert found == []


def test_only_the_runtime_knows_pyzeebe() -> None:
    found: Found = []
    for path, node in nodes():
        for name in imported(node):
            speaks = any(SERVICES / package in path.parents for package in ("engine", "bench"))  # the protocol itself
            stubs = speaks and name.startswith("pyzeebe.proto")
            if name.split(".")[0] == "pyzeebe" and SERVICES / "runtime" not in path.parents and not stubs:
                found.append(f"{place(path, node)} imports {name}")

    assert found == []


def test_the_verifier_needs_the_standard_library_and_cryptography_alone() -> None:
    allowed = {*sys.stdlib_module_names, "cryptography"}
    found: Found = [
        f"{place(path, node)} imports {name}"
        for path, node in nodes("verifier")
        for name in imported(node)
        if name.split(".")[0] not in allowed and not name.startswith("services.verifier")
    ]

    assert found == []


def test_nobody_sleeps_in_a_thread() -> None:
    found: Found = [place(path, node) for path, node in nodes() if called(node) == "time.sleep"]
    found += [
        place(path, node)
        for path, node in nodes()
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(a.name == "sleep" for a in node.names)
    ]

    assert found == []


def test_only_the_command_line_prints() -> None:
    cli = {SERVICES / "cli.py", SERVICES / "cli"}
    found: Found = [
        place(path, node) for path, node in nodes() if called(node) == "print" and not cli & {path, *path.parents}
    ]

    assert found == []


def test_no_moment_is_naive() -> None:
    found: Found = []
    for path, node in nodes():
        name = called(node)
        if not isinstance(node, ast.Call):
            continue
        given = len(node.args) + len(node.keywords)
        naive = (
            (name.endswith("datetime.now") and given == 0)
            or (name.endswith("datetime.fromtimestamp") and given < 2)
            or name.endswith(("datetime.utcnow", "datetime.utcfromtimestamp", "datetime.today", "date.today"))
        )
        if naive:
            found.append(f"{place(path, node)} {name}")

    assert found == []


def test_no_error_is_caught_without_a_name() -> None:
    found: Found = [place(p, n) for p, n in nodes() if isinstance(n, ast.ExceptHandler) and n.type is None]

    assert found == []


SILENCED = re.compile(r"#\s*(type:\s*ignore(\[[\w\-, ]+\])?|noqa(:\s*[A-Z]+\d+(\s*,\s*[A-Z]+\d+)*)?)\s*(?P<reason>.*)$")


def test_whoever_silences_a_check_says_why() -> None:
    found: Found = []
    for path in MODULES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = SILENCED.search(line)
            if match and not match["reason"].strip("# "):
                found.append(place(path, number))

    assert found == []


# The word table's "not" column, as far as a word can be told from its neighbours.
WRONG_WORDS = {
    "ticket": "application",
    "tickets": "application",
    "nda": "confidentiality agreement",
    "video_request": "application",
    "approval_step": "review",
    "audit_team": "supervision group",
    "user_task": "review",
    "video_file": "footage",
    "access_log": "custody log",
}


def words(name: str) -> str:
    """``videoRequest`` and ``VIDEO_REQUEST`` as ``_video_request_``, so that a word is found between underscores."""
    return "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() + "_"


def names_given(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.arg():
            return [node.arg]
        case ast.Name(ctx=ast.Store()):
            return [node.id]
        case ast.Attribute(ctx=ast.Store()):
            return [node.attr]
    return []


@pytest.mark.parametrize("name", ["videoRequest", "video_request", "VIDEO_REQUEST", "TicketBook"])
def test_a_wrong_word_is_seen_in_every_spelling(name: str) -> None:
    assert any(f"_{wrong}_" in words(name) for wrong in WRONG_WORDS)


def test_one_word_for_one_thing() -> None:
    found: Found = []
    # The engine has its own vocabulary, Zeebe's.
    packages = {path.relative_to(SERVICES).parts[0] for path in MODULES} - {"engine"}
    for path, node in nodes(*packages):
        for name in names_given(node):
            found += [
                f"{place(path, node)} {name}: the word is {right}"
                for wrong, right in WRONG_WORDS.items()
                if f"_{wrong}_" in words(name)
            ]
    for path in MODULES:
        found += [f"{path.relative_to(ROOT)}: {wrong}" for wrong in WRONG_WORDS if f"_{wrong}_" in words(path.stem)]

    assert found == []


def declared() -> dict[str, list[str]]:
    """The direct dependencies by the group they are declared in."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = whole["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"], **whole["dependency-groups"]}
    named = {
        group: [re.split(r"[\[<>=!~;\s]", requirement)[0].lower() for requirement in requirements]
        for group, requirements in groups.items()
    }
    assets = json.loads((ROOT / "deploy" / "assets" / "package.json").read_text(encoding="utf-8"))
    models = json.loads((ROOT / "deploy" / "bpmn" / "package.json").read_text(encoding="utf-8"))
    provider = json.loads((ROOT / "tests" / "node" / "package.json").read_text(encoding="utf-8"))
    drawn = [name for name in models["devDependencies"] if name not in assets["dependencies"]]
    return {
        **named,
        "browser": [*assets["dependencies"], *assets["devDependencies"]],
        "models": drawn,
        "provider": list(provider["devDependencies"]),
    }


def test_every_direct_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([\w.@/-]+)` \| \S.{8,} \|$", page, re.MULTILINE)

    assert sorted(explained) == sorted(name for names in declared().values() for name in names)


def test_what_is_imported_is_declared() -> None:
    owners = packages_distributions()
    direct = set(declared()[""])
    optional = SERVICES / "vault" / "redaction" / "detect_process.py"  # does not run where they are not installed
    contract = SERVICES / "recorder_contract"  # a pytest plugin, for whoever has pytest
    found: Found = []
    for path, node in nodes():
        for name in imported(node):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top == "services":
                continue
            if path == optional and top in {"cv2", "numpy"}:
                continue
            if path.parent == contract and top == "pytest":
                continue
            if not direct & {owner.lower().replace("_", "-") for owner in owners.get(top, [])}:
                found.append(f"{place(path, node)} imports {top}")

    assert found == []


def test_only_confined_processes_open_footage_of_others() -> None:
    """FFmpeg reads what recorders and people send there alone; the others name its version, or open footage of ours."""
    clip = {path for path in (SERVICES / "vault" / "clip").glob("*.py") if path.name != "client.py"}
    images = {*SERVICES.rglob("photograph_process.py"), *SERVICES.rglob("image_process.py")}
    of_redaction = ("detect_process.py", "drawing.py", "pictures.py", "process.py")
    redaction = {SERVICES / "vault" / "redaction" / name for name in of_redaction}
    single = {SERVICES / "vault" / "frames" / "process.py", SERVICES / "runtime" / "jpeg.py"}
    confined = {*clip, *redaction, *single, SERVICES / "recorders" / "snapshot_process.py", *images}
    others = {
        SERVICES / "vault" / "packets.py",
        SERVICES / "workers" / "labelling.py",
        SERVICES / "bench" / "footage.py",
        SERVICES / "bench" / "redact.py",
        SERVICES / "demo" / "scene.py",
    }
    opening = {path for path, node in nodes() for name in imported(node) if name.split(".")[0] == "av"}

    assert opening - confined == others


def test_packages_import_downwards_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
