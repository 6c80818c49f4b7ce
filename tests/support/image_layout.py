"""What deploy/Dockerfile says, and its /app laid out as the build would: a folder to which nobody may write."""

import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from services.runtime.places import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def variables() -> dict[str, str]:
    """The variables that the image sets."""
    told = " ".join(one for what, one in instructions() if what == "ENV")
    return dict(pair.split("=", 1) for pair in told.split())


def lay_out(app: Path) -> None:
    """Copy what the build copies of the repository, as .dockerignore lets it, compile it, and take the write bits."""
    app.mkdir()
    _copy(app)
    # What this checkout has compiled holds for the copies too, whose times are the same; the rest is compiled.
    for compiled in (ROOT / "services").rglob("__pycache__"):
        shutil.copytree(compiled, app / compiled.relative_to(ROOT))
    subprocess.run([sys.executable, "-m", "compileall", "-q", "services"], cwd=app, check=True)
    for path in (app, *app.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def written(folder: Path) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in folder.rglob("*")}


def _copy(to: Path) -> None:
    let_in = {line[1:] for line in IGNORED if line.startswith("!")}
    kept_out = [line.removeprefix("**/") for line in IGNORED[1:] if not line.startswith("!")]
    for what, one in instructions():
        if what == "COPY" and not one.startswith("--from"):
            *sources, target = one.split()
            for source in sources:
                assert source in let_in, f"{source} is copied, and .dockerignore keeps it out"
                place = to / target / Path(source).name if target == "./" else to / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=_ignore(kept_out))
                else:
                    place.parent.mkdir(exist_ok=True)
                    shutil.copy(ROOT / source, place)


def _ignore(patterns: list[str]) -> Callable[[str, list[str]], set[str]]:
    def ignore(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        return {
            name
            for name in names
            for pattern in patterns
            if fnmatch.fnmatch(name, pattern) or (inside / name).as_posix() == pattern
        }

    return ignore
