"""Move running cases to the models of a folder, each only where every rule of the policy holds from where it stands.

What the database says of a case is followed through the models that it has run on (``policy_check.past``), and the
explorer walks on from there in the folder's models. The order, what was found and how it ended are in the audit trail;
an order whose end is not there is taken up again by the next call.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from services.app import deployments
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.designers import migration_words as words
from services.designers.policy_check.in_memory import NotDeployed
from services.designers.policy_check.onward import UNDECIDED, UNMAPPED, OlderModels, Onward, Verdict
from services.designers.policy_check.past import Decided, Deployed, Event, JobEnded, Migrated, Received, Record
from services.designers.policy_check.version_mapping import Difference
from services.domain.cases.case_models import MAIN, REVIEW
from services.domain.deployments import record as deployment_record
from services.domain.process import deployed_models, running_cases, steps
from services.domain.process.messages import APPLICATION_SUBMITTED, REVIEW_DECIDED
from services.domain.process.running_cases import RunningCase
from services.domain.stages import file as stage_file
from services.engine.model.parse import parse_bpmn
from services.engine.processing.deployments import Resource
from services.runtime.jobs.worker import Worker

_LAST = 2**63
_Timed = tuple[datetime, int, Event]
"""An event with its moment and, where moments are alike, its place: keys of the engine grow."""
KNOWN = "on-record"
"""The result of a case that was moved before, and of which this was not recorded yet."""


@dataclass(frozen=True)
class DeployedSet:
    """Models that were deployed together: when, and the SHA-256 of each file by its name."""

    at: datetime
    files: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return deployment_record.fingerprint(self.files)


@dataclass(frozen=True)
class Planned:
    """What is to be done with one case; ``ids`` are its element ids with those of the folder."""

    case: RunningCase
    verdict: Verdict
    record: Record | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    difference: Difference = field(default_factory=lambda: Difference({}, ()))

    @property
    def is_there(self) -> bool:
        """Whether the case runs on the folder's version already."""
        return self.verdict.result == KNOWN


@dataclass(frozen=True)
class Target:
    """The folder's models as the engine has them: the SHA-256 of the process's file, and all files by name."""

    folder: Path
    files: Mapping[str, str]
    process_file: str

    @property
    def sha256(self) -> str:
        return self.files[self.process_file]


def target_of(folder: Path, process_id: str = MAIN) -> Target:
    """Return the folder's models; raises LookupError where none of them has the process."""
    contents = deployments.contents(folder)
    for name, content in contents.items():
        if name.endswith(".bpmn") and any(process.id == process_id for process in parse_bpmn(content, deployed=True)):
            return Target(folder, deployments.digests(folder), name)
    raise LookupError(f"no model in {folder} has the process {process_id}")


class Planner:
    """Finds out for each case whether it may be moved; cases with the same models behind them share what is learnt."""

    def __init__(
        self,
        target: Target,
        workers: Iterable[Worker],
        seconds: float,
        active: Callable[[int], frozenset[str] | None] = lambda key: None,
    ) -> None:
        """``active`` returns the elements at which an instance is, by its key; None where no engine can be asked."""
        self._active = active
        self._target = target
        self._workers = list(workers)
        self._seconds = seconds
        self._known: dict[tuple[tuple[str, ...], int], Onward] = {}

    def plan(self, cases: Sequence[RunningCase], of: "Recorded") -> Iterator[Planned]:
        """Yield what is to be done with each case."""
        for case in cases:
            yield self._planned(case, of.sets, of.contents)

    def _planned(self, case: RunningCase, sets: Sequence[DeployedSet], contents: Mapping[str, bytes]) -> Planned:
        if case.application.model_sha256 == self._target.sha256:
            return Planned(case, Verdict(KNOWN))
        chain = chain_of(case, sets, self._target)
        if chain is None or any(digest not in contents for models in chain for digest in models.files.values()):
            return Planned(case, Verdict(UNDECIDED, words.NOT_RECORDED))
        record = record_of(case, sets)
        number = _runs_on(case, chain)
        if number is None:
            return Planned(case, Verdict(UNDECIDED, words.VERSION_UNKNOWN))
        try:
            onward = self._onward(chain, contents, len(items_of(case)))
        except NotDeployed as error:
            return Planned(case, Verdict(UNMAPPED, words.not_deployed(str(error))))
        process_id = case.application.process_id or MAIN
        return Planned(
            case,
            onward.check(record, process_id, number, self._active(case.application.process_instance_key or 0)),
            record,
            onward.mapping(process_id, number),
            onward.difference(process_id, number),
        )

    def _onward(self, chain: Sequence[DeployedSet], contents: Mapping[str, bytes], items: int) -> Onward:
        key = (tuple(models.fingerprint for models in chain), items)
        if key not in self._known:
            older = [_older(models, contents) for models in chain]
            self._known[key] = Onward(self._target.folder, older, self._workers, items=items, seconds=self._seconds)
        return self._known[key]


def list_sets(uow: UnitOfWork) -> list[DeployedSet]:
    """Return what was deployed on record, oldest first; the same models one after another count once."""
    query = select(AuditEvent).where(AuditEvent.action == deployment_record.DEPLOYED).order_by(AuditEvent.seq)
    found: list[DeployedSet] = []
    for event in uow.session.scalars(query):
        models = DeployedSet(event.at, json.loads(event.entry)["detail"]["files"])
        if not found or found[-1].fingerprint != models.fingerprint:
            found.append(models)
    return found


@dataclass(frozen=True)
class Recorded:
    """All models that were deployed on record, oldest first, and the content of their files by SHA-256."""

    sets: Sequence[DeployedSet]
    contents: Mapping[str, bytes]


def read_recorded(uow: UnitOfWork) -> Recorded:
    sets = list_sets(uow)
    digests = (digest for models in sets for digest in models.files.values())
    return Recorded(sets, deployed_models.read_files(uow, digests))


def chain_of(case: RunningCase, sets: Sequence[DeployedSet], target: Target) -> list[DeployedSet] | None:
    """Return the models that the case began on and all later ones but the target; None where they are not known."""
    later = _sets_from_begin(case, sets)
    if later and later[-1].fingerprint == deployment_record.fingerprint(target.files):
        later.pop()
    return later or None


def _sets_from_begin(case: RunningCase, sets: Sequence[DeployedSet]) -> list[DeployedSet]:
    """Return the models that the case began on and all later ones; none where they are not known."""
    began = case.application.submitted_at
    with_model = [n for n, models in enumerate(sets) if case.began_on in models.files.values()]
    if began is None or case.began_on is None or not with_model:
        return []
    return list(sets[max((n for n in with_model if sets[n].at <= began), default=with_model[0]) :])


def record_of(case: RunningCase, sets: Sequence[DeployedSet]) -> Record:
    """Return the past of the case as the explorer follows it, on the models that it began on and all later ones."""
    deployed = enumerate(_sets_from_begin(case, sets))
    timed: list[_Timed] = [(models.at, 0, Deployed(number)) for number, models in deployed if number]
    timed += [*_of_steps(case), *_of_messages(case)]
    for event in case.migrations:
        if event.action == running_cases.MIGRATED:
            detail = json.loads(event.entry)["detail"]
            at = datetime.fromisoformat(detail["ordered_at"]) if "ordered_at" in detail else event.at
            timed.append((at, 0, Migrated(Difference(detail["changed"], detail["without"]))))
    timed.sort(key=lambda entry: entry[:2])
    return Record(0, [event for _, _, event in timed])


def items_of(case: RunningCase) -> Sequence[str]:
    """Return the items that are followed: two, as in the policy check, where all have come equally far; else all."""
    ways = {
        item: sorted((step.element_id, step.outcome or "") for step in case.steps if step.item_id == item)
        for item in case.items
    }
    alike = all(way == ways[case.items[0]] for way in ways.values())
    return case.items[:2] if alike else case.items


def _of_steps(case: RunningCase) -> Iterator[_Timed]:
    """Yield the ends of the case's jobs."""
    items = {item: f"item-{number}" for number, item in enumerate(items_of(case), 1)}
    instances = {review.process_instance_key for review in case.reviews.values()}
    for step in case.steps:
        own = step.process_instance_key == case.application.process_instance_key
        is_main = step.process_id == (case.application.process_id or MAIN)
        if step.outcome == steps.CANCELLED or (is_main and not own):
            continue  # the engine took the job back; or it is of a second start, which ended at once
        if not is_main and step.process_id == REVIEW and step.process_instance_key not in instances:
            continue
        if step.item_id is not None and step.item_id not in items:
            continue
        error = None if step.outcome in (None, steps.COMPLETED) else step.outcome
        item = items.get(step.item_id or "")
        ended = JobEnded(step.process_id, step.element_id, item, error, optional=step.ended_at is None)
        yield step.ended_at or step.began_at, step.element_instance_key, ended


def _of_messages(case: RunningCase) -> Iterator[_Timed]:
    """Yield what was sent to the case; whether it came is seen by what followed."""
    for message in case.messages:
        if message.name == REVIEW_DECIDED and message.correlation_key in case.reviews:
            review = case.reviews[message.correlation_key]
            outcome = str(message.variables.get("decision"))
            decided = Decided(review.stage, outcome, dict(message.variables), optional=True)
            yield message.created_at, review.job_key, decided
        elif message.name not in (REVIEW_DECIDED, APPLICATION_SUBMITTED):
            yield message.created_at, _LAST, Received(message.name, optional=True)


def _runs_on(case: RunningCase, chain: Sequence[DeployedSet]) -> int | None:
    """Return the number of the models that the case's own process runs on now."""
    digest = case.application.model_sha256
    return next((number for number in reversed(range(len(chain))) if digest in chain[number].files.values()), None)


def _older(models: DeployedSet, contents: Mapping[str, bytes]) -> OlderModels:
    resources = [
        Resource(name, contents[digest])
        for name, digest in sorted(models.files.items())
        if name.endswith((".bpmn", ".dmn"))
    ]
    digest = models.files.get(stage_file.NAME)
    if digest is None:
        return OlderModels(resources, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / stage_file.NAME
        path.write_bytes(contents[digest])
        content, _ = stage_file.check(path)
    return OlderModels(resources, {} if content is None else content.stages)
