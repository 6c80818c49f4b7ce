"""The parts of a long audit trail, recomputed by this process and by others beside it, where processors are free.

A helper sees a later moment of the books than the caller. The trail only grows, so what the caller sees is in both, and
what was changed in between is a fault whoever sees it. What a helper that fails has not done is done here.
"""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from threading import Thread
from typing import IO, cast

from sqlalchemy import Connection

from services.keeping.trail_parts import Part, Task, recompute_part

HELPED_FROM = 32  # parts: a helper takes most of a second to start
MOST_HELPERS = 3  # each has some 110 MiB and a connection to the database
COMMAND = (sys.executable, "-I", "-m", "services.keeping.trail_process")


def recompute_parts(connection: Connection, tasks: Sequence[Task]) -> list[Part]:
    """In the order of the tasks. This process goes on from the first one, helpers go back from the last one."""
    waiting, done = deque(tasks), dict[int, Part]()
    helpers = [Thread(target=help_with, args=(connection, waiting, done)) for _ in range(helpers_for(len(tasks)))]
    for helper in helpers:
        helper.start()
    try:
        for task in _taken(waiting.popleft):
            done[task.start] = recompute_part(connection, task)
    finally:
        waiting.clear()
        for helper in helpers:
            helper.join()
    return [done.get(task.start) or recompute_part(connection, task) for task in tasks]


def help_with(connection: Connection, waiting: deque[Task], done: dict[int, Part]) -> None:
    """Have another process do those that wait, the last first, until none does or it fails."""
    address = connection.engine.url.render_as_string(hide_password=False)
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with (
        suppress(BrokenPipeError),
        subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=nothing, text=True) as process,  # noqa: S603  # ours
    ):
        asking, answering = cast("tuple[IO[str], IO[str]]", (process.stdin, process.stdout))
        asking.write(f"{json.dumps(address)}\n")
        for task in _taken(waiting.pop):
            asking.write(f"{json.dumps(asdict(task))}\n")
            asking.flush()
            answer = answering.readline()
            if not answer.endswith("\n"):
                return
            done[task.start] = Part.from_json(answer)


def helpers_for(parts: int) -> int:
    """One for each processor that neither this process nor another wants: where all are wanted it would only cost."""
    if parts < HELPED_FROM:
        return 0
    wanted = max(1, round(os.getloadavg()[0]))
    return max(0, min(len(os.sched_getaffinity(0)) - wanted, MOST_HELPERS))


def _taken(take: Callable[[], Task]) -> Iterator[Task]:
    with suppress(IndexError):
        while True:
            yield take()
