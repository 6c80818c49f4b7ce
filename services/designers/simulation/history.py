"""Read from the register what a simulation draws from: the last year, page by page, and no name or id of a person."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from services.database.tables.people import Absence, Person
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.designers.simulation import demo_year, history_pages
from services.designers.simulation.demo_year import FAVOURABLE
from services.designers.simulation.draws import Spread, Weights
from services.designers.simulation.profile import YEAR, Absences, Applicants, Camera, Deciding, Footage, Profile
from services.designers.simulation.samples import Samples, StageSamples
from services.domain.access import queries as access_queries
from services.domain.access.directory import Directory, HeldPost
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import queries as calendar_queries
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime.calendar_days import DAY
from services.runtime.errors import Fatal

ROWS_AT_ONCE = 1000
LEAST_CASES = 20
LONGEST_WORK = 2 * 3600.0
"""Between two decisions of one person that lay open together, longer than this (s of working time) is no work."""


def read(uow: UnitOfWork, models: Path) -> Profile:
    """Return what the last year was like; raises Fatal where it had too few cases. Reads only.

    ``models`` is the folder that the installation works by, from which the jobs of its elements are known.
    """
    since, calendar = uow.now - YEAR, calendar_queries.load(uow)
    samples = history_pages.read(uow, models, calendar, since)
    if samples.applications < LEAST_CASES:
        raise Fatal(
            f"nothing was simulated | the register | it has {samples.applications} cases of the last year, which are "
            "too few to draw from | leave --history out, to draw from the demo set"
        )
    directory = access_queries.load_directory(uow)
    codes = _codes(directory)
    demo, stages = demo_year.read(), _stages(uow, calendar, since)
    return replace(
        demo,
        source="history",
        start=calendar.local_day(since),
        cases=samples.applications,
        hours=_by_hour(samples.hours, _days(calendar, since, works=True)),
        hours_off=_by_hour(samples.hours_off, _days(calendar, since, works=False)),
        departments=Weights(dict(samples.departments)),
        directory=_with_codes(directory, codes),
        absences=_absences(uow, since, codes),
        stages={code: _deciding(found, demo.deciding(code)) for code, found in stages.items()},
        other_stage=_other_stage(stages, demo.other_stage),
        jobs={job_type: sample.spread(demo.other_job) for job_type, sample in samples.jobs.items()},
        values=_values(samples),
        footage=_footage(uow, samples, demo.footage),
        applicants=_applicants(samples, demo.applicants),
        rules=uow.rules,
        calendar=calendar,
    )


def _codes(directory: Directory) -> Mapping[str, str]:
    """Give each person with a post a code: the post and a number. What is drawn for them is so the same each time."""
    posts = {post.person_id: post.kind for post in directory.held}
    counted: Counter[str] = Counter()
    codes = {}
    for person_id in sorted(posts):
        counted[posts[person_id]] += 1
        codes[person_id] = f"{posts[person_id]}-{counted[posts[person_id]]}"
    return codes


def _with_codes(directory: Directory, codes: Mapping[str, str]) -> Directory:
    return Directory(
        departments=directory.departments,
        people={
            codes[person_id]: replace(person, name=codes[person_id])
            for person_id, person in directory.people.items()
            if person_id in codes
        },
        held=[HeldPost(codes[post.person_id], post.department_id, post.kind) for post in directory.held],
        agreed=frozenset(codes[person_id] for person_id in directory.agreed if person_id in codes),
    )


def _absences(uow: UnitOfWork, since: datetime, codes: Mapping[str, str]) -> Absences:
    query = select(Absence.person_id, Absence.since, Absence.until).where(
        Absence.since >= since, Absence.since < uow.now, Absence.until > Absence.since
    )
    of_person: Counter[str] = Counter(dict.fromkeys(codes.values(), 0))
    days, others = [], 0
    for person_id, begin, end in uow.session.execute(query):
        days.append((end - begin) / DAY)
        if person_id in codes:
            of_person[codes[person_id]] += 1
        else:
            others += 1
    people = uow.session.scalar(select(func.count()).select_from(Person).where(Person.active)) or 0
    return Absences(of_person, others / max(1, people - len(codes)), Spread.of(days))


def _stages(uow: UnitOfWork, calendar: WorkingCalendar, since: datetime) -> dict[str, StageSamples]:
    """Tell waiting from work, in the order of the decisions.

    Between two decisions of one person, of which the second already lay open at the first, lies the work of the second.
    Otherwise the time since it was opened is how long the person took to turn to it.
    """
    query = (
        select(Decision.stage, Decision.outcome, Decision.decided_by, Decision.decided_at)
        .add_columns(Review.opened_at, Review.claimed_at)
        .join(Review, Review.id == Decision.review_id)
        .where(Decision.decided_at >= since, Decision.matter_id.is_(None))
        .order_by(Decision.decided_at, Decision.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    last: dict[str, datetime] = {}
    found: dict[str, StageSamples] = defaultdict(StageSamples)
    for stage, outcome, person, decided, opened, claimed in uow.session.execute(query):
        of_stage, before = found[stage], last.get(person)
        of_stage.outcomes[outcome] += 1
        last[person] = decided
        begun = max(filter(None, (before, claimed)), default=None)
        if begun is not None and opened < begun < decided:
            worked = _worked(calendar, begun, decided)
            if worked <= LONGEST_WORK:
                of_stage.work.add(worked)
                continue
        of_stage.response.offer(partial(_worked, calendar, opened, decided))
    return found


def _worked(calendar: WorkingCalendar, begin: datetime, end: datetime) -> float:
    return calendar.between(begin, end).total_seconds()


def _deciding(found: StageSamples, demo: Deciding) -> Deciding:
    work = found.work.spread(demo.work)
    usual = work.at(0.5)
    response = Spread(tuple(max(0.0, value - usual) for value in found.response.spread(Spread((0.0,))).values))
    return Deciding(response, work, found.outcomes)


def _other_stage(stages: Mapping[str, StageSamples], demo: Deciding) -> Deciding:
    """Return how a stage that an edit adds is decided: as all the others together."""
    every = StageSamples()
    favourable = 0
    for code, found in stages.items():
        every.outcomes += found.outcomes
        stage = STAGES.get(code)
        favourable += 0 if stage is None else found.outcomes[stage.favourable]
        for value in found.response.values:
            every.response.add(value)
        for value in found.work.values:
            every.work.add(value)
    share = favourable / max(1, every.outcomes.total())
    return replace(_deciding(every, demo), outcomes={FAVOURABLE: share})


def _days(calendar: WorkingCalendar, since: datetime, *, works: bool) -> int:
    first = calendar.local_day(since)
    return sum(calendar.works_on(first + number * DAY) == works for number in range(YEAR // DAY))


def _by_hour(counted: Mapping[int, int], days: int) -> list[float]:
    return [counted.get(hour, 0) / max(1, days) for hour in range(24)]


def _values(samples: Samples) -> Mapping[str, Mapping[str, float]]:
    """Return the weights of values. Whether Security is involved is in no row, and is taken as no."""
    found: dict[str, Mapping[str, float]] = {"securityInvolved": {"false": 1.0}}
    return found | {name: dict(counted) for name, counted in samples.counts.items()}


def _footage(uow: UnitOfWork, samples: Samples, demo: Footage) -> Footage:
    count = samples.footage
    asked = max(1, count.total())
    failed = uow.session.scalar(select(func.count()).select_from(FailedPreservation)) or 0
    kept = uow.session.scalar(select(func.count()).select_from(Preservation)) or 0
    return Footage(
        items=Weights(dict(samples.items)) if samples.items else demo.items,
        age=samples.age.spread(demo.age),
        length=samples.length.spread(demo.length),
        cameras=Weights([(Camera(*camera), number) for camera, number in samples.cameras.items()])
        if samples.cameras
        else demo.cameras,
        missing=count["missing"] / asked,
        unreadable=count["unreadable"] / asked,
        partial=count["partial"] / asked,
        unpreserved=failed / max(1, failed + kept),
    )


def _applicants(samples: Samples, demo: Applicants) -> Applicants:
    loans = max(1, samples.loans)
    return Applicants(
        corrects=samples.corrected / samples.returns if samples.returns else demo.corrects,
        correction=samples.correction.spread(demo.correction),
        withdraws=samples.withdrawal.offered / samples.applications,
        withdrawal=samples.withdrawal.spread(demo.withdrawal),
        returned=samples.returned.spread(demo.returned),
        loses=samples.lost / loans,
        extends=samples.extended / loans,
    )
