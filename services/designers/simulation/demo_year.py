"""Read the demo set, ``demo-year.yaml``: a year of a made-up organisation, with the meaning of each number."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import TypeAdapter

from services.designers.simulation.draws import Spread, Weights
from services.designers.simulation.profile import Absences, Applicants, Camera, Deciding, Footage, Profile
from services.domain.access.directory import DepartmentInfo, Directory, HeldPost, PersonInfo
from services.domain.working_calendar import tables
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime import working_hours
from services.runtime.rules import Rules

PATH = Path(__file__).with_name("demo-year.yaml")
OTHER, FAVOURABLE = "other", "favourable"
_durations: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def read() -> Profile:
    """Return the demo set."""
    given = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    stages, jobs = dict(given["stages"]), dict(given["jobs"])
    other = stages.pop(OTHER)
    rules = Rules(max_use_days=given["maxUseDays"], zone=given["zone"])
    absences = given["absences"]
    shares = {name: department.get("share", 0) for name, department in given["departments"].items()}
    return Profile(
        source="demo",
        start=given["start"],
        cases=given["cases"],
        hours=_by_hour(given["hours"]),
        hours_off=_by_hour(given["hoursOff"]),
        departments=Weights(shares),
        directory=_directory(given),
        absences=Absences({}, absences["perYear"], Spread(tuple(absences["days"]))),
        stages={code: _deciding(stage, stage["outcomes"]) for code, stage in stages.items()},
        other_stage=_deciding(other, {FAVOURABLE: other[FAVOURABLE]}),
        other_job=_spread(jobs.pop(OTHER)),
        jobs={job_type: _spread(spread) for job_type, spread in jobs.items()},
        values=given["values"],
        footage=_footage(given["footage"]),
        applicants=_applicants(given["applicants"]),
        rules=rules,
        calendar=_calendar_of(rules, given["start"].year, given["start"].year + 1),
    )


def _calendar_of(rules: Rules, *years: int) -> WorkingCalendar:
    """Return the working calendar of these years, as far as this release has their tables."""
    found = [tables.read(tables.read_shipped(str(year)))[0] for year in years if year in tables.list_shipped()]
    days = [day for table in found if table is not None for day in table.days]
    return WorkingCalendar(
        zone=ZoneInfo(rules.zone),
        hours=working_hours.parse(rules.working_hours),
        days={day.date: day for day in days},
        years=frozenset(table.year for table in found if table is not None),
    )


def _directory(given: Mapping[str, Any]) -> Directory:
    departments = {
        name: DepartmentInfo(department["kind"], department.get("superior"))
        for name, department in given["departments"].items()
    }
    people = given["people"]
    held = [HeldPost(name, person["department"], post) for name, person in people.items() for post in person["posts"]]
    return Directory(
        departments=departments,
        people={name: PersonInfo(name, person["department"]) for name, person in people.items()},
        held=held,
        agreed=frozenset(people),
    )


def _deciding(stage: Mapping[str, Any], outcomes: Mapping[str, float]) -> Deciding:
    return Deciding(_spread(stage["response"]), _spread(stage["work"]), outcomes)


def _footage(given: Mapping[str, Any]) -> Footage:
    cameras = [(Camera(camera["class"], camera["retentionDays"]), camera["share"]) for camera in given["cameras"]]
    return Footage(
        items=Weights(given["items"]),
        age=_spread(given["age"]),
        length=_spread(given["length"]),
        cameras=Weights(cameras),
        **{name: given[name] for name in ("missing", "unreadable", "partial", "unpreserved")},
    )


def _applicants(given: Mapping[str, Any]) -> Applicants:
    return Applicants(
        correction=_spread(given["correction"]),
        withdrawal=_spread(given["withdrawal"]),
        returned=Spread(tuple(given["returned"])),
        **{name: given[name] for name in ("corrects", "withdraws", "loses", "extends")},
    )


def _by_hour(given: Mapping[int, float]) -> Sequence[float]:
    return [given.get(hour, 0) for hour in range(24)]


def _spread(given: Sequence[str]) -> Spread:
    return Spread(tuple(_durations.validate_python(text).total_seconds() for text in given))
