"""What workers give in a simulated case: what ours would find in the register, and a draw for all else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.designers.policy_check.moves import OPENS_REVIEW
from services.designers.policy_check.world import FROM_NOW, KEEP, NEW_ID
from services.designers.simulation.case import Recording, SimulatedCase
from services.designers.simulation.draws import Draws, Weights, word
from services.designers.simulation.models import Models
from services.designers.simulation.profile import Profile
from services.designers.simulation.reviews import STORAGE_RELEASE
from services.domain.working_calendar import limits
from services.engine.model.timers import parse_duration
from services.runtime.rules import iso

MISSING, UNREADABLE = "FOOTAGE_MISSING", "FOOTAGE_UNREADABLE"
PARTIAL = 0.5  # how much there is of a recording that has gaps
SENSITIVE = "sensitive"
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
Variables = Mapping[str, Any]


@dataclass(frozen=True)
class JobEnd:
    """How a job ends: with variables, or with the code of a BPMN error."""

    values: dict[str, Any]
    error: str = ""


@dataclass(frozen=True)
class Job:
    """A job of a case that ends now, with the variables that its worker sees."""

    type: str
    seen: Variables
    now: datetime


class Answers:
    """Gives the end of each job, by its type."""

    def __init__(self, models: Models, profile: Profile, draws: Draws) -> None:
        self._models, self._profile, self._draws = models, profile, draws
        stages = models.stage_file.stages
        self._approvals = [stage for stage in stages.values() if stage.phase == "approval" and not stage.retired]
        self._release = stages.get(STORAGE_RELEASE)
        self._calendar: limits.GetCalendar = lambda: profile.calendar
        self._weights: dict[str, Weights[int]] = {}
        self._own: Mapping[str, Callable[[SimulatedCase, Job], JobEnd]] = {
            "open-case": self._open_case,
            OPENS_REVIEW: self._open_review,
            "preserve-footage": self._preserve,
            "security-review": self._check_security,
            "file-application": self._file,
            "retrieve-footage": self._retrieve,
            "hand-over": self._hand_over,
            "expire-application": lambda case, _: JobEnd(
                {"correctedMeanwhile": False, "itemIds": list(case.recordings)}
            ),
            "expire-offer": lambda _, __: JobEnd({"acceptedMeanwhile": False, "dueAt": None}),
        }

    def end_of(self, case: SimulatedCase, job: Job) -> JobEnd:
        """Return how the job ends now."""
        drawn = self._drawn(case, job)
        own = self._own.get(job.type)
        if own is None:
            return JobEnd(drawn)
        end = own(case, job)
        return end if end.error else JobEnd({**drawn, **end.values})

    def seconds(self, case: SimulatedCase, job_type: str) -> float:
        """Return how long a job takes that begins now."""
        spread = self._profile.jobs.get(job_type, self._profile.other_job)
        return max(0.0, spread.at(self._draws.share("job", case.id, job_type, case.nth(f"begin {job_type}"))))

    def _drawn(self, case: SimulatedCase, job: Job) -> dict[str, Any]:
        outcomes = self._models.world.outcomes(job.type)
        number = case.nth(f"job {job.type}")
        if not outcomes:
            return {}
        if job.type not in self._weights:
            weights = [(place, self._weight(values)) for place, values in enumerate(outcomes)]
            self._weights[job.type] = Weights(weights if any(weight for _, weight in weights) else [(0, 1.0)])
        chosen = outcomes[self._weights[job.type].at(self._draws.share("outcome", case.id, job.type, number))]
        return self._filled(chosen, case, job.now, number)

    def _weight(self, values: Variables) -> float:
        weight = 1.0
        for name, value in values.items():
            known = self._profile.values.get(name)
            if known is not None:
                weight *= known.get(word(value), 0)
        return weight

    def _filled(self, values: Variables, case: SimulatedCase, now: datetime, number: int) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, value in values.items():
            if value == KEEP:
                continue
            if value == NEW_ID:
                filled[name] = f"{name}-{case.id}-{number}"
            elif isinstance(value, str) and value.startswith(FROM_NOW):
                filled[name] = parse_duration(value.removeprefix(FROM_NOW)).after(now).strftime(MOMENT)
            elif isinstance(value, list):
                filled[name] = list(case.recordings)
            else:
                filled[name] = value
        return filled

    def _open_case(self, case: SimulatedCase, _: Job) -> JobEnd:
        period = iso(self._profile.rules.correction_period)
        return JobEnd({"duplicate": False, "itemIds": list(case.recordings), "correctionPeriod": period})

    def _open_review(self, case: SimulatedCase, job: Job) -> JobEnd:
        stage = self._models.stage_file.stages.get(str(job.seen.get("stage")))
        if stage is None:
            return JobEnd({})
        rules = self._profile.rules
        due = limits.due_at(stage, rules, self._calendar, job.now)
        reminder = limits.first_reminder_at(stage, rules, self._calendar, job.now)
        values = {
            "reviewId": f"review-{case.id}-{case.nth('review')}",
            "firstReviewReminderAt": reminder.strftime(MOMENT),
            "reviewLimit": iso(due - job.now),
        }
        return JobEnd(values)

    def _preserve(self, case: SimulatedCase, job: Job) -> JobEnd:
        """Preserve what may be overwritten before the approvals are through, as the product does (T4)."""
        rules = self._profile.rules
        end = limits.approval_end(self._approvals, self._release, rules, self._calendar, job.now)
        failed = 0
        for recording in case.recordings.values():
            lost_from = recording.item.lost_from
            if recording.preserved is not None or rules.preserve == "never" or lost_from is None:
                continue
            if rules.preserve == "at-risk" and lost_from > end:
                continue
            share = self._draws.share("preserve", recording.item.id)
            if lost_from <= job.now or share < self._profile.footage.unpreserved:
                failed += 1
            else:
                recording.preserved = job.now
        kept = sum(recording.preserved is not None for recording in case.recordings.values())
        return JobEnd({"itemsPreserved": kept, "itemsNotPreserved": failed})

    def _check_security(self, case: SimulatedCase, _: Job) -> JobEnd:
        """Find what the check finds: the class of the cameras, and whom the case involves by its drafter."""
        classes = {recording.item.camera_class for recording in case.recordings.values()}
        kind = self._profile.directory.departments[case.arrival.department].kind
        involved = {f"{kind}Involved": True} if kind in ("security", "management") else {}
        return JobEnd({"cameraClass": SENSITIVE if SENSITIVE in classes else "ordinary", **involved})

    def _file(self, case: SimulatedCase, job: Job) -> JobEnd:
        granted, most = job.seen.get("usePeriodDays"), job.seen.get("maxUseDays")
        days = [float(value) for value in (granted, most) if isinstance(value, int | float)]
        case.use_days = min(days, default=1)
        return JobEnd({"usePeriodDays": case.use_days, "itemIds": list(case.recordings)})

    def _retrieve(self, case: SimulatedCase, job: Job) -> JobEnd:
        recording = case.recordings.get(str(job.seen.get("itemId")))
        if recording is None:
            return JobEnd({})
        share = self._found_share(recording, job.now)
        if share <= 0:
            return JobEnd({}, MISSING)
        drawn = self._draws.share("footage", recording.item.id)
        footage = self._profile.footage
        for code, part in ((MISSING, footage.missing), (UNREADABLE, footage.unreadable)):
            if drawn < part:
                return JobEnd({}, code)
            drawn -= part
        recording.retrieved = job.now
        return JobEnd({"coverage": min(share, PARTIAL) if drawn < footage.partial else share})

    @staticmethod
    def _found_share(recording: Recording, now: datetime) -> float:
        if recording.preserved is not None:
            return 1
        share = recording.item.kept_share(now)
        recording.lost = recording.lost or share < 1
        return share

    def _hand_over(self, case: SimulatedCase, _: Job) -> JobEnd:
        rules = self._profile.rules
        case.hand_over = f"hand-over-{case.id}-{case.nth('hand-over')}"
        values = {
            "handOverId": case.hand_over,
            "takeUpPeriod": iso(rules.take_up_period),
            "gracePeriod": iso(rules.grace_period),
            "reminderLead": iso(rules.reminder_lead),
        }
        return JobEnd(values)
