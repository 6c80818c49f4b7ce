"""The cases that are under way at the end of the demo year: led through the real process, with footage.

They are the demo's own examples and cases of the year's departments, at every stage. The clock of the demo is turned a
few days ahead while they are led, so that some of the loans run out and others are overdue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta
from functools import partial

from services.app.container import Container
from services.demo import organisation, plots, situations
from services.demo.organisation import ACTOR, demo_id
from services.demo.plots import Plot, Span
from services.demo.recordings import CAMERAS, Recordings
from services.demo.situations import Chapter, Later, Progress, Stage
from services.demo.year import names
from services.demo.year.fill import MEMBER
from services.demo.year.past import MEMBER_PASSWORD

# Long enough that the grace period of a loan of three days is over, and that of one of four is not.
AHEAD = timedelta(days=4, hours=9)
SECOND_DAY = timedelta(days=2)
DEPARTMENTS = len(names.DEPARTMENTS)
LOGIN = "member"
# What each of names.REASONS is in the form.
CATEGORIES = (
    *("operations", "accident", "other", "security-incident", "dispute", "operations"),
    *("security-incident", "operations", "accident", "dispute", "operations"),
)
EVENING = (time(22, 46, 15), time(22, 46, 20), time(22, 46, 25))
CAMERA_KEYS = ("cam3", "cam7", "cam10", "cam11", "cam4", "cam9", "cam8")
SECONDS = 25
FIRST = 100  # the number of the first case
PACE = tuple(timedelta(minutes=minutes) for minutes in (3, 7, 2, 8, 5))


@dataclass(frozen=True)
class _Asked:
    """A case of one of the year's departments: how far it comes, and for how many days the copies are lent."""

    target: str
    use_days: int = 10
    way_of_use: str = "view"
    later: str = ""


LENT = (
    _Asked(plots.LENT, 4),
    _Asked(plots.LENT, 4, "download"),
    _Asked(plots.LENT, 3),
    _Asked(plots.LENT, 5),
    _Asked(plots.LENT, 6),
    _Asked(plots.LENT, 7),
    _Asked(plots.LENT, 8, later=plots.EXTENSION),
    _Asked(plots.LENT, 9, later=plots.PROBLEM),
    _Asked(plots.LENT, 9, "download", plots.RETURN),
)
LENT_AFTER = (
    _Asked(plots.LENT, 5, later=plots.EXTENSION),
    _Asked(plots.LENT, 10, later=plots.TRANSFER),
    _Asked(plots.LENT, 12, later=plots.RETURN),
    _Asked(plots.LENT, 14, later=plots.RECALL),
)
TODAY = (
    _Asked(plots.LENT, 15),
    _Asked(plots.LENT, 20, "download"),
    _Asked(plots.OFFERED),
    _Asked(plots.OFFERED, way_of_use="download"),
    _Asked(plots.RELEASE),
    _Asked(plots.MANAGEMENT),
    _Asked(plots.SIGNATURE),
    _Asked(plots.SECURITY),
    _Asked(plots.DEPARTMENT),
    _Asked(plots.DEPARTMENT),
)


def chapters() -> tuple[Chapter, ...]:
    """Return what is led on which day, from the end of the year's rows on."""
    first, second, third = (_plots(asked, FIRST + 10 * place) for place, asked in enumerate((LENT, LENT_AFTER, TODAY)))
    examples = tuple(replace(plot, use_days=_shorter(plot.use_days)) for plot in plots.FIRST)
    archived = tuple(plot for plot in plots.SECOND if plot.target == plots.ARCHIVED)
    later = [
        Later(plot, asked.later)
        for plot, asked in (*zip(first, LENT, strict=True), *zip(second, LENT_AFTER, strict=True))
        if asked.later
    ]
    return (
        Chapter(timedelta(), (*examples, *first), PACE),
        Chapter(SECOND_DAY, (*archived, *second), PACE),
        Chapter(AHEAD, (*plots.TODAY, *third), PACE, tuple(later)),
    )


def count_open(led: Sequence[Chapter]) -> int:
    """Return how many of the cases do not end."""
    return sum(plot.target not in plots.ENDED for chapter in led for plot in chapter.plots)


async def lead(container: Container, address: str, led: Sequence[Chapter], recorded: Recordings) -> None:
    """Lead the cases, by the portal at this address. Raises StepFailed."""
    passwords = {account.login: account.password for account in organisation.accounts()}
    passwords |= {
        login: MEMBER_PASSWORD
        for chapter in led
        for plot in chapter.plots
        for login in (plot.drafter, plot.decides_first, plot.keeps_copies)
        if login.startswith(LOGIN)
    }
    known = partial(container.database.read, ACTOR, situations.list_known)
    stage = Stage(address, passwords, container.clock.now, known, recorded, person_id)
    progress = Progress.begin(container.settings.data_dir, container.clock.now())
    await situations.lay_out(stage, progress, led)


def person_id(login: str) -> str:
    """Return the id of a person of the demo or of the year's departments."""
    return f"{MEMBER}{int(login.removeprefix(LOGIN))}" if login.startswith(LOGIN) else demo_id(login)


def _plots(asked: Sequence[_Asked], first: int) -> tuple[Plot, ...]:
    return tuple(_plot(one, number) for number, one in enumerate(asked, first))


def _plot(asked: _Asked, number: int) -> Plot:
    """Return the case of the department with this number, asked for by one of its members."""
    department, reason = number % DEPARTMENTS, number % len(names.REASONS)
    why, purpose = names.REASONS[reason]
    camera = "cam2" if asked.target == plots.MANAGEMENT else CAMERA_KEYS[number % len(CAMERA_KEYS)]
    span = Span(camera, EVENING[number % len(EVENING)], SECONDS)
    drafter, custodian = _members(department)
    return Plot(
        reference=f"BM-{number:06d}",
        title="",
        drafter=drafter,
        category=CATEGORIES[reason],
        reason=why.format(place=CAMERAS[camera].place_zh, number=number),
        purpose=purpose,
        spans=(span,),
        target=asked.target,
        way_of_use=asked.way_of_use,
        use_days=asked.use_days,
        place="部门办公室",
        head=f"{LOGIN}{department:05}",
        custodian=custodian,
    )


def _members(department: int) -> Iterator[str]:
    """Return two members of a department who are not its head."""
    return (f"{LOGIN}{department + DEPARTMENTS * place:05}" for place in (1, 2))


def _shorter(use_days: int) -> int:
    """Return the days of a loan that runs out by the last day, as it does in the longer time of the demo's cases."""
    return 4 if use_days == 10 else 3
