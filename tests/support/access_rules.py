"""Who may call which route of the API, and with what body: the matrix that every route has a line in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lent_case import TRANSFER
from review_desk import PASSWORD

from services.vault.age import generate_identity

ROLES = (
    "drafter", "keeper", "head", "deputy", "reviewer", "security-head", "operator", "inspector", "office-head",
    "manager", "supervisor", "admin",
)  # fmt: skip
EVERYONE = frozenset(ROLES)
# The deputy is a subject of the case (T8), and administrators see none; the others have no part in it.
SEE = frozenset({"drafter", "keeper", "head", "reviewer", "security-head", "operator", "supervisor"})
HANDLING = frozenset({"reviewer", "security-head", "operator"})  # Security, and whom the open review asks
APPLICANT = frozenset({"drafter", "head"})
ENTERING = HANDLING | APPLICANT  # the original of a letter
KEEPER = frozenset({"keeper"})
TRANSFERRING = frozenset({"keeper", "head", "security-head"})  # who may offer custody to somebody else
ADMINISTRATOR = frozenset({"admin"})
STORAGE = frozenset({"operator", "supervisor"})
CONSENTER = frozenset({"security-head"})  # of the department that another, joint application names
READERS = frozenset({"admin", "security-head", "supervisor"})  # of the administrators' desk
POST_READERS = READERS | {"head", "deputy", "office-head"}  # and heads, of their own departments
ACCUSING = frozenset({"security-head", "reviewer", "supervisor"})  # who records violations
HOLD_READERS = frozenset({"security-head", "reviewer", "supervisor"})
HOLD_PLACERS = HOLD_READERS - {"supervisor"}
SUPERVISING = frozenset({"security-head", "supervisor"})  # of the auditors' pages
INSPECTIONS = SUPERVISING | {"manager"}
OVERSEERS = frozenset({"security-head", "supervisor"})  # of work orders
SEE_WORK = OVERSEERS | {"operator", "reviewer"}  # its doer and its verifier besides
OPEN_WORK = OVERSEERS | {"operator"}
STORAGE_KEEPERS = frozenset({"operator", "admin"})  # of the registers of storage
STORAGE_READERS = frozenset({"operator", "admin", "supervisor", "security-head"})
DISPOSAL_READERS = STORAGE_READERS - {"admin"}
# who keeps what is stored reads of it, and explains nothing
RECONCILIATION_READERS = frozenset({"reviewer", "security-head", "operator", "supervisor"})
EXPLAINERS = frozenset({"security-head", "supervisor"})
SEARCHER = frozenset({"reviewer"})  # whose saved search it is
NONE: frozenset[str] = frozenset()
SHA = "0" * 64
SPAN = {"start": "2031-03-04T10:00:00Z", "end": "2031-03-04T11:00:00Z"}
FORM = {
    "reason": "三号门货物丢失，需要确认经过",
    "purpose": "核对出入库人员与时间的记录",
    "purposeCategory": "security-incident",
    "legalBasis": "internal-management",
    "placeOfUse": "办公室",
    "requestedUseDays": 5,
    "items": [{"cameraId": "camera", **SPAN}],
}
RECORDING = {"source": "meeting", "title": "安全例会", "place": "三楼会议室", "recordedBy": "王芳"}
PASSKEY = {"id": "x", "name": "x", "credentialId": "x", "clientDataJSON": "x", "attestationObject": "x"}
SIGNED = {"formSha256": SHA, "password": PASSWORD}
CAMERA = {
    "recorderId": "recorder", "channel": "gate", "nameZh": "门", "nameEn": "gate", "placeZh": "门", "placeEn": "gate",
    "retentionDays": 30,
}  # fmt: skip
CALENDAR = {"days": [{"date": "2031-05-01", "kind": "off", "zh": "劳动节", "en": "Labour Day"}], "reason": "none"}
WORK = {
    "kind": "device-service",
    "subjectKind": "recorder",
    "subjectId": "recorder",
    "subjectLabel": "none",
    "reason": "none",
    "doer": {"post": "storage-operator"},
}
SCHEDULE = {"was": {"every": "P7D"}, "value": {"every": "P14D"}, "reason": "none"}
SITE = {"name": "S", "address": "1", "uses": ["primary"]}
DEVICE = {"number": "D", "kind": "array", "make": "M", "model": "M", "siteId": "{site_id}"}
MEDIUM = {"number": "M", "kind": "usb-stick", "siteId": "{site_id}"}
OUTSIDER = {"name": "李警官", "unit": "市公安局", "cardKind": "police-card", "cardNumber": "067890", "contact": "none"}
PACKAGE = {
    "number": "SQ-2031-000001", "footage": "hash", "recipientKind": "inside", "recipient": "none", "reason": "none",
}  # fmt: skip
RECORDER = {"name": "R", "site": "S", "configuration": {}}


@dataclass(frozen=True)
class Rule:
    """``may`` go on, whatever comes of it; ``refused`` know of it and are told why not; all others find nothing."""

    may: frozenset[str]
    refused: frozenset[str] = NONE
    body: Mapping[str, Any] | None = None
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


RULES = {
    "GET /api/me": Rule(EVERYONE),
    "GET /api/choices": Rule(EVERYONE),
    "GET /api/verifier": Rule(EVERYONE),
    "GET /api/verifier/page": Rule(EVERYONE),
    "GET /api/directory": Rule(EVERYONE),
    "GET /api/cameras": Rule(EVERYONE),
    "PUT /api/cameras/{camera_id}/favourite": Rule(EVERYONE),
    "DELETE /api/cameras/{camera_id}/favourite": Rule(EVERYONE),
    "GET /api/plans": Rule(EVERYONE),
    "GET /api/plans/{plan_id}": Rule(EVERYONE),
    "GET /api/plans/{plan_id}/picture": Rule(EVERYONE),
    "GET /api/cameras/{camera_id}/reference": Rule(EVERYONE),
    "GET /api/coverage": Rule(EVERYONE, query="?cameraId=camera&start=2031-03-04T10:00:00Z&end=2031-03-04T11:00:00Z"),
    "GET /api/agreements": Rule(EVERYONE),
    "GET /api/policy": Rule(EVERYONE),
    "POST /api/agreements": Rule(EVERYONE, body={"version": "none", "password": PASSWORD}),
    "GET /api/notices": Rule(EVERYONE),
    "GET /api/notices/unread": Rule(EVERYONE),
    "POST /api/notices/read": Rule(EVERYONE),
    "POST /api/notices/{notice_id}/read": Rule(frozenset({"drafter"})),
    "GET /api/deliveries": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/deliveries/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/deliveries/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"channel": "mail"}),
    "GET /api/admin/robots": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/admin/robots": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"kind": "wecom", "name": "x", "webhook": "https://none.example"}
    ),
    "POST /api/admin/robots/{robot_id}/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "DELETE /api/admin/robots/{robot_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/mail-server": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "PUT /api/admin/mail-server": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"host": "mail.example", "port": 22, "sender": "x@none.example"}
    ),
    "POST /api/admin/mail-server/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "DELETE /api/admin/mail-server": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/directory/plan": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/admin/directory/plan": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"fingerprint": "none"}),
    "GET /api/posts": Rule(POST_READERS, EVERYONE - POST_READERS),
    "POST /api/deliveries/{delivery_id}/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/applications": Rule(EVERYONE),
    "POST /api/applications": Rule(EVERYONE, body=FORM),
    "PUT /api/applications/{application_id}": Rule(APPLICANT, body=FORM),
    "DELETE /api/applications/{application_id}": Rule(APPLICANT),
    "GET /api/applications/own": Rule(EVERYONE),
    "POST /api/applications/check": Rule(EVERYONE, body=FORM),
    "GET /api/applications/{application_id}/form": Rule(APPLICANT),
    "POST /api/applications/{application_id}/copy": Rule(APPLICANT | KEEPER, body={}),
    "POST /api/applications/{application_id}/submit": Rule(APPLICANT),
    "POST /api/applications/{application_id}/correct": Rule(APPLICANT, body=FORM),
    "POST /api/applications/{application_id}/withdraw": Rule(APPLICANT, body={}),
    "GET /api/applications/{application_id}/on-behalf": Rule(SEE),
    # who sees the case hears that its form was submitted
    "PUT /api/applications/{application_id}/on-behalf": Rule(SEE, body={"kind": None}),
    "POST /api/applications/{application_id}/outsiders": Rule(SEE, body=OUTSIDER),
    # no letter is awaited in the case
    "PUT /api/applications/{application_id}/original-letter": Rule(ENTERING, SEE - ENTERING, body={}),
    "DELETE /api/outsiders/{outsider_id}": Rule(SEE),
    "GET /api/applications/{application_id}/card-numbers": Rule(HANDLING),
    "GET /api/cases/{application_id}": Rule(SEE),
    "GET /api/cases/{application_id}/timeline": Rule(SEE),
    "GET /api/cases/{application_id}/integrity": Rule(SEE),
    "POST /api/cases/{application_id}/integrity": Rule(SEE),
    "POST /api/cases/{application_id}/questions/{question_id}/answer": Rule(APPLICANT, body={"text": "三号门"}),
    "GET /api/models/{process_id}": Rule(EVERYONE),
    "GET /api/documents/{number}": Rule(SEE),
    "GET /api/documents/{number}/print": Rule(SEE),
    "GET /api/documents/{number}/pdf": Rule(SEE),
    "GET /api/reviews": Rule(EVERYONE),
    "GET /api/reviews/conflicts": Rule(EVERYONE),
    # what is refused is said review by review: test_several_reviews
    "POST /api/reviews/claim": Rule(EVERYONE, body={"reviewIds": ["none"]}),
    "POST /api/reviews/unclaim": Rule(EVERYONE, body={"reviewIds": ["none"]}),
    "GET /api/reviews/{review_id}": Rule(SEE),
    "GET /api/reviews/{review_id}/coverage": Rule(SEE),
    "GET /api/reviews/{review_id}/return": Rule(NONE),  # the review is a release; test_return_inspection_pages
    "GET /api/storage": Rule(STORAGE, EVERYONE - STORAGE),
    "GET /api/storage/reconciliations": Rule(RECONCILIATION_READERS, EVERYONE - RECONCILIATION_READERS),
    # there is no finding and no damage: tests/unit/workers/test_reconciliation.py
    "POST /api/storage/findings/{finding_id}/explanation": Rule(
        NONE, EVERYONE - EXPLAINERS, body={"explanation": "none"}
    ),
    "POST /api/storage/damages/{damage_id}/examination": Rule(NONE, EVERYONE - EXPLAINERS, body={"found": "none"}),
    "POST /api/storage/recorders/{recorder_id}/clock": Rule(
        frozenset({"operator"}),
        EVERYONE - {"operator"},
        body={"shown": "2031-03-04T12:00:00Z", "true": "2031-03-04T12:00:00Z"},
    ),
    "POST /api/storage/recorders/{recorder_id}/measure": Rule(frozenset({"operator"}), EVERYONE - {"operator"}),
    "POST /api/reviews/{review_id}/claim": Rule(frozenset({"operator"}), SEE - {"operator"}),
    "POST /api/reviews/{review_id}/reassign": Rule(NONE, SEE, body={"personId": "operator2"}),  # none leads the office
    "POST /api/reviews/{review_id}/unclaim": Rule(SEE),
    "POST /api/reviews/{review_id}/questions": Rule(
        frozenset({"operator"}), SEE - {"operator"}, body={"text": "哪一个门？"}
    ),
    "POST /api/reviews/{review_id}/decide": Rule(
        frozenset({"operator"}), SEE - {"operator"}, body={"outcome": "approved", **SIGNED}
    ),
    "POST /api/reviews/{review_id}/confirm": Rule(SEE, body={"agrees": True, **SIGNED}),  # nothing is to be confirmed
    "GET /api/reviews/{review_id}/items/{item_id}/picture": Rule(frozenset({"operator"}), SEE - {"operator"}),
    "GET /api/consents": Rule(EVERYONE),
    "GET /api/consents/{consent_id}": Rule(CONSENTER),
    "POST /api/consents/{consent_id}/consent": Rule(CONSENTER, body=SIGNED),
    "POST /api/consents/{consent_id}/refuse": Rule(CONSENTER, body={"reason": "no", **SIGNED}),
    "GET /api/applications/{application_id}/attachments": Rule(SEE),
    "POST /api/applications/{application_id}/attachments": Rule(
        SEE - {"supervisor"}, frozenset({"supervisor"}), query="?kind=letter&name=letter.pdf"
    ),
    "GET /api/applications/{application_id}/identity-cards": Rule(HANDLING),
    "GET /api/attachments/{attachment_id}/content": Rule(HANDLING),
    "DELETE /api/attachments/{attachment_id}": Rule(HANDLING),  # who may open it hears that it belongs to the case
    "GET /api/uploads": Rule(EVERYONE),
    "POST /api/uploads": Rule(EVERYONE, body=RECORDING),
    "GET /api/uploads/{upload_id}": Rule(frozenset({"drafter"})),
    "PUT /api/uploads/{upload_id}": Rule(frozenset({"drafter"}), body=RECORDING),
    "PUT /api/uploads/{upload_id}/content": Rule(frozenset({"drafter"})),
    "DELETE /api/uploads/{upload_id}": Rule(frozenset({"drafter"})),
    "GET /api/hand-overs": Rule(EVERYONE),
    "GET /api/hand-overs/{hand_over_id}": Rule(KEEPER),
    "GET /api/hand-overs/{hand_over_id}/custody-log": Rule(SEE),
    "POST /api/hand-overs/{hand_over_id}/accept": Rule(KEEPER, body={"conditionsVersion": "none", **SIGNED}),
    "POST /api/hand-overs/{hand_over_id}/decline": Rule(KEEPER, body={"reason": "no", **SIGNED}),
    "POST /api/hand-overs/{hand_over_id}/report-loss": Rule(KEEPER, body={"kind": "lost", "whatHappened": "x"}),
    "POST /api/hand-overs/{hand_over_id}/custody-log": Rule(KEEPER, body={"event": "checked", "text": "none"}),
    "POST /api/hand-overs/{hand_over_id}/recipients": Rule(KEEPER, body={"personId": "{person_id}"}),
    "DELETE /api/hand-overs/{hand_over_id}/recipients/{person_id}": Rule(KEEPER),
    "GET /api/shown-loans": Rule(EVERYONE),
    "GET /api/hand-overs/{hand_over_id}/sittings/offer": Rule(KEEPER),
    "POST /api/hand-overs/{hand_over_id}/sittings": Rule(KEEPER, body={}),
    "GET /api/sittings/{sitting_id}": Rule(KEEPER),
    "POST /api/sittings/{sitting_id}/presence": Rule(KEEPER),
    "POST /api/sittings/{sitting_id}/end": Rule(KEEPER, body={"leaves": [], "password": PASSWORD}),
    "POST /api/hand-overs/{hand_over_id}/return": Rule(
        KEEPER, body={"returnTo": "security", "noOtherCopies": False, "password": PASSWORD}
    ),
    "POST /api/copies/{copy_id}/viewings": Rule(KEEPER, body={"purposeConfirmed": False}),
    "GET /api/copies/{copy_id}/content": Rule(KEEPER, query="?viewing={viewing_id}", headers={"Range": "bytes=9999-"}),
    "GET /api/copies/{copy_id}/playlist.m3u8": Rule(KEEPER, query="?viewing={viewing_id}"),
    "GET /api/copies/{copy_id}/thumbnails": Rule(KEEPER, query="?viewing={viewing_id}"),
    "GET /api/copies/{copy_id}/moments": Rule(KEEPER, query="?viewing={viewing_id}"),
    "POST /api/copies/{copy_id}/bookmarks": Rule(KEEPER, body={"viewing": "{viewing_id}", "atMs": 0, "text": ""}),
    "POST /api/copies/{copy_id}/stills": Rule(KEEPER, body={"viewing": "{viewing_id}", "atMs": 999_999_999}),
    "GET /api/copies/{copy_id}/stills/{still_id}/picture": Rule(NONE, query="?viewing={viewing_id}"),  # none is saved
    "GET /api/derivatives/{copy_id}/thumbnails": Rule(NONE, query="?viewing={viewing_id}"),
    "GET /api/emergency-copies/{copy_id}/thumbnails": Rule(NONE, query="?viewing={viewing_id}"),
    # a copy on loan is no emergency copy, which the two people of an urgent retrieval find
    "POST /api/emergency-copies/{copy_id}/viewings": Rule(NONE, body={"purposeConfirmed": False}),
    "GET /api/emergency-copies/{copy_id}/content": Rule(NONE, query="?viewing={viewing_id}"),
    "GET /api/emergency-copies/{copy_id}/playlist.m3u8": Rule(NONE, query="?viewing={viewing_id}"),
    # without the detector: what may not be asked for is refused before that is said
    "POST /api/copies/{copy_id}/detections": Rule(KEEPER),
    "GET /api/copies/{copy_id}/detections/{detection_id}": Rule(NONE),  # nobody has asked for one
    # the loan has no redacted copy
    "GET /api/derivatives/{derivative_id}": Rule(NONE),
    "POST /api/derivatives/{derivative_id}/viewings": Rule(NONE, body={"purposeConfirmed": False}),
    "GET /api/derivatives/{derivative_id}/content": Rule(NONE, query="?viewing={viewing_id}"),
    "GET /api/derivatives/{derivative_id}/playlist.m3u8": Rule(NONE, query="?viewing={viewing_id}"),
    "POST /api/derivatives/{derivative_id}/viewings/{viewing_id}/played": Rule(
        NONE, body={"startMs": 0, "lengthMs": 1000}
    ),
    "POST /api/copies/{copy_id}/downloads": Rule(
        KEEPER, body={"recipient": generate_identity()[1], "medium": "disk 1"}
    ),
    "GET /api/downloads/{download_id}/content": Rule(KEEPER),
    "POST /api/demo/clock": Rule(NONE, body={"seconds": 1}),  # no demo, no clock
    "GET /api/account": Rule(EVERYONE),
    "POST /api/account/language": Rule(EVERYONE, body={"language": "zh"}),
    "POST /api/account/password": Rule(EVERYONE, body={"password": PASSWORD, "newPassword": "short"}),
    "POST /api/account/second-factor": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/second-factor/confirm": Rule(NONE, EVERYONE, body={"code": "wrong"}),
    "GET /api/account/passkeys": Rule(EVERYONE),
    "POST /api/account/passkeys/begin": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/passkeys": Rule(EVERYONE, body=PASSKEY),
    "POST /api/account/passkeys/{passkey_id}/rename": Rule(NONE, body={"name": "x"}),
    "POST /api/account/passkeys/{passkey_id}/remove": Rule(NONE, body={"password": PASSWORD}),
    "POST /api/account/second-factor/remove": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/recovery-codes": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/sessions/end-others": Rule(EVERYONE),
    "POST /api/account/sessions/{session_id}/end": Rule(NONE),  # of somebody else; one's own in test_own_account
    "GET /api/admin/engine/processes": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/processes/{definition_key}/elements": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/processes/{definition_key}/model": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/instances": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/instances/{instance_key}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/instances/{instance_key}/variables": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/engine/incidents": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/admin/engine/incidents/{incident_key}/retry": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"retries": 2}
    ),
    "GET /api/admin/engine/jobs": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/admin/engine/jobs/{job_key}/retries": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"retries": 2}),
    "GET /api/change-requests": Rule(EVERYONE),
    "POST /api/change-requests/{change_id}/carry-out": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    # an administrator's of the supervisor's department, about somebody of Security
    "POST /api/change-requests/{change_id}/confirm": Rule(
        frozenset({"security-head"}),
        frozenset({"admin", "supervisor"}),
        body={"password": PASSWORD},
    ),
    "POST /api/change-requests/{change_id}/object": Rule(READERS),
    "GET /api/work-orders": Rule(EVERYONE),
    "POST /api/work-orders": Rule(OPEN_WORK, EVERYONE - OPEN_WORK, body=WORK),
    "GET /api/work-orders/{work_order_id}": Rule(SEE_WORK),
    "GET /api/work-orders/{work_order_id}/attachments": Rule(SEE_WORK),
    "POST /api/work-orders/{work_order_id}/attachments": Rule(
        frozenset({"operator", "reviewer"}), OVERSEERS, query="?kind=other&name=x.jpg"
    ),
    "POST /api/work-orders/{work_order_id}/done": Rule(
        frozenset({"operator"}), SEE_WORK - {"operator"}, body={**SIGNED, "answers": {}}
    ),
    # it is none that asks about downloads: tests/unit/domain/work_orders/test_download_accounts.py
    "POST /api/work-orders/{work_order_id}/downloads": Rule(
        NONE, body={**SIGNED, "answers": {}, "downloads": [{"downloadId": "none", "fate": "lost"}]}
    ),
    # it is not done yet, which everybody who sees it is told
    "POST /api/work-orders/{work_order_id}/verify": Rule(
        SEE_WORK, body={**SIGNED, "outcome": "verified", "answers": {}}
    ),
    "POST /api/work-orders/{work_order_id}/cancel": Rule(OVERSEERS, SEE_WORK - OVERSEERS, body={"because": "none"}),
    "GET /api/schedules": Rule(READERS, EVERYONE - READERS),
    "PUT /api/schedules/{schedule_code}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=SCHEDULE),
    "GET /api/matters": Rule(EVERYONE),
    "POST /api/matters": Rule(
        TRANSFERRING,
        SEE - TRANSFERRING,
        body={"kind": "custody-transfer", "applicationId": "{application_id}", "asked": TRANSFER, "password": PASSWORD},
    ),
    # the case is decided, which everybody who sees it is told
    "POST /api/applications/{application_id}/urgent": Rule(
        SEE, body={"ground": "fire", "reason": "none", "password": PASSWORD}
    ),
    "GET /api/matters/{matter_id}": Rule(SEE),
    "GET /api/matters/{matter_id}/attachments": Rule(SEE),
    # of the custodian alone, who has asked for the matter: test_matter_attachments
    "POST /api/matters/{matter_id}/attachments": Rule(
        frozenset({"keeper"}), SEE - {"keeper"}, query="?kind=other&name=x.jpg"
    ),
    # the matter is no violation: test_violations_to_their_end
    "POST /api/matters/{matter_id}/reply": Rule(NONE, body={"text": "none"}),
    "POST /api/matters/{matter_id}/referral": Rule(
        NONE,
        body={"authority": "x", "handedAt": "2031-03-04T12:00:00Z", "receipt": "x", "packageSha256": "ab" * 32},
    ),
    "POST /api/matters/{matter_id}/settlement": Rule(NONE, body={"account": "none"}),
    "POST /api/violations": Rule(
        ACCUSING, EVERYONE - ACCUSING, body={"number": "none", "violationKind": "finding", "reason": "none"}
    ),
    "POST /api/violations/{violation_id}/start": Rule(NONE),
    # the matter is no disclosure, and the download is the custodian's: tests/unit/domain/matters/test_disclosures.py
    "GET /api/disclosures/{matter_id}": Rule(NONE),
    "POST /api/disclosures/{matter_id}/files/{copy_id}": Rule(NONE),
    "GET /api/disclosure-files/{download_id}/content": Rule(NONE),
    "POST /api/disclosures/{matter_id}/receipt": Rule(NONE, body={"outsiderIds": ["none"]}),
    "GET /api/cases/{application_id}/matters/offers": Rule(SEE),
    "GET /api/sites": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /api/sites": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=SITE),
    "GET /api/sites/{site_id}": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "PUT /api/sites/{site_id}": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=SITE),
    "POST /api/sites/{site_id}/close": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "POST /api/sites/{site_id}/keepers": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"personId": "operator2"}
    ),
    "DELETE /api/sites/{site_id}/keepers/{keeper_id}": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "POST /api/sites/{site_id}/recorders": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"recorderId": "recorder"}
    ),
    "GET /api/storage-places": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "PUT /api/storage-places": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"vault": "{site_id}"}),
    "GET /api/devices": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /api/devices": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=DEVICE),
    "POST /api/devices/list": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "GET /api/stores/health": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "GET /api/devices/{device_id}": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "PUT /api/devices/{device_id}": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=DEVICE),
    "POST /api/devices/{device_id}/retire": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"because": "none"}),
    "GET /api/media": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /api/media": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=MEDIUM),
    "POST /api/media/scan": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"number": "none"}),
    "POST /api/media/{medium_id}/hand-out": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"personId": "drafter"}
    ),
    "POST /api/media/{medium_id}/end": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"state": "lost", "note": "none"}
    ),
    "GET /api/disposals": Rule(DISPOSAL_READERS, EVERYONE - DISPOSAL_READERS),
    # the matter is no batch of disposal: tests/unit/domain/storage/test_disposals.py
    "GET /api/disposals/{matter_id}": Rule(NONE),
    "GET /api/disposals/{matter_id}/items": Rule(NONE),
    "POST /api/disposals/{matter_id}/items/{disposal_item_id}": Rule(NONE, body={"because": "none"}),
    "GET /api/holds": Rule(HOLD_READERS, EVERYONE - HOLD_READERS),
    "POST /api/holds": Rule(
        HOLD_PLACERS,
        EVERYONE - HOLD_PLACERS,
        body={"number": "SQ-2031-000001", "cause": "manual", "reason": "none"},
    ),
    "POST /api/holds/{legal_hold_id}/review": Rule(
        frozenset({"security-head"}), HOLD_READERS - {"security-head"}, body={}
    ),
    "POST /api/holds/{legal_hold_id}/ask-lift": Rule(
        frozenset({"security-head"}), HOLD_READERS - {"security-head"}, body={"because": "none"}
    ),
    "GET /api/packages": Rule(HOLD_PLACERS, EVERYONE - HOLD_PLACERS),
    "POST /api/packages": Rule(HOLD_PLACERS, EVERYONE - HOLD_PLACERS, body=PACKAGE),
    # the reviewer has asked for it, and it has no footage in clear that somebody would have to approve
    "GET /api/packages/{package_id}": Rule(frozenset({"reviewer"})),
    "POST /api/packages/{package_id}/approval": Rule(
        NONE, frozenset({"reviewer"}), body={"outcome": "approved", "password": PASSWORD}
    ),
    "POST /api/packages/{package_id}/fetches": Rule(frozenset({"reviewer"})),
    "GET /api/package-fetches/{fetch_id}/content": Rule(frozenset({"reviewer"})),
    "POST /api/signature-holds/{hold_id}/release": Rule(frozenset({"security-head"}), body={"password": PASSWORD}),
    "GET /api/people": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"login": "?", "name": "x", "departmentId": "works"}
    ),
    "GET /api/people/{person_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "PUT /api/people/{person_id}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"name": "x", "departmentId": "security"}
    ),
    "POST /api/people/{person_id}/activate": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/deactivate": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/leave": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/stay": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/initial-password": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/end-passkeys": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/reset-second-factor": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/unbind-identity": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/unlock": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/posts": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"kind": "member", "departmentId": "works"}
    ),
    "POST /api/posts/{post_id}/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={}),
    "GET /api/people/{person_id}/absences": Rule(ADMINISTRATOR | {"security-head"}),
    "POST /api/people/{person_id}/absences": Rule(
        ADMINISTRATOR | {"security-head"}, body={"since": "2031-03-05T00:00:00Z", "until": "2031-03-06T00:00:00Z"}
    ),
    "POST /api/absences/{absence_id}/confirm": Rule(ADMINISTRATOR, frozenset({"security-head"})),
    "POST /api/absences/{absence_id}/end": Rule(ADMINISTRATOR | {"security-head"}),
    "GET /api/departments": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/departments": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"nameZh": "x", "nameEn": "x", "kind": "legal"}
    ),
    "PUT /api/departments/{department_id}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"nameZh": "x", "nameEn": "x", "kind": "administration"}
    ),
    "POST /api/logout": Rule(EVERYONE),
    "GET /api/admin/agreements/signers": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/agreements/signers.csv": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/agreements/texts": Rule(READERS, EVERYONE - READERS),
    "POST /api/admin/agreements/texts": Rule(
        ADMINISTRATOR,
        EVERYONE - ADMINISTRATOR,
        body={"version": "no", "textZh": "x" * 20, "textEn": "x" * 20, "reason": "none"},
    ),
    "GET /api/admin/calendar": Rule(READERS, EVERYONE - READERS),
    "POST /api/admin/calendar": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CALENDAR),
    "GET /api/admin/calendar/deadline": Rule(
        READERS, EVERYONE - READERS, query="?start=2031-03-04T09:00:00Z&limit=P2D"
    ),
    "GET /api/admin/calendar/{year}": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/calendar/{year}.csv": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/cameras": Rule(READERS, EVERYONE - READERS),
    "POST /api/admin/cameras": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CAMERA),
    "GET /api/admin/cameras/list.csv": Rule(READERS, EVERYONE - READERS),
    "POST /api/admin/cameras/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/cameras/{camera_id}": Rule(READERS, EVERYONE - READERS),
    "PUT /api/admin/cameras/{camera_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CAMERA),
    "PUT /api/admin/cameras/{camera_id}/picture": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "DELETE /api/admin/cameras/{camera_id}/picture": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/admin/cameras/{camera_id}/active": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"active": True}),
    "GET /api/admin/doctor": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/recorders": Rule(READERS, EVERYONE - READERS),
    "POST /api/admin/recorders": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=RECORDER),
    "GET /api/admin/recorders/kinds": Rule(EVERYONE),  # what this edition can do, and nothing of this installation
    "GET /api/admin/recorders/{recorder_id}": Rule(READERS, EVERYONE - READERS),
    "PUT /api/admin/recorders/{recorder_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=RECORDER),
    "POST /api/admin/recorders/{recorder_id}/active": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"active": True}
    ),
    "POST /api/admin/recorders/{recorder_id}/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /api/admin/rules": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/rules/history": Rule(READERS, EVERYONE - READERS),
    "PUT /api/admin/rules/{rule_name}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"value": "19", "was": "20", "reason": "none"}
    ),
    "GET /api/admin/handling": Rule(READERS, EVERYONE - READERS),
    "GET /api/admin/handling/history": Rule(READERS, EVERYONE - READERS),
    # no second person has confirmed it: tests/unit/domain/handling
    "PUT /api/admin/handling/{level}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"wayOfUse": "view", "version": 0, "reason": "none"}
    ),
    "GET /api/applicable-rules": Rule(EVERYONE),
    "GET /api/applicable-rules/{rule_id}": Rule(EVERYONE),
    # there is nobody who leads Legal: tests/unit/domain/applicable_rules
    "POST /api/applicable-rules": Rule(NONE, EVERYONE, body={"kind": "law", "title": "none", "reason": "none"}),
    "PUT /api/applicable-rules/{rule_id}": Rule(
        NONE, EVERYONE, body={"kind": "law", "title": "none", "reason": "none"}
    ),
    "GET /api/agreements/text": Rule(EVERYONE),
    "GET /api/agreements/texts/{version}": Rule(EVERYONE),
    "GET /api/register": Rule(EVERYONE),
    "GET /api/register/copies-out": Rule(EVERYONE),
    "GET /api/register/next-overwritten": Rule(EVERYONE),
    "GET /api/register/searches": Rule(EVERYONE),
    "POST /api/register/searches": Rule(EVERYONE, body={"name": "gate", "query": "text=gate"}),
    "PUT /api/register/searches/{search_id}": Rule(SEARCHER, body={"name": "north gate"}),
    "DELETE /api/register/searches/{search_id}": Rule(SEARCHER),
    "GET /api/register/stages": Rule(EVERYONE),
    "GET /api/register/states": Rule(EVERYONE),
    "GET /api/cases/{application_id}/requirements": Rule(SEE),
    "GET /api/policy/coverage": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/policy/coverage/{requirement}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/policy/coverage/{requirement}/cases": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/audit/footage-viewers": Rule(
        SUPERVISING,
        EVERYONE - SUPERVISING,
        query="?cameraId=camera&start=2031-03-04T10:00:00Z&end=2031-03-04T11:00:00Z&purpose=none",
    ),
    "GET /api/refusals/{person_id}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/audit/events": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/audit/events/{seq}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/statistics": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /api/documents/{number}/translation/{language}": Rule(SEE),
    "GET /api/admin/chat-app": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "PUT /api/admin/chat-app": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"kind": "wecom", "account": "ww1", "secret": "x"}
    ),
    "POST /api/admin/chat-app/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "DELETE /api/admin/chat-app": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
}
RULES |= {
    "GET /api/supervision-group": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    "POST /api/supervision-group": Rule(
        frozenset({"manager"}),
        EVERYONE - {"manager"},
        body={"leaderId": "supervisor", "until": "2031-12-31T00:00:00Z", "basis": "none", "password": PASSWORD},
    ),
    # no group is proposed, and nothing is inspected: tests/unit/domain/supervision
    "POST /api/supervision-group/{group_id}/confirm": Rule(NONE, body={"password": PASSWORD}),
    "POST /api/supervision-group/{group_id}/withdraw": Rule(NONE),
    "GET /api/supervision-groups/{group_id}/attachments": Rule(NONE),
    "POST /api/supervision-groups/{group_id}/attachments": Rule(NONE, query="?kind=other&name=x.jpg"),
    "GET /api/use-reports": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    # nothing had been applied for before the end of the period: tests/unit/domain/supervision/test_use_reports.py
    "POST /api/use-reports": Rule(SUPERVISING, EVERYONE - SUPERVISING, body={"period": "2031-02"}),
    "GET /api/use-reports/{number}": Rule(NONE),  # there is none
    "GET /api/inspections": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    "POST /api/inspections": Rule(NONE, EVERYONE, body={"period": "2031-02"}),
    "GET /api/inspections/{inspection_id}": Rule(NONE, EVERYONE - INSPECTIONS),
    "POST /api/inspections/{inspection_id}/signature": Rule(
        NONE, body={"reportSha256": SHA, "outcome": "signed", "password": PASSWORD}
    ),
    "GET /api/inspected-cases/{inspected_case_id}": Rule(NONE, EVERYONE - INSPECTIONS),
    "POST /api/inspected-cases/{inspected_case_id}/answers": Rule(
        NONE, body={"sheetSha256": SHA, "answers": {}, "password": PASSWORD}
    ),
    # the copies are accepted, which everybody who sees the case is told: test_named_custodians
    "POST /api/applications/{application_id}/custodian": Rule(SEE, body={"personId": "drafter", "reason": "none"}),
    "GET /api/reviews/claimed": Rule(EVERYONE),
    # what is refused is said review by review: test_several_reviews
    "POST /api/reviews/reassign": Rule(EVERYONE, body={"reviewIds": ["none"], "personId": "operator2"}),
    # it ends the matter that other routes are about
    "POST /api/matters/{matter_id}/withdraw": Rule(TRANSFERRING, SEE - TRANSFERRING),
    "GET /api/documents/{number}/translation/{language}/pdf": Rule(SEE),
    "POST /api/admin/directory/links": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"personId": "drafter", "entryId": "none"}
    ),
    # the loan has no redacted copy: test_marked_moments
    "GET /api/derivatives/{derivative_id}/moments": Rule(NONE, query="?viewing={viewing_id}"),
    "POST /api/derivatives/{derivative_id}/bookmarks": Rule(
        NONE, body={"viewing": "{viewing_id}", "atMs": 0, "text": "x"}
    ),
    "POST /api/derivatives/{derivative_id}/stills": Rule(NONE, body={"viewing": "{viewing_id}", "atMs": 0}),
    "GET /api/derivatives/{derivative_id}/stills/{still_id}/picture": Rule(NONE, query="?viewing={viewing_id}"),
    "GET /api/inspections/{inspection_id}/population": Rule(NONE, EVERYONE - INSPECTIONS),
}
# They end what the other routes need, so they come last.
LAST = (
    "DELETE /api/register/searches/{search_id}", "POST /api/hand-overs/{hand_over_id}/report-loss", "POST /api/logout",
)  # fmt: skip
# Before there is a whole session: test_login, test_session_api and test_hostile_login show what they allow. A store has
# a token of its own: test_store_log.
WITHOUT_SESSION = {
    "POST /api/storage/access-log/{place}",
    "POST /api/login/code",
    "POST /api/login/password",
    "POST /api/login/enrolment",
    "POST /api/login/enrolment/confirm",
    "POST /api/login",
}
