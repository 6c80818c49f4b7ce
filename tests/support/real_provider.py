"""The certified provider of tests/node, as a process of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT, SECRET = "footage-desk", "a secret: with+signs%"
FOLDER = Path(__file__).parents[1] / "node"
END_SECONDS = 10


@contextmanager
def real_provider(portal: str) -> Iterator[str]:
    """Its issuer, for a portal at this address."""
    command = ["node", "server.mjs", portal]
    with subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            issuer = process.stdout.readline().strip()
            assert issuer, "the provider did not start: make setup-test installs it"
            yield issuer
        finally:
            process.terminate()
            process.wait(END_SECONDS)
