"""The lines that a command prints about a new evidence package."""

import sys
from collections.abc import Callable
from pathlib import Path

from services.evidence.package import Made
from services.verifier import pyz
from services.verifier.page import build as page

Say = Callable[[str], None]


def announce(made: Made, say: Say) -> None:
    """Print the package's path, its fingerprints, and the command that checks it."""
    say(f"{made.path}: the evidence package of {made.number}, {made.size} bytes, manifest sha256:{made.sha256}")
    say(f"package sha256:{made.file_sha256}  of the file itself, for the receipt of whoever gets it")
    for name, value in made.fingerprints.items():
        say(f"{name:<5} sha256:{value}")
    say(f"verify.pyz  sha256:{pyz.sha256()}  readers get it from you, not from the package: footage-desk verifier")
    say(f"verify.html sha256:{page.sha256()}  the same for a browser, which needs no Python")
    say(f"Check it with: {command(made)}")


def command(made: Made) -> str:
    """Return the command that checks the package, as it was called here."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "footage-desk" else "footage-desk"
    return f"{program} verify {made.path} --trust sha256:{made.fingerprints['root']}"
