"""The label of a sealed object (R37): a signed in-toto Statement v1 that lies beside it, and the same said to people.

Subjects are the SHA-256 of the ciphertext and of the footage; the predicate says where the footage is from, when,
by whom, and what of the searched span it holds. The seal signs it (`envelopes`); labels of before the evidence release
are the bare statement, which nobody has signed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from services.runtime.spans import Span
from services.vault.coverage import span_to_json
from services.vault.envelopes import statement
from services.vault.sealing import Sealed
from services.verifier.chains import Chain
from services.verifier.envelopes import check_type, is_envelope, open_envelope
from services.verifier.footage import PREDICATE
from services.verifier.invalid import Invalid

_HASH = re.compile(r"[0-9a-f]{64}")


class LabelInvalid(ValueError):
    """A label may not be made of this: a field is empty, without zone, or no hash."""


@dataclass(frozen=True)
class Origin:
    """Where the footage is from; ``zone`` is the IANA name of the recorder's zone."""

    site: str
    camera: str
    channel: str
    recorder_make: str
    recorder_model: str
    recorder_identity: str
    zone: str


@dataclass(frozen=True)
class ClockReading:
    """The recorder's clock minus true time, and how and when it was measured; None where it was not measured.

    All moments of a label are the recorder's, but those that say true time.
    """

    offset_ms: int | None
    method: str
    uncertainty_ms: int | None
    measured_at: str | None = None

    def true(self, moment: datetime) -> str | None:
        """The true time at which the recorder showed ``moment``; None where its clock was not measured."""
        return None if self.offset_ms is None else (moment - timedelta(milliseconds=self.offset_ms)).isoformat()


@dataclass(frozen=True)
class Retrieval:
    """Under what authority, by whom and when. ``record_number`` is None before the record has one.

    ``asked`` is the form's span; None where what was searched is just that. ``audit_checkpoint`` is the newest signed
    one, None where none was signed yet.
    """

    application_number: str
    record_number: str | None
    operator: str
    retrieved_at: datetime
    audit_checkpoint: Mapping[str, Any] | None = None
    asked: Span | None = None


DERIVED = "urn:footage-desk:derived-label:v1"  # of a redacted copy: it is no label of an original
VERSION = 2  # of the predicate; 2 says how the pictures follow one another. Labels of before say no version.
# What "complete" rests on. Pictures are copied and not decoded, so a changed bit inside one is not seen.
EXAMINED = (
    "container boxes and their lengths",
    "declared against counted samples",
    "time stamps of every packet",
    "unit lengths of every picture",
    "units of the codec alone, and no zeros that none can hold",
    "pictures that lack, by their numbers and times",
    "decoding of each part's first key frame",
)


def build_label(sealed: Sealed, origin: Origin, clock: ClockReading, retrieval: Retrieval) -> dict[str, Any]:
    """The statement as JSON values; raises LabelInvalid."""
    _check(sealed, origin, clock, retrieval)
    coverage = sealed.coverage
    name = f"{sealed.bucket}/{sealed.key}"
    return statement(
        {name: sealed.sha256_cipher, f"{name}#footage": sealed.sha256_plain},
        PREDICATE,
        {
            "version": VERSION,
            "applicationNumber": retrieval.application_number,
            "recordNumber": retrieval.record_number,
            "operator": retrieval.operator,
            "retrievedAt": retrieval.retrieved_at.isoformat(),
            "site": origin.site,
            "camera": origin.camera,
            "channel": origin.channel,
            "recorder": {
                "make": origin.recorder_make,
                "model": origin.recorder_model,
                "identity": origin.recorder_identity,
                "zone": origin.zone,
                "clock": {
                    "offsetMs": clock.offset_ms,
                    "method": clock.method,
                    "uncertaintyMs": clock.uncertainty_ms,
                    "measuredAt": clock.measured_at,
                },
            },
            "outcome": sealed.outcome,
            "asked": span_to_json(retrieval.asked or coverage.asked),
            "searched": span_to_json(coverage.asked),
            "covered": [span_to_json(span) for span in coverage.covered],
            "gaps": [span_to_json(span) for span in coverage.gaps],
            "lost": [span_to_json(span) for span in coverage.lost],
            "leadInMs": coverage.lead_in_ms,
            "tailMs": coverage.tail_ms,
            "firstFrame": coverage.first_frame.isoformat(),
            "lastFrame": coverage.last_frame.isoformat(),
            "trueTime": {
                "firstFrame": clock.true(coverage.first_frame),
                "lastFrame": clock.true(coverage.last_frame),
            },
            "requested": span_to_json(coverage.requested or coverage.asked),
            "trimmedBeforeMs": coverage.trimmed_before_ms,
            "trimmedAfterMs": coverage.trimmed_after_ms,
            "driftMs": coverage.drift_ms,
            "packets": coverage.packets,
            "droppedPackets": coverage.dropped_packets,
            "codecs": list(coverage.codecs),
            "fingerprint": coverage.fingerprint,
            "problems": list(coverage.problems),
            "pictures": coverage.pictures and coverage.pictures.to_json(),
            "sources": coverage.to_json()["sources"],
            "size": {"footage": sealed.plain_size, "object": sealed.size},
            "examined": list(EXAMINED),
            "cameraSignature": sealed.camera_signature,
            "auditCheckpoint": retrieval.audit_checkpoint and dict(retrieval.audit_checkpoint),
            "tools": {"footage-desk": version("footage-desk"), "av": version("av"), "cipher": "age v1"},
        },
    )


def build_derived_label(
    sealed: Sealed, facts: Mapping[str, Any], audit_checkpoint: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The statement on a redacted copy: derived, not the original, of what and by which recipe (R6, R58)."""
    coverage = sealed.coverage
    name = f"{sealed.bucket}/{sealed.key}"
    return statement(
        {name: sealed.sha256_cipher, f"{name}#footage": sealed.sha256_plain},
        DERIVED,
        {
            **facts,
            "version": 1,
            "firstFrame": coverage.first_frame.isoformat(),
            "lastFrame": coverage.last_frame.isoformat(),
            "covered": [span_to_json(span) for span in coverage.covered],
            "gaps": [span_to_json(span) for span in coverage.gaps],
            "codecs": list(coverage.codecs),
            "size": {"footage": sealed.plain_size, "object": sealed.size},
            "handling": "do not edit, do not forward",
            "auditCheckpoint": audit_checkpoint and dict(audit_checkpoint),
        },
    )


@dataclass(frozen=True)
class ReadLabel:
    """What a label says, and who has signed it: None for one of before the evidence release."""

    statement: dict[str, Any]
    chain: Chain | None


def read_label(data: bytes) -> ReadLabel:
    """Raises Invalid for what is no label, or is none any more."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid("the label is not JSON.") from error
    if is_envelope(content):
        opened = open_envelope(data)
        check_type(opened, PREDICATE, "a label")
        return ReadLabel(opened.statement, opened.chain)
    if not isinstance(content, dict) or content.get("predicateType") != PREDICATE:
        raise Invalid("the label is no statement on footage.")
    return ReadLabel(content, None)


def label_key(key: str) -> str:
    """Where the label of an object lies."""
    return f"{key}.label.json"


def _check(sealed: Sealed, origin: Origin, clock: ClockReading, retrieval: Retrieval) -> None:
    texts = {
        "application number": retrieval.application_number,
        "operator": retrieval.operator,
        "site": origin.site,
        "camera": origin.camera,
        "channel": origin.channel,
        "recorder make": origin.recorder_make,
        "recorder identity": origin.recorder_identity,
        "clock method": clock.method,
        "key": sealed.key,
    }
    for name, text in texts.items():
        if not text.strip():
            raise LabelInvalid(f"A label needs the {name}: give it one.")
    for hexadecimal in (sealed.sha256_plain, sealed.sha256_cipher):
        if not _HASH.fullmatch(hexadecimal):
            raise LabelInvalid(f"{hexadecimal!r} is no SHA-256 in hexadecimal: take it from what was sealed.")
    if retrieval.retrieved_at.tzinfo is None:
        raise LabelInvalid("The time of retrieval has no zone: give an aware time.")
    try:
        ZoneInfo(origin.zone)
    except (KeyError, ValueError) as error:
        raise LabelInvalid(
            f"The recorder's zone is {origin.zone!r}: give an IANA name such as Asia/Shanghai."
        ) from error
