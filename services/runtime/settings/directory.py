"""The organisation's directory (LDAP), from which people are taken over; none by default."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.runtime.addresses import is_loopback
from services.runtime.ca_file import CaFile
from services.runtime.settings.kinds import Part

Attribute = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9;.-]{0,99}$")]


class DirectorySettings(Part):
    """The directory; used if its host is set. The defaults are those of OpenLDAP's inetOrgPerson."""

    host: str | None = Field(
        default=None, description="the directory server's name; people are then taken over by LDAP"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=636, description="a port: 636, or 389 for starttls")
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls", description="tls (LDAPS), starttls, or none, which is for this machine alone"
    )
    ca_file: CaFile | None = Field(default=None, description="a PEM file with the directory's certificate authority")
    bind_dn: str | None = Field(default=None, description="the account that reads, such as cn=reader,dc=example")
    bind_password: SecretStr | None = Field(default=None, description="the password of the account that reads")
    base: str | None = Field(default=None, description="where the people are, such as ou=people,dc=example")
    filter: str = Field(
        default="(objectClass=inetOrgPerson)",
        min_length=3,
        description="which entries are people, as an LDAP filter such as (objectClass=inetOrgPerson)",
    )
    id_attribute: Attribute = Field(
        default="entryUUID", description="what never changes of an entry: entryUUID, objectGUID in Active Directory"
    )
    login_attribute: Attribute = Field(
        default="uid", description="the username: uid, sAMAccountName in Active Directory"
    )
    name_attribute: Attribute = Field(default="cn", description="the full name: cn, displayName in Active Directory")
    department_attribute: Attribute = Field(
        default="ou", description="the department by its name here: ou, department in Active Directory"
    )
    email_attribute: Attribute = Field(default="mail", description="the mail address: mail")
    chat_attribute: Attribute | None = Field(
        default=None, description="the id in the organisation's chat app, such as uid; without it ids are entered here"
    )
    page_size: Annotated[int, Field(ge=1, le=5000)] = Field(default=500, description="entries of one answer: 1 to 5000")
    most_leaving_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        default=5,
        description="how many percent of the people who are in the directory may leave at once; one always may",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=120)] = Field(
        default=15, description="seconds that an answer may take, such as 15"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.host:
            return self
        if not self.base:
            raise ValueError("the directory has no place to search: set FOOTAGE_DESK_DIRECTORY__BASE to its name.")
        if (self.bind_dn is None) != (self.bind_password is None):
            raise ValueError(
                "set both FOOTAGE_DESK_DIRECTORY__BIND_DN and FOOTAGE_DESK_DIRECTORY__BIND_PASSWORD, or neither."
            )
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "what the directory says would travel in the clear: set FOOTAGE_DESK_DIRECTORY__SECURITY to tls or "
                "starttls."
            )
        return self
