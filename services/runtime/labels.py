"""Labels of the codes in the database, as pages and printed documents show them.

The English label is here; a catalogue has the others under the msgctxt "label <code>", since one English word may
stand for several codes.
"""

import re
from collections.abc import Callable, Mapping

from services.runtime.translations import Message, Text, translate

Lookup = Callable[[str], Mapping[str, str] | None]  # a code to its label by language
_lookups: list[Lookup] = []

WORDS: dict[str | bool | None, str] = {
    "on-site": "view on site",
    "view": "view only",
    "download": "download a copy",
    "ordinary": "ordinary",
    "important": "important",
    "awaits-disposal": "waiting for disposal",
    "complete": "complete",
    "intact": "intact",
    "unfinished": "not finished",
    "partial": "partial",
    "missing": "missing",
    "unreadable": "unreadable",
    "recorder": "recorder",
    "quarantine": "preservation",
    "preservation": "preservation",
    "upload-announced": "waiting for upload",
    "upload-receiving": "being received",
    "upload-received": "received",
    "upload-failed": "failed",
    "upload-removed": "deleted",
    "upload": "uploaded file",
    "meeting": "meeting",
    "event": "event",
    "security-incident": "security incident",
    "accident": "accident",
    "dispute": "dispute",
    "discipline": "discipline",
    "operations": "operations",
    "training": "training",
    "other": "other",
    "trade-secret": "trade secrets",
    "privacy": "privacy",
    "minors": "minors",
    "medical": "medical information",
    "internal-management": "internal management duty",
    "law": "law or regulation",
    "authority-request": "request of an authority",
    "lawful-interest": "legitimate interest",
    "consent": "consent of the people recorded",
    "valid": "valid",
    "not-valid": "not signed",
    "set-up": "set up",
    "not-set-up": "not set up",
    "this-browser": "this browser",
    "locked": "locked",
    "active": "active",
    "left": "deactivated",
    "absent": "absent",
    "absence-notice": "objection period",
    "absence-to-come": "not started",
    "absence-in-force": "in force",
    "hold-violation": "open violation",
    "hold-problem": "open problem report",
    "hold-urgent": "urgent retrieval",
    "hold-dispute": "disputed return",
    "hold-referral": "referral to an authority",
    "hold-authority": "order of an authority",
    "hold-appeal": "open appeal",
    "hold-damage": "damaged version not yet examined",
    "hold-manual": "other reason",
    "department-business": "business",
    "department-administration": "administration",
    "department-legal": "legal",
    "department-security": "security",
    "department-storage": "storage",
    "department-management": "management",
    "zh": "Chinese",
    "en": "English",
    "password": "password",
    "password+totp": "password and one-time code",
    "passkey": "passkey",
    "container boxes and their lengths": "container boxes and their lengths",
    "declared against counted samples": "declared against counted samples",
    "time stamps of every packet": "time stamps of every packet",
    "unit lengths of every picture": "unit lengths of every frame",
    "decoding of each segment's first key frame": "decoding of each segment's first key frame",
    "units of the codec alone, and no zeros that none can hold": (
        "only units of the codec, and no impossible zero bytes"
    ),
    "pictures that lack, by their numbers and times": "missing frames, by their numbers and times",
    "decoding of each part's first key frame": "decoding of each part's first key frame",
    "the file's own creation time": "the file's own creation time",
    # the notes of a retrieval record
    "the recorder was down; the quarantine holds the whole span": (
        "the recorder was unavailable; the preserved footage covers the whole time span"
    ),
    "the recorder gave less than it promised; the quarantine holds more": (
        "the recorder delivered less than it reported; the preserved footage covers more"
    ),
    "what was promised and not given was asked for once more": (
        "footage reported but not delivered was requested again"
    ),
    "asked once more, the recorder gave no more than before": (
        "requested again, the recorder delivered no more than before"
    ),
    "the recorder could not be asked once more for what is missing": (
        "the missing footage could not be requested from the recorder again"
    ),
    "taken whole from the file that was brought, as it was sealed on receipt": (
        "taken unchanged from the uploaded file, as sealed on receipt"
    ),
    "taken from the quarantine, whole as it was preserved": "taken unchanged from the preserved footage",
    "the recorder holds nothing of the granted span": "the recorder has no footage of the granted time span",
    "consents": "waiting for joint consent",
    "consented": "consented",
    "lapsed": "expired",
    "changed": "form changed",
    True: "yes",
    False: "no",
    None: "—",
    # states of a case
    "draft": "draft",
    "approval": "in approval",
    "correction": "to be corrected",
    "retrieval": "in retrieval",
    "awaiting-receipt": "waiting for acceptance",
    "in-use": "in use",
    "overdue": "overdue",
    "closed": "closed",
    "footage-re-archived": "footage re-archived",
    "footage-unavailable": "footage unavailable",
    "copy-not-taken-up": "copy not accepted",
    "return-disputed": "return disputed",
    "footage-provided": "footage provided outside",
    "withdrawn": "withdrawn",
    "expired": "expired",
    # posts
    "head": "head of department",
    "deputy": "deputy",
    "member": "member",
    "security-reviewer": "security reviewer",
    "storage-operator": "storage operator",
    "manager": "manager",
    "return-inspector": "return inspector",
    "supervisor": "supervisor",
    "administrator": "administrator",
    "sensitive": "sensitive area",
    # footage in progress
    "master": "master",
    "replica": "replica",
    "copy": "copy",
    "probing": "querying the recorder",
    "fetching": "retrieving",
    "retrying-fetch": "retrieving missing parts again",
    "sealing": "clipping and sealing",
    "adopting": "taken from preserved footage",
    "storing": "writing record and label",
    "replicating": "copying to the backup store",
    "verifying": "reading back to verify",
    "issuing": "cutting and encrypting the copy",
    # recorders' clocks
    "configured": "set manually",
    "picture": "compared with the clock in the image",
    "api-time": "reported by the recorder",
    "http-date": "from the date in the recorder's response",
    "unknown": "not measured",
    "storage": "the storage office",
    "destroyed": "destroyed",
    "given-back": "given back",
    "hash-differs": "a copy differs from what was sealed",
    "download-not-attested": "a download is not accounted for",
    "returned-late": "returned late",
    # reconciliations of the register with stores, recorders and engine
    "place-primary": "primary store",
    "place-replica": "backup store",
    "place-recorder": "recorder",
    "place-engine": "process engine",
    "difference-missing": "missing",
    "difference-other-version": "other version or hash",
    "difference-size": "other size",
    "difference-extra": "not in the register",
    "difference-overlaid": "another version lies over it",
    "difference-label": "label missing",
    "difference-label-wrong": "label wrong",
    "difference-lock": "lock missing or too short",
    "difference-case-without-instance": "case without process instance",
    "difference-instance-without-case": "process instance without open case",
    "difference-unexplained-put": "write that nothing explains",
    "difference-unexplained-delete": "deletion that nothing explains",
    "difference-foreign-read": "read by somebody else",
    "difference-ghost-export": "export that no application covers",
    "difference-open": "open",
    "difference-explained": "explained",
    "difference-work-order": "work order",
    "difference-gone": "not found any longer",
    "damage-no-replica": "there is no replica",
    "damage-replica-damaged": "the replica is damaged as well",
    "damage-master-damaged": "the master is damaged as well",
    "damage-repair-failed": "the repair failed",
    "untold-access-log": "access logs of the stores",
    "untold-engine": "process engine",
    "untold-unsupported": "not supported by this type",
    "untold-away": "not responding",
    "untold-no-log": "no log was imported",
    "untold-no-engine": "cannot be queried",
    # automatic checks
    "blocks": "must be corrected",
    "warns": "warning",
    "informs": "information",
    "preliminary-review": "completeness check",
    "security-review": "security check",
    # states of a loan, why it is suspended, violations and their ends, downloads, and the lines of its custody log
    "take-up-over": "acceptance deadline passed",
    "use-period-over": "use period ended",
    "violation": "violation",
    "recalled": "recalled",
    "agreement": "confidentiality agreement not signed",
    "custodian-left": "custodian has left",
    "loss": "loss",
    "leak": "leak",
    "breach": "breach of the conditions of use",
    "finding": "finding of an inspection",
    "ghost-export": "export that no application covers",
    "urgent-not-ratified": "urgent retrieval without an application",
    "refusal-pattern": "repeated refused access",
    "upheld": "upheld",
    "cleared": "cleared",
    "settled": "settled",
    "frozen": "frozen",
    "suspended": "access suspended",
    "copy-lost": "reported lost, damaged or leaked",
    "copy-returned": "returned, being inspected",
    "loan-ended": "loan ended",
    "lost": "lost",
    "damaged": "damaged",
    "leaked": "leaked or improperly used",
    "office-security": "Security",
    "office-storage": "the storage office",
    "download-listed": "registered, not downloaded",
    "download-broken-off": "download incomplete",
    "download-finished": "downloaded",
    "opens-with-browser": "a browser, with the password",
    "opens-with-archiver": "an archive program, with the password",
    "opens-with-age-key": "own age key",
    "custody-offered": "offered",
    "custody-received": "received",
    "custody-declined": "declined",
    "custody-viewed": "viewed",
    "custody-downloaded": "download registered",
    "custody-reminded": "reminded",
    "custody-suspended": "access suspended",
    "custody-resumed": "access resumed",
    "custody-lost": "loss reported",
    "custody-returned": "returned",
    "custody-inspected": "inspected",
    "custody-violation": "violation recorded",
    "custody-violation-closed": "violation decided",
    "custody-due-date-changed": "due date set",
    "custody-ended": "loan ended",
    "custody-moved": "moved",
    "custody-lent": "lent inside",
    "custody-checked": "checked",
    "custody-view-allowed": "viewer allowed",
    "custody-view-ended": "viewing ended",
    "sitting-open": "open",
    "sitting-lapsed": "closed by itself",
    "sitting-ended": "ended",
    "custody-sitting-opened": "viewing on site begun",
    "custody-sitting-closed": "viewing on site ended",
    "custody-purpose-changed": "purpose changed",
    "matter-extension": "extension",
    "matter-purpose-change": "purpose change",
    "matter-custody-transfer": "custody transfer",
    "matter-recall": "recall",
    "matter-problem": "problem report",
    "matter-urgent": "urgent retrieval",
    "urgent-personal-safety": "a person in danger",
    "urgent-fire": "fire",
    "urgent-harm-under-way": "harm being done",
    "urgent-missing-person": "a missing person",
    "urgent-authority": "an authority in urgency",
    "recall-leak": "leak",
    "recall-misuse": "misuse",
    "recall-no-longer-needed": "no longer needed for the purpose",
    "recall-other": "another urgent reason",
    "problem-wrong-camera": "wrong camera",
    "problem-wrong-span": "wrong time span",
    "problem-unplayable": "cannot be played",
    "problem-gap": "footage is missing in between",
    "problem-damaged": "damaged or changed",
    "problem-leaked": "leaked or improperly used",
    "problem-other": "another problem",
    "problem-follows-unfounded": "the freeze is lifted, and the frozen days are added to the use period",
    "problem-follows-explained": "the freeze is lifted, and the frozen days are added to the use period",
    "problem-follows-replace": "the footage is retrieved and handed over again on the same approval",
    "problem-follows-recall": "the copies are recalled, and the loan ends",
    "problem-follows-breach": "a violation is recorded; the copies can be returned and not be used",
    "custody-recalled": "recalled",
    "matter-appeal": "appeal",
    "appeal-cleared": "the violation is cleared; access is given back, and the sanctions are revoked",
    "appeal-referral-stays": "the authority has the evidence already: the referral is not undone",
    "custody-replaced": "replaced",
    "copy-replaced": "being replaced",
    "earlier-issue": "master of the earlier issue",
    "matter-violation": "violation",
    "matter-cleared": "unfounded",
    "matter-upheld": "upheld",
    "matter-settled": "settled",
    "severity-minor": "minor",
    "severity-moderate": "moderate",
    "severity-severe": "severe",
    "sanction-legal-rejected": "not approved by Legal, takes no effect",
    "sanction-switched-off": "not allowed here, takes no effect",
    "matter-disclosure": "disclosure",
    "letter-first-phone": "by telephone, the letter follows",
    "letter-first-fax": "by fax, the original follows",
    "behalf-authority": "an authority",
    "behalf-filmed-person": "a person who was filmed",
    "behalf-counterpart": "another party",
    "card-police-card": "police card",
    "card-work-card": "work card",
    "card-resident-card": "resident identity card",
    "card-lawyer-card": "lawyer card",
    "card-passport": "passport",
    "custody-provided": "provided to people outside",
    "custody-prepared": "downloaded to be provided",
    "disclosure-medium": "in clear, on a sealed medium",
    "disclosure-browser": "encrypted, with a page that opens it",
    "disclosure-archiver": "encrypted, for an archive program",
    "matter-open": "open",
    "matter-applied": "in effect",
    "matter-refused": "not agreed",
    "matter-answered": "answered",
    "matter-ratified": "approved afterwards",
    "matter-not-ratified": "not approved afterwards",
    "matter-moot": "no longer needed",
    "recorder-folder": "folder",
    "recorder-mediamtx": "MediaMTX",
    "recorder-zoneminder": "ZoneMinder",
    "recorder-frigate": "Frigate",
    "recorder-hikvision": "Hikvision (ISAPI)",
    "recorder-onvif": "ONVIF Profile G",
    "protection-protected": "locked on the recorder",
    "protection-unsupported": "the recorder does not support locking",
    "protection-failed": "could not be locked",
    "camera-ordinary": "ordinary area",
    "camera-sensitive": "sensitive area",
    "agreement-valid": "valid",
    "agreement-outdated": "older version, sign again",
    "agreement-expired": "expired",
    "agreement-ended": "ended",
    "agreement-never": "never signed",
    "doctor-settings": "settings",
    "doctor-models": "models",
    "doctor-clock": "clock",
    "doctor-database": "database",
    "doctor-store": "store",
    "doctor-replica": "replica",
    "doctor-keys": "keys",
    "doctor-legal-holds": "legal holds",
    "doctor-engine": "engine",
    "doctor-mail": "mail",
    "doctor-webhook": "webhook",
    "doctor-use-period": "use period",
    "doctor-confinement": "confinement",
    "doctor-data-folder": "data folder",
    "doctor-escrow-drill": "escrow drill",
    "doctor-locks": "locks",
    "doctor-working-calendar": "working calendar",
    "doctor-models-on-record": "models on record",
    "doctor-login": "sign-in",
    "doctor-proxy": "proxy",
    "doctor-time-stamps": "time stamps",
    "doctor-settings-well": "OK",
    "doctor-settings-ill": "needs attention",
    "doctor-models-well": "OK",
    "doctor-models-ill": "needs attention",
    "doctor-clock-well": "OK",
    "doctor-clock-ill": "needs attention",
    "doctor-database-well": "OK",
    "doctor-database-ill": "needs attention",
    "doctor-store-well": "OK",
    "doctor-store-ill": "needs attention",
    "doctor-replica-well": "OK",
    "doctor-replica-ill": "needs attention",
    "doctor-keys-well": "OK",
    "doctor-keys-ill": "needs attention",
    "doctor-legal-holds-well": "OK",
    "doctor-legal-holds-ill": "needs attention",
    "doctor-engine-well": "OK",
    "doctor-engine-ill": "needs attention",
    "doctor-mail-well": "OK",
    "doctor-mail-ill": "needs attention",
    "doctor-webhook-well": "OK",
    "doctor-webhook-ill": "needs attention",
    "doctor-use-period-well": "OK",
    "doctor-use-period-ill": "needs attention",
    "doctor-confinement-well": "OK",
    "doctor-confinement-ill": "needs attention",
    "doctor-data-folder-well": "OK",
    "doctor-data-folder-ill": "needs attention",
    "doctor-escrow-drill-well": "OK",
    "doctor-escrow-drill-ill": "needs attention",
    "doctor-locks-well": "OK",
    "doctor-locks-ill": "needs attention",
    "doctor-working-calendar-well": "OK",
    "doctor-working-calendar-ill": "needs attention",
    "doctor-models-on-record-well": "OK",
    "doctor-models-on-record-ill": "needs attention",
    "doctor-login-well": "OK",
    "doctor-login-ill": "needs attention",
    "doctor-proxy-well": "OK",
    "doctor-proxy-ill": "needs attention",
    "doctor-time-stamps-well": "OK",
    "doctor-time-stamps-ill": "needs attention",
    "doctor-recorder-well": "OK",
    "doctor-recorder-ill": "needs attention",
}


# Lines of a record with values: the pattern, and its message.
LINES = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (
            r"the recorder's clock is off by (-?\d+) ms",
            Message("the recorder clock is off by {} ms"),
        ),
        (
            r"the recorder's clock differs by (-?\d+ ± \d+) ms, more than is searched for: .*",
            Message(
                "the recorder clock is off by {} ms, more than the search allows for: Security has to clarify "
                "which time is meant"
            ),
        ),
        (r"promised and not given: (\S+) to (\S+)", Message("reported by the recorder but not delivered: {} to {}")),
        (
            r"pictures lost: (\d+) beside (\d+), at (\d+) places",
            Message("frames missing: {} (available: {}), at {} places"),
        ),
        (
            r"gone since it was handed in: (\S+) to (\S+)",
            Message("no longer on the recorder since submission: {} to {}"),
        ),
    )
)


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")


def _line(language: str, text: str, printed: Callable[[str], str]) -> str | None:
    for pattern, message in LINES:
        if match := pattern.fullmatch(text):
            values = (printed(value) if MOMENT.fullmatch(value) else value for value in match.groups())
            return message.translate(language).format(*values)
    return None


def add_lookup(lookup: Lookup) -> None:
    """Use ``lookup`` for codes without a label here, such as the organisation's review stages."""
    _lookups.append(lookup)


def _looked_up(code: str) -> Mapping[str, str] | None:
    return next((label for lookup in _lookups if (label := lookup(code)) is not None), None)


def has_word(code: str) -> bool:
    """Return whether the code has a label, here or in review-stages.json."""
    return code in WORDS or _looked_up(code) is not None


def word(language: str, code: str | bool | None, printed: Callable[[str], str] = str) -> str:
    """Return the label of a code in this language; a code without one is returned unchanged.

    ``printed`` formats the moments (ISO 8601) in a line of a record.
    """
    english = WORDS.get(code)
    if english is not None:
        return translate(language, english, f"label {code}")
    if isinstance(code, str) and (line := _line(language, code, printed)) is not None:
        return line
    label = _looked_up(code) if isinstance(code, str) else None
    return str(code) if label is None else label.get(language, label["en"])


class Label(Text):
    """The label of a code, as a value of a message."""

    def __init__(self, code: str | bool | None) -> None:
        self._code = code

    def translate(self, language: str) -> str:
        return word(language, self._code)


def words(code: str | bool | None) -> str:
    """Return the Chinese label of a code, for documents."""
    return word("zh", code)
