"""What a random process must do: its blocks interpreted straight, without flows, steps or tables.

The oracle is told what happens outside (a job completed, an event) and keeps what the engine is then held to: what
waits, how often each element was activated, completed and terminated, and the variables of the process.
"""

from functools import singledispatchmethod

from random_process import (
    Activity,
    Block,
    Call,
    Catch,
    Choice,
    Event,
    First,
    Fork,
    Job,
    Many,
    Pass,
    Receive,
    Script,
    Sequence,
    Some,
    Sub,
    Throw,
    ends_token,
)
from random_process_places import Place, Then, Variables, Wait
from random_process_scopes import Scopes


class Oracle(Scopes):
    """Told what happens outside; each method lets happen all that follows."""

    @singledispatchmethod
    def _run(self, block: Block, scope: Place, then: Then) -> None:
        raise NotImplementedError(type(block).__name__)

    @_run.register
    def _(self, block: Activity, scope: Place, then: Then) -> None:
        merged = any(b.merges for b in block.boundaries)

        def leave(reached: bool) -> None:
            if reached and merged:
                self._passed(f"a_{block.id}")
            then(reached)

        place = self._open(block.id, scope, leave, is_body=isinstance(block, Many), boundaries=block.boundaries)
        self._enter(block, place)

    def _enter(self, block: Activity, place: Place) -> None:
        """Activate it, unless it needs a variable that is not there."""
        job = block.inner if isinstance(block, Many) and not place.is_body else block
        if isinstance(job, Job) and job.needs:
            value = self._look_up(place, f"x_{block.id}")
            if value is None:
                self.waits.append(Wait("IO_MAPPING_ERROR", block.id, place, lambda v: self._enter(block, place)))
                return
            place.variables[f"l_{block.id}"] = value
        for boundary in place.boundaries:
            self._wait(
                boundary.event,
                boundary.event.id,
                place,
                lambda v, b=boundary: self._boundary(place, b, v),
            )
        if isinstance(block, Many) and place.is_body:
            self._many(block, place)
        else:
            self._activity(job, place)

    def _activity(self, block: Activity, place: Place) -> None:
        if not isinstance(block, Sub):
            self._count(place, "ACTIVATED")
        match block:
            case Job():
                if block.mapped:
                    place.variables[f"i_{block.id}"] = self._look_up(place, "k")
                self.waits.append(Wait("job", block.id, place, lambda v: self._worked(block, place, v)))
            case Receive():
                self._wait(block.event, block.id, place, lambda v: self._done(place, v))
                self._look(place)
            case Call():
                child = Place(f"p_{block.id}", caller=place, handlers=block.handlers)
                child.then = lambda reached: self._done(place, child.variables)
                self._start_process(child, block.body, self.seen(place))
            case Sub():
                place.handlers = block.handlers
                if block.rounds:
                    place.variables[f"n_{block.id}"] = 0
                self._start_scope(place, block.body, block.rounds)

    def _worked(self, job: Job, place: Place, variables: Variables) -> None:
        if job.mapped or job.owes:
            place.variables |= variables
            result = self._look_up(place, f"r_{job.id}")
            place.stuck = job.owes and result is None
            if place.stuck:
                self.waits.append(Wait("IO_MAPPING_ERROR", job.id, place, lambda v: self._worked(job, place, {})))
                return
            variables = {f"o_{job.id}": result}
        self._done(place, variables)

    def _done(self, place: Place, variables: Variables) -> None:
        self._merge(place, variables)
        self._end(place)

    def _many(self, block: Many, body: Place) -> None:
        self._count(body, "ACTIVATED")
        name = f"outs_{block.id}"
        is_job = isinstance(block.inner, Job)
        body.variables[name] = [None] * block.size
        done = 0

        def enter(number: int) -> None:
            place = self._open(block.id, body, lambda reached: following())
            place.variables = {f"r_{block.id}": None} if is_job else {}
            place.variables |= {"loopCounter": number, f"it_{block.id}": number}
            place.completing = lambda: collect(number, place)
            self._enter(block, place)

        def collect(number: int, place: Place) -> None:
            results = list(body.variables[name])
            results[number - 1] = self._look_up(place, f"r_{block.id}") if is_job else number * 10
            body.variables[name] = results

        def following() -> None:
            nonlocal done
            done += 1
            if block.enough and done >= block.enough:
                self._kill_inside(body)
                self._end(body)
            elif done == block.size:
                self._end(body)
            elif block.sequential:
                enter(done + 1)

        assert body.around is not None
        around = body.around
        body.completing = lambda: self._merge(around, {name: body.variables[name]})
        if not block.size:
            self._end(body)
        for number in range(1, (min(block.size, 1) if block.sequential else block.size) + 1):
            enter(number)

    @_run.register
    def _(self, block: Pass, scope: Place, then: Then) -> None:
        self._passed(block.id)
        then(True)

    @_run.register
    def _(self, block: Script, scope: Place, then: Then) -> None:
        self._passed(block.id)
        name = f"y_{block.id}"
        self._merge(scope, {name: (self._look_up(scope, name) or 0) + 1})
        then(True)

    @_run.register
    def _(self, block: Catch, scope: Place, then: Then) -> None:
        place = self._open(block.event.id, scope, then)
        self._count(place, "ACTIVATED")
        self._wait(block.event, block.event.id, place, lambda v: self._done(place, v))
        self._look(place)

    @_run.register
    def _(self, block: First, scope: Place, then: Then) -> None:
        def leave(reached: bool) -> None:
            if reached:
                self._passed(f"z_{block.id}")
            then(reached)

        def decided(event: Event, branch: Sequence, variables: Variables) -> None:
            self._leave(place, "COMPLETED")
            self._passed(event.id)
            self._merge(scope, variables)
            self._sequence(branch, scope, leave)

        place = self._open(block.id, scope)
        self._count(place, "ACTIVATED")
        for event, branch in block.branches:
            self._wait(event, event.id, place, lambda v, e=event, b=branch: decided(e, b, v))
        self._look(place)

    @_run.register
    def _(self, block: Choice, scope: Place, then: Then) -> None:
        place = self._open(block.id, scope)

        def choose() -> None:
            number = self._look_up(place, f"x_{block.id}")
            if number is None:
                self.waits.append(Wait("EXTRACT_VALUE_ERROR", block.id, place, lambda v: choose()))
                return
            self._count(place, "ACTIVATED")
            self._leave(place, "COMPLETED")
            branch = block.branches[min(number, len(block.branches) - 1)]
            if ends_token(branch):
                self._apart(branch, scope, then)
            else:
                self._sequence(branch, scope, leave)

        def leave(reached: bool) -> None:
            if reached:
                self._passed(f"z_{block.id}")
            then(reached)

        choose()

    @_run.register
    def _(self, block: Fork, scope: Place, then: Then) -> None:
        self._split(block, scope, then, list(range(len(block.branches))))

    @_run.register
    def _(self, block: Some, scope: Place, then: Then) -> None:
        number = min(self._look_up(scope, f"x_{block.id}"), len(block.branches) - 1)
        self._split(block, scope, then, list(range(1, number + 1)) or [0])

    def _split(self, block: Fork | Some, scope: Place, then: Then, chosen: list[int]) -> None:
        self._passed(block.id)
        left, arrived = len(chosen), 0

        def came(number: int, reached: bool) -> None:
            nonlocal left, arrived
            left, arrived = left - 1, arrived + reached
            if reached and not block.joined:
                self._passed(f"e_{block.id}_{number}")
            if isinstance(block, Fork) and block.joined and arrived < len(chosen):
                return  # it waits, for ever if a token has ended elsewhere
            if left == 0 and block.joined and arrived:
                self._passed(f"z_{block.id}")
            if left == 0:
                then(bool(block.joined and arrived))

        for number in chosen:
            self._sequence(block.branches[number], scope, lambda reached, n=number: came(n, reached))

    @_run.register
    def _(self, block: Throw, scope: Place, then: Then) -> None:
        if block.kind == "terminate":
            self._passed(block.id)
            self._kill_inside(scope)
            self._end(scope)
            return
        place = self._open(block.id, scope)
        if block.kind == "error":
            self._throw_at_end(block, place)
            return
        self._count(place, "ACTIVATED")
        if not self._throw(place, "escalation", block.code, {})[1]:
            self._leave(place, "COMPLETED")
            then(not block.ends)

    def _throw_at_end(self, block: Throw, place: Place) -> None:
        """Nobody catches it: it is never activated."""
        if self._throw(place, "error", block.code, {})[0]:
            self._count(place, "ACTIVATED")
        else:
            self.waits.append(
                Wait("UNHANDLED_ERROR_EVENT", block.id, place, lambda v: self._throw_at_end(block, place))
            )
