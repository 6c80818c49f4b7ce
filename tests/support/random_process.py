"""Random block-structured processes: what they are made of.

A block has one way in and one way out; what ends a token elsewhere stands only where nothing waits for that token.
Whatever throws comes behind a job of its own, so that never two things happen at once.
"""

from dataclasses import dataclass, field

ERROR_CODES = ("E-1", "E-2")
ESCALATION_CODES = ("S-1", "S-2")
CATCHING = ("message", "timer", "signal")


@dataclass(frozen=True)
class Event:
    """``code`` None catches all; a timer with ``times`` above 0 is a cycle."""

    id: str
    kind: str
    interrupting: bool = True
    code: str | None = None
    ms: int = 0
    times: int = 0


@dataclass(frozen=True)
class Block:
    id: str


Sequence = tuple[Block, ...]


@dataclass(frozen=True)
class Boundary:
    """The handler ends by itself, or ``merges`` into the way behind the activity."""

    event: Event
    handler: Sequence
    merges: bool


@dataclass(frozen=True)
class EventSubprocess:
    id: str
    event: Event
    body: Sequence


@dataclass(frozen=True)
class Activity(Block):
    boundaries: tuple[Boundary, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Job(Activity):
    """With ``mapped`` only ``o_<id>`` leaves it.

    One that ``needs`` a variable ``x_<id>`` cannot begin without it; one that ``owes`` cannot end before there is an
    ``r_<id>``.
    """

    mapped: bool = False
    needs: bool = False
    owes: bool = False


@dataclass(frozen=True)
class Receive(Activity):
    event: Event


@dataclass(frozen=True)
class Sub(Activity):
    """With ``rounds`` above 0 the body is repeated, counted by a variable of the subprocess's own."""

    body: Sequence
    handlers: tuple[EventSubprocess, ...] = ()
    rounds: int = 0


@dataclass(frozen=True)
class Call(Activity):
    """A call of a process of its own, named ``p_<id>``."""

    body: Sequence
    handlers: tuple[EventSubprocess, ...] = ()


@dataclass(frozen=True)
class Many(Activity):
    """A multi-instance of ``inner``, whose id it has; over with ``enough`` of them (0 = all)."""

    inner: Job | Receive | Sub | Call
    size: int
    sequential: bool
    enough: int = 0


@dataclass(frozen=True)
class Pass(Block):
    """An undefined task."""


@dataclass(frozen=True)
class Script(Block):
    """Adds 1 to ``y_<id>``, which begins with null."""


@dataclass(frozen=True)
class Catch(Block):
    event: Event


@dataclass(frozen=True)
class First(Block):
    """An event-based gateway."""

    branches: tuple[tuple[Event, Sequence], ...]


@dataclass(frozen=True)
class Choice(Block):
    """An exclusive gateway: ``x_<id>`` is the number of the branch, the first is the default."""

    branches: tuple[Sequence, ...]


@dataclass(frozen=True)
class Fork(Block):
    """A parallel gateway; where it is not ``joined`` each branch ends by itself."""

    branches: tuple[Sequence, ...]
    joined: bool


@dataclass(frozen=True)
class Some(Block):
    """An inclusive gateway: the branches 1 to ``x_<id>`` are taken; with 0 it is the first, the default."""

    branches: tuple[Sequence, ...]
    joined: bool


@dataclass(frozen=True)
class Throw(Block):
    """``kind`` is error, escalation or terminate; with ``ends`` it is an end event."""

    kind: str
    code: str
    ends: bool


@dataclass(frozen=True)
class Process:
    body: Sequence
    handlers: tuple[EventSubprocess, ...]
    choices: dict[str, int]
    """The start variables that gateways and jobs need; one that is missing makes an incident."""


def ends_token(blocks: Sequence) -> bool:
    """Whether no token comes out at the other side."""
    last = blocks[-1] if blocks else None
    return (isinstance(last, Throw) and last.ends) or (isinstance(last, Fork | Some) and not last.joined)
