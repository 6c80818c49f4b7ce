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

pytestmark = pytest.mark.slow

NOISE = {
    "--quiet",
    "--disable-pip-version-check",
    "--no-cache-dir",
    "--no-compile",
}  # what changes nothing of what is installed
# The layers over Python, from the one that changes least: the stage that lays each out, and its folder there.
LAYERS = [("packages", "packages"), ("code", "fixed"), ("code", "code")]


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


def test_the_detector_is_installed_where_it_is_asked_for_and_as_setup_does() -> None:
    [image] = [one for what, one in instructions() if what == "RUN" and "requirements-detector.lock" in one]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = "--require-hashes --no-deps -r requirements-detector.lock"

    quiet = " ".join(sorted(NOISE, key=image.index))
    assert f'if [ "${{DETECTOR}}" = yes ]; then pip install {quiet} {wanted}; fi' in image
    assert wanted in makefile
    assert "ARG DETECTOR=no" in DOCKERFILE


def test_the_image_has_a_python_that_setup_takes() -> None:
    [version] = re.findall(r"ARG PYTHON_IMAGE=python:3\.(\d+)\.\d+-slim-\w+@sha256:[0-9a-f]{64}\n", DOCKERFILE)
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
    stages = [one for what, one in instructions() if what == "FROM"]
    assert stages == ["${PYTHON_IMAGE} AS packages", "packages AS code", "${PYTHON_IMAGE}"]


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]+)"', DOCKERFILE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = {"source": "${SOURCE}", "revision": "${REVISION}", "created": "${CREATED}", "base.name": "${PYTHON_IMAGE}"}

    assert labels["version"] == project["version"]
    assert labels.keys() == {"title", "licenses", "version", "description", *told}
    assert labels.items() >= told.items()


def test_the_image_is_dated_by_its_commit() -> None:
    make = subprocess.run(
        ["make", "--dry-run", "image", "SOURCE_DATE_EPOCH=1700000000"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    arguments = dict(re.findall(r"--build-arg (\w+)=(\S+)", make))
    named = {one.partition("=")[0] for what, one in instructions() if what == "ARG"}

    assert arguments["CREATED"] == "2023-11-14T22:13:20Z"
    assert arguments["SOURCE_DATE_EPOCH"] == "1700000000"
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?|unknown)", arguments["REVISION"])
    assert arguments.keys() | {"PYTHON_IMAGE"} == named


def test_a_change_of_the_code_changes_the_last_layer_alone() -> None:
    """What is copied into the image comes from the root on and with fixed times: the same bytes each time."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    copied = re.findall(r"^COPY (.+)$", last, re.MULTILINE)
    [packages, code] = [one for what, one in instructions() if what == "RUN" and "find /layers" in one]

    assert copied == [f"--from={stage} /layers/{layer} /" for stage, layer in LAYERS]
    # Nothing that the code changes comes before the packages, and the parts that rarely change lie apart from it.
    before = DOCKERFILE.partition(" AS code\n")[0]
    assert re.findall(r"^COPY (.+)$", before, re.MULTILINE) == ["requirements.lock requirements-detector.lock ./"]
    assert "services/rendering/fonts services/web/static/vendor /layers/fixed/app" in code
    assert "rm -r services/rendering/fonts services/web/static/vendor" in code
    for run in (packages, code):
        assert "compileall -q --invalidation-mode unchecked-hash" in run
        assert "--no-compile" in run
    assert "find /layers -exec touch --no-dereference --date=@0 {} +" in packages
    assert "find /layers/fixed -exec touch --no-dereference --date=@0 {} +" in code


def test_what_installs_packages_stays_outside() -> None:
    runs = [one for what, one in instructions() if what == "RUN"]

    assert "python3 -m venv --without-pip .venv" in runs
    assert ("ENV", "PIP_PYTHON=/app/.venv/bin/python") in instructions()
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert (
        "rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/*" in last
    )
    assert "pip install" not in last


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
    names = {path.name for path in (ROOT / "bpmn").iterdir() if path.suffix in (".bpmn", ".dmn")}
    assert {Path(model).name for model in found.stdout.split()} == names
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
    assert list((tmp_path / "var" / "recordings").rglob("*.mp4")), "drawn by the image's own scenes"
    assert written(image) == before


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_volume_of_somebody_else_is_told_in_a_sentence(image: Path, command: str) -> None:
    refused = ask(image, image / "bpmn", "from services.cli.entry import main; main()", command)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"could not write | {image / 'bpmn'} | this account may not write there | give")


def test_the_image_holds_models_and_words_and_no_tests_or_tools(image: Path) -> None:
    held = {path.name for path in image.iterdir()}

    legal = {"LICENSE", "NOTICE", "bill-of-materials.cdx.json", "docs"}
    locks = {"requirements.lock", "requirements-detector.lock"}
    assert held == {"services", "bpmn", "pyproject.toml", "README.md", *locks, *legal}
    assert [path.name for path in (image / "docs").iterdir()] == ["licences.md"]
    assert {path.name for path in (image / "bpmn").iterdir()} >= {"video-retrieval.bpmn", "review.bpmn"}
    assert list(image.rglob("*.po"))
    assert list(image.glob("services/**/__pycache__/*.pyc"))
