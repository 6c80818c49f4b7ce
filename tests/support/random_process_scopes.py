"""What the oracle of a random process makes of scopes and of events, whatever the blocks inside them are."""

from collections.abc import Callable

from random_process import Block, Boundary, Event, EventSubprocess, Process, Sequence
from random_process_places import Message, Place, Places, Then, Variables, Wait


class Scopes(Places):
    """Told what happens outside; each method lets happen all that follows."""

    def __init__(self, process: Process, now: int) -> None:
        super().__init__(now)
        self._process = process

    # --- what happens outside

    def begin(self, variables: Variables) -> Place:
        root = Place("p", handlers=self._process.handlers)
        self._start_process(root, self._process.body, variables)
        return root

    def complete(self, wait: Wait, variables: Variables) -> None:
        self._drop(wait)
        wait.act(variables)

    def fail(self, wait: Wait, variables: Variables, state: str, due: int) -> None:
        wait.state, wait.due = state, due
        wait.place.variables |= variables

    def throw(self, wait: Wait, code: str, variables: Variables) -> None:
        if not self._throw(wait.place, "error", code, variables)[0]:
            wait.state = "thrown"

    def resolve(self, wait: Wait) -> None:
        if wait.kind == "job":
            wait.state = "open"
        else:
            self._drop(wait)
            wait.act({})

    def publish(self, name: str, variables: Variables, ttl: int = 0) -> None:
        """A message goes to one process, as each has a name of its own, and there to what waits longest."""
        message = Message(name, variables, self.now + ttl)
        if ttl:
            self.messages.append(message)
        self._deliver(message, [w for w in self.waits if w.kind == "message" and w.name == name])

    def _deliver(self, message: Message, waits: list[Wait]) -> None:
        """What is stuck cannot take it; only a message that is kept goes on to the next."""
        message.taken = bool(waits)
        if waits and not waits[0].place.stuck:
            self._happen(waits[0], message.variables)
        elif waits and message in self.messages:
            self._deliver(message, waits[1:])

    def signal(self, name: str, variables: Variables) -> None:
        for wait in [w for w in self.waits if w.kind == "signal" and w.name == name]:
            if wait in self.waits and not wait.place.stuck:
                self._happen(wait, variables)

    def turn(self, now: int) -> None:
        self.now = now
        self.messages = [m for m in self.messages if m.deadline > now]
        for wait in self.waits:
            if wait.state == "backing-off" and wait.due <= now:
                wait.state = "open"
        while due := sorted((w for w in self.waits if w.kind == "timer" and self._is_due(w)), key=lambda w: w.due):
            for wait in due:
                if wait in self.waits and self._is_due(wait):
                    self._happen(wait, {})

    def _is_due(self, timer: Wait) -> bool:
        return timer.due <= self.now and not timer.place.stuck

    def set(self, place: Place, variables: Variables) -> None:
        self._merge(place, variables)

    def cancel(self, root: Place) -> None:
        self._kill(root)

    # --- scopes

    def _start_process(self, root: Place, body: Sequence, variables: Variables) -> None:
        self.roots.append(root)
        root.variables = dict(variables)
        self._start_scope(root, body)

    def _start_scope(self, place: Place, body: Sequence, rounds: int = 0) -> None:
        self._count(place, "ACTIVATED")
        for handler in place.handlers:
            self._wait(handler.event, f"st_{handler.id}", place, lambda v, h=handler: self._handle(place, h, v))
        place.tokens = 1
        self._passed(f"st_{place.id}")
        if rounds:
            self._round(place, body, rounds)
        else:
            self._sequence(body, place, lambda reached: self._token_ended(place, f"e_{place.id}" if reached else ""))

    def _round(self, place: Place, body: Sequence, rounds: int) -> None:
        self._passed(f"m_{place.id}")

        def again(reached: bool) -> None:
            if not reached:
                self._token_ended(place)
                return
            self._passed(f"q_{place.id}")
            self._passed(f"b_{place.id}")
            place.variables[f"n_{place.id}"] += 1
            if place.variables[f"n_{place.id}"] < rounds:
                self._round(place, body, rounds)
            else:
                self._token_ended(place, f"e_{place.id}")

        self._sequence(body, place, again)

    def _token_ended(self, scope: Place, end_event: str = "") -> None:
        if end_event:
            self._passed(end_event)
        scope.tokens -= 1
        if not scope.tokens:
            self._end(scope)

    def _handle(self, scope: Place, handler: EventSubprocess, variables: Variables) -> None:
        """An event subprocess begins; what it begins with goes up to the process."""
        if handler.event.interrupting:
            starts = {f"st_{h.id}" for h in scope.handlers}
            self._kill_inside(scope)
            self.waits = [w for w in self.waits if w.place is not scope or w.element not in starts]
            scope.interrupted, scope.tokens = True, 0
        scope.tokens += 1
        place = self._open(handler.id, scope, lambda reached: self._token_ended(scope))
        self._merge(place, variables)
        self._start_scope(place, handler.body)

    # --- events

    def _wait(self, event: Event, element: str, place: Place, act: Callable[[Variables], None]) -> None:
        if event.kind in ("error", "escalation"):
            return
        wait = Wait(event.kind, element, place, act, event.id, event.interrupting, self.now + event.ms, event.ms)
        wait.times = event.times
        self.waits.append(wait)

    def _look(self, place: Place) -> None:
        """All it waits for is open: a message that is kept comes at once."""
        for wait in [w for w in self.waits if w.place is place and w.kind == "message"]:
            kept = next((m for m in self.messages if m.name == wait.name and not m.taken), None)
            if kept is not None and wait in self.waits:
                self._deliver(kept, [wait])

    def _happen(self, wait: Wait, variables: Variables) -> None:
        if wait.once or wait.kind == "timer":
            self._drop(wait)
        if wait.kind == "timer" and wait.times > 1 and not wait.once:
            due = wait.due + wait.period
            due = due if due > self.now else self.now + wait.period
            more = (wait.name, False, due, wait.period, wait.times - 1)
            self.waits.append(Wait("timer", wait.element, wait.place, wait.act, *more))
        wait.act(variables)

    def _boundary(self, place: Place, boundary: Boundary, variables: Variables) -> None:
        event, scope = boundary.event, place.around
        assert scope is not None
        if event.interrupting:
            self._kill(place)
        self._passed(event.id)
        self._merge(scope, {} if event.kind == "error" else variables)
        if boundary.merges:
            self._sequence(boundary.handler, scope, place.then)
        else:
            self._apart(boundary.handler, scope, place.then if event.interrupting else None, f"e_{event.id}")

    def _apart(self, blocks: Sequence, scope: Place, then: Then | None, end_event: str = "") -> None:
        """A way that ends by itself: no gateway waits for its token, which is new or else has left its block."""
        scope.tokens += 1
        if then is not None:
            then(False)
        self._sequence(blocks, scope, lambda reached: self._token_ended(scope, end_event if reached else ""))

    def _throw(self, place: Place, kind: str, code: str, variables: Variables) -> tuple[bool, bool]:
        """Whether it is caught, and whether that interrupts.

        A scope that an event subprocess has interrupted looks no further than the caller; an escalation may be caught
        by an event of it that does nothing any more, as in Zeebe.
        """
        at: Place | None = place
        while at is not None:
            caught = None if at.interrupted and kind == "error" else _catching(at, kind, code)
            if isinstance(caught, Boundary):
                self._boundary(at, caught, variables)
            elif caught is not None and not at.interrupted:
                self._handle(at, caught, variables)
            if caught is not None:
                return True, caught.event.interrupting
            at = at.root.caller if at.around is None or at.interrupted else at.around
        return False, False

    def _sequence(self, blocks: Sequence, scope: Place, then: Then) -> None:
        if not blocks:
            then(True)
            return
        self._run(blocks[0], scope, lambda reached: self._sequence(blocks[1:], scope, then) if reached else then(False))

    def _run(self, block: Block, scope: Place, then: Then) -> None:
        """Run one block in its scope and call ``then``, at once or when what it waits for has happened."""
        raise NotImplementedError(type(block).__name__)


def _catching(at: Place, kind: str, code: str) -> EventSubprocess | Boundary | None:
    """The exact code comes first."""
    found = [c for c in (*at.handlers, *at.boundaries) if c.event.kind == kind and c.event.code in (None, code)]
    return next((c for c in found if c.event.code is not None), next(iter(found), None))
