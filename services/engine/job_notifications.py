"""Notify job subscribers: one for each activatable job, the longest waiting first."""

import asyncio
import time
from collections import OrderedDict

SILENT_SECONDS = 60.0
_MOST_TYPES = 1000  # whoever reaches the engine may ask for any


class JobNotifications:
    """Used on the event loop only.

    Subscribers try to activate jobs before they wait, so a job without a notification is not lost.
    """

    def __init__(self) -> None:
        self._by_type: dict[str, dict[asyncio.Event, bool]] = {}  # the value says whether it may be notified
        self._last_asked: OrderedDict[str, float] = OrderedDict()
        self._begun = time.monotonic()

    def subscribe(self, job_type: str) -> asyncio.Event:
        """Return an event that is set when a job is activatable.

        See ``unsubscribe``.
        """
        event = asyncio.Event()
        self._by_type.setdefault(job_type, {})[event] = True
        self._note(job_type)
        return event

    def unsubscribe(self, job_type: str, event: asyncio.Event) -> None:
        """Remove a subscriber; one without a job passes its notification on."""
        self._note(job_type)
        subscribers = self._by_type[job_type]
        notifiable = subscribers.pop(event)
        if not subscribers:
            del self._by_type[job_type]
        elif notifiable:
            self.notify(job_type)

    def pause(self, job_type: str, event: asyncio.Event) -> None:
        """Stop notifying a subscriber that has jobs; pass its notification on."""
        self._by_type[job_type][event] = False
        if event.is_set():
            event.clear()
            self.notify(job_type)

    def count(self, job_type: str) -> int:
        """Count the subscribers, paused ones included."""
        return len(self._by_type.get(job_type, ()))

    def was_asked(self, job_type: str) -> bool:
        """Return whether somebody asks for jobs of the type, or did within ``SILENT_SECONDS``.

        Who asked before this process began is not known: until it has run for so long, somebody may have.
        """
        last = self._last_asked.get(job_type, self._begun)
        return self.count(job_type) > 0 or time.monotonic() - last < SILENT_SECONDS

    def _note(self, job_type: str) -> None:
        self._last_asked[job_type] = time.monotonic()
        self._last_asked.move_to_end(job_type)
        if len(self._last_asked) > _MOST_TYPES:
            self._last_asked.popitem(last=False)

    def notify(self, job_type: str, count: int = 1) -> None:
        """Notify as many subscribers as there are jobs."""
        for event, notifiable in self._by_type.get(job_type, {}).items():
            if count == 0:
                return
            if notifiable and not event.is_set():
                event.set()
                count -= 1

    def notify_all(self) -> None:
        for subscribers in self._by_type.values():
            for event in subscribers:
                event.set()
