"""What FEEL a file may use: that of the Camunda version that it was written for.

Camunda 8.6 and 8.7 evaluate with FEEL 1.18, 8.8 with 1.19. A function that a cluster does not have gives null there
without a word, so a file that calls one is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from services.engine.feel import Expression, UnaryTests

_VERSION = "{http://camunda.org/schema/modeler/1.0}executionPlatformVersion"
_OLDEST = (8, 6)
_SINCE = {"is blank": (8, 8), "partition": (8, 8)}  # of FEEL 1.19
_LATER = {"from json": "8.9", "to json": "8.9", "fromAi": "8.8"}  # not part of the engine
_DMN_ALONE = frozenset(["is", "list replace", "range"])


@dataclass(frozen=True, slots=True)
class Platform:
    """The version that a file names, such as (8, 6); None if it names none."""

    version: tuple[int, int] | None

    def problems(self, compiled: Expression | UnaryTests) -> Iterator[str]:
        """Say what an expression uses that the version does not have, each as a clause behind the expression."""
        for name in sorted(compiled.functions):
            if name in _DMN_ALONE:
                yield f"the function '{name}' is in DMN's text alone and null on a Camunda cluster; do without it"
            elif name in _LATER:
                yield f"the function '{name}' is of Camunda {_LATER[name]} and later, which this engine does not follow"
            elif _SINCE.get(name, _OLDEST) > (self.version or _OLDEST):
                yield f"the function '{name}' is of Camunda {_text(_SINCE[name])} and later, and {self._named()}"
        yield from compiled.meaningless

    def _named(self) -> str:
        if self.version is None:
            return f"the file names no version and may run on {_text(_OLDEST)}: give it executionPlatformVersion"
        return f"the file is for {_text(self.version)} (executionPlatformVersion): do without it, or name that version"


def platform_of(root: etree._Element) -> Platform:
    """Return the platform that a file's outermost element names."""
    match = re.match(r"(\d+)\.(\d+)", root.get(_VERSION, ""))
    return Platform((int(match[1]), int(match[2])) if match else None)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
