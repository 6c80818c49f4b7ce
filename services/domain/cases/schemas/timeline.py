"""Where a case is in its process, and where it stands still."""

from datetime import datetime
from typing import Literal

from services.web.schemas import Answer

MarkerKind = Literal["passed", "working", "waiting", "stuck"]


class Standstill(Answer):
    """Why a step does not go on since ``since``.

    ``part`` (recorder, store or database) is away, and the step is tried again at ``nextTryAt``, or just now without
    one, until ``until``; ``untaken``: that try was due and no process has taken it. Or the step is ``stopped`` by an
    incident, and a person has to act; ``part`` then names what was away for too long, if that is why.
    """

    since: datetime
    part: str | None = None
    next_try_at: datetime | None = None
    until: datetime | None = None
    untaken: bool = False
    stopped: bool = False


class DiagramMarker(Answer):
    """One element: ``passed``, or the case is there: ``working``, ``waiting`` for people, ``stuck`` in an incident.

    Elements that take no time have no moments. ``seconds`` adds up all ``times``, the one that lasts included;
    ``elementKind`` is that of BPMN.
    """

    element_id: str
    element_kind: str
    zh: str
    en: str
    kind: MarkerKind
    since: datetime | None = None
    until: datetime | None = None
    seconds: float | None = None
    times: int = 0
    attempts: int = 0
    review_id: str | None = None
    standstill: Standstill | None = None

    @property
    def here(self) -> bool:
        return self.kind != "passed"


class Timeline(Answer):
    """All markers of one process, in the order in which they were first reached.

    ``inTransit``: a message is on its way to the process engine and nobody has anything to do meanwhile.
    """

    process_id: str
    markers: list[DiagramMarker]
    in_transit: bool = False

    @property
    def timed(self) -> list[DiagramMarker]:
        """Return what takes time, and where it began and ended: the list that is read instead of the diagram."""
        return [
            marker
            for marker in self.markers
            if marker.since is not None and marker.element_kind not in ("subProcess", "boundaryEvent")
        ]

    @property
    def here(self) -> list[DiagramMarker]:
        """Return where the case is now; phases around it are left out."""
        return [marker for marker in self.markers if marker.here and marker.element_kind != "subProcess"]
