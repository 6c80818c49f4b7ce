"""Check addresses that people type and this server calls, against request forgery (SSRF).

Recorders are in private networks, so those are allowed. Refused are this machine, its link-local network, and the
metadata services of clouds, unless a setting lists the network. A name is resolved once for each connection, which goes
to the checked address.
"""

import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NoReturn
from urllib.parse import urlsplit

import anyio
import httpx

from services.runtime.errors import Refused
from services.runtime.translations import Joined, Message, Text

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]

DEFAULT_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
FREE_PORTS = range(1024, 65536)  # below are mail, shells, directories: no web servers
MAX_LENGTH = 2000

REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/128", "::1/128", "fe80::/10", "fec0::/10", "ff00::/8"),
        # metadata services of clouds outside the link-local range: Alibaba, Azure, AWS
        *("100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32"),
    )
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Refused):
    """The address may not be called, or cannot be understood."""

    def __init__(self, code: str, message: Text, field: str | None) -> None:
        super().__init__(f"address-{code}", message, status=422, field=field)


@dataclass(frozen=True)
class Target:
    """A parsed address; ``url`` is rebuilt from the parts, so that every parser agrees."""

    scheme: str
    host: str
    port: int
    url: str


async def system_resolver(host: str, port: int) -> list[str]:
    """Resolve a name by the system; raises OSError."""
    answers = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


class Guard:
    """Parse and check addresses. ``networks`` are always allowed; refusals name ``field``.

    ``secret``: what is sent holds one, so plain HTTP leads to ``networks`` alone.
    """

    def __init__(
        self,
        networks: Iterable[Network] = (),
        schemes: Iterable[str] = ("https",),
        *,
        field: str | None = None,
        secret: bool = False,
        resolver: Resolve = system_resolver,
    ) -> None:
        self.networks = tuple(networks)
        self._secret = secret
        self._schemes = tuple(schemes)
        self._field = field
        self._resolver = resolver

    def read(self, text: str) -> Target:
        """Parse and check an address, without resolving its name; AddressRefused."""
        if len(text) > MAX_LENGTH or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
            self._refuse("malformed", Message("The address contains characters that are not allowed."))
        try:
            parts = urlsplit(text)
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            self._refuse("malformed", Message("The address is not valid: correct it."))
        if parts.scheme not in self._schemes:
            known = Joined(" or ", self._schemes)
            self._refuse("scheme", Message("The address must begin with {known}://.", known=known))
        if "@" in parts.netloc:
            self._refuse(
                "credentials",
                Message("Remove username and password from the address: enter them in their own fields."),
            )
        if not host or "%" in host or host.strip(".") != host.removesuffix("."):
            self._refuse("malformed", Message("The address has no host name: enter one."))
        literal = self._literal(host)
        if literal is not None:
            self._permit(literal, parts.scheme)
        port = DEFAULT_PORTS[parts.scheme] if port is None else port
        if port not in FREE_PORTS and port not in DEFAULT_PORTS.values():
            self._refuse(
                "port",
                Message("Port {port} is not allowed: use 80, 443, 554 or a port from 1024.", port=port),
            )
        shown = f"[{host}]" if ":" in host else host
        where = shown if port == DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
        url = parts._replace(netloc=where, fragment="").geturl()
        return Target(parts.scheme, host, port, url)

    async def resolve(self, target: Target) -> list[str]:
        """Return the addresses to connect to, all checked; AddressRefused, also for unknown names."""
        literal = self._literal(target.host)
        if literal is not None:
            return [str(self._permit(literal, target.scheme))]
        try:
            addresses = await self._resolver(target.host, target.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            self._refuse(
                "unknown",
                Message("Host {host} not found: check the address and DNS.", host=target.host),
            )
        for address in addresses:
            self._permit(ipaddress.ip_address(address.partition("%")[0]), target.scheme)
        return addresses

    async def check(self, text: str) -> Target:
        """Parse and resolve an address, before a form stores it; AddressRefused."""
        target = self.read(text)
        await self.resolve(target)
        return target

    def _literal(self, host: str) -> Address | None:
        """Return a host that is an IP address, or None for a name."""
        try:
            return ipaddress.ip_address(host)
        except ValueError:
            last = host.rstrip(".").rpartition(".")[2]
        # 2130706433, 0x7f.1 and 017700000001 are addresses to some resolvers: no name ends in a number.
        if last.isdecimal() or last.startswith("0x"):
            self._refuse(
                "numeric",
                Message("Enter the IP address in the usual form, such as 192.168.1.20."),
            )
        return None

    def _permit(self, address: Address, scheme: str) -> Address:
        inner = _unwrapped(address)
        if any(inner in network or address in network for network in self.networks):
            return address
        if any(inner in network for network in REFUSED) or inner.is_loopback or inner.is_link_local:
            self._refuse(
                "inside",
                Message(
                    "{address} is a local, link-local or cloud-internal address and is not allowed; if it is "
                    "intended, add its network to FOOTAGE_DESK_ALLOWED_NETWORKS.",
                    address=str(address),
                ),
            )
        if self._secret and scheme == "http":
            self._refuse(
                "clear",
                Message(
                    "A secret is not sent to {address} by http://, where others can read it: use https://, or add its "
                    "network to FOOTAGE_DESK_ALLOWED_NETWORKS.",
                    address=str(address),
                ),
            )
        return address

    def _refuse(self, code: str, message: Text) -> NoReturn:
        raise AddressRefused(code, message, self._field)


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 one: mapped, compatible, 6to4, Teredo or NAT64."""
    if isinstance(address, IPv4Address):
        return address
    teredo = address.teredo
    inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
    if inner is not None:
        return inner
    value = int(address)
    if address in NAT64 or 1 < value < 1 << 32:
        return IPv4Address(value & 0xFFFF_FFFF)
    return address


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine by an address that no other one reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_networks(text: str | None) -> tuple[Network, ...]:
    """Parse the networks of a setting, separated by commas; raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in (text or "").split(",") if part.strip())


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connect to addresses that the guard has checked, at every request and every redirect."""

    def __init__(self, guard: Guard, inner: httpx.AsyncBaseTransport | None = None) -> None:
        # No keep-alive: a connection to an address would serve any other name that resolves to it.
        # A GiB of footage takes httpx 1.4 s of a processor, over TLS 4 s, which is 250 MB/s; recorders give 5 to 50.
        self._inner = inner or httpx.AsyncHTTPTransport(
            verify=_trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._guard = guard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises AddressRefused beside what httpx raises."""
        target = self._guard.read(str(request.url))
        *others, last = await self._guard.resolve(target)
        for address in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, target, address))
            except httpx.ConnectError:
                continue  # the next address of the same host
        return await self._inner.handle_async_request(_pinned(request, target, last))

    async def aclose(self) -> None:
        await self._inner.aclose()


@cache
def _trust(*_: str | None) -> ssl.SSLContext:
    # Reading the system's authorities takes 30 ms of the processor, and footage has hundreds of segments. The
    # arguments are the variables with their paths, so that a changed one is read again.
    return httpx.create_ssl_context()


def _pinned(request: httpx.Request, target: Target, address: str) -> httpx.Request:
    # The request has the header Host already, and the certificate is checked against the name.
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": target.host},
    )


@asynccontextmanager
async def guarded_client(guard: Guard, *, timeout: float = 10) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ASYNC109 - httpx's own time-out
    """Open an HTTP client that obeys the guard, follows no redirect and ignores proxy variables."""
    async with httpx.AsyncClient(
        transport=GuardedTransport(guard), timeout=timeout, follow_redirects=False, trust_env=False
    ) as client:
        yield client
