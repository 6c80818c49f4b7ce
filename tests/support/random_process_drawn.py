"""How a random process is drawn."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st
from random_process import (
    CATCHING,
    ERROR_CODES,
    ESCALATION_CODES,
    Activity,
    Block,
    Boundary,
    Call,
    Catch,
    Choice,
    Event,
    EventSubprocess,
    First,
    Fork,
    Job,
    Many,
    Pass,
    Process,
    Receive,
    Script,
    Sequence,
    Some,
    Sub,
    Throw,
    ends_token,
)


@st.composite
def processes(draw: st.DrawFn, fuel: int = 18) -> Process:
    """Of at most about ``fuel`` activities and events."""
    return _Maker(draw, fuel).process()


class _Maker:
    def __init__(self, draw: st.DrawFn, fuel: int) -> None:
        self._draw = draw
        self._fuel = fuel
        self._count = 0
        self._choices: dict[str, int] = {}
        self._repeated = self._beside = False

    def process(self) -> Process:
        body = self._sequence(0, may_end=True)
        return Process(body, self._handlers(0), self._choices)

    def _pick(self, most: int) -> int:
        return self._draw(st.integers(0, most))

    def _chance(self, one_in: int) -> bool:
        return self._pick(one_in - 1) == one_in - 1

    def _id(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _sequence(self, depth: int, *, may_end: bool, tail: bool = True) -> Sequence:
        """``may_end``: nothing waits for the token; ``tail``: nothing comes behind."""
        blocks = [self._block(depth, may_end=may_end) for _ in range(1 + self._pick(1 if depth else 3))]
        if tail and self._chance(4):
            blocks += self._tail(depth, may_end=may_end)
        return tuple(blocks)

    def _inside(self, depth: int, *, repeated: bool = False) -> Sequence:
        """The body of a scope of its own."""
        around, self._repeated, self._beside = (self._repeated, self._beside), repeated, False
        body = self._sequence(depth, may_end=not repeated, tail=not repeated)
        self._repeated, self._beside = around
        return body

    def _tail(self, depth: int, *, may_end: bool) -> list[Block]:
        kinds = ["terminate", "error", "escalation", "fork", "some"] if may_end else ["terminate", "error"]
        kind = kinds[self._pick(len(kinds) - 1)]
        if kind in ("fork", "some") and depth < 3:
            return [self._split(depth, joined=False, inclusive=kind == "some")]
        return [Job(self._id("j")), self._throw("terminate" if kind in ("fork", "some") else kind, ends=True)]

    def _throw(self, kind: str, *, ends: bool) -> Throw:
        codes = {"error": ERROR_CODES, "escalation": ESCALATION_CODES}.get(kind, ("",))
        return Throw(self._id("t"), kind, codes[self._pick(len(codes) - 1)], ends)

    def _block(self, depth: int, *, may_end: bool) -> Block:
        self._fuel -= 1
        if self._fuel <= 0 or depth >= 4:
            return self._job(depth, may_end=may_end)
        makers: list[Callable[[], Block]] = [
            lambda: self._job(depth, may_end=may_end),
            lambda: self._sub(depth, may_end=may_end),
            lambda: self._sub(depth, may_end=may_end),
            lambda: self._split(depth, joined=True, inclusive=False),
            lambda: self._split(depth, joined=True, inclusive=True),
            lambda: self._choice(depth, may_end=may_end),
            lambda: self._many(depth, may_end=may_end),
            lambda: self._call(depth, may_end=may_end),
            lambda: self._first(depth, may_end=may_end),
            lambda: self._with_boundaries(Receive(self._id("r"), self._event(("message",))), depth, may_end=may_end),
            lambda: Catch(self._id("c"), self._event(CATCHING)),
            lambda: self._escalating(depth),
            lambda: Script(self._id("y")),
            lambda: Pass(self._id("u")),
        ]
        return makers[self._pick(len(makers) - 1)]()

    def _event(self, kinds: tuple[str, ...], *, interrupting: bool = True) -> Event:
        kind = kinds[self._pick(len(kinds) - 1)]
        code: str | None = None
        if kind in ("error", "escalation"):
            code = {"error": (*ERROR_CODES, None), "escalation": (*ESCALATION_CODES, None)}[kind][self._pick(2)]
        identity = self._id("v")
        times = 2 if kind == "timer" and not interrupting and self._chance(2) else 0
        return Event(identity, kind, interrupting, code, 60_000 + 7919 * self._count + 1000 * self._pick(3), times)

    def _job(self, depth: int, *, may_end: bool) -> Block:
        return self._with_boundaries(self._plain_job(), depth, may_end=may_end)

    def _plain_job(self) -> Job:
        job = Job(self._id("j"), self._chance(3), self._chance(8), self._chance(6))
        if job.needs and self._chance(2):
            self._choices[f"x_{job.id}"] = 1
        return job

    def _sub(self, depth: int, *, may_end: bool) -> Block:
        rounds = 2 if self._chance(3) else 0
        sub = Sub(self._id("s"), self._inside(depth + 1, repeated=bool(rounds)), self._handlers(depth + 1), rounds)
        return self._with_boundaries(sub, depth, may_end=may_end)

    def _call(self, depth: int, *, may_end: bool) -> Block:
        call = Call(self._id("k"), self._inside(depth + 1), self._handlers(depth + 1))
        return self._with_boundaries(call, depth, may_end=may_end)

    def _many(self, depth: int, *, may_end: bool) -> Block:
        inner: Job | Receive | Sub | Call
        match self._pick(3):
            case 0:
                inner = self._plain_job()
            case 1:
                inner = Receive(self._id("r"), self._event(("message",)))
            case 2:
                inner = Sub(self._id("s"), self._inside(depth + 2), self._handlers(depth + 2))
            case _:
                # behind a job, so that its instances never take over each other's variables in one step
                inner = Call(self._id("k"), (self._plain_job(), *self._inside(depth + 2)))
        enough = self._pick(2) if isinstance(inner, Job) else 0
        many = Many(inner.id, inner, self._pick(3), self._chance(2), enough)
        return self._with_boundaries(many, depth, may_end=may_end)

    def _split(self, depth: int, *, joined: bool, inclusive: bool) -> Block:
        # what runs beside an inclusive gateway in a loop can reach it again and so would be waited for
        inclusive = inclusive and not (joined and self._repeated and self._beside)
        number = 2 + self._pick(1) + inclusive
        around, self._beside = self._beside, True
        branches = tuple(
            self._sequence(depth + 1, may_end=inclusive or not joined, tail=not joined) for _ in range(number)
        )
        self._beside = around
        if not inclusive:
            return Fork(self._id("f"), branches, joined)
        some = Some(self._id("i"), branches, joined)
        self._choices[f"x_{some.id}"] = number - 1 - self._pick(number - 1)
        return some

    def _choice(self, depth: int, *, may_end: bool) -> Block:
        first = self._sequence(depth + 1, may_end=may_end, tail=False)
        others = [self._sequence(depth + 1, may_end=may_end) for _ in range(1 + self._pick(1))]
        choice = Choice(self._id("g"), (first, *others))
        if not self._chance(6):
            self._choices[f"x_{choice.id}"] = self._pick(len(others))
        return choice

    def _first(self, depth: int, *, may_end: bool) -> Block:
        branches = tuple(
            (self._event(CATCHING), self._sequence(depth + 1, may_end=may_end, tail=False))
            for _ in range(2 + self._pick(1))
        )
        return First(self._id("w"), branches)

    def _escalating(self, depth: int) -> Block:
        """Behind a job, in a subprocess that may catch it."""
        body = (Job(self._id("j")), self._throw("escalation", ends=False), Pass(self._id("u")))
        return self._with_boundaries(
            Sub(self._id("s"), body, self._handlers(depth + 1)), depth, may_end=False, kinds=("escalation",)
        )

    def _handlers(self, depth: int) -> tuple[EventSubprocess, ...]:
        if self._fuel <= 0 or not self._chance(4):
            return ()
        found: list[EventSubprocess] = []
        for _ in range(1 + self._pick(2)):
            interrupting = self._chance(2)
            kinds = (*CATCHING, "escalation", *(("error", "error") if interrupting else ()))
            event = self._event(kinds, interrupting=interrupting)
            if all((event.kind, event.code) != (h.event.kind, h.event.code) for h in found) or event.kind in CATCHING:
                self._fuel -= 1
                found.append(EventSubprocess(self._id("h"), event, self._inside(depth + 1)))
        return tuple(found)

    def _with_boundaries(
        self, activity: Activity, depth: int, *, may_end: bool, kinds: tuple[str, ...] = ("error", *CATCHING)
    ) -> Activity:
        if isinstance(activity, Sub | Call) or (
            isinstance(activity, Many) and not isinstance(activity.inner, Job | Receive)
        ):
            kinds = (*kinds, "escalation", "error")
        found: list[Boundary] = []
        while self._fuel > 0 and len(found) < 2 and self._chance(3):
            event = self._event(kinds)
            if event.kind != "error" and self._chance(2):
                event = replace(event, interrupting=False, times=self._pick(1) * 2 if event.kind == "timer" else 0)
            if event.kind not in CATCHING and any(
                (event.kind, event.code) == (b.event.kind, b.event.code) for b in found
            ):
                continue
            self._fuel -= 1
            own_end = may_end or not event.interrupting
            merges = event.interrupting and not (own_end and self._chance(2))
            # a token beside the ordinary one may not reach a gateway that joins
            around = self._repeated, self._beside
            if not event.interrupting:
                self._repeated = self._beside = True  # while the activity runs, it may happen again
            handler = self._sequence(depth + 1, may_end=own_end, tail=own_end)
            self._repeated, self._beside = around
            found.append(Boundary(event, handler, merges and not ends_token(handler)))
        return replace(activity, boundaries=tuple(found))
