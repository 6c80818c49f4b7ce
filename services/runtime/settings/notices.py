"""Channels of notices beside the portal: a mail server and a webhook, neither by default."""

import base64
import binascii
import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part

# An address that needs no quoting in a header and no extension of the mail server's.
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
SECRET_PREFIX = "whsec_"  # noqa: S105  how Standard Webhooks marks a secret, and none itself
SECRET_BYTES = range(24, 65)
MOST_SECONDS = 30.0


class MailSettings(Part):
    """The mail server; used if its host is set."""

    host: str | None = Field(default=None, description="the mail server's name; notices are then mailed as well")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=587, description="a port from 1 to 65535")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls (from the first byte, port 465) or none"
    )
    user: str | None = Field(default=None, description="the user name at the mail server")
    password: SecretStr | None = Field(default=None, description="the password at the mail server")
    sender: str | None = Field(default=None, description="the sender of the mails, such as desk@footage.example")
    ca_file: CaFile | None = Field(default=None, description="a PEM file with the mail server's certificate authority")

    @field_validator("sender")
    @classmethod
    def _sender_is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not MAIL_ADDRESS.fullmatch(address):
            raise ValueError("it is no bare mail address")
        return address

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.host and not self.sender:
            raise ValueError(
                "mails have no sender: set FOOTAGE_DESK_NOTICES__MAIL__SENDER to the address that they come from."
            )
        if (self.user is None) != (self.password is None):
            raise ValueError(
                "set both FOOTAGE_DESK_NOTICES__MAIL__USER and FOOTAGE_DESK_NOTICES__MAIL__PASSWORD, or neither."
            )
        if self.user is not None and self.security == "none":
            raise ValueError(
                "FOOTAGE_DESK_NOTICES__MAIL__PASSWORD would travel in the clear: "
                "set FOOTAGE_DESK_NOTICES__MAIL__SECURITY to starttls or tls."
            )
        return self


class WebhookSettings(Part):
    """The webhook; used if its address is set."""

    url: str | None = Field(
        default=None,
        description="the address that receives every notice as JSON, such as https://chat.example/notices",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="24 to 64 random bytes in Base64 that sign each call: openssl rand -base64 32",
    )
    ca_file: CaFile | None = Field(default=None, description="a PEM file with the webhook's certificate authority")

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("it does not begin with https:// or http://")
        return url

    @field_validator("secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(_decoded(secret)) not in SECRET_BYTES:
            raise ValueError("it is no Base64, or too short or too long")
        return secret

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.url and self.secret is None:
            raise ValueError(
                "a webhook needs a secret: set FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET to what openssl rand -base64 32 "
                "prints."
            )
        return self

    @property
    def key(self) -> bytes:
        """The secret's bytes; empty where none is set."""
        return _decoded(self.secret) if self.secret is not None else b""


class NoticeSettings(Part):
    """The channels of notices."""

    mail: MailSettings = MailSettings()
    webhook: WebhookSettings = WebhookSettings()
    timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=MOST_SECONDS,
        description="seconds that a mail server or webhook may take to answer, such as 10",
    )

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels in use: ``mail``, ``webhook``, both or neither."""
        named = {"mail": self.mail.host, "webhook": self.webhook.url}
        return tuple(channel for channel, where in named.items() if where)


def _decoded(secret: SecretStr) -> bytes:
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
