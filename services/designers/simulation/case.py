"""One simulated case: its state in the engine, and what the register would hold of it."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.designers.simulation.arrivals import Arrival, Item
from services.designers.simulation.reviews import CaseDuties, OpenReview
from services.domain.process.messages import SENT
from services.engine.state.memory import State

Place = tuple[str, str]
"""A process and an element of it."""


@dataclass(eq=False)
class Recording:
    """What became of an item. ``lost``: it was overwritten, wholly or in part, before anybody had it."""

    item: Item
    preserved: datetime | None = None
    retrieved: datetime | None = None
    lost: bool = False


@dataclass(eq=False)
class SimulatedCase:
    """``corrections`` counts as the process does; ``known`` are the keys of what was planned for.

    ``coming`` counts the messages that will come, ``silent`` the timers that fired since the last message or decision.
    """

    arrival: Arrival
    state: State
    duties: CaseDuties
    recordings: dict[str, Recording]
    corrections: int = 0
    hand_over: str | None = None
    use_days: float = 0
    due: datetime | None = None
    marks: dict[str, bool] = field(default_factory=dict)
    reviews: dict[str, OpenReview] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    timers: dict[int, int] = field(default_factory=dict)
    active: dict[int, tuple[Place, datetime]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    coming: int = 0
    silent: int = 0
    given_up: bool = False
    ended: datetime | None = None
    in_use: float = 0
    """Seconds in which the copies were with their custodian."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done with it."""
        return self.ended is not None or self.given_up

    def can_only_repeat(self) -> bool:
        """Return whether nobody will do anything any more, and all that is left are timers that repeat."""
        can_be_decided = any(review.groups for review in self.reviews.values())
        own = (timer for timer in self.state.timers.values() if timer.process_instance_key)
        return not self.coming and not can_be_decided and all(timer.cycle is not None for timer in own)

    @property
    def id(self) -> str:
        return self.arrival.id

    def nth(self, what: str) -> int:
        """Count what happens again in a case, from 1, so that each time has its own chance."""
        self.times[what] += 1
        return self.times[what]

    def key_of(self, message: str, sent_key: str) -> str | None:
        """Return the key with which the portal sends a message of this name now; None where it sends none.

        ``sent_key`` is the one that the model waits with, which a message of the designer's own is sent with.
        """
        sent = SENT.get(message)
        if sent is None:
            return sent_key
        parts: dict[str, str | None] = {
            "application": self.id,
            "round": str(self.corrections + 1),
            "hand-over": self.hand_over,
            "review": sent_key if sent_key in self.reviews else None,
        }
        found = [parts[part] for part in sent.key]
        return None if None in found else ":".join(part for part in found if part is not None)

    def waiting_elements(self, reviews: Container[str]) -> Sequence[Place]:
        """List the elements that wait, without the phases and calls around them.

        ``reviews`` are the processes of reviews: in their place it has the call, which says which review it is.
        """
        found: list[Place] = []
        for instance in self.state.instances.values():
            if instance.bpmn_process_id in reviews:
                continue
            for element in instance.element_instances.values():
                called = self.state.instances.get(element.called_child_instance_key)
                is_left = called is None or called.bpmn_process_id in reviews
                if not element.children and is_left:
                    found.append((instance.bpmn_process_id, element.element_id))
        return [place for place in found if place[0] != place[1]]
