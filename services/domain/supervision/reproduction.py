"""Compute a sample again, from what was written when it was drawn and from the register as it was then (R63).

A case that has changed since then changes nothing: what counts are the moments at which things happened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.audit import AuditCheckpoint
from services.database.tables.inspections import GroupInspection, InspectedCase, PopulationCase
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision import sampling, service
from services.domain.supervision.sampling import Member
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST_NAMED = 20


@dataclass(frozen=True)
class Reproduced:
    """What was computed again; ``differences`` is empty where all of it is equal."""

    number: str
    seed: str
    population: int
    sampled: int
    differences: Sequence[str]


def reproduce(uow: UnitOfWork, number: str) -> Reproduced:
    """Compute the sample of an inspection again. NotFound for an unknown number; Refused before it is drawn."""
    inspection = uow.session.scalar(select(GroupInspection).where(GroupInspection.number == number))
    if inspection is None:
        raise NotFound(Message("inspection"), number)
    if inspection.drawn_at is None:
        raise Refused("not-drawn", "The sample of this inspection is not drawn yet.")
    stored = select(PopulationCase).where(PopulationCase.inspection_id == inspection.id)
    written = [
        Member(row.application_id, row.number, sampling.parse_reasons(row.because))
        for row in uow.session.scalars(stored.order_by(PopulationCase.number))
    ]
    again = sampling.read_population(uow, service.period_of(inspection), inspection.drawn_at)
    chosen = select(InspectedCase.number).where(InspectedCase.inspection_id == inspection.id)
    drawn = sorted(uow.session.scalars(chosen))
    differences = [
        *_of_seed(uow, inspection),
        *_of_digest(inspection, written),
        *_of_population(written, again),
        *_of_sample(inspection, written, drawn),
    ]
    return Reproduced(inspection.number, inspection.seed, len(written), len(drawn), differences)


def _of_seed(uow: UnitOfWork, inspection: GroupInspection) -> Iterator[str]:
    rule = inspection.seed_rule
    seed = sampling.find_seed(uow, inspection.period_to, rule)
    if seed is None or (seed.value, seed.size) != (inspection.seed, inspection.seed_size):
        told = "there is none" if seed is None else f"it gives {seed.value} of {seed.size} events"
        which = "last checkpoint before" if rule == sampling.ROOT_BEFORE else "first checkpoint after"
        yield f"seed: the {which} {inspection.period_to.isoformat()}: {told}, not {inspection.seed}"
    kept = uow.session.get(AuditCheckpoint, inspection.seed_size)
    if kept is None or sampling.seed_of(kept, rule) != inspection.seed:
        yield f"seed: no checkpoint of {inspection.seed_size} events gives the seed {inspection.seed}"


def _of_digest(inspection: GroupInspection, written: Sequence[Member]) -> Iterator[str]:
    if len(written) != inspection.population:
        yield f"population: {len(written)} cases are written, {inspection.population} were drawn from"
    digest = sampling.digest(written)
    if digest != inspection.population_sha256:
        yield f"population: its digest is {digest}, not {inspection.population_sha256}"


def _of_population(written: Sequence[Member], again: Sequence[Member]) -> Iterator[str]:
    """Yield the cases that the register has now, as of the drawing, and were not written, and the reverse."""
    before, after = ({one.number: one.because for one in cases} for cases in (written, again))
    differing = sorted(number for number in before.keys() | after.keys() if before.get(number) != after.get(number))
    for number in differing[:MOST_NAMED]:
        then, now = _told(before.get(number)), _told(after.get(number))
        yield f"population: {number}: {then} when it was drawn, {now} in the register"
    if len(differing) > MOST_NAMED:
        yield f"population: {len(differing) - MOST_NAMED} more cases differ"


def _told(because: tuple[str, ...] | None) -> str:
    if because is None:
        return "absent"
    return "+".join(because) or "ordinary"


def _of_sample(inspection: GroupInspection, written: Sequence[Member], drawn: Sequence[str]) -> Iterator[str]:
    seed = service.seed_of(inspection)
    computed = [one.number for one in sampling.draw(written, seed).chosen]
    for number in sorted(set(computed) - set(drawn)):
        yield f"sample: {number} belongs to it and is not in it"
    for number in sorted(set(drawn) - set(computed)):
        yield f"sample: {number} is in it and does not belong to it"
