"""Registered viewing stations: the addresses at which footage is viewed on site, with their names (R56, R58)."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from services.runtime.addresses import Network

LONGEST = 1000  # characters of the list
LONGEST_NAME = 60
# A station is a room, not a site: from a wider network others could watch too.
NARROWEST = {4: 24, 6: 64}


@dataclass(frozen=True)
class Station:
    """One address, or the network of one room."""

    network: Network
    name: str

    @property
    def said(self) -> str:
        """Return it as people read it."""
        return f"{self.name}（{_written(self.network)}）" if self.name else _written(self.network)


def parse(text: str) -> tuple[Station, ...]:
    """Parse a list such as ``10.0.5.20 监控室, 10.0.6.0/24 北门``; raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"the list is longer than {LONGEST} characters")
    return tuple(
        _station(part.strip()) for part in text.replace("，", ",").replace("；", ",").split(",") if part.strip()
    )


def normalise(text: str) -> str:
    """Return the list as it is kept; raises ValueError."""
    return ", ".join(f"{_written(station.network)} {station.name}".strip() for station in parse(text))


def find(stations: Iterable[Station], address: str | None) -> Station | None:
    """Return the station at this address; None where it is none, or no address."""
    try:
        told = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    inner = getattr(told, "ipv4_mapped", None) or told
    return next((station for station in stations if inner in station.network), None)


def _station(text: str) -> Station:
    address, _, name = text.partition(" ")
    network = ipaddress.ip_network(address)
    if network.prefixlen < NARROWEST[network.version]:
        raise ValueError(f"{address} is wider than the network of one room")
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"the name of {address} is no short text")
    return Station(network, name)


def _written(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)
