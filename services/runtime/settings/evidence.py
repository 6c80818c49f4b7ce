"""The audit trail's log, its signed and anchored heads, and time stamps."""

from datetime import timedelta

from pydantic import Field

from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part


class AuditSettings(Part):
    """The audit trail's log."""

    origin: str | None = Field(
        default=None,
        pattern=r"^[!-*,-~]{1,200}$",
        description="a name without blanks and plus signs that nobody else uses, such as footage.example/audit; it "
        "names the audit trail in its checkpoints",
    )
    checkpoint_interval: timedelta = Field(
        default=timedelta(minutes=1),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="how often the head of the audit trail is signed: an ISO 8601 duration up to PT1H, such as PT1M",
    )
    anchor_interval: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="how often a signed head is stored under a lock: an ISO 8601 duration up to P1D, such as PT1H",
    )


class TimeStampSettings(Part):
    """The time-stamping authority; none by default."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^ ]+$",
        description="the address of a time-stamping authority (RFC 3161), such as http://timestamp.example/; it "
        "stamps what is sealed",
    )
    trusted_file: CaFile | None = Field(
        default=None, description="a PEM file with the certificates that have to vouch for the time-stamping authority"
    )
