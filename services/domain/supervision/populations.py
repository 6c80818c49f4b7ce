"""What the sample of an inspection was drawn from, as a file, and the sample computed again from it alone (R63).

Whoever has the file needs neither the database nor us: the sample follows from the cases, the seed and the rule of
``sampling``. The file is JSON with all of it, or CSV with the cases, whose seed stands in the report.
"""

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import select

from services.database.tables.audit import AuditCheckpoint
from services.database.tables.inspections import InspectedCase, PopulationCase
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.supervision import queries, sampling, service
from services.domain.supervision.reproduction import Reproduced
from services.domain.supervision.sampling import Member, Seed
from services.domain.supervision.schemas import CaseOfPopulation, InspectionPopulation
from services.runtime.errors import Refused

ACTION = "inspection-population-read"
COLUMNS = ("number", "because", "sampled")  # of the CSV; reasons are joined by commas
YES, NO = "yes", "no"
Form = Literal["json", "csv"]


@dataclass(frozen=True)
class Recomputed(Reproduced):
    """What was computed again from a file; ``sha256`` is the digest of its population."""

    sha256: str


class FileInvalid(ValueError):
    """The file is no population of an inspection; the text says why."""


def read(uow: UnitOfWork, inspection_id: str, form: Form = "json") -> InspectionPopulation:
    """Read the population of an inspection with its seed and sample; each time is an event.

    Refused for who reads no inspections, before the sample is drawn, and for those whom a case of it concerns: without
    that case it would give another sample, and with it they would know of it (T8).
    """
    queries.require_reader(uow)
    inspection = service.get(uow, inspection_id)
    if inspection.drawn_at is None:
        raise Refused("not-drawn", "The sample of this inspection is not drawn yet.")
    if visibility.list_numbers_concerning(uow):
        raise Refused(
            "population-hidden",
            "You get no list of these cases, because cases concern you: ask another reader of inspections for it.",
            status=403,
        )
    sampled = set(uow.session.scalars(select(InspectedCase.number).where(InspectedCase.inspection_id == inspection.id)))
    query = (
        select(PopulationCase.number, PopulationCase.because)
        .where(PopulationCase.inspection_id == inspection.id)
        .order_by(PopulationCase.number)
    )
    checkpoint = uow.session.get(AuditCheckpoint, inspection.seed_size)
    audit_trail.record(uow, ACTION, service.SUBJECT, inspection.id, number=inspection.number, form=form)
    return InspectionPopulation(
        number=inspection.number,
        period=inspection.period,
        period_from=inspection.period_from,
        period_to=inspection.period_to,
        drawn_at=inspection.drawn_at,
        seed=inspection.seed,
        seed_rule=inspection.seed_rule,
        seed_size=inspection.seed_size,
        checkpoint=checkpoint.note if checkpoint is not None else None,
        sha256=str(inspection.population_sha256),
        cases=[
            CaseOfPopulation(number=number, because=list(sampling.parse_reasons(because)), sampled=number in sampled)
            for number, because in uow.session.execute(query)
        ],
    )


def rows_of(population: InspectionPopulation) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the CSV below ``COLUMNS``."""
    for one in population.cases:
        yield one.number, ",".join(one.because), YES if one.sampled else NO


def parse_json(text: str) -> InspectionPopulation:
    """Return what the JSON says; FileInvalid where it is none of ours."""
    try:
        return InspectionPopulation.model_validate_json(text)
    except ValidationError as error:
        raise FileInvalid(f"it is no population of an inspection as JSON: {error.errors()[0]['msg']}") from error


def parse_csv(text: str) -> list[CaseOfPopulation]:
    """Return the cases that the CSV has; FileInvalid where a line is none of ours."""
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise FileInvalid(f"its first line is not {','.join(COLUMNS)}")
    cases = []
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS) or not row[0] or row[2] not in (YES, NO):
            raise FileInvalid(f"line {line} is not a number, its reasons and yes or no")
        cases.append(
            CaseOfPopulation(number=row[0], because=row[1].split(",") if row[1] else [], sampled=row[2] == YES)
        )
    return cases


def recompute(number: str, cases: Sequence[CaseOfPopulation], seed: str, sha256: str | None) -> Recomputed:
    """Draw the sample again from the cases and the seed alone, and compare it with the one that the file names.

    ``sha256``: the digest of the population that the file or the report has, where it is known. FileInvalid for a seed
    or a reason that is none.
    """
    try:
        base64.b64decode(seed, validate=True)
    except ValueError:
        raise FileInvalid(f"the seed {seed} is not in base64") from None
    members = [Member("", one.number, _known(one)) for one in cases]
    sample = sampling.draw(members, Seed(seed, 0, sampling.NOTE_AFTER))
    drawn, computed = {one.number for one in cases if one.sampled}, {one.number for one in sample.chosen}
    differences = []
    if len({one.number for one in cases}) != len(cases):
        differences.append("population: it has a number twice")
    if sha256 is not None and sample.sha256 != sha256:
        differences.append(f"population: its digest is {sample.sha256}, not {sha256}")
    differences += [f"sample: {one} belongs to it and is not in it" for one in sorted(computed - drawn)]
    differences += [f"sample: {one} is in it and does not belong to it" for one in sorted(drawn - computed)]
    return Recomputed(number, seed, len(cases), len(drawn), differences, sample.sha256)


def seed_differs(population: InspectionPopulation, seed: str = "") -> list[str]:
    """Return how the seed differs from what the checkpoint in the file gives, and from ``seed`` where it is named."""
    differences = []
    if seed and seed != population.seed:
        differences.append(f"seed: the file has {population.seed}, not {seed}")
    if population.checkpoint is None:
        differences.append("seed: the file has no checkpoint that gives it")
    elif sampling.seed_of_note(population.checkpoint, population.seed_rule) != population.seed:
        differences.append(f"seed: the checkpoint in the file does not give {population.seed}")
    return differences


def _known(one: CaseOfPopulation) -> tuple[str, ...]:
    unknown = sorted(set(one.because) - set(sampling.REASONS))
    if unknown:
        raise FileInvalid(f"{one.number} has a reason that is none: {unknown[0]}")
    return sampling.parse_reasons(",".join(one.because))
