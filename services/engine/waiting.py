"""Who waits for jobs: for each job that may be fetched one of them is woken, the one that has waited longest first."""

import asyncio


class JobWaiters:
    """Used on the event loop alone. Who waits looks first, so a job that nobody was woken for is never left behind."""

    def __init__(self) -> None:
        self._by_type: dict[str, dict[asyncio.Event, None]] = {}

    def watch(self, job_type: str) -> asyncio.Event:
        """An event that is set when a job of the type may be fetched; give it back with ``leave``."""
        event = asyncio.Event()
        self._by_type.setdefault(job_type, {})[event] = None
        return event

    def leave(self, job_type: str, event: asyncio.Event, *, served: bool) -> None:
        """Wait no more; whoever leaves without the job that it was woken for wakes the next."""
        waiters = self._by_type[job_type]
        del waiters[event]
        if not waiters:
            del self._by_type[job_type]
        elif event.is_set() or not served:
            self.wake(job_type)

    def wake(self, job_type: str, number: int = 1) -> None:
        """Wake as many as there are jobs."""
        for event in self._by_type.get(job_type, ()):
            if number == 0:
                return
            if not event.is_set():
                event.set()
                number -= 1

    def wake_all(self) -> None:
        for waiters in self._by_type.values():
            for event in waiters:
                event.set()
