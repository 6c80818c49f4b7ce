"""Hold the timers that begin a process to how often the policy has it begin."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from services.designers.policy_check.in_memory import START
from services.designers.policy_check.report import Sentence
from services.designers.policy_check.rules import Rule
from services.engine.model.bpmn import Process, TimerType
from services.engine.model.timers import parse_cycle, parse_duration

_A_YEAR = timedelta(days=366)
_MOST = 2000
"""So many times of a timer are looked at: one of each hour shows three months."""


def find_seldom(rules: Sequence[Rule], process: Process | None) -> Iterator[tuple[Rule, Sentence]]:
    """Yield each rule about how often the process begins that its timers do not keep."""
    for rule in rules:
        if rule.begins_every is not None:
            gap = _longest_gap(process)
            if gap is None:
                yield rule, ("没有定时反复启动它", "no timer begins it again and again")
            elif gap > parse_duration(rule.begins_every).after(START) - START:
                yield (
                    rule,
                    (
                        f"两次启动之间最长相隔 {_days(gap)} 天，超过 {rule.begins_every}",
                        f"up to {_days(gap)} days pass between two beginnings, more than {rule.begins_every}",
                    ),
                )


def _longest_gap(process: Process | None) -> timedelta | None:
    """Return the longest time between two beginnings of a year; None where it stops beginning."""
    moments: set[datetime] = set()
    end = START + _A_YEAR
    for start in process.timer_start_events() if process is not None else ():
        event = start.event
        if event is None or event.timer is None or event.timer_type != TimerType.CYCLE:
            continue
        cycle = parse_cycle(str(event.timer.evaluate({}, lambda: START)))
        moment: datetime | None = START
        times = cycle.repetitions if cycle.repetitions >= 0 else _MOST
        for _ in range(min(times, _MOST)):
            moment = cycle.due_after(moment) if moment is not None else None
            if moment is None or moment > end:
                break
            moments.add(moment)
    in_order = sorted(moments)
    gaps = [after - before for before, after in pairwise([START, *in_order])]
    if not gaps:
        return None
    last = end if len(in_order) < _MOST else in_order[-1]
    return max(*gaps, last - in_order[-1])


def _days(gap: timedelta) -> str:
    return f"{gap / timedelta(days=1):g}"
