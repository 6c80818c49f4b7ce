"""People as resources: a review waits for somebody who may decide it, is there, and has nothing else before it."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.designers.simulation.absences import AbsenceCalendar
from services.designers.simulation.reviews import OpenReview
from services.domain.working_calendar.working_time import WorkingCalendar

Queued = tuple[datetime, int, OpenReview]


@dataclass
class _Desk:
    queue: list[Queued] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    busy_with: OpenReview | None = None
    worked: timedelta = timedelta()


class Office:
    """The people with their queues: who may take a review, when somebody is there, and what each does next."""

    def __init__(self, calendar: WorkingCalendar, absences: AbsenceCalendar) -> None:
        self._calendar, self._absences = calendar, absences
        self._desks: dict[str, _Desk] = {}
        self._number = 0

    def offer(self, review: OpenReview, now: datetime) -> list[str]:
        """Queue the review with all who may take it now; return those who may begin it."""
        people = review.candidates(lambda person: self._absences.until(person, now) is not None)
        # where all are away it waits for the first who comes back
        people = people or review.everybody
        for person in people:
            desk = self._desk(person)
            if review.id not in desk.queued:
                self._number += 1
                desk.queued.add(review.id)
                heapq.heappush(desk.queue, (review.ready, self._number, review))
        return sorted(people, key=lambda person: (self._desk(person).worked, person))

    def next_review(self, person: str) -> OpenReview | None:
        """Return what the person would do next; None for one who is busy or has nothing."""
        desk = self._desk(person)
        if desk.busy_with is not None:
            return None
        while desk.queue:
            review = desk.queue[0][2]
            if not (review.closed or review.taken or person in review.signed):
                return review
            heapq.heappop(desk.queue)
            desk.queued.discard(review.id)
        return None

    def free_from(self, person: str, now: datetime) -> datetime:
        """Return the first moment from now on at which the person is there and at work."""
        begin = self._calendar.add(now, timedelta())
        while (end := self._absences.until(person, begin)) is not None:
            begin = self._calendar.add(end, timedelta())
        return begin

    def begin(self, person: str, review: OpenReview, now: datetime, work: timedelta) -> datetime:
        """Have the person do the review now; return when it is done."""
        desk = self._desk(person)
        desk.busy_with, review.taken = review, True
        desk.worked += work
        return self._calendar.add(now, work)

    def finish(self, person: str) -> OpenReview | None:
        """End what the person does; return it."""
        desk = self._desk(person)
        review, desk.busy_with = desk.busy_with, None
        return review

    def waiting_for(self, person: str) -> Iterator[OpenReview]:
        """Yield the reviews that are queued with a person and not begun."""
        for _, _, review in list(self._desk(person).queue):
            if not (review.closed or review.taken):
                yield review

    def _desk(self, person: str) -> _Desk:
        return self._desks.setdefault(person, _Desk())
