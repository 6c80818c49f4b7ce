"""What each notice says, in both languages, and the page that it leads to.

The words are fixed: no name, no reason, no place and no camera of a case is in any of them (F25).
"""

from dataclasses import dataclass
from typing import Literal

from services.database.tables.applications import OUTCOMES
from services.domain.stages.catalogue import STAGES, Words
from services.runtime.errors import Fatal

Page = Literal["case", "review", "consent", "hand-over", "notices", "deliveries"]


@dataclass(frozen=True)
class NoticeWords:
    """One sentence in each language, and what the notice's link opens."""

    zh: str
    en: str
    page: Page = "case"


ENDINGS = {
    "footage-re-archived": ("录像已归还并重新存档", "the footage is back and archived again"),
    "rejected": ("申请未获批准", "the application was rejected"),
    "withdrawn": ("申请已撤回", "the application was withdrawn"),
    "expired": ("逾期未补正", "it was not corrected in time"),
    "footage-unavailable": ("录像无法取得", "the footage cannot be had"),
    "copy-not-taken-up": ("副本未被签收", "the copy was not taken up"),
    "copy-lost": ("副本遗失", "the copy was lost"),
    "return-disputed": ("归还有争议", "the return is disputed"),
}

WORDS = {
    "application-incomplete": NoticeWords(
        "申请内容不完整，请在期限内补正。", "Your application is incomplete: correct it in time."
    ),
    "consent-asked": NoticeWords(
        "一份联合申请请贵部门确认申请主体。", "A joint application needs your department's consent.", "consent"
    ),
    "consent-reminder": NoticeWords(
        "提醒：一份联合申请仍待贵部门确认，即将过期。",
        "Reminder: a joint application still needs your department's consent, and will lapse soon.",
        "consent",
    ),
    "consents-complete": NoticeWords(
        "各联合部门均已同意，申请已正式提交。", "All departments have consented: your application is submitted."
    ),
    "consent-refused": NoticeWords(
        "有联合部门不同意，申请已退回草稿，请查看理由。",
        "A department did not consent: your application is a draft again, read the reason.",
    ),
    "consents-lapsed": NoticeWords(
        "联合部门未在期限内答复，申请已退回草稿，可再次提交。",
        "The departments did not answer in time: your application is a draft again and can be handed in anew.",
    ),
    "review-opened": NoticeWords("有一项审核待您办理。", "A review waits for you.", "review"),
    "review-reminder": NoticeWords("提醒：有一项审核仍待您办理。", "Reminder: a review still waits for you.", "review"),
    "review-escalated": NoticeWords(
        "一项审核已到期限，现由您一并办理。", "A review has reached its limit: you may decide it now.", "review"
    ),
    "receipt-overdue": NoticeWords(
        "本部门有副本逾期未签收，请督促办理。", "A copy for your department was not taken up in time: see to it."
    ),
    "second-person-needed": NoticeWords(
        "一项放行需要您作为第二人复核。", "A release needs you as the second person.", "review"
    ),
    "release-not-confirmed": NoticeWords(
        "您提出的放行未通过复核，请重新核对。", "Your release was not confirmed: check it again.", "review"
    ),
    "management-decides": NoticeWords(
        "一件申请将由管理层审批，请留意。", "An application goes to management: a decision will wait for you."
    ),
    "storage-prepare": NoticeWords(
        "申请已批准，请存储部门做好调取准备。", "An application is approved: prepare the retrieval."
    ),
    "preservation-failed": NoticeWords(
        "录像预先保全失败，请立即检查录像机。", "Footage could not be preserved: look at the recorder at once."
    ),
    "footage-damaged": NoticeWords(
        "完整性核验发现损坏，请立即查看。", "A check of integrity has found damage: look at it at once."
    ),
    "copy-offered": NoticeWords("有一份副本待您签收。", "A copy waits for your receipt.", "hand-over"),
    "offer-ended": NoticeWords("一份副本的移交已终止。", "The hand-over of a copy has ended.", "hand-over"),
    "return-due-soon": NoticeWords(
        "副本的使用期限即将届满，请按时归还。", "The use period of a copy ends soon: return it in time.", "hand-over"
    ),
    "return-overdue": NoticeWords("副本已逾期，请立即归还。", "A copy is overdue: return it at once.", "hand-over"),
    "access-suspended": NoticeWords(
        "使用期限已到，副本的访问已停止，请归还。",
        "The use period is over and access has stopped: return the copy.",
        "hand-over",
    ),
    "copy-returned": NoticeWords("一份副本已归还，请检查。", "A copy is back: inspect it."),
    "violation-overdue": NoticeWords("副本逾期未还，已登记违规。", "A copy is not back: a violation is on record."),
    "violation-loss": NoticeWords("副本遗失，已登记违规。", "A copy was lost: a violation is on record."),
    "violation-discrepancy": NoticeWords(
        "归还有出入，已登记违规。", "A return has a discrepancy: a violation is on record."
    ),
    "notice-undelivered": NoticeWords(
        "一份通知未能送达本部门人员，请代为告知。", "A notice did not reach somebody of your department: tell them."
    ),
    "deliveries-failing": NoticeWords(
        "有通知未能送达，请检查邮件和回调设置。", "Notices do not arrive: check mail and webhook.", "deliveries"
    ),
    "test-notice": NoticeWords("这是一条测试通知。", "This is a test notice.", "notices"),
    **{
        f"case-closed:{outcome}": NoticeWords(
            f"本案已结束：{ENDINGS[outcome][0]}。", f"The case is closed: {ENDINGS[outcome][1]}."
        )
        for outcome in OUTCOMES
    },
}


def all_words() -> dict[str, NoticeWords]:
    """The words of every notice; those of decisions are made from the stages'."""
    decided = {
        f"decided:{code}:{name}": _decided(stage, STAGES.outcomes[name])
        for code, stage in STAGES.items()
        for name in stage.outcomes
        if code != "receipt"
    }
    return WORDS | decided


def _decided(stage: Words, outcome: Words) -> NoticeWords:
    name = stage.en[:1].upper() + stage.en[1:]
    return NoticeWords(f"{stage.zh}已有结论：{outcome.zh}。", f"{name}: {outcome.en}.")


def words_of(code: str) -> NoticeWords:
    """The words of a notice; raises Fatal where a code has none."""
    try:
        return WORDS[code] if code in WORDS else all_words()[code]
    except KeyError:
        raise Fatal(f"could not leave a notice | {code} | it has no words | write them in {__name__}") from None


def codes_saying(text: str) -> list[str]:
    """The codes of the notices whose words, in either language, have the text."""
    wanted = text.strip().casefold()
    return [code for code, words in all_words().items() if wanted in words.zh or wanted in words.en.casefold()]


def link(code: str, application_id: str | None, subject_id: str | None) -> str:
    """The path of the page that a notice leads to."""
    page = words_of(code).page
    if page == "deliveries":
        return "/admin/notices"
    if page == "review" and subject_id is not None:
        return f"/reviews/{subject_id}"
    if page == "consent" and subject_id is not None:
        return f"/consents/{subject_id}"
    if page == "hand-over" and subject_id is not None:
        return f"/hand-overs/{subject_id}"
    return f"/cases/{application_id}" if application_id is not None and page != "notices" else "/notices"
