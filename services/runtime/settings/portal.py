"""The portal, and the OpenID Connect provider for login to it; none by default."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part, Port


class PortalSettings(Part):
    """The portal's address, and its logins."""

    host: str = Field(default="127.0.0.1", description="the address on which the portal listens")
    port: Port = Field(default=8080, description="a port from 0 to 65535 (0 takes a free one)")
    public_url: str | None = Field(
        default=None, description="the address that people type, such as https://footage.example"
    )
    operate_url: str | None = Field(
        default=None,
        pattern="^https?://[^ ]+$",
        description="Camunda Operate's address, such as https://operate.example; case pages then lead there",
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="the addresses of the proxies whose X-Forwarded-For is trusted, with commas between: 10.0.0.0/24",
    )
    second_factor: Literal["signers", "everyone", "nobody"] | None = Field(
        default=None,
        description="who must sign in with a one-time code: signers (Security's head and deputy, management, the "
        "storage office), everyone or nobody; without it signers, in a demo nobody",
    )
    max_upload_mib: int = Field(
        default=8192, ge=1, description="the largest file that a person may upload, in whole MiB"
    )

    @property
    def url(self) -> str:
        """The portal's address as people see it, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


class ProviderSettings(Part):
    """The provider; used if its issuer is set."""

    issuer: str | None = Field(
        default=None,
        description="the OpenID Connect provider at which people sign in as well, by its issuer as it writes it: "
        "https://login.example/realms/staff",
    )
    client_id: str | None = Field(default=None, description="this portal's client id at the provider")
    client_secret: SecretStr | None = Field(default=None, description="this portal's client secret at the provider")
    scopes: str = Field(
        default="openid profile",
        description="the scopes to request, with spaces between; openid is one of them",
    )
    claim: str = Field(
        default="preferred_username",
        pattern="^[A-Za-z0-9_.:/-]{1,200}$",
        description="the claim with the person's login in the database; people must not be able to change it",
    )
    ca_file: CaFile | None = Field(default=None, description="a PEM file with the provider's certificate authority")
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="the provider's name on the login page, such as 统一身份认证",
    )

    @field_validator("issuer")
    @classmethod
    def _issuer_is_secured(cls, issuer: str | None) -> str | None:
        if issuer is None:
            return None
        parts = urlsplit(issuer)
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("it is no address of an issuer: it has a host, and no query, fragment or password")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname)):
            raise ValueError("it does not begin with https://")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _openid_is_asked_for(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("openid is missing")
        return " ".join(scopes.split())


def _is_this_machine(host: str) -> bool:
    """Whether the host is this machine, where plain HTTP is allowed for trials."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
