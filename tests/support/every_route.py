"""Every route of the pages and of the API with its parameters, as the application itself tells them."""

import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from fastapi import FastAPI

from services.app.web import routers_of

SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Route:
    """``queries`` are the parameters that its address takes beside those inside the path."""

    method: str
    path: str
    parameters: tuple[str, ...]
    queries: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def for_programs(self) -> bool:
        return self.path.startswith("/api/")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its addresses match."""
        return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path)))

    def addresses(self, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """The address with each known value of its parameters; of one that nobody knows, ``unknown``."""
        choices: Iterable[tuple[str, ...]] = itertools.product(
            *(known.get(name, ()) or ("unknown",) for name in self.parameters)
        )
        for chosen in choices:
            yield self.path.format(**dict(zip(self.parameters, chosen, strict=True)))


@cache
def every_route() -> tuple[Route, ...]:
    """All of them, by path."""
    app = FastAPI()
    for router in (*routers_of("api"), *routers_of("pages")):
        app.include_router(router)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pages share the names of their functions, which only a description minds
        paths = app.openapi()["paths"]
    routes = [
        Route(method.upper(), path, _named(operation, "path"), _named(operation, "query"))
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return tuple(sorted(routes, key=lambda route: (route.path, route.method)))


def _named(operation: Mapping[str, list[dict[str, str]]], place: str) -> tuple[str, ...]:
    return tuple(one["name"] for one in operation.get("parameters", ()) if one["in"] == place)
