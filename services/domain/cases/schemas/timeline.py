"""Where a case is in its process, and where it stands still."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.web.schemas import Answer

MarkerKind = Literal["passed", "working", "event", "waiting", "unserved", "stuck"]
ModelSource = Literal["own", "not-recorded", "not-kept"]


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

    ``event``: it waits for a timer, a message or a signal; ``unserved``: no worker takes its job. Both are known where
    the engine runs in this process. ``called`` is the process that the designers' own call activity runs.

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
    called: str | None = None
    standstill: Standstill | None = None

    @property
    def here(self) -> bool:
        return self.kind != "passed"


class Await(Answer):
    """What the process waits for: a timer until ``dueAt``, a message, a signal, a review, or a worker for a job.

    ``zh`` and ``en`` name the element; ``name`` is the message's, the signal's, the stage or the job type, empty for a
    timer. ``dueAt`` of a message or a review is when people have to be done, where the database knows it.
    ``processId`` is the process that the element is in.
    """

    kind: Literal["timer", "message", "signal", "unserved", "review"]
    process_id: str
    element_id: str
    zh: str
    en: str
    name: str = ""
    due_at: datetime | None = None


class CalledProcess(Answer):
    """A process of the designers' own that the case has called; ``here``: it is under way."""

    process_id: str
    zh: str
    en: str
    here: bool


class Timeline(Answer):
    """All markers of one process, in the order in which they were first reached.

    ``inTransit``: a message is on its way to the process engine and nobody has anything to do meanwhile.
    ``modelSha256`` is the file that the markers belong to. ``modelSource``: ``own``, it is the version that the case
    runs on (``processVersion``, null before the process began); ``not-recorded``: nothing notes the
    version, ``not-kept``: nothing has the file of that version; then the newest model is drawn.
    ``runs``: the process of the case has begun and not ended.
    ``fromEngine``: the engine was asked, so that ``awaits`` has all that the process waits for; else timers, signals
    and jobs that no worker takes cannot be seen. ``processGone``: it was asked, and does not have the case's process.
    """

    process_id: str
    markers: list[DiagramMarker]
    in_transit: bool = False
    process_version: int | None = None
    model_sha256: str = ""
    model_source: ModelSource = "own"
    awaits: list[Await] = Field(default_factory=list)
    called: list[CalledProcess] = Field(default_factory=list)
    runs: bool = False
    from_engine: bool = False
    process_gone: bool = False

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
