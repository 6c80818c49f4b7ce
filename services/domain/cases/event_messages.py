"""What happened, in words: every action of the audit trail that a case's time line may show.

A place in braces is filled from the event's details: codes in words, anything else as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.runtime.labels import has_word, word
from services.runtime.translations import Message

EVENT_MESSAGES: Mapping[str, Message] = {
    # the application
    "application-drafted": Message("Application drafted"),
    "application-submitted": Message("Application {number} submitted"),
    "application-corrected": Message("Correction {round} submitted"),
    "application-withdrawn": Message("Application withdrawn"),
    "correction-expired": Message("Correction deadline passed"),
    "item-removed": Message("Item removed"),
    "consents-asked": Message("Joint departments asked for consent"),
    "consent-consented": Message("A joint department consented"),
    "consent-refused": Message("A joint department refused"),
    "consultation-ended": Message("Consultation of the joint departments ended"),
    "department-became-applicant": Message("The department became the applicant"),
    "attachment-added": Message("Attachment added"),
    "attachment-removed": Message("Attachment removed"),
    "attachment-read": Message("Attachment opened"),
    "attachment-purged": Message("Copy of an identity card deleted as due"),
    "identity-cards-listed": Message("List of identity card copies opened"),
    "on-behalf-set": Message("People outside and their letter entered"),
    "outsider-added": Message("Person outside added"),
    "outsider-removed": Message("Person outside removed"),
    "card-numbers-read": Message("Numbers of the outsiders' cards opened"),
    "case-opened": Message("Case opened, process started"),
    "case-closed": Message("Case closed: {closed_as}"),
    "job-refused": Message("The process engine requested a step that is not allowed now; nothing was changed"),
    # checks and reviews
    "preliminary-review-checked": Message("Form checked for completeness"),
    "security-review-checked": Message("Security rules checked"),
    "review-opened": Message("Review opened: {stage}"),
    "review-reminded": Message("Reviewers reminded"),
    "review-escalated": Message("Review overdue, opened to substitutes"),
    "review-claimed": Message("Review claimed"),
    "review-unclaimed": Message("Review unclaimed"),
    "review-reassigned": Message("{stage}: review reassigned"),
    "applicant-asked": Message("{stage}: question to the applicant"),
    "applicant-answered": Message("{stage}: answer by the applicant"),
    "review-decided": Message("{stage}: {outcome}"),
    "review-closed": Message("Review closed without a decision"),
    "matter-opened": Message("{kind}: asked for"),
    "matter-decided": Message("{stage}: {outcome}"),
    "matter-applied": Message("{kind}: in effect"),
    "problem-answered": Message("Problem report answered: {answer}"),
    "urgent-called": Message("Urgent retrieval called"),
    "emergency-copy-made": Message("Copy for the emergency view made"),
    "emergency-view-granted": Message("Emergency view opened"),
    "emergency-viewed": Message("Viewed before the approval"),
    "emergency-view-ended": Message("Emergency view ended: {because}"),
    "emergency-copy-gone": Message("Copy of the emergency view destroyed"),
    "matter-closed": Message("{kind}: ended"),
    "original-letter-entered": Message("Original letter of the authority entered"),
    "letter-overdue": Message("Original letter overdue"),
    "answer-overdue": Message("Answer to the person who was filmed overdue"),
    "filmed-person-answered": Message("Person who was filmed answered"),
    "card-number-deleted": Message("Number of a card deleted after its time"),
    "refusal-notice-written": Message("Notice to the person who was filmed written"),
    "sitting-written": Message("Sheet of the viewing on site filed"),
    "sitting-signed": Message("End of the viewing on site signed"),
    "companion-present": Message("Companion confirmed being present"),
    "custody-sitting-opened": Message("Viewing on site begun"),
    "custody-sitting-closed": Message("Viewing on site ended"),
    "disclosure-fetched": Message("File downloaded to be handed to people outside"),
    "disclosure-received": Message("People outside have signed for the footage"),
    "extension-written": Message("Record of an extension filed"),
    "purpose-change-written": Message("Record of a purpose change filed"),
    "custody-transfer-written": Message("Record of a custody transfer filed"),
    "recall-written": Message("Record of a recall filed"),
    "problem-written": Message("Record of a problem report filed"),
    "appeal-written": Message("Record of an appeal filed"),
    "urgent-written": Message("Record of an urgent retrieval filed"),
    "disclosure-written": Message("List of what is provided outside filed"),
    "release-proposed": Message("Released by an operator; waiting for confirmation by a second person"),
    "release-confirmed": Message("Release confirmed by the second person"),
    "release-not-confirmed": Message("Release not confirmed by the second person"),
    "escalated-to-management": Message("Submitted to management for decision"),
    "application-filed": Message("Form {number} filed"),
    "application-form-written": Message("Application form filed"),
    "storage-notified": Message("Storage office notified"),
    # footage
    "footage-preserved": Message("Footage preserved: {outcome}"),
    "preservation-failed": Message("Preservation failed"),
    "recorder-protection": Message("Recorder asked to lock the footage: {outcome}"),
    "recorder-protection-released": Message("Recorder lock removed"),
    "preservation-released": Message("Preservation ended"),
    "quarantine-discarded": Message("Quarantined object deleted"),
    "retrieval-ordered": Message("Retrieval started"),
    "retrieval-recorded": Message("Retrieval record {number} created: {outcome}"),
    "retrieval-record-written": Message("Retrieval record filed"),
    "label-written": Message("Label filed"),
    "hand-over-receipt-written": Message("Hand-over receipt filed"),
    "return-inspection-written": Message("Return inspection filed"),
    "custody-log-written": Message("Custody log filed"),
    "camera-fingerprint-learned": Message("Camera fingerprint recorded"),
    "footage-retrieved": Message("Footage stored in the vault: {outcome}"),
    "master-backed-up": Message("Master backed up and verified"),
    "master-archived": Message("Master re-archived, kept until {dispose_after}"),
    "master-unneeded": Message("Case ended without a loan: the master can no longer be opened and waits for disposal"),
    "master-discarded": Message("Master disposed of"),
    "copy-issued": Message("Encrypted copy created"),
    "copy-discarded": Message("Copy deleted"),
    "loan-key-destroyed": Message("Loan key destroyed"),
    "upload-begun": Message("Writing to the vault started"),
    "upload-finished": Message("Writing to the vault ended"),
    "upload-abandoned": Message("Writing to the vault aborted"),
    "upload-removed": Message("Uploaded file deleted"),
    "upload-swept": Message("Uploaded file removed from the vault"),
    "integrity-check-begun": Message("Integrity check started"),
    "document-filed": Message("Document filed as PDF"),
    "package-started": Message("Evidence package started"),
    "package-made": Message("Evidence package created"),
    "integrity-checked": Message("Integrity check: {outcome}"),
    # custody
    "receipt-accepted": Message("Custodian accepted the copies"),
    "receipt-declined": Message("Custodian declined the copies"),
    "grant-created": Message("Access granted: {granted}"),
    "grant-suspended": Message("Access suspended: {granted}"),
    "grant-resumed": Message("Access resumed: {granted}"),
    "grant-extended": Message("Access changed to the new due date: {granted}"),
    "grant-ended": Message("Access ended: {granted}"),
    "access-denied": Message("Access denied: {asked}"),
    "custody-offered": Message("Copies offered to the custodian"),
    "custody-received": Message("Custodian received the copies"),
    "custody-declined": Message("Custodian did not accept the copies"),
    "custody-viewed": Message("Copy viewed"),
    "custody-downloaded": Message("Copy downloaded"),
    "custody-prepared": Message("Copy downloaded to be provided"),
    "custody-provided": Message("Footage provided to people outside"),
    "download-sent": Message("Download sent"),
    "custody-reminded": Message("Custodian reminded of the return"),
    "suspension-opened": Message("Access suspended, cause: {cause}"),
    "suspension-lifted": Message("Suspension lifted, cause: {cause}"),
    "custody-suspended": Message("Access suspended"),
    "custody-resumed": Message("Access resumed"),
    "custody-due-date-changed": Message("Due date entered in the custody log"),
    "use-period-changed": Message("Due date set to {due_at}"),
    "custody-replaced": Message("Copies are being replaced"),
    "copies-reissued": Message("Issue {issue} of the copies begun, by {number}"),
    "custody-lost": Message("Custodian reported a loss"),
    "custody-returned": Message("Custodian returned the copies"),
    "return-signed": Message("Custodian signed the return attestation"),
    "custody-inspected": Message("Return inspected"),
    "custody-violation": Message("Violation recorded: {kind}"),
    "custody-moved": Message("Custodian moved the copies or media"),
    "custody-lent": Message("Custodian lent the copies or media to a named viewer"),
    "custody-checked": Message("Custodian checked the copies or media"),
    "custody-view-allowed": Message("Custodian let a named viewer view the copies"),
    "custody-view-ended": Message("Custodian ended the viewing by a named viewer"),
    "custody-purpose-changed": Message("Purpose of the loan changed"),
    "custody-recalled": Message("Copies recalled"),
    "custody-ended": Message("Custody ended"),
    "custody-violation-closed": Message("End of a violation entered in the custody log"),
    "violation-opened": Message("Violation opened: {kind}"),
    "violation-closed": Message("Violation {kind}: {closed_as}"),
    "violation-written": Message("Record of a violation filed"),
    "referral-written": Message("Record of a referral filed"),
    "violation-served": Message("Facts of a violation served on the accused"),
    "violation-replied": Message("Reply to a violation received"),
    "violation-hearing-closed": Message("Time for a reply to a violation over"),
    "violation-sanctioned": Message("Sanctions of a violation recorded"),
    "violation-appealed": Message("Violation appealed: {appeal}"),
    "violation-revoked": Message("Violation cleared on appeal {appeal}"),
    "violation-stands": Message("Appeal {appeal} decided: the violation stands"),
    "violation-referral-begun": Message("Violation to be referred: its evidence is held"),
    "violation-referred": Message("Violation referred to an authority"),
    "violation-settled": Message("Loss of a violation made good"),
    "violation-reminded": Message("Reminded of what a violation waits for"),
    # legal holds
    "hold-placed": Message("Legal hold placed: nothing of the case is discarded"),
    "hold-notice-written": Message("Notice of the legal hold filed"),
    "hold-reviewed": Message("Legal hold reviewed, next review on {review_at}"),
    "hold-review-due": Message("Owner reminded to review the legal hold"),
    "hold-lift-asked": Message("Lifting of the legal hold requested"),
    "hold-lift-withdrawn": Message("Legal hold stays: it was not lifted"),
    "hold-lifted": Message("Legal hold lifted by two people"),
    # verification and reconciliation of what is stored
    "object-damaged": Message("Stored object is not what was sealed: {faults}"),
    "object-repaired": Message("Damaged object restored from the other store, its hash verified"),
    "object-unrepaired": Message("Damaged object could not be restored"),
    "damage-examined": Message("Damaged version examined"),
    "damaged-version-removed": Message("Damaged version deleted after its master"),
    "reconciliation-written": Message("Report of the reconciliation filed"),
    "reconciliation-finding": Message("Reconciliation has found a difference in what is stored"),
    "reconciliation-finding-explained": Message("Difference found by a reconciliation explained"),
    # the process engine
    "incident-retry-ordered": Message("Administrator retried a failed step"),
    "job-retries-set": Message("Administrator set the retries of a job to {retries}"),
    "case-migration-ordered": Message("Move of the process to version {to_version} ordered"),
    "case-migrated": Message("Process moved from version {from_version} to version {to_version}"),
    "case-migration-rejected": Message("The process engine rejected the move to version {to_version}"),
    # notices
    "delivery-escalated": Message("Notice not delivered, escalated"),
    "delivery-given-up": Message("Notice never delivered"),
}


def describe(language: str, action: str, detail: Mapping[str, Any], zone: str) -> str:
    """Return the sentence of an event; an action without one is shown as it is."""
    message = EVENT_MESSAGES.get(action)
    if message is None:
        return action
    sentence = message.translate(language).format_map(_Filled(language, detail, zone))
    return sentence[:1].upper() + sentence[1:]


class _Filled(dict[str, str]):
    """Details for a sentence: codes in words, moments as days in ``zone``, and nothing for one that is not there."""

    def __init__(self, language: str, detail: Mapping[str, Any], zone: str) -> None:
        super().__init__()
        self._language, self._detail, self._zone = language, detail, zone

    def __missing__(self, name: str) -> str:
        value = self._detail.get(name)
        if isinstance(value, str) and has_word(value):
            return word(self._language, value)
        if name.endswith(("_after", "_at")) and isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(ZoneInfo(self._zone)).strftime("%Y-%m-%d")
        return "" if value is None else str(value)
