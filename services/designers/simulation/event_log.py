"""The event log of a simulated year: the same objects, activities and formats as the register's own."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from services.designers.simulation.case import SimulatedCase
from services.designers.simulation.models import Models
from services.designers.simulation.reviews import OpenReview
from services.domain.access.policy import Directory
from services.domain.cases.event_log import activities
from services.domain.cases.event_log.shapes import (
    CASE,
    HAND_OVER,
    ITEM,
    PERSON,
    REVIEW,
    CaseLog,
    LogEvent,
    LogObject,
    Related,
    Value,
)
from services.domain.process.messages import (
    APPLICATION_CORRECTED,
    APPLICATION_WITHDRAWN,
    COPY_LOST,
    COPY_RETURNED,
    USE_PERIOD_CHANGED,
)

OF_MESSAGES = {
    APPLICATION_CORRECTED: activities.CORRECTED,
    APPLICATION_WITHDRAWN: activities.WITHDRAWN,
    COPY_RETURNED: activities.RETURNED,
    COPY_LOST: activities.LOST,
    USE_PERIOD_CHANGED: "use period changed",
}
OF_JOBS = {
    "retrieve-footage": activities.RETRIEVED,
    "encrypt-copy": activities.COPY_MADE,
    "hand-over": activities.OFFERED,
    "suspend-access": activities.SUSPENDED,
    "resume-access": activities.RESUMED,
    "inspect-return": activities.CHECKED,
}
PRESERVES = "preserve-footage"


class SimulatedLog:
    """Notes what happens, as ``run.Watch`` has it, and gives each case away when it has ended."""

    def __init__(self, models: Models, directory: Directory) -> None:
        self._models, self._directory = models, directory
        self._objects: dict[str, list[LogObject]] = {}
        self._events: dict[str, list[LogEvent]] = {}

    def happened(self, case: SimulatedCase, what: str, at: datetime, **facts: Any) -> None:
        """Note an event; ``what`` is the run's word for it."""
        kind, _, name = what.partition(" ")
        if kind == "review":
            self._review(case, name, at, facts["review"], facts.get("values"))
        elif kind == "job":
            self._job(case, name, at, facts)
        elif kind == "message":
            who = None if name == USE_PERIOD_CHANGED else case.arrival.drafter
            self._add(case, OF_MESSAGES.get(name, name), at, _of_case(case), who)
        elif kind == "submitted":
            self._submitted(case, at)
        elif kind == "ended":
            self._add(case, activities.CLOSED, at, _of_case(case))

    def logs(self, ended: Iterable[SimulatedCase]) -> Iterator[CaseLog]:
        """Yield the log of each case as it ends."""
        for case in ended:
            events = self._events.pop(case.id, [])
            seen = {event.person for event in events if event.person is not None}
            people = [self._person(name, case) for name in sorted(seen)]
            attributes: dict[str, Value] = {"department": case.arrival.department, "corrections": case.corrections}
            of_case = LogObject(case.id, CASE, case.arrival.at, attributes)
            yield CaseLog(of_case, self._objects.pop(case.id, []), people, events)

    def _person(self, name: str, case: SimulatedCase) -> LogObject:
        known = self._directory.people.get(name)
        department = case.arrival.department if known is None else known.department_id
        return LogObject(name, PERSON, case.arrival.at, {"department": department})

    def _submitted(self, case: SimulatedCase, at: datetime) -> None:
        self._objects[case.id] = [
            LogObject(
                recording.item.id,
                ITEM,
                at,
                {"cameraClass": recording.item.camera_class, "recordedAt": recording.item.asked_start},
                [("of", case.id)],
            )
            for recording in case.recordings.values()
        ]
        asked = [*_of_case(case), *(("item", item.id) for item in case.arrival.items)]
        self._add(case, activities.SUBMITTED, at, asked, case.arrival.drafter)

    def _review(
        self, case: SimulatedCase, name: str, at: datetime, review: OpenReview, values: Mapping[str, Any] | None
    ) -> None:
        related = [*_of_case(case), ("review", review.id)]
        activity = review.stage.en
        if name == "opened":
            attributes: dict[str, Value] = {"stage": review.stage.code, "round": case.corrections}
            self._objects[case.id].append(LogObject(review.id, REVIEW, at, attributes, _of_case(case)))
            self._events[case.id].append(LogEvent(activity, at, related, "schedule"))
        elif name == "escalated":
            self._add(case, activities.escalated(activity), at, related)
        else:
            outcome = {} if values is None else {"outcome": str(values["decision"])}
            self._add(case, activity, at, related, review.signed[-1], outcome)

    def _job(self, case: SimulatedCase, job_type: str, at: datetime, facts: Mapping[str, Any]) -> None:
        if job_type == PRESERVES:
            for recording in case.recordings.values():
                if recording.preserved == at:
                    self._add(case, activities.PRESERVED, at, [*_of_case(case), ("item", recording.item.id)])
            return
        activity = OF_JOBS.get(job_type)
        if activity is None and job_type in self._models.world.workers:
            return  # what only moves the process is in no log of the register either
        item = facts["seen"].get("itemId")
        related = [*_of_case(case), *((("item", item),) if item in case.recordings else ())]
        if job_type == "hand-over" and case.hand_over is not None:
            self._objects[case.id].append(LogObject(case.hand_over, HAND_OVER, at, {}, _of_case(case)))
        if facts["error"]:
            self._add(case, activities.NOT_RETRIEVED, at, related, attributes={"why": facts["error"]})
        else:
            self._add(case, activity or job_type, at, related)

    def _add(  # noqa: PLR0917 - the parts of an event
        self,
        case: SimulatedCase,
        activity: str,
        at: datetime,
        related: Related,
        person: str | None = None,
        attributes: Mapping[str, Value] | None = None,
    ) -> None:
        who = () if person is None else (("by", person),)
        event = LogEvent(activity, at, [*related, *who], person=person, attributes=attributes or {})
        self._events.setdefault(case.id, []).append(event)


def _of_case(case: SimulatedCase) -> list[tuple[str, str]]:
    loan = () if case.hand_over is None else (("hand-over", case.hand_over),)
    return [("case", case.id), *loan]
