"""Who waits for jobs: for each job that may be fetched one of them is woken, the one that has waited longest first."""

import asyncio


class JobNotifications:
    """Used on the event loop alone. Who waits looks first, so a job that nobody was woken for is never left behind."""

    def __init__(self) -> None:
        self._by_type: dict[str, dict[asyncio.Event, bool]] = {}  # whether it may be woken

    def subscribe(self, job_type: str) -> asyncio.Event:
        """An event that is set when a job of the type may be fetched; give it back with ``leave``."""
        event = asyncio.Event()
        self._by_type.setdefault(job_type, {})[event] = True
        return event

    def unsubscribe(self, job_type: str, event: asyncio.Event) -> None:
        """Wait no more; whoever leaves without a job wakes the next, for it may have been woken for one."""
        waiters = self._by_type[job_type]
        free = waiters.pop(event)
        if not waiters:
            del self._by_type[job_type]
        elif free:
            self.notify(job_type)

    def pause(self, job_type: str, event: asyncio.Event) -> None:
        """It has jobs now, and is woken no more; what it was woken for meanwhile is for the next."""
        self._by_type[job_type][event] = False
        if event.is_set():
            event.clear()
            self.notify(job_type)

    def count(self, job_type: str) -> int:
        """How many watch, woken or not."""
        return len(self._by_type.get(job_type, ()))

    def notify(self, job_type: str, number: int = 1) -> None:
        """Wake as many as there are jobs."""
        for event, free in self._by_type.get(job_type, {}).items():
            if number == 0:
                return
            if free and not event.is_set():
                event.set()
                number -= 1

    def notify_all(self) -> None:
        for waiters in self._by_type.values():
            for event in waiters:
                event.set()
