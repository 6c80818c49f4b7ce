"""Where a login comes from."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_PREFIX = 64  # what one machine, or one household, chooses its addresses from


@dataclass(frozen=True)
class Client:
    """A browser, by its user agent, its address and the tokens of the people who have logged in with it.

    ``by_provider``: the login provider has authenticated the person.
    """

    browser: str
    address: str
    known_browsers: tuple[str, ...] = ()
    by_provider: bool = False


def counted_address(address: str) -> str:
    """Return by what failures of an address are counted: itself, or an IPv6 address's network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # the server did not know it
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))
