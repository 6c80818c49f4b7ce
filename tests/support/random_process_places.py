"""Running elements of a random process as its oracle keeps them: places, what is open, what was counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from random_process import Boundary, EventSubprocess

Then = Callable[[bool], None]
"""What follows a block; false as soon as its token can only end inside."""
Variables = dict[str, Any]


@dataclass(eq=False)
class Place:
    """A running element, with variables of its own."""

    id: str
    around: "Place | None" = None
    caller: "Place | None" = None
    then: Then = lambda reached: None
    completing: Callable[[], None] = lambda: None
    is_body: bool = False
    variables: Variables = field(default_factory=dict)
    inside: list["Place"] = field(default_factory=list)
    boundaries: tuple[Boundary, ...] = ()
    handlers: tuple[EventSubprocess, ...] = ()
    tokens: int = 0
    interrupted: bool = False
    stuck: bool = False
    """It was to complete and cannot: nothing it waits for reaches it any more."""

    def chain(self) -> Iterator["Place"]:
        """Inside out, in one process instance."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.around

    @property
    def root(self) -> "Place":
        return list(self.chain())[-1]


@dataclass(eq=False)
class Wait:
    """Something open: a job, timer, message, signal, or an element with an incident.

    ``state`` of a job: open, failed, thrown or backing-off.
    """

    kind: str
    element: str
    place: Place
    act: Callable[[Variables], None]
    name: str = ""
    once: bool = True
    due: int = 0
    period: int = 0
    times: int = 0
    state: str = "open"


@dataclass(eq=False)
class Message:
    """A message; ``taken`` by the process."""

    name: str
    variables: Variables
    deadline: int
    taken: bool = False


class Places:
    """All that runs, with its variables, and how often each element (or its body) was begun and ended."""

    def __init__(self, now: int) -> None:
        self.waits: list[Wait] = []
        self.counts: Counter[tuple[str, bool, str]] = Counter()
        self.roots: list[Place] = []
        self.messages: list[Message] = []
        self.now = now

    def _count(self, place: Place, *intents: str) -> None:
        for intent in intents:
            self.counts[place.id, place.is_body, intent] += 1

    def _passed(self, identity: str) -> None:
        self._count(Place(identity), "ACTIVATED", "COMPLETED")

    def _open(self, identity: str, around: Place, then: Then = lambda reached: None, **more: Any) -> Place:
        place = Place(identity, around, then=then, **more)
        around.inside.append(place)
        return place

    def _drop(self, wait: Wait) -> None:
        self.waits.remove(wait)

    def _leave(self, place: Place, intent: str) -> None:
        self.waits = [w for w in self.waits if w.place is not place]
        self._count(place, intent)
        if place.around is not None:
            place.around.inside.remove(place)
        else:
            self.roots.remove(place)

    def _kill(self, place: Place) -> None:
        self._kill_inside(place)
        self._leave(place, "TERMINATED")

    def _kill_inside(self, place: Place) -> None:
        for inner in [*place.inside, *(r for r in self.roots if r.caller is place)]:
            self._kill(inner)

    def _end(self, place: Place) -> None:
        """An element is complete."""
        place.completing()
        self._leave(place, "COMPLETED")
        place.then(True)

    def _look_up(self, place: Place, name: str) -> Any:
        return next((p.variables[name] for p in place.chain() if name in p.variables), None)

    def seen(self, place: Place) -> Variables:
        """All variables that are visible from it."""
        return {n: v for around in reversed(list(place.chain())) for n, v in around.variables.items()}

    def _merge(self, place: Place, variables: Variables) -> None:
        """Where the names live; what is equal already goes on upwards, as in Zeebe."""
        rest = dict(variables)
        for around in place.chain():
            for name in [n for n in rest if around.variables.get(n, rest[n]) != rest[n]]:
                around.variables[name] = rest.pop(name)
        place.root.variables |= rest
