"""What is said of an evidence package that was made."""

import sys
from collections.abc import Callable
from pathlib import Path

from services.evidence.package import Made

Say = Callable[[str], None]


def announce(made: Made, say: Say) -> None:
    """Say what was made, its fingerprints, and the command that checks it."""
    say(f"{made.path}: the evidence package of {made.number}, {made.size} bytes, manifest sha256:{made.sha256}")
    for name, value in made.fingerprints.items():
        say(f"{name:<5} sha256:{value}")
    say(f"Check it with: {command(made)}")


def command(made: Made) -> str:
    """Return the command that checks the package, as it is typed where this runs."""
    called = sys.argv[0] if Path(sys.argv[0]).name == "footage-desk" else "footage-desk"
    return f"{called} verify {made.path} --trust sha256:{made.fingerprints['root']}"
