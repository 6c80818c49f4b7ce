"""What a kind of recorder is: the schema of its configuration, and how one is made from it.

A package beside this one names its own in the entry points of the group ``footage_desk.recorders``
(docs/recorders.md, "A kind of your own").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.recorders.configuration_schema import ConfigurationSchema
from services.recorders.protocol import Recorder
from services.runtime.addresses import Guard


@dataclass(frozen=True)
class Places:
    """Where recorders may be: folders under these roots (None: anywhere), addresses that the guard lets through."""

    roots: tuple[Path, ...] | None = None
    guard: Guard = field(default_factory=Guard)


@dataclass(frozen=True)
class Kind:
    """A kind of recorder. ``package`` is the name and version of the package that brings it, None for our own."""

    schema: ConfigurationSchema
    make: Callable[[Mapping[str, str], Places], Recorder]
    package: str | None = None
