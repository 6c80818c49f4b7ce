"""The daily maintenance of what is stored: how fast all of it is read again, and who reads in the stores."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from services.runtime.settings.kinds import Days, Part

TOKEN_LENGTHS = range(24, 513)
Gigabytes = Annotated[int, Field(ge=1, le=1_000_000)]


class MaintenanceSettings(Part):
    """Rolling verification and reconciliation."""

    reverify_days: Days = Field(
        default=180, description="within how many days each master and each replica is read again and compared"
    )
    reverify_gigabytes: Gigabytes = Field(
        default=300,
        description="how many gigabytes are read for that on a day at the most; of 50 TB with replicas, 600 are needed",
    )
    least_free_percent: int = Field(
        default=10,
        ge=0,
        le=90,
        description="a store with less free space than this, in per cent, is in bad health; 0: whatever is free",
    )
    own_requesters: str = Field(
        default="",
        description="names under which this program reads and writes in the stores, as their access logs write them, "
        "with commas between; the access keys of the settings count by themselves",
    )
    store_log_token: SecretStr | None = Field(
        default=None,
        description="the token under which the store sends its access log to /api/storage/access-log/primary, 24 "
        "characters or more: openssl rand -hex 32",
    )
    replica_store_log_token: SecretStr | None = Field(
        default=None,
        description="the token under which the replica store sends its access log to /api/storage/access-log/replica",
    )

    @field_validator("store_log_token", "replica_store_log_token")
    @classmethod
    def _token_is_long(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value() if token is not None else "x" * 24
        if len(text) not in TOKEN_LENGTHS or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it is too short, too long, or has other characters than a header takes")
        return token
