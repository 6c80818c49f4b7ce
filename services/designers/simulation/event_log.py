"""The event log of a simulated year: the same objects, activities and formats as the register's own."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.designers.simulation.answers import Job, JobEnd
from services.designers.simulation.case import SimulatedCase
from services.designers.simulation.models import Models
from services.designers.simulation.reviews import OpenReview
from services.designers.simulation.run import Watch
from services.domain.access.directory import Directory
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
    LOAN_CLOSED,
    USE_PERIOD_CHANGED,
)

OF_MESSAGES = {
    APPLICATION_CORRECTED: activities.CORRECTED,
    APPLICATION_WITHDRAWN: activities.WITHDRAWN,
    COPY_RETURNED: activities.RETURNED,
    LOAN_CLOSED: activities.LOST,  # what applicants send here closes no loan for another reason
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


class SimulatedLog(Watch):
    """Notes what happens in a run, and yields the log of each case when it has ended."""

    def __init__(self, models: Models, directory: Directory) -> None:
        self._models, self._directory = models, directory
        self._objects: dict[str, list[LogObject]] = defaultdict(list)
        self._events: dict[str, list[LogEvent]] = defaultdict(list)

    def submitted(self, case: SimulatedCase, at: datetime) -> None:
        for item in case.arrival.items:
            attributes: dict[str, Value] = {"cameraClass": item.camera_class, "recordedAt": item.asked_start}
            self._objects[case.id].append(LogObject(item.id, ITEM, at, attributes, [("of", case.id)]))
        asked = [*_of_case(case), *(("item", item.id) for item in case.arrival.items)]
        self._add(case, activities.SUBMITTED, at, asked, case.arrival.drafter)

    def job_ended(self, case: SimulatedCase, job: Job, end: JobEnd) -> None:
        if job.type == PRESERVES:
            for recording in case.recordings.values():
                if recording.preserved == job.now:
                    related = [*_of_case(case), ("item", recording.item.id)]
                    self._add(case, activities.PRESERVED, job.now, related)
            return
        activity = OF_JOBS.get(job.type)
        if activity is None and job.type in self._models.world.workers:
            return  # what only moves the process is in no log of the register either
        item = job.seen.get("itemId")
        related = [*_of_case(case), *((("item", item),) if item in case.recordings else ())]
        if job.type == "hand-over" and case.hand_over is not None:
            self._objects[case.id].append(LogObject(case.hand_over, HAND_OVER, job.now, {}, _of_case(case)))
        if end.error:
            self._add(case, activities.NOT_RETRIEVED, job.now, related, attributes={"why": end.error})
        else:
            self._add(case, activity or job.type, job.now, related)

    def message_came(self, case: SimulatedCase, message: str, at: datetime) -> None:
        who = None if message == USE_PERIOD_CHANGED else case.arrival.drafter
        self._add(case, OF_MESSAGES.get(message, message), at, _of_case(case), who)

    def review_opened(self, case: SimulatedCase, review: OpenReview, at: datetime) -> None:
        attributes: dict[str, Value] = {"stage": review.stage.code, "round": case.corrections}
        self._objects[case.id].append(LogObject(review.id, REVIEW, at, attributes, _of_case(case)))
        self._events[case.id].append(LogEvent(review.stage.en, at, _of_review(case, review), "schedule"))

    def review_escalated(self, case: SimulatedCase, review: OpenReview, at: datetime) -> None:
        self._add(case, activities.escalated(review.stage.en), at, _of_review(case, review))

    def review_decided(self, case: SimulatedCase, review: OpenReview, outcome: str, at: datetime) -> None:
        decider, related = review.signed[-1], _of_review(case, review)
        self._add(case, review.stage.en, at, related, decider, {"outcome": outcome})

    def ended(self, case: SimulatedCase, at: datetime) -> None:
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
        self._events[case.id].append(event)


def _of_case(case: SimulatedCase) -> list[tuple[str, str]]:
    loan = () if case.hand_over is None else (("hand-over", case.hand_over),)
    return [("case", case.id), *loan]


def _of_review(case: SimulatedCase, review: OpenReview) -> list[tuple[str, str]]:
    return [*_of_case(case), ("review", review.id)]
