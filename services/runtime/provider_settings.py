"""The settings by which people sign in at the organisation's OpenID Connect provider; none by default."""

import ipaddress
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.runtime.ca_file import CaFile


class ProviderSettings(BaseSettings):
    """A part of ``Settings``. People are led to a provider where its issuer is set."""

    oidc_issuer: str | None = Field(
        None,
        description="the OpenID Connect provider at which people sign in as well, by its issuer as it writes it: "
        "https://login.example/realms/staff",
    )
    oidc_client_id: str | None = Field(None, description="the id by which the provider knows this portal")
    oidc_client_secret: SecretStr | None = Field(None, description="the secret by which the provider knows it")
    oidc_scopes: str = Field(
        "openid profile", description="what the provider is asked for, with spaces between; openid is part of it"
    )
    oidc_claim: str = Field(
        "preferred_username",
        pattern="^[A-Za-z0-9_.:/-]{1,200}$",
        description="the claim with the person's login in the books; people must not be able to change it themselves",
    )
    oidc_ca_file: CaFile | None = Field(None, description="a PEM file with the provider's certificate authority")
    oidc_name: str | None = Field(
        None, min_length=1, max_length=40, description="the provider's name on the sign-in page, such as 统一身份认证"
    )

    @field_validator("oidc_issuer")
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

    @field_validator("oidc_scopes")
    @classmethod
    def _openid_is_asked_for(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("openid is missing")
        return " ".join(scopes.split())

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        if self.oidc_issuer is None:
            return self
        # Of Settings, which this is a part of: where the provider leads people back to.
        needed = ("oidc_client_id", "oidc_client_secret", "public_url")
        missing = [f"FOOTAGE_DESK_{name.upper()}" for name in needed if getattr(self, name, None) is None]
        if missing:
            raise ValueError(f"FOOTAGE_DESK_OIDC_ISSUER is set: set {' and '.join(missing)} too.")
        return self


def _is_this_machine(host: str) -> bool:
    """For trials on one machine, where nobody can listen in."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
