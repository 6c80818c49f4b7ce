"""The organisation's numbers (T3, T4 and T11 in policy.md); administrators may change most of them in the portal."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from services.runtime.settings.kinds import Days, Duration, Lead, Part, Stations, TextFile, WorkingHours
from services.runtime.working_hours import DEFAULT as DEFAULT_HOURS


class RuleSettings(Part):
    """The numbers with which an installation begins."""

    review_limit: Duration = Field(default=timedelta(hours=24), description="an ISO 8601 duration, such as PT24H")
    notify_limit: Duration = Field(default=timedelta(hours=1), description="an ISO 8601 duration, such as PT1H")
    release_limit: Duration = Field(default=timedelta(hours=24), description="an ISO 8601 duration, such as PT24H")
    reminder_lead: Lead = Field(default=timedelta(days=3), description="an ISO 8601 duration, such as P3D")
    grace_period: Lead = Field(default=timedelta(days=3), description="an ISO 8601 duration, such as P3D")
    correction_period: Duration = Field(default=timedelta(days=7), description="an ISO 8601 duration, such as P7D")
    take_up_period: Duration = Field(default=timedelta(days=7), description="an ISO 8601 duration, such as P7D")
    appeal_window: Lead = Field(
        default=timedelta(days=7),
        description="how long the footage of a refused case is kept for an appeal: an ISO 8601 duration, such as P7D",
    )
    hold_review_days: Days = Field(
        default=90, description="after how many days the owner of a legal hold has to say whether it is still needed"
    )
    violation_reply_period: Duration = Field(
        default=timedelta(days=5),
        description="how long the accused may reply to a violation: an ISO 8601 duration, such as P5D",
    )
    violation_appeal_period: Duration = Field(
        default=timedelta(days=7),
        description="how long a sanction may be appealed to management: an ISO 8601 duration, such as P7D",
    )
    fines: Literal["not-allowed", "with-legal-approval"] = Field(
        default="with-legal-approval", description="not-allowed or with-legal-approval (T14)"
    )
    dismissal: Literal["not-allowed", "with-legal-approval"] = Field(
        default="with-legal-approval", description="not-allowed or with-legal-approval (T14)"
    )
    currency: str = Field(
        default="CNY",
        pattern="^[A-Z]{3}$",
        description="the currency of sanctions, losses and settlements: three letters of ISO 4217",
    )
    inspection_period: Literal["month", "quarter"] = Field(
        default="quarter", description="month or quarter: what one inspection of the supervision group is about"
    )
    preservation: Literal["always", "at-risk", "never"] = Field(
        default="at-risk", description="always, at-risk or never (T4)"
    )
    max_use_days: Days | None = Field(
        default=None, description="the maximum use period in whole days that the organisation allows (T3)"
    )
    max_span_hours: int = Field(default=24, ge=1, le=8760, description="the longest span of one item in whole hours")
    max_items: int = Field(default=20, ge=1, le=200, description="how many items one application may have")
    urgent_span_hours: int = Field(
        default=2, ge=1, le=24, description="how many hours of each camera an urgent retrieval may show before approval"
    )
    urgent_cameras: int = Field(
        default=3, ge=1, le=20, description="how many cameras an urgent retrieval may show before approval"
    )
    lost_per_mille: int = Field(
        default=1, ge=0, le=100, description="how many of a thousand expected pictures may lack in complete footage"
    )
    first_reminder_after: Duration = Field(
        default=timedelta(hours=12), description="an ISO 8601 duration, such as PT12H"
    )
    working_hours: WorkingHours = Field(
        default=DEFAULT_HOURS,
        description="the working hours of a day, for review stages that count working time, such as "
        "09:00-12:00,13:00-18:00",
    )
    letter_period: Duration = Field(
        default=timedelta(hours=24),
        description="within which time the original letter of an authority that has asked by telephone or fax has to "
        "be entered: an ISO 8601 duration, such as PT24H",
    )
    filmed_answer_days: int = Field(
        default=15,
        ge=1,
        le=200,
        description="within how many working days a person who was filmed has to have an answer",
    )
    viewing_stations: Stations = Field(
        default="",
        description="the addresses at which footage may be viewed on site, with commas between, each an address or the "
        "network of one room and a name: 10.0.5.20 Control room, 10.0.6.0/24 North gate",
    )
    companion_interval: Duration = Field(
        default=timedelta(minutes=10),
        description="how often the companion of a viewing on site has to confirm being present: an ISO 8601 "
        "duration, such as PT10M",
    )
    refused_accesses: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="how many different addresses have to be refused to one person within the window for the head of "
        "Security and the supervision group to be told",
    )
    refusal_window: Duration = Field(
        default=timedelta(days=1), description="that window: an ISO 8601 duration, such as P1D"
    )
    ordinary_retention_days: Days = Field(
        default=365, description="for how many days ordinary footage is kept in the archive"
    )
    important_retention_days: Days = Field(
        default=730, description="for how many days important footage is kept in the archive"
    )
    derived_retention_days: Days = Field(
        default=90, description="for how many days copies that were made from a master, such as redacted ones, are kept"
    )
    document_retention_days: Days = Field(
        default=1096, description="for how many days forms, records, logs and signatures are kept at least"
    )
    identity_card_days: Days = Field(
        default=30, description="for how many days after the end of a case copies of identity cards are kept"
    )
    agreement_version: str = Field(
        default="2026", min_length=1, max_length=40, description="the version of the confidentiality agreement"
    )
    agreement_grace_days: Days = Field(
        default=14,
        description="for how many days signatures under the text before stay valid when a new version of the "
        "confidentiality agreement is issued",
    )
    policy_version: str = Field(
        default="2026-01",
        min_length=1,
        max_length=40,
        description="the version of the policy, which applications, documents and receipts name",
    )
    policy_file: TextFile | None = Field(
        default=None,
        description="a file with the policy's text, Markdown in UTF-8, which the page /policy shows instead of the "
        "shipped one; change the version with it",
    )
