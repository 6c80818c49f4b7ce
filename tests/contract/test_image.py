"""The image: what it installs is what ``make setup`` installs, and what it holds runs with a root that is read-only."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
from image_layout import DOCKERFILE, IGNORED, ROOT, instructions, lay_out, written
from service_process import CONFINED, environment, running

NOISE = {"--quiet", "--disable-pip-version-check", "--no-cache-dir"}  # what changes nothing of what is installed


def installs(text: str) -> list[list[str]]:
    """Every ``pip install`` with its arguments, in order."""
    found = re.findall(r"pip install ([^\n|&;]+?)(?:>[^\n]*)?(?:\n|\|\||&&|$)", text)
    return [[word for word in one.split() if word not in NOISE and not word.startswith(">")] for one in found]


def setup_recipe() -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return makefile[makefile.index(".venv/.installed:") : makefile.index("setup-test:")]


def test_the_image_installs_what_setup_installs() -> None:
    image = [one for what, one in instructions() if what == "RUN"]

    assert installs("\n".join(image)) == installs(setup_recipe())
    assert installs("\n".join(image)) == [["--require-hashes", "-r", "requirements.lock"], ["--no-deps", "-e", "."]]


def test_the_image_has_a_python_that_setup_takes() -> None:
    [version] = re.findall(r"ARG PYTHON_IMAGE=python:3\.(\d+)\.\d+-slim-\w+\n", DOCKERFILE)
    [oldest, newest] = re.findall(r"\(3, (\d+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    [least, above] = re.findall(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )[0]

    assert int(oldest) <= int(version) <= int(newest)
    assert (int(oldest), int(newest)) == (int(least), int(above) - 1)


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_lives() -> None:
    told = dict(instructions())

    assert told["USER"] == "10001:10001"
    assert "/livez" in told["HEALTHCHECK"]
    assert told["ENTRYPOINT"] == '["footage-desk"]'
    assert [one for what, one in instructions() if what == "FROM"] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', DOCKERFILE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert labels["version"] == project["version"]
    assert set(labels) == {"title", "licenses", "version", "description"}


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [hadolint, "--failure-threshold", "style", "--no-color", ROOT / "deploy" / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stdout) == (0, "")


def test_no_secret_gets_into_the_image() -> None:
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)\s*=", DOCKERFILE)
    assert not any(what == "ADD" for what, _ in instructions())
    assert IGNORED[0] == "*", "whatever is not named stays out"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's folder of the image, with this environment's packages, compiled and read-only."""
    app = tmp_path_factory.mktemp("image") / "app"
    lay_out(app)
    return app


def ask(image: Path, data: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with the image's own services, as the image's variables and rights have it."""
    env = environment(data_dir=data) | {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    whole = [*CONFINED, sys.executable, "-c", code, *arguments]
    return subprocess.run(whole, env=env, cwd=data, capture_output=True, text=True, check=False)


def test_what_the_image_holds_migrates_and_examines_itself_without_writing_to_its_root(
    image: Path, tmp_path: Path
) -> None:
    before = written(image)
    run = "from services.cli.entry import main; main()"
    migrated, examined = (ask(image, tmp_path, run, command) for command in ("migrate", "doctor"))
    found = ask(image, tmp_path, "from services.app.container import models; print(*models())")

    assert migrated.returncode == 0, migrated.stderr
    assert (tmp_path / "database.sqlite3").exists()
    assert "Traceback" not in examined.stderr
    assert "✓  settings" in examined.stdout
    assert len(found.stdout.split()) == 3
    assert all(model.startswith(f"{image}/bpmn/") for model in found.stdout.split()), "the image's own models"
    assert written(image) == before


def test_what_the_image_holds_shows_itself_with_the_demo(image: Path, tmp_path: Path) -> None:
    env = environment(data_dir=tmp_path / "var") | {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    static = image / "services" / "web" / "static"
    before = written(image)

    with running("run", "--demo", env=env, cwd=tmp_path, before=CONFINED) as one:
        portal = one.printed(r"ready at (http://\S+)")
        pages = {path: httpx.get(portal + path, timeout=30).status_code for path in ("/login", "/api/openapi.json")}
        files = [path.relative_to(static) for path in static.rglob("*") if path.is_file()]
        fetched = {file: httpx.get(f"{portal}/static/{file}", timeout=30).status_code for file in files}
        health = one.printed(r"metrics are at (http://\S+)\n")
        [check] = re.findall(r'CMD \["python", "-c", "(.+)"\]', DOCKERFILE)
        port = {"FOOTAGE_DESK_HEALTH__PORT": health.rpartition(":")[2]}
        healthy = subprocess.run([sys.executable, "-c", check], env=env | port, check=False).returncode
        assert one.end() == 0

    assert pages == dict.fromkeys(pages, 200)
    assert len(files) > 20
    assert fetched == dict.fromkeys(files, 200)
    assert healthy == 0
    assert list((tmp_path / "var" / "recordings").rglob("*.mp4")), "the image's own recordings"
    assert written(image) == before


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_volume_of_somebody_else_is_told_in_a_sentence(image: Path, command: str) -> None:
    refused = ask(image, image / "bpmn", "from services.cli.entry import main; main()", command)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"could not write | {image / 'bpmn'} | this account may not write there | give")


def test_the_image_holds_models_and_words_and_no_tests_or_tools(image: Path) -> None:
    held = {path.name for path in image.iterdir()}

    legal = {"LICENSE", "NOTICE", "bill-of-materials.cdx.json"}
    assert held == {"services", "bpmn", "deploy", "pyproject.toml", "README.md", "requirements.lock", *legal}
    assert [path.name for path in (image / "deploy").iterdir()] == ["demo"]
    assert {path.name for path in (image / "bpmn").iterdir()} >= {"video-retrieval.bpmn", "review.bpmn"}
    assert list(image.rglob("*.po"))
    assert list(image.glob("services/**/__pycache__/*.pyc"))
