"""Another implementation of age opens what the vault encrypts, and the vault opens what it encrypts.

It is `age-encryption` from npm; `make test-all` takes Debian's `age` too.
"""

import os
import subprocess
from pathlib import Path

import pytest
import tools

from services.vault.age import Encryptor, MacMismatch, Reader, X25519Identity, generate_identity

CHUNK = 65536
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 1_000_003]


@pytest.fixture(
    params=["age-encryption", pytest.param("Debian's age", marks=[pytest.mark.long, pytest.mark.tool("age")])]
)
def age(request: pytest.FixtureRequest) -> str:
    program = tools.debian_age() if request.param == "Debian's age" else str(tools.NODE / "bin" / "age")
    assert program is not None
    return program


@pytest.fixture
def identity_file(age: str, tmp_path: Path) -> Path:
    path = tmp_path / "identity.txt"
    subprocess.run([f"{age}-keygen", "-o", path], check=True, capture_output=True)
    return path


def identity_of(path: Path) -> X25519Identity:
    return X25519Identity(path.read_text().splitlines()[-1])


@pytest.mark.requirement("R36", "R54")
@pytest.mark.parametrize("size", SIZES)
def test_the_tool_opens_what_the_vault_encrypts(age: str, identity_file: Path, size: int) -> None:
    data = os.urandom(size)
    encryptor = Encryptor([generate_identity()[1], identity_of(identity_file).recipient])
    sealed = encryptor.header
    for start in range(0, size, 50_000):
        sealed += encryptor.update(data[start : start + 50_000])
    sealed += encryptor.finish()
    opened = subprocess.run([age, "-d", "-i", identity_file], input=sealed, check=True, capture_output=True)
    assert opened.stdout == data


@pytest.mark.parametrize("size", SIZES)
def test_the_vault_opens_what_the_tool_encrypts(age: str, identity_file: Path, size: int) -> None:
    data = os.urandom(size)
    recipient = identity_of(identity_file).recipient
    arguments = [age, "-r", generate_identity()[1], "-r", recipient]
    sealed = subprocess.run(arguments, input=data, check=True, capture_output=True).stdout
    reader = Reader(lambda at, length: sealed[at : at + length], len(sealed), identity_of(identity_file))
    assert reader.read() == data


def test_keys_are_written_alike(age: str, identity_file: Path, tmp_path: Path) -> None:
    shown = subprocess.run([f"{age}-keygen", "-y", identity_file], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == identity_of(identity_file).recipient
    identity, recipient = generate_identity()
    ours = tmp_path / "ours.txt"
    ours.write_text(identity)
    shown = subprocess.run([f"{age}-keygen", "-y", ours], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == recipient


@pytest.mark.parametrize("cut", [1, 17, 3000, CHUNK + 16])
def test_the_tool_refuses_a_cut_file_of_the_vaults_too(age: str, identity_file: Path, cut: int) -> None:
    encryptor = Encryptor([identity_of(identity_file).recipient])
    sealed = (encryptor.header + encryptor.update(bytes(2 * CHUNK + 3000)) + encryptor.finish())[:-cut]
    opened = subprocess.run([age, "-d", "-i", identity_file], input=sealed, check=False, capture_output=True)
    assert opened.returncode != 0


def test_a_changed_mac_is_seen(age: str, identity_file: Path) -> None:
    arguments = [age, "-r", identity_of(identity_file).recipient]
    sealed = subprocess.run(arguments, input=b"footage", check=True, capture_output=True).stdout
    place = sealed.index(b"\n--- ") + 6
    changed = sealed[:place] + (b"A" if sealed[place : place + 1] != b"A" else b"B") + sealed[place + 1 :]
    with pytest.raises(MacMismatch):
        Reader(lambda at, length: changed[at : at + length], len(changed), identity_of(identity_file))
