"""The text of each notice, and the page that it links to.

The texts are fixed: none has a name, a reason, a place or a camera of a case (F25).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from services.database.tables.applications import OUTCOMES
from services.domain.stages.catalogue import STAGES, BilingualLabel
from services.runtime.errors import Fatal
from services.runtime.translations import Bilingual, Message, Text, Worded

Page = Literal[
    "case",
    "review",
    "decision",
    "consent",
    "hand-over",
    "matter",
    "notices",
    "deliveries",
    "account",
    "requests",
    "models",
    "holds",
    "hand-overs",
    "work-order",
    "inspected-case",
    "inspection",
    "group",
    "refusals",
    "sites",
    "reconciliations",
    "use-report",
    "package",
]
# What a notice asks somebody to do. Its subject is the review, the consent, the hand-over, the request or the
# violation. ``progress`` asks for nothing: the decision of a stage is news until the next one. ``preparation`` is over
# with the release of the storage office, that of one item once it is preserved, ``management`` with its decision, and
# ``account`` once it is confirmed what became of the downloads. ``custodian``: somebody else is to keep the copies.
# ``damage`` ends with its repair, ``examination`` once somebody has said what a damaged version is, ``findings`` of a
# day once each is explained or gone, ``recall`` once it is opened, ``replacement`` with the receipt of the new copies,
# ``refused-access`` once a violation of it is recorded, and ``matter`` with the matter. Without a work it is news, or
# only the reader knows that it is done: it is open until it is read.
Work = Literal[
    "review",
    "consent",
    "offer",
    "return",
    "inspection",
    "request",
    "check",
    "agreement",
    "correction",
    "case",
    "question",
    "progress",
    "hold",
    "storage",
    "violation",
    "viewing",
    "letter",
    "answer",
    "work-order",
    "supervision",
    "package",
    "preparation",
    "management",
    "account",
    "custodian",
    "download",
    "damage",
    "examination",
    "findings",
    "recall",
    "replacement",
    "refused-access",
    "matter",
]

DIGEST = "daily-digest"
PAGES_OF_SUBJECTS = {
    "review": "/reviews",
    "consent": "/consents",
    "hand-over": "/hand-overs",
    "matter": "/matters",
    "work-order": "/work-orders",
    "inspected-case": "/supervision/cases",
    "inspection": "/supervision/inspections",
    "refusals": "/supervision/refusals",
    "use-report": "/supervision/use-reports",
    "package": "/packages",
}
PLAIN_PAGES = {
    "group": "/supervision/group",
    "deliveries": "/admin/notices",
    "account": "/account",
    "requests": "/requests",
    "models": "/admin/models",
    "holds": "/holds",
    "hand-overs": "/hand-overs",
    "sites": "/storage/sites",
    "reconciliations": "/storage/reconciliations",
}


@dataclass(frozen=True)
class NoticeText(Worded):
    """A notice's sentence, and the page that its link opens.

    A ``personal`` one is about others acting for the person, so nobody gets it in their place. ``work`` is what it is
    about, if any: the notice is done when the work is.
    """

    message: Text
    page: Page = "case"
    personal: bool = False
    work: Work | None = None


ENDINGS = {
    "footage-re-archived": Message("the footage was returned and re-archived"),
    "rejected": Message("the application was rejected"),
    "withdrawn": Message("the application was withdrawn"),
    "expired": Message("the application was not corrected in time"),
    "footage-unavailable": Message("the footage is unavailable"),
    "copy-not-taken-up": Message("the copy was not accepted"),
    "copy-lost": Message("the copy was lost"),
    "return-disputed": Message("the return is disputed"),
    "footage-provided": Message("the footage was provided outside"),
}

TEXTS = {
    "group-to-confirm": NoticeText(
        Message("A supervision group is proposed: confirm it as the second person, or refuse it."),
        "group",
        work="check",
    ),
    "group-appointed": NoticeText(Message("You are a member of the supervision group."), "group", personal=True),
    "inspection-case": NoticeText(
        Message("A case of an inspection is waiting for you: inspect it in time and sign."),
        "inspected-case",
        personal=True,
        work="supervision",
    ),
    "inspection-case-overdue": NoticeText(
        Message("A case of an inspection is overdue: any member who may can inspect it."),
        "inspected-case",
        personal=True,
        work="supervision",
    ),
    "inspection-case-in-your-place": NoticeText(
        Message("Another member has inspected a case that was waiting for you: check whether this is correct."),
        "inspected-case",
        personal=True,
    ),
    "inspection-to-sign": NoticeText(
        Message("The report of an inspection is waiting for your signature: read it and sign."),
        "inspection",
        personal=True,
        work="supervision",
    ),
    "inspection-overdue": NoticeText(
        Message("The report of an inspection is overdue: it lacks signatures."),
        "inspection",
        personal=True,
        work="supervision",
    ),
    "inspection-reported": NoticeText(Message("The supervision group has reported: read the report."), "inspection"),
    "use-report-made": NoticeText(Message("The report on safety and use is ready: read it."), "use-report"),
    "work-order-opened": NoticeText(
        Message("A work order is waiting for you: do it in time and sign it."), "work-order", work="work-order"
    ),
    "work-order-reminder": NoticeText(
        Message("Reminder: a work order is still waiting for you."), "work-order", work="work-order"
    ),
    "work-order-again": NoticeText(
        Message("A work order has to be done again: read why, and by when."), "work-order", work="work-order"
    ),
    "work-order-overdue": NoticeText(
        Message("A work order is overdue: do it now and sign it."), "work-order", work="work-order"
    ),
    "work-order-overdue-below": NoticeText(
        Message("A work order in your department is overdue: make sure that it is done."),
        "work-order",
        work="work-order",
    ),
    "work-order-to-verify": NoticeText(
        Message("A work order is done: verify it and sign."), "work-order", work="work-order"
    ),
    "work-order-verification-reminder": NoticeText(
        Message("Reminder: a work order still waits for your verification."), "work-order", work="work-order"
    ),
    "work-order-verification-overdue": NoticeText(
        Message("The verification of a work order has reached its deadline: you can do it now."),
        "work-order",
        work="work-order",
    ),
    "work-order-signed-in-your-place": NoticeText(
        Message("A substitute has signed a work order on your behalf: check whether this is correct."),
        "work-order",
        personal=True,
    ),
    "work-order-closed": NoticeText(Message("A work order that you opened is closed."), "work-order"),
    "work-order-cancelled": NoticeText(Message("A work order was cancelled: nothing is left to do."), "work-order"),
    "download-lost": NoticeText(
        Message("A download of an ended loan was lost: check the account and record a violation."), "work-order"
    ),
    "download-witnessed": NoticeText(
        Message("You are named as the witness of a destroyed download: contact Security if you did not see it."),
        "notices",
    ),
    "work-order-recall-asked": NoticeText(
        Message("A review of access asks for copies to come back: recall them, so that it can be accepted."),
        "work-order",
        work="recall",
    ),
    "view-ended-by-review": NoticeText(
        Message("A review of access has ended the viewing of copies by a named viewer."), "hand-over"
    ),
    "work-order-check-in-no": NoticeText(
        Message("A custodian reports that copies are missing or were passed on: check this now."), "work-order"
    ),
    "application-incomplete": NoticeText(
        Message("Your application is incomplete: correct it in time."), work="correction"
    ),
    "consent-asked": NoticeText(
        Message("A joint application needs your department's consent."), "consent", work="consent"
    ),
    "consent-reminder": NoticeText(
        Message("Reminder: a joint application still needs your department's consent and will expire soon."),
        "consent",
        work="consent",
    ),
    "consents-complete": NoticeText(Message("All departments have consented: your application was submitted.")),
    "consent-refused": NoticeText(
        Message("A department did not consent: your application is a draft again, read the reason."), work="correction"
    ),
    "consents-lapsed": NoticeText(
        Message(
            "The departments did not answer in time: your application is a draft again and can be submitted again."
        ),
        work="correction",
    ),
    "review-opened": NoticeText(Message("A review is waiting for you."), "review", work="review"),
    "review-reminder": NoticeText(Message("Reminder: a review is still waiting for you."), "review", work="review"),
    "review-escalated": NoticeText(
        Message("A review has reached its deadline: you can decide it now."), "review", work="review"
    ),
    "review-needs-agreement": NoticeText(
        Message("A review is waiting for you: sign the confidentiality agreement to take it."), "review", work="review"
    ),
    "receipt-overdue": NoticeText(
        Message("A copy for your department was not accepted in time: ask the custodian to act."), work="review"
    ),
    "second-person-needed": NoticeText(
        Message("A release is waiting for your confirmation as the second person."), "review", work="review"
    ),
    "release-not-confirmed": NoticeText(
        Message("Your release was not confirmed: check it again."), "review", work="review"
    ),
    "review-assigned": NoticeText(Message("A review was reassigned to you."), "review", work="review"),
    "applicant-asked": NoticeText(
        Message("A reviewer has a question about your application: answer it on the application's page."),
        work="question",
    ),
    "applicant-answered": NoticeText(Message("The applicant has answered your question."), "review", work="review"),
    "signed-in-your-place": NoticeText(
        Message("A substitute has signed on your behalf: check whether this is correct."), "review", personal=True
    ),
    "absence-entered": NoticeText(
        Message("An absence was added for you, so that substitutes can sign on your behalf: if it is wrong, end it."),
        "account",
        personal=True,
    ),
    "absence-confirmed": NoticeText(
        Message("An absence added for you was confirmed: substitutes can sign on your behalf."),
        "account",
        personal=True,
    ),
    "absence-restored": NoticeText(
        Message("The database was restored from a backup, and an absence of yours is in it: if it is over, end it."),
        "account",
        personal=True,
    ),
    "management-decides": NoticeText(
        Message("An application goes to management: a decision will be waiting for you."), work="management"
    ),
    "storage-prepare": NoticeText(Message("An application was approved: prepare the retrieval."), work="preparation"),
    "preservation-failed": NoticeText(
        Message("Footage could not be preserved: check the recorder at once."), work="preparation"
    ),
    "footage-damaged": NoticeText(Message("An integrity check has found damage: act at once."), work="damage"),
    "footage-repaired": NoticeText(
        Message("Damaged footage was restored from its replica: check the damaged version."),
        "reconciliations",
        work="examination",
    ),
    "footage-unrepaired": NoticeText(
        Message("Damaged footage could not be restored: act at once."), "reconciliations", work="damage"
    ),
    "redacted-copy-damaged": NoticeText(
        Message("A redacted copy is damaged and has no replica: ask for the redaction again, which its recipe makes.")
    ),
    "reconciliation-findings": NoticeText(
        Message("The daily reconciliation has new findings: explain them or follow them up."),
        "reconciliations",
        work="findings",
    ),
    "recorder-changed": NoticeText(
        Message("A recorder was changed while a case is waiting for its footage: check whether this is correct."),
        work="case",
    ),
    # of no one case, so that nothing ends it but being read
    "recorder-changed-security": NoticeText(
        Message("A recorder was changed while a case is waiting for its footage: check whether this is correct.")
    ),
    "copy-offered": NoticeText(Message("A copy is waiting for your acceptance."), "hand-over", work="offer"),
    "offer-ended": NoticeText(Message("The hand-over of a copy has ended."), "hand-over"),
    "offer-recall-asked": NoticeText(
        Message("Security recalls a copy that is offered to you: it cannot be accepted until that is decided."),
        "hand-over",
    ),
    "offer-recalled": NoticeText(
        Message("Security has recalled a copy before it was accepted: the hand-over has ended.")
    ),
    "return-due-soon": NoticeText(
        Message("The use period of a copy ends soon: return it in time."), "hand-over", work="return"
    ),
    "return-overdue": NoticeText(Message("A copy is overdue: return it at once."), "hand-over", work="return"),
    "department-overdue": NoticeText(
        Message("A copy that your department keeps is overdue: see that it is returned at once."), work="return"
    ),
    "access-suspended": NoticeText(
        Message("The use period has ended and access is suspended: return the copy."), "hand-over", work="return"
    ),
    "copy-returned": NoticeText(Message("A copy was returned: inspect it."), work="inspection"),
    "violation-overdue": NoticeText(Message("A copy was not returned: a violation was recorded."), work="violation"),
    "violation-loss": NoticeText(Message("A copy was lost: a violation was recorded."), work="violation"),
    "violation-discrepancy": NoticeText(
        Message("A return has a discrepancy: a violation was recorded."), work="violation"
    ),
    "matter-applied": NoticeText(Message("What was asked about a loan is agreed and in effect."), "matter"),
    "matter-refused": NoticeText(Message("What was asked about a loan is not agreed: read the reason."), "matter"),
    "matter-moot": NoticeText(
        Message("What was asked about a loan is no longer needed: the loan has ended."), "matter"
    ),
    "matter-withdrawn": NoticeText(Message("What was asked about a loan was withdrawn: nothing changes."), "matter"),
    "matter-answered": NoticeText(Message("Your problem report is answered: read what follows."), "matter"),
    "matter-ratified": NoticeText(Message("Your urgent retrieval was approved afterwards."), "matter"),
    "matter-not-ratified": NoticeText(
        Message("Your urgent retrieval was not approved in time: a violation was recorded."), "matter"
    ),
    "emergency-view-open": NoticeText(
        Message("An urgent retrieval is released: you can view its footage now."), "matter", work="matter"
    ),
    "urgent-repeated": NoticeText(
        Message("A person calls footage urgently for the second time within 30 days: check why."),
        "matter",
        work="matter",
    ),
    "copy-frozen": NoticeText(
        Message("A problem with a copy that you hold was reported: it is frozen until Security has answered."),
        "matter",
        work="matter",
    ),
    "copy-unfrozen": NoticeText(
        Message("Security has answered a problem report: you can use your copy again."), "hand-over"
    ),
    "problem-replace": NoticeText(
        Message("Security has the footage retrieved again: you can accept the new copies when they are ready."),
        "matter",
        work="replacement",
    ),
    "problem-recall": NoticeText(
        Message("Security has recalled a copy after a problem report: the loan has ended."), "matter"
    ),
    "downloads-unaccounted": NoticeText(
        Message(
            "The case has ended before you accounted for downloads of replaced copies: destroy them, and inform "
            "Security in writing."
        ),
        "hand-over",
        work="account",
    ),
    "replaced-unaccounted": NoticeText(
        Message(
            "A case has ended, but downloads of its replaced copies are not accounted for: ask the custodian for them."
        ),
        work="account",
    ),
    "appeal-granted": NoticeText(
        Message("An appeal was granted: the violation is cleared, and its sanctions are revoked."), "matter"
    ),
    "appeal-refused": NoticeText(Message("An appeal was decided: the decision of the violation stands."), "matter"),
    "copy-recalled": NoticeText(
        Message("Security recalls a copy: access is suspended, and the loan ends when it is signed."), "hand-over"
    ),
    "letter-overdue": NoticeText(
        Message("An authority's original letter is overdue: nothing is provided before it is entered."), work="letter"
    ),
    "answer-overdue": NoticeText(
        Message("A person who was filmed has no answer yet, and its time is over: answer at once."), work="answer"
    ),
    "view-allowed": NoticeText(
        Message("The custodian lets you view footage under your own name."), "hand-overs", personal=True, work="viewing"
    ),
    "custodian-leaves": NoticeText(
        Message("A custodian leaves: transfer the copies, or name another custodian where they are not accepted yet."),
        work="custodian",
    ),
    "custody-transferred": NoticeText(Message("Another person is now the custodian of a loan."), "matter"),
    "violation-leak": NoticeText(Message("Footage was leaked or misused: a violation was recorded."), work="violation"),
    "violation-breach": NoticeText(
        Message("The conditions of use were broken: a violation was recorded."), work="violation"
    ),
    "violation-finding": NoticeText(
        Message("An inspection has a finding: a violation was recorded."), work="violation"
    ),
    "violation-ghost-export": NoticeText(
        Message("Footage was exported without an application: a violation was recorded."), work="violation"
    ),
    "violation-urgent-not-ratified": NoticeText(
        Message("An urgent retrieval was not approved afterwards: a violation was recorded."), work="violation"
    ),
    "access-refused-often": NoticeText(
        Message("Access was refused to one person many times in a short time: find out why."),
        "refusals",
        work="refused-access",
    ),
    "violation-refusal-pattern": NoticeText(
        Message("Access was refused repeatedly: a violation was recorded."), work="violation"
    ),
    "violation-served": NoticeText(
        Message("A violation accuses you or your department: read the facts, and reply in time."),
        "matter",
        work="violation",
    ),
    "violation-upheld": NoticeText(Message("A violation was upheld: read the decision."), "matter"),
    "violation-cleared": NoticeText(Message("A violation was found to be unfounded: access is given back."), "matter"),
    "violation-closed": NoticeText(Message("A violation is closed: all that was decided is done."), "matter"),
    "violation-refer": NoticeText(
        Message("A violation is referred to an authority: hand the evidence over, and record the receipt."),
        "matter",
        work="violation",
    ),
    "violation-settlement-due": NoticeText(
        Message("The loss of a violation is not made good yet: settle it, or record that it is."),
        "matter",
        work="violation",
    ),
    "hold-owned": NoticeText(Message("You are the owner of a legal hold: review it in time."), "holds", work="hold"),
    "download-destroyed-held": NoticeText(
        Message("A download of a case that you hold was returned as destroyed: check what the custodian has written."),
        "case",
    ),
    "hold-review-due": NoticeText(
        Message("A legal hold is due for review: keep it, or ask to lift it."), "holds", work="hold"
    ),
    "hold-lift-asked": NoticeText(
        Message("A legal hold is to be lifted: confirm it, or keep the hold."), "holds", work="check"
    ),
    "package-to-approve": NoticeText(
        Message("An evidence package with footage in clear is requested: approve it, or refuse it."),
        "package",
        personal=True,
        work="package",
    ),
    "package-ready": NoticeText(
        Message("The evidence package that you requested is ready: download it in time."),
        "package",
        personal=True,
        work="download",
    ),
    "package-refused": NoticeText(
        Message("The evidence package that you requested was not approved: read the reason."), "package", personal=True
    ),
    "package-failed": NoticeText(
        Message("The evidence package that you requested could not be made."), "package", personal=True
    ),
    "hold-lifted": NoticeText(Message("A legal hold that you own was lifted."), "holds"),
    "site-without-keeper": NoticeText(
        Message("A storage site has no keeper: put a member of the storage office in charge of it."),
        "sites",
        work="storage",
    ),
    "notice-undelivered": NoticeText(
        Message("A notice could not be delivered to a member of your department: inform the person.")
    ),
    "deliveries-failing": NoticeText(
        Message("Notices cannot be delivered: check mail, webhook and chat groups."), "deliveries"
    ),
    "change-requested": NoticeText(
        Message("An administrator requests a change to your account: check it, and object if it is not right."),
        "requests",
        personal=True,
        work="request",
    ),
    "change-to-check": NoticeText(
        Message("An administrator requests a change that needs confirmation by a second person: confirm it or object."),
        "requests",
        work="check",
    ),
    "change-carried-out": NoticeText(
        Message("A change that needed confirmation by a second person has taken effect."), "requests"
    ),
    "database-restored": NoticeText(
        Message(
            "The database was restored from a backup: check posts, accounts, absences and holds, and make open change "
            "requests again."
        ),
        "requests",
    ),
    "account-changed": NoticeText(
        Message("An administrator has changed an account: if this is not right, inform Security at once."),
        "requests",
        personal=True,
    ),
    "model-unrecorded": NoticeText(
        Message("Process models were deployed without a record, and their jobs are refused: check who deployed them."),
        "models",
    ),
    "agreement-issued": NoticeText(
        Message("A new version of the confidentiality agreement was issued: read and sign it in time."),
        "account",
        personal=True,
        work="agreement",
    ),
    "agreement-replaced-soon": NoticeText(
        Message(
            "The version of the confidentiality agreement that you signed ends in a few days: read and sign the new "
            "one."
        ),
        "account",
        personal=True,
        work="agreement",
    ),
    "agreement-expires-soon": NoticeText(
        Message("Your confidentiality agreement expires soon: read and sign it again."),
        "account",
        personal=True,
        work="agreement",
    ),
    "own-account-changed": NoticeText(
        Message("Your password, second factor or passkeys were changed: if it was not you, inform Security at once."),
        "account",
        personal=True,
    ),
    "code-refused": NoticeText(
        Message(
            "Wrong codes were entered for your account after the correct password: if it was not you, change "
            "your password at once."
        ),
        "account",
        personal=True,
    ),
    "recovery-code-used": NoticeText(
        Message("A recovery code was used to sign in to your account: if it was not you, inform Security at once."),
        "account",
        personal=True,
    ),
    "account-locked": NoticeText(
        Message("Your account was locked after wrong passwords or codes: if it was not you, inform Security at once."),
        "account",
        personal=True,
    ),
    DIGEST: NoticeText(Message("Your open tasks today."), "notices", personal=True),
    "robot-changed": NoticeText(
        Message("An administrator has added or ended a chat group that receives notices: check that it is right."),
        "notices",
    ),
    "robot-ended": NoticeText(
        Message("This group no longer receives notices: an administrator has ended it."), "notices"
    ),
    "mail-server-changed": NoticeText(
        Message("An administrator has set or ended the mail server that sends notices: check that it is right."),
        "notices",
    ),
    "chat-app-changed": NoticeText(
        Message("An administrator has set or ended the chat app that sends notices to people: check that it is right."),
        "notices",
    ),
    "test-notice": NoticeText(Message("This is a test notice."), "notices"),
    **{
        f"case-closed:{outcome}": NoticeText(Message("The case is closed: {endings}.", endings=ENDINGS[outcome]))
        for outcome in OUTCOMES
    },
    **{
        f"case-refused:{outcome}": NoticeText(
            Message(
                "The case is closed: {endings}, and you can appeal until the date on its page.",
                endings=ENDINGS[outcome],
            )
        )
        for outcome in ("rejected", "footage-unavailable")
    },
}


# Of a review the sentence names the stage, which tells nothing of the case.
_OF_STAGE: dict[str, Callable[[Text], Message]] = {
    "review-opened": lambda stage: Message("{stage}: a review is waiting for you.", stage=stage),
    "review-reminder": lambda stage: Message("Reminder: {stage} is still waiting for you.", stage=stage),
    "review-needs-agreement": lambda stage: Message(
        "{stage}: sign the confidentiality agreement to take this review.", stage=stage
    ),
    "review-escalated": lambda stage: Message("{stage} has reached its deadline: you can decide it now.", stage=stage),
}


def all_texts() -> dict[str, NoticeText]:
    """Collect the texts of all notices; those of decisions are built from the stages."""
    decided = {
        f"decided:{code}:{name}": _decided(stage, STAGES.outcomes[name])
        for code, stage in STAGES.items()
        for name in stage.outcomes
        if code != "receipt"
    }
    return TEXTS | decided


def _decided(stage: BilingualLabel, outcome: BilingualLabel) -> NoticeText:
    return NoticeText(
        Message("{stage}: {outcome}.", stage=_capital(stage), outcome=Bilingual(outcome.zh, outcome.en)),
        "decision",
        work="progress",
    )


def _capital(stage: BilingualLabel) -> Bilingual:
    return Bilingual(stage.zh, stage.en[:1].upper() + stage.en[1:])


def get_text(code: str, stage: str | None = None) -> NoticeText:
    """Return the text of a notice, with the stage of its review if it has one; raises Fatal for a code without one."""
    try:
        text = TEXTS[code] if code in TEXTS else all_texts()[code]
        if code in _OF_STAGE and stage is not None and stage in STAGES:
            name = STAGES[stage] if code == "review-reminder" else _capital(STAGES[stage])
            return replace(text, message=_OF_STAGE[code](Bilingual(name.zh, name.en)))
        return text
    except KeyError:
        raise Fatal(f"could not write a notice | {code} | it has no text | add it in {__name__}") from None


def codes_of(*works: Work) -> list[str]:
    """List the codes of the notices about such work."""
    return [code for code, text in all_texts().items() if text.work in works]


def codes_of_work() -> list[str]:
    """List the codes of the notices that ask for something to be done."""
    return [code for code, text in all_texts().items() if text.work not in (None, "progress")]


def find_codes(text: str) -> list[str]:
    """List the codes of the notices that contain ``text``, in either language."""
    searched = text.strip().casefold()
    return [code for code, notice in all_texts().items() if searched in notice.zh or searched in notice.en.casefold()]


def link_path(code: str, application_id: str | None, subject_id: str | None) -> str:
    """Return the path of the page that a notice links to."""
    page = get_text(code).page
    if page in PLAIN_PAGES:
        return PLAIN_PAGES[page]
    if page == "decision" and application_id is not None:
        return f"/cases/{application_id}#review-{subject_id}" if subject_id else f"/cases/{application_id}#decisions"
    if page in PAGES_OF_SUBJECTS and subject_id is not None:
        return f"{PAGES_OF_SUBJECTS[page]}/{subject_id}"
    return f"/cases/{application_id}" if application_id is not None and page != "notices" else "/notices"
