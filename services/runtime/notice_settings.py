"""The settings by which notices leave the portal: a mail server and a webhook, neither by default."""

import base64
import binascii
import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.runtime.ca_file import CaFile

# An address that needs no quoting in a header and no extension of the mail server's.
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
SECRET_PREFIX = "whsec_"  # noqa: S105  how Standard Webhooks marks a secret, and none itself
SECRET_BYTES = range(24, 65)
MOST_SECONDS = 30.0


class NoticeSettings(BaseSettings):
    """A part of ``Settings``. A channel exists when its host or its address is set."""

    smtp_host: str | None = Field(None, description="the mail server's name; notices are then mailed as well")
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = Field(587, description="a port from 1 to 65535")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls (from the first byte, port 465) or none"
    )
    smtp_user: str | None = Field(None, description="the name by which the mail server knows this portal")
    smtp_password: SecretStr | None = Field(None, description="the password to it")
    smtp_sender: str | None = Field(None, description="the address that mails come from, such as desk@footage.example")
    smtp_ca_file: CaFile | None = Field(None, description="a PEM file with the mail server's certificate authority")
    webhook_url: str | None = Field(
        None, description="the address that is told of every notice in JSON, such as https://chat.example/notices"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="24 to 64 random bytes in Base64, by which the receiver knows us: openssl rand -base64 32"
    )
    webhook_ca_file: CaFile | None = Field(None, description="a PEM file with the webhook's certificate authority")
    notice_seconds: float = Field(
        10, gt=0, le=MOST_SECONDS, description="seconds that a mail server or webhook may take to answer, such as 10"
    )

    @field_validator("smtp_sender")
    @classmethod
    def _sender_is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not MAIL_ADDRESS.fullmatch(address):
            raise ValueError("it is no bare mail address")
        return address

    @field_validator("webhook_url")
    @classmethod
    def _webhook_is_of_the_web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("it does not begin with https:// or http://")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(_decoded(secret)) not in SECRET_BYTES:
            raise ValueError("it is no Base64, or too short or too long")
        return secret

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Self:
        if self.smtp_host and not self.smtp_sender:
            raise ValueError("mails have no sender: set FOOTAGE_DESK_SMTP_SENDER to the address that they come from.")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("set both FOOTAGE_DESK_SMTP_USER and FOOTAGE_DESK_SMTP_PASSWORD, or neither.")
        if self.smtp_user is not None and self.smtp_security == "none":
            raise ValueError(
                "FOOTAGE_DESK_SMTP_PASSWORD would travel in the clear: "
                "set FOOTAGE_DESK_SMTP_SECURITY to starttls or tls."
            )
        if self.webhook_url and self.webhook_secret is None:
            raise ValueError(
                "a webhook needs a secret: set FOOTAGE_DESK_WEBHOOK_SECRET to what openssl rand -base64 32 prints."
            )
        return self

    @property
    def notice_channels(self) -> tuple[str, ...]:
        """Where notices go beside the portal: ``mail``, ``webhook``, both or neither."""
        named = {"mail": self.smtp_host, "webhook": self.webhook_url}
        return tuple(channel for channel, where in named.items() if where)

    @property
    def webhook_key(self) -> bytes:
        """The secret's bytes; empty where none is set."""
        return _decoded(self.webhook_secret) if self.webhook_secret is not None else b""


def _decoded(secret: SecretStr) -> bytes:
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
