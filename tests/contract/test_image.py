"""The image: what it installs is what ``make setup`` installs, and what it holds runs with a root that is read-only."""

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_process import environment

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
NOISE = {"--quiet", "--disable-pip-version-check", "--no-cache-dir"}  # what changes nothing of what is installed


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def installs(text: str) -> list[list[str]]:
    """Every ``pip install`` with its arguments, in order."""
    found = re.findall(r"pip install ([^\n|&;]+?)(?:>[^\n]*)?(?:\n|\|\||$)", text)
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


def test_no_secret_gets_into_the_image() -> None:
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)\s*=", DOCKERFILE)
    assert not any(what == "ADD" for what, _ in instructions())
    kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert kept[0] == "*", "whatever is not named stays out"


def copied(to: Path) -> None:
    """Lay out what the build copies of the repository, as .dockerignore lets it."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    kept_out = [line.removeprefix("**/") for line in patterns[1:] if not line.startswith("!")]
    for what, one in instructions():
        if what == "COPY" and not one.startswith("--from"):
            *sources, target = one.split()
            for source in sources:
                assert source in let_in, f"{source} is copied, and .dockerignore keeps it out"
                place = to / target / source if target == "./" else to / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=_ignore(kept_out))
                else:
                    shutil.copy(ROOT / source, place)


def _ignore(patterns: list[str]) -> "object":
    def ignore(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        return {
            name
            for name in names
            for pattern in patterns
            if fnmatch.fnmatch(name, pattern) or (inside / name).as_posix() == pattern
        }

    return ignore


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's folder of the image, with this environment's packages, compiled and read-only."""
    app = tmp_path_factory.mktemp("image") / "app"
    app.mkdir()
    copied(app)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "services"], cwd=app, check=True)
    for path in (app, *app.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    return app


def ask(image: Path, data: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with the image's own services, as the image's variables have it."""
    env = environment(data_dir=data) | {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, cwd=data, capture_output=True, text=True, check=False
    )


def written(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in folder.rglob("*")}


def test_what_the_image_holds_migrates_and_examines_itself_without_writing_to_its_root(
    image: Path, tmp_path: Path
) -> None:
    before = written(image)
    run = "from services.cli import app; app()"
    migrated, examined = (ask(image, tmp_path, run, command) for command in ("migrate", "doctor"))
    found = ask(image, tmp_path, "from services.house import models; print(*models())")

    assert migrated.returncode == 0, migrated.stderr
    assert (tmp_path / "register.db").exists()
    assert "Traceback" not in examined.stderr
    assert "✓  settings" in examined.stdout
    assert len(found.stdout.split()) == 3
    assert all(model.startswith(f"{image}/bpmn/") for model in found.stdout.split()), "the image's own models"
    assert written(image) == before


def test_the_image_holds_models_and_words_and_no_tests_or_tools(image: Path) -> None:
    held = {path.name for path in image.iterdir()}

    assert held == {"services", "bpmn", "pyproject.toml", "README.md", "requirements.lock"}
    assert {path.name for path in (image / "bpmn").iterdir()} >= {"video-retrieval.bpmn", "review.bpmn"}
    assert list(image.rglob("*.po"))
    assert list(image.glob("services/**/__pycache__/*.pyc"))
