"""Read the people of a directory by LDAP: encrypted, with the certificate checked, page by page, and all or nothing.

The list decides who has left, so an answer that may be incomplete is refused: a size limit, a referral, a page that the
server repeats. Nothing is ever written to the directory.
"""

import ssl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ldap3
from ldap3.core import exceptions as ldap_errors

from services.runtime.errors import Refused
from services.runtime.settings.directory import DirectorySettings
from services.runtime.translations import Message, Text

PAGES = "1.2.840.113556.1.4.319"  # the control of paged results (RFC 2696)
MOST = 100_000  # entries
MAX_DETAIL_LENGTH = 200
BYTES_OF_A_UUID = 16


@dataclass(frozen=True)
class Entry:
    """A person's entry: ``values`` by the columns of the list of people, as far as the entry has them."""

    id: str
    dn: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a test of the connection found: ``secured`` is the TLS version, None where nothing is encrypted."""

    secured: str | None
    entries: int
    more: bool


def read_entries(settings: DirectorySettings) -> list[Entry]:
    """Read all people; blocks. Refused, with what the server answered, unless the list is whole."""
    entries = []
    with _connection(settings) as connection:
        for page in _pages(connection, settings):
            entries += [_entry(settings, item) for item in page]
            if len(entries) > MOST:
                raise _refused(Message("The directory has more than {most} people: narrow the filter.", most=MOST))
    return entries


def test_connection(settings: DirectorySettings) -> Answer:
    """Connect, log in and read one page; blocks. Refused, with what the server answered."""
    with _connection(settings) as connection:
        page = next(_pages(connection, settings))
        found = [_entry(settings, item) for item in page]
        version = connection.socket.version() if isinstance(connection.socket, ssl.SSLSocket) else None
        return Answer(version, len(found), more=bool(_cookie(connection)))


class _CheckedTls(ldap3.Tls):  # type: ignore[misc]  # the library has no types
    """TLS by the standard library's own check of certificate and name, for LDAPS and StartTLS alike."""

    def __init__(self, settings: DirectorySettings) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=settings.ca_file)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=connection.server.host)


@contextmanager
def _connection(settings: DirectorySettings) -> Iterator[Any]:
    if settings.host is None:
        raise Refused(
            "directory-not-set", "No directory is set: set FOOTAGE_DESK_DIRECTORY__HOST and what goes with it."
        )
    with _errors():
        server = ldap3.Server(
            settings.host,
            port=settings.port,
            use_ssl=settings.security == "tls",
            tls=None if settings.security == "none" else _CheckedTls(settings),
            get_info=ldap3.NONE,
            allowed_referral_hosts=[],
            connect_timeout=settings.timeout_seconds,
        )
        connection = ldap3.Connection(
            server,
            user=settings.bind_dn,
            password=settings.bind_password.get_secret_value() if settings.bind_password is not None else None,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            raise_exceptions=True,
            receive_timeout=settings.timeout_seconds,
        )
        try:
            connection.open()
            if settings.security == "starttls":
                _start_tls(connection)
            connection.bind()
            yield connection
        finally:
            with suppress(ldap_errors.LDAPExceptionError, OSError):
                connection.unbind()


def _start_tls(connection: Any) -> None:
    """Encrypt the connection, before anything is sent by it; Refused where the server does not."""
    try:
        done = connection.start_tls()
    except ldap_errors.LDAPOperationResult as error:
        raise _refused(_NOT_ENCRYPTED, error) from error
    if not done or not isinstance(connection.socket, ssl.SSLSocket):
        raise _refused(_NOT_ENCRYPTED)


def _pages(connection: Any, settings: DirectorySettings) -> Iterator[list[Mapping[str, Any]]]:
    asked = [*dict.fromkeys(_attributes(settings).values()), settings.id_attribute]
    cookie, seen = None, set[bytes]()
    while True:
        connection.search(
            settings.base,
            settings.filter,
            ldap3.SUBTREE,
            attributes=asked,
            paged_size=settings.page_size,
            paged_cookie=cookie,
        )
        if connection.result["result"] != 0:
            raise _incomplete(str(connection.result["description"]))
        yield [item for item in connection.response if item["type"] == "searchResEntry"]
        cookie = _cookie(connection)
        if not cookie:
            return
        if cookie in seen:
            raise _incomplete("a page was repeated")
        seen.add(cookie)


def _cookie(connection: Any) -> bytes | None:
    control = connection.result.get("controls", {}).get(PAGES, {})
    cookie: bytes | None = control.get("value", {}).get("cookie")
    return cookie or None


def _attributes(settings: DirectorySettings) -> Mapping[str, str]:
    attributes = {
        "login": settings.login_attribute,
        "name": settings.name_attribute,
        "department": settings.department_attribute,
        "email": settings.email_attribute,
    }
    return attributes if settings.chat_attribute is None else {**attributes, "chat": settings.chat_attribute}


def _entry(settings: DirectorySettings, item: Mapping[str, Any]) -> Entry:
    raw = {name.lower(): found for name, found in item["raw_attributes"].items()}
    ids = raw.get(settings.id_attribute.lower(), [])
    if len(ids) != 1:
        raise _refused(
            Message(
                "The entry {dn} has no attribute {name}, by which people are known again: correct "
                "FOOTAGE_DESK_DIRECTORY__ID_ATTRIBUTE.",
                dn=item["dn"],
                name=settings.id_attribute,
            )
        )
    values = {}
    for column, attribute in _attributes(settings).items():
        found = raw.get(attribute.lower(), [])
        values[column] = " ".join(found[0].decode("utf-8", "replace").split()) if found else ""
    return Entry(_id_text(ids[0]), str(item["dn"]), values)


def _id_text(value: bytes) -> str:
    if len(value) == BYTES_OF_A_UUID:
        return str(uuid.UUID(bytes_le=value))  # as Active Directory stores and shows it
    return value.decode("utf-8", "backslashreplace")


@contextmanager
def _errors() -> Iterator[None]:
    """Turn the library's errors into sentences, with what the server said."""
    try:
        yield
    except ldap_errors.LDAPInvalidCredentialsResult as error:
        raise _refused(Message("The directory does not accept the account that reads: correct it."), error) from error
    except ldap_errors.LDAPInvalidFilterError as error:
        raise _refused(Message("The filter is not valid: correct FOOTAGE_DESK_DIRECTORY__FILTER."), error) from error
    except ldap_errors.LDAPNoSuchObjectResult as error:
        raise _refused(
            Message("The place to search does not exist: correct FOOTAGE_DESK_DIRECTORY__BASE."), error
        ) from error
    except ldap_errors.LDAPOperationResult as error:
        raise _incomplete(_said(error)) from error
    except (ldap_errors.LDAPExceptionError, OSError) as error:
        certificate = "ssl" in _said(error).lower() or "certificate" in _said(error).lower()
        raise _refused(_NOT_ENCRYPTED if certificate else _UNREACHABLE, error) from error


_NOT_ENCRYPTED = Message(
    "No encrypted connection could be made: check the directory's certificate, the CA file and the security setting."
)
_UNREACHABLE = Message("The directory cannot be reached, or does not answer as one: check host, port and security.")


def _incomplete(said: str) -> Refused:
    return _refused(Message("The directory's list is not complete, so nothing is taken over."), said)


def _said(error: BaseException) -> str:
    if isinstance(error, ldap_errors.LDAPOperationResult):
        return f"{error.result} {error.description} {error.message}".strip()
    return str(error) or type(error).__name__


def _refused(message: Text, detail: BaseException | str = "") -> Refused:
    said = _said(detail) if isinstance(detail, BaseException) else detail
    said = "".join(char if char.isprintable() else " " for char in said)[:MAX_DETAIL_LENGTH]
    if said:
        message = Message("{message} The server said: {said}", message=message, said=said)
    return Refused("directory", message)
