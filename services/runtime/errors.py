"""The ways in which a job may fail (docs/zeebe.md), and refusals to a person."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from services.runtime.translations import Message, Text, Value, Verbatim

Away: TypeAlias = Literal["recorder", "store", "database"]
"""A part of the installation that can be away for a while, and is waited for."""


class Retryable(Exception):
    """Retry later: the runner fails the job with back-off. Say what failed, on which object, and why.

    ``runbook`` names the page of docs/runbooks that an operator reads when the retries are used up; each kind of
    failure has its own, and one raise may name another. ``away`` names the part that does not answer: it is waited for,
    and no retry is used up. None for what a wait does not mend, such as a wrong password or a full store. ``awaits``
    says more exactly what is waited for, such as one recorder: a job is tried again as soon as that is back.
    """

    runbook = "jobs-failing"
    away: Away | None = None
    awaits: str | None = None

    def __init__(
        self, message: str | Text, *, runbook: str | None = None, away: Away | None = None, awaits: str | None = None
    ) -> None:
        super().__init__(str(message))
        self.message = Verbatim(message) if isinstance(message, str) else message
        if awaits is not None:
            self.awaits = awaits
        if runbook is not None:
            self.runbook = runbook
        if away is not None:
            self.away = away


class Busy(Retryable):
    """More was asked of this process at once than it can do: nothing is wrong, and it can be asked again soon."""


class NoPlace(Retryable):
    """All places of this process for one thing are in use, such as for one recorder: the job waits until one is free.

    Nothing is away, nothing has failed, and no retry is used up. ``awaits`` is never None.
    """


class NotYet(Retryable):
    """What the job needs is about to come by itself: it is tried again in a moment, and no retry is used up."""


class Outcome(Exception):
    """A result that the diagram draws: the runner throws a BPMN error with this code."""

    def __init__(self, code: str, message: str, variables: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.variables = dict(variables or {})


class Fatal(Exception):
    """Only a person can continue: the runner raises an incident.

    The text is what an operator reads: what failed | on which object | why | what to do next. Log and incident have
    its English; one that the self-check may show is a `Text`. ``runbook`` as Retryable's.
    """

    runbook = "incidents-pending"

    def __init__(self, message: str | Text, *, runbook: str | None = None) -> None:
        super().__init__(str(message))
        self.message = Verbatim(message) if isinstance(message, str) else message
        if runbook is not None:
            self.runbook = runbook


class NotPermitted(Fatal):
    """A job asks for what the database does not allow now: an incident that changes nothing.

    Not the engine says what may happen, whoever has sent the job: the rows do. The runner records the refusal.
    """

    runbook = "job-not-permitted"


class Refused(Exception):
    """A person's request is against the rules; the sentence is shown in their language.

    ``code`` is stable and machine-readable, ``status`` the HTTP status. The message is one sentence that says what to
    do: English with ``{names}`` for the ``values``, or a text. ``field`` names the field at fault where there is one.
    """

    def __init__(
        self, code: str, message: str | Text, /, *, status: int = 409, field: str | None = None, **values: Value
    ) -> None:
        self.message = Message(message, **values) if isinstance(message, str) else message
        super().__init__(self.message.en)
        self.code = code
        self.status = status
        self.field = field

    @property
    def zh(self) -> str:
        return self.message.zh

    @property
    def en(self) -> str:
        return self.message.en


class NotFound(Refused):
    """There is no such thing, or not for this person; both answer alike."""

    def __init__(self, noun: Text, key: str) -> None:
        super().__init__("not-found", Message("There is no {noun} {key}.", noun=noun, key=key), status=404)
