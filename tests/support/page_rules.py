"""Who may open which page and do what on it: the lines of the matrix for pages."""

from access_rules import (
    ACCUSING,
    ADMINISTRATOR,
    APPLICANT,
    CONSENTER,
    DEVICE,
    DISPOSAL_READERS,
    ENTERING,
    EVERYONE,
    EXPLAINERS,
    HANDLING,
    HOLD_PLACERS,
    HOLD_READERS,
    INSPECTIONS,
    KEEPER,
    MEDIUM,
    NONE,
    OPEN_WORK,
    OUTSIDER,
    OVERSEERS,
    PACKAGE,
    POST_READERS,
    READERS,
    RECONCILIATION_READERS,
    RECORDING,
    SEARCHER,
    SEE,
    SEE_WORK,
    SIGNED,
    STORAGE,
    STORAGE_KEEPERS,
    STORAGE_READERS,
    SUPERVISING,
    TRANSFERRING,
    Rule,
)
from lent_case import TRANSFER
from review_desk import PASSWORD

from services.vault.age import generate_identity

CAMERA = {
    "recorderId": "recorder", "channel": "gate", "nameZh": "门", "nameEn": "gate", "placeZh": "门", "placeEn": "gate",
    "retentionDays": "30",
}  # fmt: skip
PLAN = {"siteId": "{site_id}", "floorZh": "一层", "floorEn": "1", "level": "1"}
TABLE = "date,kind,name_zh,name_en\n2031-05-01,off,劳动节,Labour Day"
ROBOT = {
    "kind": "wecom",
    "name": "x",
    "webhook": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=none",
}
CHAT_APP = {"kind": "wecom", "account": "ww1", "agent": "1000002", "secret": "x"}
MAIL_SERVER = {"host": "mail.example", "port": "22", "sender": "desk@none.example"}
DEPARTMENT = {"nameZh": "x", "nameEn": "x", "kind": "administration"}
PAGES = {
    "GET /applications/{application_id}/attachments": Rule(SEE),
    # its token comes inside a form of many parts
    "POST /applications/{application_id}/attachments": Rule(NONE, EVERYONE),
    "GET /applications/{application_id}/identity-cards": Rule(HANDLING),
    "GET /attachments/{attachment_id}": Rule(HANDLING),
    "POST /attachments/{attachment_id}/remove": Rule(HANDLING),
    "GET /applications/{application_id}/on-behalf": Rule(SEE),
    "POST /applications/{application_id}/on-behalf": Rule(SEE, body={"kind": ""}),
    "POST /applications/{application_id}/outsiders": Rule(SEE, body=OUTSIDER),
    "POST /applications/{application_id}/original-letter": Rule(ENTERING, SEE - ENTERING, body={"letterTitle": "none"}),
    "POST /outsiders/{outsider_id}/remove": Rule(SEE),
    "GET /applications/{application_id}/card-numbers": Rule(HANDLING),
    "GET /disclosures/{matter_id}": Rule(NONE),  # the matter is none
    "POST /disclosures/{matter_id}/files/{copy_id}": Rule(NONE),
    "POST /disclosures/{matter_id}/receipt": Rule(NONE, body={"outsiderIds": "none"}),
    "GET /uploads": Rule(EVERYONE),
    "POST /uploads": Rule(EVERYONE, body=RECORDING),
    "GET /uploads/{upload_id}": Rule(frozenset({"drafter"})),
    "POST /uploads/{upload_id}": Rule(frozenset({"drafter"}), body=RECORDING),
    "POST /uploads/{upload_id}/content": Rule(NONE, EVERYONE),  # its token comes inside a form of many parts
    "POST /uploads/{upload_id}/delete": Rule(frozenset({"drafter"})),
    "GET /consents/{consent_id}": Rule(CONSENTER),
    "POST /consents/{consent_id}/consent": Rule(CONSENTER, body=SIGNED),
    "POST /consents/{consent_id}/refuse": Rule(CONSENTER, body={"reason": "no", **SIGNED}),
    "GET /cases/{application_id}": Rule(SEE),
    "GET /cases/{application_id}/integrity": Rule(SEE),
    "POST /cases/{application_id}/integrity": Rule(SEE, body={}),
    "POST /cases/{application_id}/questions/{question_id}": Rule(APPLICANT, body={"text": "三号门"}),
    "GET /apply": Rule(EVERYONE),
    "POST /apply": Rule(APPLICANT, body={"applicationId": "{application_id}", "version": "0"}),
    "POST /apply/save": Rule(APPLICANT, body={"applicationId": "{application_id}", "version": "0"}),
    "GET /apply/cameras": Rule(EVERYONE),
    "GET /cameras": Rule(EVERYONE),
    "POST /cameras/{camera_id}/favourite": Rule(EVERYONE, body={"marked": "true"}),
    "GET /apply/people": Rule(EVERYONE),
    "GET /apply/coverage": Rule(EVERYONE, query="?application={application_id}"),
    "GET /applications": Rule(EVERYONE),
    "GET /applications.csv": Rule(EVERYONE),
    "GET /applications/{application_id}/edit": Rule(APPLICANT),
    "GET /applications/{application_id}/summary": Rule(APPLICANT),
    "POST /applications/{application_id}/submit": Rule(APPLICANT),
    "POST /applications/{application_id}/delete": Rule(APPLICANT),
    "GET /applications/{application_id}/withdraw": Rule(APPLICANT),
    "POST /applications/{application_id}/withdraw": Rule(APPLICANT, body={"reason": "x"}),
    "GET /policy": Rule(EVERYONE),
    "GET /help": Rule(EVERYONE),
    "GET /help/{manual}": Rule(EVERYONE),
    "GET /help/pictures/{language}/{picture}": Rule(EVERYONE),
    "GET /hand-overs": Rule(EVERYONE),
    "GET /hand-overs.csv": Rule(EVERYONE),
    "GET /hand-overs/{hand_over_id}": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/accept": Rule(KEEPER, body={"conditionsVersion": "none", **SIGNED}),
    "POST /hand-overs/{hand_over_id}/decline": Rule(KEEPER, body={"reason": "no", **SIGNED}),
    "POST /hand-overs/{hand_over_id}/custody-log": Rule(KEEPER, body={"event": "checked", "text": "none"}),
    "POST /hand-overs/{hand_over_id}/viewing": Rule(KEEPER, body={"personId": "{person_id}"}),
    "POST /hand-overs/{hand_over_id}/viewing/end": Rule(KEEPER, body={"personId": "{person_id}"}),
    "GET /hand-overs/{hand_over_id}/sittings/new": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/sittings/new": Rule(KEEPER, body={"personIds": "none"}),
    "GET /sittings/{sitting_id}": Rule(KEEPER),
    "POST /sittings/{sitting_id}/presence": Rule(KEEPER),
    "POST /sittings/{sitting_id}/end": Rule(KEEPER, body={"password": PASSWORD}),
    "GET /hand-overs/{hand_over_id}/report-loss": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/report-loss": Rule(KEEPER, body={"kind": "lost"}),
    "GET /hand-overs/{hand_over_id}/return": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/return": Rule(KEEPER, body={"returnTo": "security", "password": PASSWORD}),
    "GET /hand-overs/{hand_over_id}/custody-log": Rule(SEE),
    "GET /hand-overs/{hand_over_id}/custody-log.csv": Rule(SEE),
    "GET /copies/{copy_id}/watch": Rule(KEEPER),
    "POST /copies/{copy_id}/watch": Rule(KEEPER, body={"purposeConfirmed": "true"}),
    # the loan has one copy, and a copy is not beside itself
    "GET /copies/{copy_id}/beside/{other_id}": Rule(NONE),
    "POST /copies/{copy_id}/beside/{other_id}": Rule(NONE, body={"purposeConfirmed": "true"}),
    # a copy on loan is no emergency copy
    "GET /emergency-copies/{copy_id}/watch": Rule(NONE),
    "POST /emergency-copies/{copy_id}/watch": Rule(NONE, body={"purposeConfirmed": "true"}),
    "GET /copies/{copy_id}/redact": Rule(KEEPER),
    "POST /copies/{copy_id}/redact": Rule(KEEPER, body={"purposeConfirmed": "true"}),
    "GET /derivatives/{derivative_id}/watch": Rule(NONE),  # the loan has no redacted copy
    "POST /derivatives/{derivative_id}/watch": Rule(NONE, body={"purposeConfirmed": "true"}),
    "GET /copies/{copy_id}/download": Rule(KEEPER),
    "POST /copies/{copy_id}/download": Rule(KEEPER, body={"recipient": generate_identity()[1], "medium": "disk 1"}),
    "GET /notices": Rule(EVERYONE),
    "POST /notices/read": Rule(EVERYONE),
    "POST /notices/{notice_id}/read": Rule(frozenset({"drafter"})),
    "GET /admin/notices/robots": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/robots": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=ROBOT),
    "GET /admin/notices/app": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/app": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CHAT_APP),
    "POST /admin/notices/app/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/app/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/notices/mail": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/mail": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=MAIL_SERVER),
    "POST /admin/notices/mail/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/mail/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/directory": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/directory": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"fingerprint": "none"}),
    "POST /admin/directory/check": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/directory/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /posts": Rule(POST_READERS, EVERYONE - POST_READERS),
    "POST /admin/notices/robots/{robot_id}/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/robots/{robot_id}/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/notices": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"channel": "mail"}),
    "POST /admin/notices/{delivery_id}/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /": Rule(EVERYONE),
    "GET /account": Rule(EVERYONE),
    "POST /account/absences": Rule(EVERYONE, body={"since": "2031-03-05", "until": "2031-03-06"}),
    "POST /account/absences/{absence_id}/confirm": Rule(ADMINISTRATOR, frozenset({"security-head"})),
    "POST /account/absences/{absence_id}/end": Rule(ADMINISTRATOR | {"security-head"}),  # of a reviewer
    "GET /account/agreement": Rule(EVERYONE),
    "POST /account/agreement": Rule(EVERYONE, body={"version": "none", "password": PASSWORD}),
    "POST /account/language": Rule(EVERYONE, body={"language": "zh"}),
    "POST /account/mails": Rule(EVERYONE, body={"mails": "daily"}),
    "GET /account/password": Rule(EVERYONE),
    "POST /account/password": Rule(EVERYONE, body={"password": PASSWORD, "newPassword": "short"}),
    "GET /account/passkeys": Rule(EVERYONE),
    "POST /account/passkeys/{passkey_id}/rename": Rule(NONE, body={"name": "x"}),
    "POST /account/passkeys/{passkey_id}/remove": Rule(NONE),
    "GET /account/second-factor": Rule(EVERYONE),
    "POST /account/second-factor": Rule(EVERYONE, body={"password": PASSWORD}),
    "GET /account/second-factor/qr.svg": Rule(EVERYONE),
    "GET /account/second-factor/set-up": Rule(EVERYONE),
    "POST /account/second-factor/set-up": Rule(NONE, EVERYONE, body={"code": "wrong"}),
    "POST /account/second-factor/remove": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /account/second-factor/recovery-codes": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /account/sessions/end-others": Rule(EVERYONE),
    "POST /account/sessions/{session_id}/end": Rule(NONE),  # of somebody else
    "GET /admin": Rule(READERS, EVERYONE - READERS),
    "GET /admin/agreements": Rule(READERS, EVERYONE - READERS),
    "GET /admin/agreements/issue": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/agreements/issue": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"version": "no"}),
    "GET /admin/agreements/texts": Rule(READERS, EVERYONE - READERS),
    "GET /admin/calendar": Rule(READERS, EVERYONE - READERS),
    "POST /admin/calendar": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"table": TABLE, "was": "1", "reason": "none"}
    ),
    "POST /admin/calendar/check": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"shipped": "2026"}),
    "GET /admin/calendar/{year}": Rule(READERS, EVERYONE - READERS),
    "GET /admin/calendar/{year}.csv": Rule(READERS, EVERYONE - READERS),
    "GET /admin/cameras": Rule(READERS, EVERYONE - READERS),
    "GET /admin/cameras/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/cameras/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/cameras/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/cameras/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CAMERA),
    "GET /admin/cameras/{camera_id}": Rule(READERS, EVERYONE - READERS),
    "POST /admin/cameras/{camera_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=CAMERA),
    "POST /admin/cameras/{camera_id}/active": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"active": "true"}),
    "POST /admin/cameras/{camera_id}/picture": Rule(NONE, EVERYONE),  # its token comes inside a form of many parts
    "POST /admin/cameras/{camera_id}/picture/remove": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/plans": Rule(READERS, EVERYONE - READERS),
    "GET /admin/plans/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/plans/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=PLAN),
    "GET /admin/plans/{plan_id}": Rule(READERS, EVERYONE - READERS),
    "POST /admin/plans/{plan_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=PLAN),
    "POST /admin/plans/{plan_id}/pins": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"act": "add-camera"}),
    "POST /admin/plans/{plan_id}/picture": Rule(NONE, EVERYONE),  # its token comes inside a form of many parts
    "POST /admin/plans/{plan_id}/remove": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/models": Rule(READERS, EVERYONE - READERS),
    "POST /admin/models": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/models/{set_id}": Rule(READERS, EVERYONE - READERS),
    "POST /admin/models/{set_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"reason": "none"}),
    "GET /admin/models/{set_id}.zip": Rule(READERS, EVERYONE - READERS),
    "GET /admin/departments": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/departments": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=DEPARTMENT),
    "GET /admin/departments/{department_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/departments/{department_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body=DEPARTMENT),
    "GET /admin/doctor": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/engine": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/engine/incidents": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/engine/incidents/{incident_key}/retry": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"retries": "2"}
    ),
    "GET /admin/engine/instances": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/engine/instances/{instance_key}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/engine/instances/{instance_key}/variables": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/engine/jobs": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/engine/jobs/{job_key}/retries": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"retries": "2"}),
    "GET /work-orders": Rule(EVERYONE),
    "GET /work-orders/new": Rule(OPEN_WORK),
    "POST /work-orders": Rule(OPEN_WORK, body={"kind": "device-service"}),
    "GET /work-orders/{work_order_id}": Rule(SEE_WORK),
    "GET /work-orders/{work_order_id}/attachments": Rule(SEE_WORK),
    "POST /work-orders/{work_order_id}/attachments": Rule(NONE, EVERYONE),
    "POST /work-orders/{work_order_id}/done": Rule(frozenset({"operator"}), SEE_WORK - {"operator"}, body=SIGNED),
    # it is none that asks about downloads
    "POST /work-orders/{work_order_id}/downloads": Rule(
        NONE, body={**SIGNED, "downloads-0-downloadId": "none", "downloads-0-fate": "lost"}
    ),
    # it is not done yet, which everybody who sees it is told
    "POST /work-orders/{work_order_id}/verify": Rule(SEE_WORK, body={**SIGNED, "outcome": "verified"}),
    "POST /work-orders/{work_order_id}/cancel": Rule(OVERSEERS, SEE_WORK - OVERSEERS, body={"because": "none"}),
    "GET /admin/schedules": Rule(READERS, EVERYONE - READERS),
    "POST /admin/schedules/{schedule_code}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"every": "P14D", "active": "true", "reason": "none"}
    ),
    "GET /matters": Rule(EVERYONE),
    "GET /matters/new/{kind}": Rule(SEE, query="?case={application_id}"),
    "POST /matters/new/{kind}": Rule(
        TRANSFERRING, SEE - TRANSFERRING, query="?case={application_id}", body={**TRANSFER, "password": PASSWORD}
    ),
    "GET /matters/{matter_id}": Rule(SEE),
    "GET /matters/{matter_id}/attachments": Rule(SEE),
    "POST /matters/{matter_id}/attachments": Rule(NONE, EVERYONE),
    "POST /matters/{matter_id}/appeal": Rule(NONE, body={"reason": "none"}),
    # the matter is no violation: test_violations_to_their_end
    "POST /matters/{matter_id}/reply": Rule(NONE, body={"text": "none"}),
    "POST /matters/{matter_id}/referral": Rule(
        NONE, body={"authority": "x", "handedAt": "2031-03-04T12:00", "receipt": "x", "packageSha256": "ab" * 32}
    ),
    "POST /matters/{matter_id}/settlement": Rule(NONE, body={"account": "none"}),
    "GET /matters/violations/new": Rule(ACCUSING, EVERYONE - ACCUSING),
    "POST /matters/violations/new": Rule(
        ACCUSING, EVERYONE - ACCUSING, body={"number": "none", "violationKind": "finding", "reason": "none"}
    ),
    "POST /matters/violations/{violation_id}/start": Rule(NONE),
    "GET /holds": Rule(EVERYONE),
    "POST /holds": Rule(
        HOLD_PLACERS,
        EVERYONE - HOLD_PLACERS,
        body={"number": "SQ-2031-000001", "cause": "manual", "reason": "none"},
    ),
    "POST /holds/{legal_hold_id}/review": Rule(frozenset({"security-head"}), HOLD_READERS - {"security-head"}),
    "POST /holds/{legal_hold_id}/ask-lift": Rule(
        frozenset({"security-head"}), HOLD_READERS - {"security-head"}, body={"because": "none"}
    ),
    "GET /packages": Rule(EVERYONE),
    "POST /packages": Rule(HOLD_PLACERS, EVERYONE - HOLD_PLACERS, body=PACKAGE),
    "GET /packages/{package_id}": Rule(frozenset({"reviewer"})),
    "POST /packages/{package_id}/approval": Rule(
        NONE, frozenset({"reviewer"}), body={"outcome": "approved", "password": PASSWORD}
    ),
    "POST /packages/{package_id}/fetches": Rule(frozenset({"reviewer"})),
    "GET /requests": Rule(EVERYONE),
    "POST /requests/{change_id}/{act}": Rule(NONE),  # ``act`` is none of its own
    "GET /admin/people": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/people.csv": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/people/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/list": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/people/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/new": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"login": "?", "name": "x", "departmentId": "works"}
    ),
    "GET /admin/people/{person_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/{person_id}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"name": "x", "departmentId": "security"}
    ),
    "POST /admin/people/{person_id}/absences": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"since": "2031-03-05", "until": "2031-03-06"}
    ),
    "POST /admin/people/{person_id}/absences/{absence_id}/confirm": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/{person_id}/absences/{absence_id}/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/{person_id}/initial-password": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/{person_id}/posts": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"kind": "member", "departmentId": "works"}
    ),
    "POST /admin/people/{person_id}/posts/{post_id}/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/people/{person_id}/{act}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/recorders": Rule(READERS, EVERYONE - READERS),
    "GET /admin/recorders/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/recorders/new": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"name": "R"}),
    "GET /admin/recorders/{recorder_id}": Rule(READERS, EVERYONE - READERS),
    "POST /admin/recorders/{recorder_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"name": "R"}),
    "POST /admin/recorders/{recorder_id}/active": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"active": "true"}
    ),
    "POST /admin/recorders/{recorder_id}/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "GET /admin/recorders/{recorder_id}/listed": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/recorders/{recorder_id}/listed": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/recorders/{recorder_id}/listed/register": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"rows-0-channel": "9"}
    ),
    "GET /admin/handling": Rule(READERS, EVERYONE - READERS),
    "GET /admin/handling/{level}": Rule(READERS, EVERYONE - READERS),
    # no second person has confirmed it: tests/unit/domain/handling
    "POST /admin/handling/{level}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"wayOfUse": "view", "version": "0", "reason": "none"}
    ),
    "GET /applicable-rules": Rule(EVERYONE),
    "GET /applicable-rules/{rule_id}": Rule(EVERYONE),
    # there is nobody who leads Legal: tests/unit/domain/applicable_rules
    "POST /applicable-rules/{rule_id}": Rule(
        NONE, EVERYONE, body={"kind": "law", "title": "none", "version": "0", "reason": "none"}
    ),
    "GET /admin/rules": Rule(READERS, EVERYONE - READERS),
    "GET /admin/rules/history": Rule(READERS, EVERYONE - READERS),
    "GET /admin/rules/{name}": Rule(READERS, EVERYONE - READERS),
    "POST /admin/rules/{name}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"value": "19", "was": "20", "reason": "none"}
    ),
    "GET /inbox": Rule(EVERYONE),
    "POST /inbox/claim": Rule(EVERYONE, body={"reviewIds": "none"}),
    "POST /inbox/unclaim": Rule(EVERYONE, body={"reviewIds": "none"}),
    "GET /inbox.csv": Rule(EVERYONE),
    "GET /reviews/{review_id}": Rule(SEE),
    "GET /reviews/{review_id}/coverage": Rule(SEE),
    "GET /reviews/{review_id}/items/{item_id}/preview": Rule(SEE),
    "POST /reviews/{review_id}/claim": Rule(frozenset({"operator"}), SEE - {"operator"}),
    "POST /reviews/{review_id}/reassign": Rule(NONE, SEE, body={"personId": "operator2"}),
    "POST /reviews/{review_id}/unclaim": Rule(SEE),
    "POST /reviews/{review_id}/questions": Rule(
        frozenset({"operator"}), SEE - {"operator"}, body={"text": "哪一个门？"}
    ),
    "POST /reviews/{review_id}/decide": Rule(
        frozenset({"operator"}), SEE - {"operator"}, body={"outcome": "approved", **SIGNED}
    ),
    "POST /reviews/{review_id}/confirm": Rule(SEE, body={"agrees": "true", **SIGNED}),  # nothing is to be confirmed
    "GET /register": Rule(EVERYONE),
    "GET /register/cameras": Rule(EVERYONE),
    "POST /register/columns": Rule(EVERYONE, body={"columns": "state"}),
    "GET /register/copies-out": Rule(EVERYONE),
    "GET /register/next-overwritten": Rule(EVERYONE),
    "POST /register/searches": Rule(EVERYONE, body={"name": "gate", "query": "text=gate"}),
    "POST /register/searches/{search_id}": Rule(SEARCHER, body={"name": "north gate"}),
    "POST /register/searches/{search_id}/delete": Rule(SEARCHER),
    "GET /register/stages": Rule(EVERYONE),
    "GET /cases/{application_id}/requirements": Rule(SEE),
    "GET /supervision": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/requirements/{requirement}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/footage-viewers": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/refusals/{person_id}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/audit": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/audit/{seq}": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/statistics": Rule(SUPERVISING, EVERYONE - SUPERVISING),
    "GET /supervision/group": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    "POST /supervision/group": Rule(
        frozenset({"manager"}),
        EVERYONE - {"manager"},
        body={"leaderId": "supervisor", "untilDay": "2031-12-31", "basis": "none", "password": PASSWORD},
    ),
    "GET /supervision-groups/{group_id}/attachments": Rule(NONE),
    "POST /supervision-groups/{group_id}/attachments": Rule(NONE, EVERYONE),
    "POST /supervision/group/{group_id}/{act}": Rule(NONE),  # ``act`` is none of its own
    "GET /supervision/use-reports": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    "POST /supervision/use-reports": Rule(SUPERVISING, EVERYONE - SUPERVISING, body={"period": "2031-02"}),
    "GET /supervision/use-reports/{number}": Rule(NONE),  # there is none
    "GET /supervision/inspections": Rule(INSPECTIONS, EVERYONE - INSPECTIONS),
    "POST /supervision/inspections": Rule(NONE, EVERYONE, body={"period": "2031-02"}),
    "GET /supervision/inspections/{inspection_id}": Rule(NONE, EVERYONE - INSPECTIONS),
    "POST /supervision/inspections/{inspection_id}/signature": Rule(
        NONE, body={"reportSha256": "0" * 64, "outcome": "signed", "password": PASSWORD}
    ),
    "GET /supervision/cases/{inspected_case_id}": Rule(NONE, EVERYONE - INSPECTIONS),
    "POST /supervision/cases/{inspected_case_id}": Rule(NONE, body={"sheetSha256": "0" * 64, "password": PASSWORD}),
    "GET /storage": Rule(STORAGE, EVERYONE - STORAGE),
    "GET /storage/preserved.csv": Rule(STORAGE, EVERYONE - STORAGE),
    "GET /storage/preserved": Rule(STORAGE, EVERYONE - STORAGE),
    "GET /storage/sites": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /storage/sites": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"name": "P", "address": "1"}),
    "POST /storage/places": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"vault": "{site_id}"}),
    "GET /storage/sites/{site_id}": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /storage/sites/{site_id}": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"name": "P", "address": "1"}
    ),
    "POST /storage/sites/{site_id}/close": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "POST /storage/sites/{site_id}/keepers": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"personId": "operator2"}
    ),
    "POST /storage/sites/{site_id}/keepers/{keeper_id}/end": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "POST /storage/sites/{site_id}/recorders": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"recorderId": "recorder"}
    ),
    "GET /storage/devices": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /storage/devices": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=DEVICE),
    "GET /storage/devices/list": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "POST /storage/devices/list": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS),
    "GET /storage/devices/{device_id}": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /storage/devices/{device_id}": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=DEVICE),
    "POST /storage/devices/{device_id}/retire": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"because": "none"}
    ),
    "GET /storage/media": Rule(STORAGE_READERS, EVERYONE - STORAGE_READERS),
    "POST /storage/media": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body=MEDIUM),
    "POST /storage/media/scan": Rule(STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"number": "none"}),
    "POST /storage/media/{medium_id}/hand-out": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"personId": "drafter"}
    ),
    "POST /storage/media/{medium_id}/end": Rule(
        STORAGE_KEEPERS, EVERYONE - STORAGE_KEEPERS, body={"state": "lost", "note": "none"}
    ),
    "GET /storage/disposals": Rule(DISPOSAL_READERS, EVERYONE - DISPOSAL_READERS),
    # the matter is no batch of disposal
    "GET /storage/disposals/{matter_id}": Rule(NONE),
    "POST /storage/disposals/{matter_id}/items/{disposal_item_id}": Rule(NONE, body={"because": "none"}),
    "GET /storage/reconciliations": Rule(RECONCILIATION_READERS, EVERYONE - RECONCILIATION_READERS),
    # there is no finding and no damage: tests/unit/workers/test_reconciliation.py
    "POST /storage/reconciliations/findings/{finding_id}": Rule(
        NONE, EVERYONE - EXPLAINERS, body={"explanation": "none"}
    ),
    "POST /storage/reconciliations/damages/{damage_id}": Rule(NONE, EVERYONE - EXPLAINERS, body={"found": "none"}),
    "GET /storage/recorders": Rule(STORAGE, EVERYONE - STORAGE),
    "GET /storage/work": Rule(STORAGE, EVERYONE - STORAGE),
    "POST /storage/recorders/{recorder_id}/clock": Rule(
        frozenset({"operator"}),
        EVERYONE - {"operator"},
        body={"shown": "2031-03-04T12:00:00", "true": "2031-03-04T12:00:00", "within": "2"},
    ),
    "POST /storage/recorders/{recorder_id}/measure": Rule(frozenset({"operator"}), EVERYONE - {"operator"}),
    "POST /logout": Rule(EVERYONE),
    "GET /due-dates": Rule(EVERYONE),
    "POST /due-dates/address": Rule(EVERYONE),
    "POST /due-dates/address/withdraw": Rule(EVERYONE),
    # the copies are accepted, which everybody who sees the case is told
    "GET /cases/{application_id}/custodian": Rule(SEE),
    "POST /cases/{application_id}/custodian": Rule(SEE, body={"personId": "drafter", "reason": "none"}),
    "GET /inbox/claimed": Rule(EVERYONE),
    "POST /inbox/reassign": Rule(EVERYONE, body={"reviewIds": "none", "personId": "operator2"}),
    # it ends the matter that other pages are about
    "POST /matters/{matter_id}/withdraw": Rule(TRANSFERRING, SEE - TRANSFERRING),
    "POST /admin/directory/link": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"personId": "drafter", "entryId": "none"}
    ),
}
# Without a session: test_hostile_login, test_hostile_steps, test_provider_login, test_due_dates show what they let in.
PAGES_WITHOUT_SESSION = {
    "POST /language", "GET /login", "POST /login", "GET /login/code", "POST /login/code",
    "GET /login/enrolment", "POST /login/enrolment", "GET /login/enrolment/qr.svg", "GET /login/password",
    "POST /login/password", "GET /login/provider", "GET /login/provider/callback",
    "GET /due-dates/{secret}.ics",
}  # fmt: skip
# They end what the other pages need, so they come last.
LAST_PAGES = (
    "POST /register/searches/{search_id}/delete", "POST /hand-overs/{hand_over_id}/report-loss", "POST /logout",
)  # fmt: skip
