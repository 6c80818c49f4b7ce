"""Where a login comes from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """A browser, by its user agent, its address and the tokens of the people who have logged in with it."""

    browser: str
    address: str
    known_browsers: tuple[str, ...] = ()
