"""What docs/sealing.md tells an expert to type checks an envelope, with openssl and nothing of ours."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from seals import seal, signer
from time_authority import Authority

from services.runtime.places import ROOT
from services.vault.envelopes import statement
from services.vault.keys.signer import Signer
from services.vault.time_stamping import HttpTimeStamper
from services.verifier.chains import seal_chain

pytestmark = pytest.mark.tool("openssl")

PAGE = (ROOT / "docs" / "sealing.md").read_text(encoding="utf-8")
TOLD = statement({"a.pdf": "0" * 64}, "urn:footage-desk:document:v1", {"number": "SQ-1"})


def typed(label: Path) -> subprocess.CompletedProcess[str]:
    """The page's commands, typed into a shell beside the label."""
    [block] = re.findall(r"(?m)^ +python3 - L <<'END'\n(?:^ +.*\n)+", PAGE)
    script = textwrap.dedent(block).replace("- L <<", f"- {label.name} <<")
    assert script.count("openssl") == 6
    return subprocess.run(
        ["bash", "-euc", script], cwd=label.parent, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.requirement("R37")
def test_the_pages_commands_confirm_an_envelope_and_tell_the_root(tmp_path: Path) -> None:
    label = tmp_path / "m.label.json"
    label.write_bytes(seal().sign(TOLD))

    done = typed(label)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Verified OK", "leaf.pem: OK"]
    fingerprint = lines[2].partition("=")[2].replace(":", "").lower()
    assert fingerprint == seal_chain(signer().certificate_chain).root_fingerprint


@pytest.mark.requirement("R37", refuses=True)
def test_the_pages_commands_find_a_changed_envelope(tmp_path: Path) -> None:
    label = tmp_path / "m.label.json"
    label.write_bytes(seal().sign(TOLD).replace(b'"payload":"ey', b'"payload":"ez'))

    assert typed(label).returncode != 0


@pytest.mark.requirement("R37")
def test_the_pages_command_confirms_the_time_stamp(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    label = tmp_path / "m.label.json"
    with authority.served() as url:
        label.write_bytes(Signer(signer(), HttpTimeStamper(url, pause=lambda _: None)).sign(TOLD))
    assert typed(label).returncode == 0
    found = re.search(r"`(openssl ts -verify [^`]*) -CAfile AUTHORITY.pem`", PAGE)
    assert found is not None

    done = subprocess.run(
        [*found[1].split(), "-CAfile", authority.trusted], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "Verification: OK", done.stderr
