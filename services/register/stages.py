"""The review stages: what is asked, how it may be answered, what an answer must bring (R22 to R27, R33, R34, R39)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services.register.rules import Rules
from services.register.signatures import Level


@dataclass(frozen=True)
class Question:
    """A question answered with yes or no. ``yes_to_approve``: the favourable outcome needs a yes."""

    code: str
    zh: str
    en: str
    yes_to_approve: bool = True


@dataclass(frozen=True)
class Stage:
    """One stage. ``outcomes`` begins with the favourable one; every outcome is signed with the password again.

    With the level ``password+totp`` whoever has a second factor, or must have one, gives a one-time code as well.
    """

    code: str
    duty: str
    outcomes: tuple[str, ...]
    limit: Callable[[Rules], timedelta]
    questions: tuple[Question, ...] = ()
    reason_for: tuple[str, ...] = ()
    opinion_needed: bool = False
    may_raise: bool = False
    may_lower: bool = False
    level: Level = "password"

    @property
    def favourable(self) -> str:
        return self.outcomes[0]


def _review(rules: Rules) -> timedelta:
    return rules.review_limit


def _release(rules: Rules) -> timedelta:
    return rules.release_limit


def _take_up(rules: Rules) -> timedelta:
    return rules.take_up_period


NECESSARY = Question("necessary", "调取是否确有必要？", "Is the retrieval necessary?")
NARROWEST = Question(
    "narrowest", "时间段和摄像头是否已是最小范围？", "Are the span and the cameras the narrowest that serve?"
)

STAGES = {
    stage.code: stage
    for stage in (
        Stage(
            "preliminary",
            "preliminary",
            ("approved", "returned", "rejected"),
            _review,
            (
                Question("reason-reasonable", "申请事由是否合理？", "Is the reason reasonable?"),
                Question("content-complete", "申请内容是否完整？", "Is the content complete?"),
                NECESSARY,
                NARROWEST,
            ),
            ("returned", "rejected"),
            may_raise=True,
        ),
        Stage(
            "security",
            "security",
            ("approved", "returned", "rejected"),
            _review,
            (
                Question(
                    "rules-met",
                    "调取行为是否符合相关规定及法律依据？",
                    "Does it meet the rules and have a legal basis?",
                ),
                Question("security-met", "是否符合安全要求？", "Does it meet the security requirements?"),
                NECESSARY,
                NARROWEST,
            ),
            ("returned", "rejected"),
            may_raise=True,
            may_lower=True,
        ),
        Stage(
            "security-signature",
            "security-signature",
            ("signed", "refused"),
            _review,
            reason_for=("refused",),
            may_raise=True,
            level="password+totp",
        ),
        Stage(
            "management", "management", ("approved", "rejected"), _review, opinion_needed=True, level="password+totp"
        ),
        Stage(
            "storage-release",
            "storage-release",
            ("approved", "returned"),
            _release,
            (
                Question(
                    "camera-confirmed", "是否已对照画面确认摄像头无误？", "Is each camera confirmed by its picture?"
                ),
                Question(
                    "clock-offset-stated", "录像机时钟偏差是否已核对并注明？", "Is the recorder's clock offset checked?"
                ),
                Question("span-right", "时间段是否与批准的一致？", "Is the span the approved one?"),
            ),
            ("returned",),
            level="password+totp",
        ),
        Stage(
            "partial-footage",
            "security",
            ("approved", "rejected"),
            _review,
            (
                Question(
                    "serves-purpose", "部分录像是否仍能满足用途？", "Does the partial footage still serve the purpose?"
                ),
            ),
            ("approved", "rejected"),
        ),
        Stage("receipt", "custodian", ("accepted", "declined"), _take_up, reason_for=("declined",)),
        Stage(
            "return-inspection",
            "return-inspection",
            ("in-order", "discrepancy"),
            _review,
            (
                Question("all-accounted", "全部副本是否已归还或销毁？", "Are all copies back or destroyed?"),
                Question("media-intact", "介质是否完好？", "Are the media intact?"),
                Question("right-footage", "是否为本案移交的录像？", "Is it the footage that was handed over?"),
            ),
            ("discrepancy",),
        ),
    )
}
