"""The label says where footage comes from and what it holds, the same to machines and to people (R37)."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from footage_maker import Camera
from vault_bench import NOON, Bench, span

from services.vault.keys.signer import Signer, trusted_signers
from services.vault.keys.signing_key import ensure_signing_key
from services.vault.labels import (
    ClockReading,
    LabelInvalid,
    Origin,
    ReadLabel,
    Retrieval,
    build_label,
    label_key,
    read_label,
)
from services.vault.sealing import Sealed
from services.verifier.invalid import Invalid

ORIGIN = Origin("North gate", "Gate camera", "cam1", "folder", "mediamtx", "recorder-1", "Asia/Shanghai")
CLOCK = ClockReading(-1500, "compared with a radio clock", 200)
RETRIEVAL = Retrieval("SQ-2026-000123", "DQ-2026-000123", "Li Na", datetime(2026, 3, 2, 1, 30, tzinfo=UTC))


@pytest.fixture
async def sealed(tmp_path: Path) -> Sealed:
    bench = Bench.in_folder(tmp_path)
    camera = Camera(bench.root, "cam1")
    camera.record(NOON, 4)
    camera.record(NOON.replace(second=10), 4)
    return await bench.seal(span(1, 13))


@pytest.mark.requirement("R37")
async def test_label_names_both_hashes_and_the_whole_origin(sealed: Sealed) -> None:
    label = build_label(sealed, ORIGIN, CLOCK, RETRIEVAL)
    assert label["_type"] == "https://in-toto.io/Statement/v1"
    assert [one["digest"]["sha256"] for one in label["subject"]] == [sealed.sha256_cipher, sealed.sha256_plain]
    told = label["predicate"]
    assert told["applicationNumber"] == "SQ-2026-000123"
    assert told["recorder"]["clock"] == {
        "offsetMs": -1500,
        "method": "compared with a radio clock",
        "uncertaintyMs": 200,
        "measuredAt": None,
    }
    assert told["asked"] == told["searched"] == ["2026-03-01T12:00:01+00:00", "2026-03-01T12:00:13+00:00"]
    assert told["gaps"] == [["2026-03-01T12:00:04+00:00", "2026-03-01T12:00:10+00:00"]]
    assert told["outcome"] == "partial"
    assert [one["sha256"] for one in told["sources"]] == [one.sha256 for one in sealed.coverage.sources]
    assert label_key(sealed.key) == "masters/item/1.label.json"


@pytest.mark.requirement("R37")
async def test_a_label_is_sealed_and_read_again_with_whoever_sealed_it(sealed: Sealed, tmp_path: Path) -> None:
    label = build_label(sealed, ORIGIN, CLOCK, RETRIEVAL)
    signer = ensure_signing_key(tmp_path / "seal", "本单位", datetime.now(UTC))

    read = read_label(Signer(signer).sign(label))

    assert read.statement == label
    assert read.chain is not None
    assert trusted_signers(tmp_path / "seal").include(read.chain)
    assert read.chain.organisation == "本单位"


async def test_a_label_of_an_unknown_version_is_refused_with_both_versions(sealed: Sealed, tmp_path: Path) -> None:
    label = {**build_label(sealed, ORIGIN, CLOCK, RETRIEVAL), "predicateType": "urn:footage-desk:label:v2"}
    signer = ensure_signing_key(tmp_path / "seal", "本单位", datetime.now(UTC))

    with pytest.raises(Invalid, match="it is a label of the version 'v2', and this verifier reads v1"):
        read_label(Signer(signer).sign(label))


async def test_a_label_from_before_labels_were_sealed_says_that_nobody_signed_it(sealed: Sealed) -> None:
    label = build_label(sealed, ORIGIN, CLOCK, RETRIEVAL)

    assert read_label(json.dumps(label).encode()) == ReadLabel(label, None)


@pytest.mark.parametrize("data", [b"[]", b"\xff", b"{}", b'{"payloadType":1,"signatures":[]}', b"[" * 100_000])
def test_what_is_no_label_is_not_read_as_one(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_label(data)


@pytest.mark.requirement("R37", refuses=True)
@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("origin", {"camera": " "}, "needs the camera"),
        ("origin", {"zone": "Peking"}, "IANA name"),
        ("retrieval", {"application_number": ""}, "needs the application number"),
        ("retrieval", {"retrieved_at": datetime(2026, 3, 2)}, "has no zone"),  # noqa: DTZ001
        ("sealed", {"sha256_plain": "ABC"}, "no SHA-256"),
    ],
)
async def test_label_without_its_facts_is_refused(
    sealed: Sealed, part: str, change: dict[str, Any], words: str
) -> None:
    parts: dict[str, Any] = {"sealed": sealed, "origin": ORIGIN, "clock": CLOCK, "retrieval": RETRIEVAL}
    parts[part] = replace(parts[part], **change)
    with pytest.raises(LabelInvalid, match=words):
        build_label(**parts)
