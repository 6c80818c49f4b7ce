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
class _Person:
    queue: list[Queued] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    busy_with: OpenReview | None = None
    worked: timedelta = timedelta()


@dataclass(frozen=True)
class Begun:
    """Somebody works on a review until a moment."""

    person: str
    review: OpenReview
    until: datetime


class Office:
    """Everybody with their queues. Each act yields what was begun, or when a person has to be looked at again.

    ``works`` gives the working time that a person needs for a review.
    """

    def __init__(self, calendar: WorkingCalendar, absences: AbsenceCalendar) -> None:
        self._calendar, self._absences = calendar, absences
        self._people: dict[str, _Person] = {}
        self._number = 0

    def offer(self, review: OpenReview, now: datetime) -> list[str]:
        """Queue the review with all who may take it now; return those who may begin it."""
        people = review.candidates(lambda person: self.is_absent(person, now))
        # where all are away it waits for whoever comes back first
        people = people or review.everybody
        for person in people:
            one = self._person(person)
            if review.id not in one.queued:
                self._number += 1
                one.queued.add(review.id)
                heapq.heappush(one.queue, (review.ready, self._number, review))
        return sorted(people, key=lambda person: (self._person(person).worked, person))

    def is_absent(self, person: str, at: datetime) -> bool:
        return self._absences.until(person, at) is not None

    def next_review(self, person: str) -> OpenReview | None:
        """Return what the person would do next; None for one who is busy or has nothing."""
        one = self._person(person)
        if one.busy_with is not None:
            return None
        while one.queue:
            review = one.queue[0][2]
            if not (review.closed or review.taken or person in review.signed):
                return review
            heapq.heappop(one.queue)
            one.queued.discard(review.id)
        return None

    def free_from(self, person: str, now: datetime) -> datetime:
        """Return the first moment from now on at which the person is there and at work."""
        begin = self._calendar.add(now, timedelta())
        while (end := self._absences.until(person, begin)) is not None:
            begin = self._calendar.add(end, timedelta())
        return begin

    def begin(self, person: str, review: OpenReview, now: datetime, work: timedelta) -> Begun:
        """Let the person do the review now."""
        one = self._person(person)
        one.busy_with, review.taken = review, True
        one.worked += work
        return Begun(person, review, self._calendar.add(now, work))

    def finish(self, person: str) -> OpenReview | None:
        """End what the person does; return it."""
        one = self._person(person)
        review, one.busy_with = one.busy_with, None
        return review

    def waiting_for(self, person: str) -> Iterator[OpenReview]:
        """Yield the reviews that are queued with a person and not begun."""
        for _, _, review in list(self._person(person).queue):
            if not (review.closed or review.taken):
                yield review

    def _person(self, name: str) -> _Person:
        return self._people.setdefault(name, _Person())
