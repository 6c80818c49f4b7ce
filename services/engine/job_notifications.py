"""Notify job subscribers: one for each activatable job, the longest waiting first."""

import asyncio


class JobNotifications:
    """Used on the event loop only.

    Subscribers try to activate jobs before they wait, so a job without a notification is not lost.
    """

    def __init__(self) -> None:
        self._by_type: dict[str, dict[asyncio.Event, bool]] = {}  # the value says whether it may be notified

    def subscribe(self, job_type: str) -> asyncio.Event:
        """Return an event that is set when a job is activatable.

        See ``unsubscribe``.
        """
        event = asyncio.Event()
        self._by_type.setdefault(job_type, {})[event] = True
        return event

    def unsubscribe(self, job_type: str, event: asyncio.Event) -> None:
        """Remove a subscriber; one without a job passes its notification on."""
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
