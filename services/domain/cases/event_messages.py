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
    "application-drafted": Message("The application was drafted"),
    "application-submitted": Message("The application {number} was handed in"),
    "application-corrected": Message("The corrected application was handed in (round {round})"),
    "application-withdrawn": Message("The application was withdrawn"),
    "correction-expired": Message("The time to correct it passed"),
    "item-removed": Message("An item was removed"),
    "consents-asked": Message("The joint departments were asked for their consent"),
    "consent-consented": Message("A joint department consented"),
    "consent-refused": Message("A joint department refused"),
    "consultation-ended": Message("The consultation of the joint departments ended"),
    "department-became-applicant": Message("The department became the applicant"),
    "case-opened": Message("The case was opened and its process began"),
    "case-closed": Message("The case was closed: {closed_as}"),
    "job-refused": Message("The engine asked for a step that is not allowed now; nothing was changed"),
    # checks and reviews
    "preliminary-review-checked": Message("The form was checked for completeness"),
    "security-review-checked": Message("The rules of security were checked"),
    "review-opened": Message("A review was opened: {stage}"),
    "review-reminded": Message("The reviewers were reminded"),
    "review-escalated": Message("The review was late and was opened to substitutes"),
    "review-claimed": Message("The review was claimed"),
    "review-unclaimed": Message("The review was put back"),
    "review-reassigned": Message("{stage}: the review was given to another reviewer"),
    "applicant-asked": Message("{stage}: the applicant was asked"),
    "applicant-answered": Message("{stage}: the applicant answered"),
    "review-decided": Message("{stage}: {outcome}"),
    "review-closed": Message("The review was closed without a decision"),
    "release-proposed": Message("An operator released; a second person is to confirm"),
    "release-confirmed": Message("The second person confirmed the release"),
    "release-not-confirmed": Message("The second person did not confirm the release"),
    "escalated-to-management": Message("The decision was put to management"),
    "application-filed": Message("The form {number} was filed"),
    "application-form-written": Message("The application form was written"),
    "storage-notified": Message("The storage office was notified"),
    # footage
    "footage-preserved": Message("Footage was preserved: {outcome}"),
    "preservation-failed": Message("Footage could not be preserved"),
    "recorder-protection": Message("The recorder was asked not to overwrite it: {outcome}"),
    "recorder-protection-released": Message("The recorder may overwrite it again"),
    "preservation-released": Message("The preservation was released"),
    "quarantine-discarded": Message("The quarantined object was discarded"),
    "retrieval-ordered": Message("The retrieval began"),
    "retrieval-recorded": Message("The retrieval record {number} was written: {outcome}"),
    "retrieval-record-written": Message("The retrieval record was written"),
    "label-written": Message("The label was written"),
    "hand-over-receipt-written": Message("The hand-over receipt was written"),
    "return-inspection-written": Message("The return inspection was written"),
    "custody-log-written": Message("The custody log was written"),
    "camera-fingerprint-learned": Message("The camera's fingerprint was learned"),
    "footage-retrieved": Message("Footage came into the vault: {outcome}"),
    "master-backed-up": Message("The master was backed up and verified"),
    "master-archived": Message("The master was archived again, kept until {dispose_after}"),
    "master-unneeded": Message("The case ended without a loan: its master is opened no more, and waits for disposal"),
    "master-discarded": Message("The master was discarded"),
    "copy-issued": Message("An encrypted copy was made"),
    "copy-discarded": Message("The copy was discarded"),
    "loan-key-destroyed": Message("The loan key was destroyed"),
    "upload-begun": Message("Writing to the vault began"),
    "upload-finished": Message("Writing to the vault ended"),
    "upload-abandoned": Message("Writing to the vault was abandoned"),
    "upload-removed": Message("A file that was brought was deleted"),
    "upload-swept": Message("A file that was brought was cleared from the vault"),
    "integrity-check-begun": Message("A check of integrity began"),
    "document-filed": Message("A document was filed as PDF"),
    "package-started": Message("An evidence package was begun"),
    "package-made": Message("Evidence package made"),
    "integrity-checked": Message("Check of integrity: {outcome}"),
    # custody
    "receipt-accepted": Message("The custodian accepted the copies"),
    "receipt-declined": Message("The custodian declined the copies"),
    "grant-created": Message("Access was granted: {granted}"),
    "grant-suspended": Message("Access was suspended: {granted}"),
    "grant-resumed": Message("Access was resumed: {granted}"),
    "grant-ended": Message("Access ended: {granted}"),
    "access-denied": Message("Access was denied: {asked}"),
    "custody-offered": Message("The copies were offered to the custodian"),
    "custody-received": Message("The custodian received the copies"),
    "custody-declined": Message("The custodian did not take the copies"),
    "custody-viewed": Message("A copy was viewed"),
    "custody-downloaded": Message("A copy was downloaded"),
    "download-sent": Message("The download was sent"),
    "custody-reminded": Message("The custodian was reminded of the return"),
    "custody-suspended": Message("The use period ended and access was suspended"),
    "custody-resumed": Message("The use period was changed and access resumed"),
    "custody-lost": Message("The custodian reported a loss"),
    "custody-returned": Message("The custodian returned the copies"),
    "return-signed": Message("The custodian signed the attestation of the return"),
    "custody-inspected": Message("The return was examined"),
    "custody-violation": Message("A violation was recorded: {kind}"),
    "custody-ended": Message("The custody ended"),
    "violation-opened": Message("A violation was opened: {kind}"),
    # the process engine
    "incident-retry-ordered": Message("An administrator had a failed step tried again"),
    "job-retries-set": Message("An administrator let a job be tried {retries} times"),
    # notices
    "delivery-escalated": Message("A notice could not be delivered and was escalated"),
    "delivery-given-up": Message("A notice was never delivered"),
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
