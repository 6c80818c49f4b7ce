"""What makes evidence: the audit trail's log, its signed heads and where they lie under a lock, and time stamps."""

from datetime import timedelta

from pydantic import Field

from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part


class AuditSettings(Part):
    """The audit trail's log."""

    origin: str | None = Field(
        default=None,
        pattern=r"^[!-*,-~]{1,200}$",
        description="a name without blanks and plus signs that is yours alone, such as footage.example/audit; the "
        "audit trail's checkpoints bear it",
    )
    checkpoint_every: timedelta = Field(
        default=timedelta(minutes=1),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="an ISO 8601 duration up to PT1H, such as PT1M: the head of the audit trail is signed as often",
    )
    anchor_every: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="an ISO 8601 duration up to P1D, such as PT1H: a signed head is put under a lock as often",
    )


class TimeStampSettings(Part):
    """The time-stamping authority; none by default."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^ ]+$",
        description="the address of a time-stamping authority (RFC 3161), such as http://timestamp.example/; what is "
        "sealed then bears its stamp",
    )
    trusted_file: CaFile | None = Field(
        default=None, description="a PEM file with the certificates that have to vouch for the time-stamping authority"
    )
