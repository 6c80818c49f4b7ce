"""What an examination finds of an object that was lost, changed, covered or unlocked, on a folder and on S3 alike."""

import hashlib
import io
import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from seals import own, seal

from services.runtime.errors import Retryable
from services.runtime.settings import stores as places
from services.vault.envelopes import statement
from services.vault.examination import REMARKS, Expected, examine
from services.vault.keys.signer import TrustedSigners
from services.vault.labels import PREDICATE, label_key
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store

FOOTAGE = "a" * 64
BYTES = secrets.token_bytes(300_000)


def told(cipher: str, footage: str = FOOTAGE) -> dict[str, Any]:
    return statement({"object": cipher, "footage": footage}, PREDICATE, {})


def label(cipher: str, footage: str = FOOTAGE) -> bytes:
    """A label of before labels were signed."""
    return rfc8785.dumps(told(cipher, footage))


def put(store: Store, key: str, data: bytes, *, hold: bool = False) -> str:
    return store.put("masters", key, io.BytesIO(data), metadata={}, legal_hold=hold).version_id


def sealed(store: Store, key: str, *, with_label: bytes | None = None, hold: bool = False) -> Expected:
    """An object with its label, as the books have it."""
    sha256 = hashlib.sha256(BYTES).hexdigest()
    version = put(store, key, BYTES, hold=hold)
    put(store, label_key(key), seal().sign(told(sha256)) if with_label is None else with_label)
    return Expected("masters", key, version, len(BYTES), sha256, labelled=FOOTAGE, trusted=own())


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Store, Path]:
    store = open_store(places.FolderStore(tmp_path / "store", "test"))
    store.ensure()
    return store, tmp_path / "store"


@pytest.mark.requirement("R6", "R53")
async def test_an_object_as_it_was_sealed_has_no_faults_and_every_byte_was_read(any_store: Store, key: str) -> None:
    expected, read = sealed(any_store, key), []

    assert await examine(any_store, expected, read.append) == []
    assert sum(read) == len(BYTES)


@pytest.mark.requirement("R6")
async def test_other_bytes_and_another_size_are_found(any_store: Store, key: str) -> None:
    expected = sealed(any_store, key)

    assert await examine(any_store, replace(expected, sha256="0" * 64, labelled=None)) == ["bytes"]
    assert await examine(any_store, replace(expected, size=len(BYTES) - 1)) == ["size"]


async def test_an_object_that_is_gone_is_missing(any_store: Store, key: str) -> None:
    expected = sealed(any_store, key)
    any_store.delete("masters", key, str(expected.version_id))

    assert "missing" in await examine(any_store, expected)


async def test_a_label_that_is_gone_or_of_something_else_is_found(any_store: Store, key: str) -> None:
    for name, written in (
        ("of-other", seal().sign(told("0" * 64))),
        ("of-other-unsigned", label("0" * 64)),
        ("odd", b'{"predicateType":"%s","subject":[1]}' % PREDICATE.encode()),
    ):
        expected = sealed(any_store, f"{key}-{name}", with_label=written)
        assert await examine(any_store, expected) == ["label-wrong"], name
    expected = sealed(any_store, f"{key}-unlabelled")
    stored = any_store.stat("masters", label_key(expected.key))
    assert stored is not None
    any_store.delete("masters", stored.key, stored.version_id)
    assert await examine(any_store, expected) == ["label-missing"]


@pytest.mark.requirement("R37", "R53")
async def test_a_label_whose_seal_is_broken_or_another_is_found(any_store: Store, key: str) -> None:
    right = seal().sign(told(hashlib.sha256(BYTES).hexdigest()))
    for name, written in (
        ("stranger", seal("another").sign(told(hashlib.sha256(BYTES).hexdigest()))),
        ("changed", right.replace(b'"sig":"ME', b'"sig":"MF')),
        ("cut-off", right[:-1]),
        ("of-nothing", b"[]"),
        ("no-json", b"\xff\x00"),
        ("taken-away", label(hashlib.sha256(BYTES).hexdigest())),
    ):
        expected = sealed(any_store, f"{key}-{name}", with_label=written)
        assert await examine(any_store, expected) == ["label-seal"], name


async def test_a_label_from_before_labels_were_signed_is_unsigned_and_no_damage(any_store: Store, key: str) -> None:
    expected = sealed(any_store, key, with_label=label(hashlib.sha256(BYTES).hexdigest()))
    later = TrustedSigners(own().roots, datetime.now(UTC) + timedelta(minutes=1))

    assert await examine(any_store, replace(expected, trusted=later)) == ["label-unsigned"]
    assert set(await examine(any_store, replace(expected, trusted=None))) <= REMARKS


async def test_a_lifted_hold_and_a_short_retention_are_found(any_store: Store, key: str) -> None:
    expected = sealed(any_store, key)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    assert await examine(any_store, replace(expected, hold=True)) == ["hold"]
    assert await examine(any_store, replace(expected, retain_until=until)) == ["retention"]

    any_store.retain("masters", key, str(expected.version_id), until)
    assert await examine(any_store, replace(expected, retain_until=until)) == []
    assert await examine(any_store, replace(expected, retain_until=until + timedelta(days=1))) == ["retention"]


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("at", [0, 150_000, 299_999])
async def test_one_flipped_bit_on_the_disk_is_found(folder: tuple[Store, Path], key: str, at: int) -> None:
    store, root = folder
    expected = sealed(store, key)
    path = next(one for one in root.rglob("*") if one.is_file() and one.stat().st_size == len(BYTES))
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))

    assert await examine(store, expected) == ["bytes"]


async def test_a_truncated_file_is_found(folder: tuple[Store, Path], key: str) -> None:
    store, root = folder
    expected = sealed(store, key)
    path = next(one for one in root.rglob("*") if one.is_file() and one.stat().st_size == len(BYTES))
    path.chmod(0o600)
    os.truncate(path, 1000)

    assert await examine(store, expected) == ["size"]


async def test_a_store_that_does_not_answer_is_no_damage(key: str) -> None:
    class Away:
        def stat(self, *_: object) -> None:
            raise Retryable("away")

    with pytest.raises(Retryable):
        await examine(Away(), Expected("masters", key, None, 1, "0" * 64))  # type: ignore[arg-type]  # a store that is away
