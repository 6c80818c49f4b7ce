"""The organisation's rules: from the settings, overridden in the database (T3, T4, T11)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from services.runtime.settings import Settings
from services.runtime.working_hours import DEFAULT as DEFAULT_HOURS

# How long a lock lasts beyond the longest loan: time for the offer before it, and for return and inspection after it.
LOCK_MARGIN = timedelta(days=30)


@dataclass(frozen=True)
class Rules:
    """Every limit as a duration or a count. ``max_use_days`` has no default: hand-over refuses without it (T3, R50)."""

    max_use_days: int | None
    policy_version: str = "2026-01"
    organisation: str = "Footage Desk"
    zone: str = "Asia/Shanghai"
    review_limit: timedelta = timedelta(hours=24)
    release_limit: timedelta = timedelta(hours=24)
    notify_limit: timedelta = timedelta(hours=1)
    first_reminder_after: timedelta = timedelta(hours=12)
    working_hours: str = DEFAULT_HOURS
    correction_period: timedelta = timedelta(days=7)
    take_up_period: timedelta = timedelta(days=7)
    reminder_lead: timedelta = timedelta(days=3)
    grace_period: timedelta = timedelta(days=3)
    appeal_window: timedelta = timedelta(days=7)
    hold_review: timedelta = timedelta(days=90)
    violation_reply_period: timedelta = timedelta(days=5)
    violation_appeal_period: timedelta = timedelta(days=7)
    fines: Literal["not-allowed", "with-legal-approval"] = "with-legal-approval"  # T14: no law is behind them
    dismissal: Literal["not-allowed", "with-legal-approval"] = "with-legal-approval"
    currency: str = "CNY"  # of sanctions, losses and settlements
    inspection_period: Literal["month", "quarter"] = "quarter"
    letter_period: timedelta = timedelta(hours=24)  # for the original of a letter, after a telephone call or a fax
    filmed_answer_days: int = 15  # working days for an answer to a person who was filmed
    viewing_stations: str = ""  # as ``stations.parse`` reads it; without one nothing is viewed on site
    companion_interval: timedelta = timedelta(minutes=10)
    refused_accesses: int = 5  # of different addresses to one person within the window: somebody looks at it
    refusal_window: timedelta = timedelta(days=1)
    preserve: Literal["always", "at-risk", "never"] = "at-risk"
    max_span: timedelta = timedelta(hours=24)
    max_items: int = 20
    urgent_span: timedelta = timedelta(hours=2)  # of each camera, in an urgent retrieval
    urgent_cameras: int = 3
    lost_per_mille: int = 1  # of a thousand pictures so many may lack in footage that is complete
    ordinary_retention: timedelta = timedelta(days=365)
    important_retention: timedelta = timedelta(days=730)
    derived_retention: timedelta = timedelta(days=90)  # of copies that were made from a master, such as redacted ones
    document_retention: timedelta = timedelta(days=1096)  # at least, of forms, records, logs and signatures
    identity_card_retention: timedelta = timedelta(days=30)  # of copies, from the end of the case
    agreement_version: str = "2026"
    agreement_grace: timedelta = timedelta(days=14)  # signatures under the text before count so long
    reverify_every: timedelta = timedelta(days=180)
    reverify_bytes: int = 300_000_000_000  # that are read again on a day, at the most
    replica_required: bool = field(default=True)
    second_factor: Literal["signers", "everyone", "nobody"] = "nobody"
    notice_channels: tuple[str, ...] = ()  # where notices go beside the portal: mail, webhook

    @property
    def least_share(self) -> float:
        """How much of the pictures to be expected has to be there in footage that is complete, 0 to 1."""
        return 1 - self.lost_per_mille / 1000

    @property
    def lock_term(self) -> timedelta:
        """For how long the stores lock what a case has brought there, until its end is known."""
        return timedelta(days=self.max_use_days or 0) + self.grace_period + LOCK_MARGIN


def rules_of(settings: Settings) -> Rules:
    """Return the organisation's numbers of the settings."""
    return Rules(
        max_use_days=settings.rules.max_use_days,
        policy_version=settings.rules.policy_version,
        organisation=settings.organisation,
        zone=settings.zone,
        review_limit=settings.rules.review_limit,
        release_limit=settings.rules.release_limit,
        notify_limit=settings.rules.notify_limit,
        correction_period=settings.rules.correction_period,
        take_up_period=settings.rules.take_up_period,
        reminder_lead=settings.rules.reminder_lead,
        grace_period=settings.rules.grace_period,
        appeal_window=settings.rules.appeal_window,
        hold_review=timedelta(days=settings.rules.hold_review_days),
        violation_reply_period=settings.rules.violation_reply_period,
        violation_appeal_period=settings.rules.violation_appeal_period,
        fines=settings.rules.fines,
        dismissal=settings.rules.dismissal,
        currency=settings.rules.currency,
        inspection_period=settings.rules.inspection_period,
        letter_period=settings.rules.letter_period,
        filmed_answer_days=settings.rules.filmed_answer_days,
        viewing_stations=settings.rules.viewing_stations,
        companion_interval=settings.rules.companion_interval,
        refused_accesses=settings.rules.refused_accesses,
        refusal_window=settings.rules.refusal_window,
        preserve=settings.rules.preservation,
        max_span=timedelta(hours=settings.rules.max_span_hours),
        second_factor=settings.portal.second_factor or ("nobody" if settings.demo else "signers"),
        max_items=settings.rules.max_items,
        urgent_span=timedelta(hours=settings.rules.urgent_span_hours),
        urgent_cameras=settings.rules.urgent_cameras,
        lost_per_mille=settings.rules.lost_per_mille,
        first_reminder_after=settings.rules.first_reminder_after,
        working_hours=settings.rules.working_hours,
        ordinary_retention=timedelta(days=settings.rules.ordinary_retention_days),
        important_retention=timedelta(days=settings.rules.important_retention_days),
        derived_retention=timedelta(days=settings.rules.derived_retention_days),
        document_retention=timedelta(days=settings.rules.document_retention_days),
        identity_card_retention=timedelta(days=settings.rules.identity_card_days),
        agreement_version=settings.rules.agreement_version,
        agreement_grace=timedelta(days=settings.rules.agreement_grace_days),
        reverify_every=timedelta(days=settings.maintenance.reverify_days),
        reverify_bytes=settings.maintenance.reverify_gigabytes * 1_000_000_000,
        notice_channels=settings.notices.channels,
    )


def iso(duration: timedelta) -> str:
    """Return a duration as ISO 8601, in days or in seconds, as the timers of the process read it."""
    if duration % timedelta(days=1) == timedelta():
        return f"P{duration // timedelta(days=1)}D"
    return f"PT{duration // timedelta(seconds=1)}S"
