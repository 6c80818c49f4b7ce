"""The settings of what makes evidence: the audit trail's log, its signed heads and where they lie under a lock."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from services.runtime.ca_file import CaFile


class EvidenceSettings(BaseSettings):
    """A part of ``Settings``."""

    log_origin: str | None = Field(
        None,
        pattern=r"^[!-*,-~]{1,200}$",
        description="a name without blanks and plus signs that is yours alone, such as footage.example/audit; the "
        "audit trail's checkpoints bear it",
    )
    checkpoint_every: timedelta = Field(
        timedelta(minutes=1),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="an ISO 8601 duration up to PT1H, such as PT1M: the head of the audit trail is signed as often",
    )
    anchor_every: timedelta = Field(
        timedelta(hours=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="an ISO 8601 duration up to P1D, such as PT1H: a signed head is put under a lock as often",
    )

    time_stamp_url: str | None = Field(
        None,
        pattern=r"^https?://[^ ]+$",
        description="the address of a time-stamping authority (RFC 3161), such as http://timestamp.example/; what is "
        "sealed then bears its stamp",
    )
    time_stamp_trusted_file: CaFile | None = Field(
        None, description="a PEM file with the certificates that have to vouch for the time-stamping authority"
    )
