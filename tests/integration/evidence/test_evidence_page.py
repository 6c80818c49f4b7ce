"""What docs/evidence.md tells people to type holds on a real package, with tools that are not ours."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from evidence_case import Made

from services.runtime.places import ROOT

PAGE = ROOT / "docs" / "evidence.md"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["clear", "sealed"])
def test_the_checks_by_hand_hold(made: Made, tmp_path: Path, how: str) -> None:
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PACKAGE": str(getattr(made, how))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    assert "Verified OK" in told
    assert "it is signed over this manifest" in told
    assert "seal.pem: OK" in told
    assert told.count("is the footage of its label") == 2
    for name in ("root", "seal"):
        assert made.fingerprints[name] in told.replace(":", "").lower()
