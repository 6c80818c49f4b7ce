"""What is disposed of together: cases that the same people may read, and that some two people are free to decide (R52).

Pure functions over the ``Directory`` and the ``CaseFacts``. A batch runs under the case of one of its items. So all of
its cases ask the same posts and concern the same readers, who do not see the batch (T8); whoever has a part in any of
them, or has decided it otherwise, is barred from the batch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.domain.access import policy
from services.domain.access.directory import Directory
from services.domain.access.parts import CaseFacts, duty_refusal
from services.domain.access.storage import may_read_disposals
from services.domain.reviews.disposal_marks import CONFIRMING, PROPOSING
from services.domain.stages.catalogue import STAGES

ASKED = (PROPOSING, CONFIRMING)
People = frozenset[str]
LACKING_AGREEMENT = "agreement-missing"


@dataclass(frozen=True)
class Deciders:
    """Who decides the disposal of one case. ``asked`` and ``free`` are by stage, in the order of ``ASKED``.

    ``hidden_from``: whom the case concerns of those who read disposals, or are asked about them. ``asked`` holds the
    posts of each stage, those in charge first; ``free`` those of them whom no part in the case bars.
    """

    hidden_from: People
    asked: tuple[tuple[People, ...], ...]
    free: tuple[People, ...]

    def joined(self, other: "Deciders") -> "Deciders | None":
        """Return who decides both; None where they do not ask the same people, or are hidden from others."""
        if (self.hidden_from, self.asked) != (other.hidden_from, other.asked):
            return None
        return Deciders(self.hidden_from, self.asked, tuple(a & b for a, b in zip(self.free, other.free, strict=True)))

    @property
    def barred(self) -> dict[str, list[str]]:
        """List by stage who is asked by a post and may not decide; without those who do not know of the case."""
        asked = (frozenset[str]().union(*pools) for pools in self.asked)
        return {
            stage: sorted(people - free - self.hidden_from)
            for stage, people, free in zip(ASKED, asked, self.free, strict=True)
        }


@dataclass
class Batch:
    """Masters that are listed together, the first ones due first, and who decides them."""

    deciders: Deciders
    master_ids: list[str] = field(default_factory=list)


def deciders_of(directory: Directory, facts: CaseFacts, parties: Collection[str]) -> Deciders:
    """Return who decides the disposal of a case. ``parties``: who has a part in it besides those who have decided.

    A missing agreement or an absence bars nobody here: the one can be signed, and the other ends.
    """
    pools = [policy.pools(directory, facts, STAGES[stage]) for stage in ASKED]
    people = {person for groups in pools for group in groups for person in group}
    return Deciders(
        frozenset(one for one in facts.subjects if one in people or may_read_disposals(directory, one)),
        tuple(tuple(frozenset(group) for group in groups) for groups in pools),
        tuple(
            frozenset(
                person
                for group in groups
                for person in group
                if person not in parties and not _is_barred(directory, facts, STAGES[stage].duty, person)
            )
            for stage, groups in zip(ASKED, pools, strict=True)
        ),
    )


def can_be_decided(directory: Directory, deciders: Deciders) -> bool:
    """Whether one of those who are free can propose, and one of another department confirm."""
    proposers, confirmers = deciders.free
    return any(
        not directory.departments_of(first) & directory.departments_of(second)
        for first in proposers
        for second in confirmers
        if first != second
    )


def group(directory: Directory, due: Sequence[tuple[str, Deciders]], most: int) -> tuple[list[Batch], list[str]]:
    """Group masters into batches of at most ``most``; return them and the masters that nobody could decide.

    Those with the same deciders stay together. Then each such group, the ones that most people may decide first, joins
    the first that it leaves somebody to propose and somebody to confirm.
    """
    alike: dict[Deciders, list[str]] = {}
    for master_id, deciders in due:
        alike.setdefault(deciders, []).append(master_id)
    undecidable: list[str] = []
    together: dict[Any, list[Batch]] = {}
    for deciders in sorted(alike, key=lambda one: -sum(map(len, one.free))):
        if not can_be_decided(directory, deciders):
            undecidable += alike[deciders]
            continue
        batches = together.setdefault((deciders.hidden_from, deciders.asked), [])
        for batch in batches:
            both = batch.deciders.joined(deciders)
            if both is not None and can_be_decided(directory, both):
                batch.deciders = both
                batch.master_ids += alike[deciders]
                break
        else:
            batches.append(Batch(deciders, list(alike[deciders])))
    place = {master_id: number for number, (master_id, _) in enumerate(due)}
    found = [part for batches in together.values() for batch in batches for part in _parts(batch, place, most)]
    return sorted(found, key=lambda batch: place[batch.master_ids[0]]), undecidable


def _parts(batch: Batch, place: Mapping[str, int], most: int) -> list[Batch]:
    found = sorted(batch.master_ids, key=place.__getitem__)
    return [Batch(batch.deciders, found[start : start + most]) for start in range(0, len(found), most)]


def _is_barred(directory: Directory, facts: CaseFacts, duty: str, person_id: str) -> bool:
    refusal = duty_refusal(directory, facts, duty, person_id)
    return refusal is not None and refusal.code != LACKING_AGREEMENT
