"""Every route of the API for every post: who finds nothing, who is refused, who may go on. A new route needs a rule."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from portal_client import Portal
from review_desk import FORM as APPLICATION
from review_desk import NOON, PASSWORD, ReviewDesk
from sqlalchemy import select

from services.portal import pages
from services.recorders.base import RecorderFacts
from services.register import (
    absences,
    attempts,
    copies,
    documents,
    filing,
    hand_overs,
    masters,
    notices,
    submissions,
    uploads,
    viewings,
)
from services.register.consents import Consent
from services.register.deliveries import Delivery
from services.register.notices import Notice
from services.register.people import Post
from services.register.signatures import Proof
from services.register.unit import Unit
from services.register.uploads import Facts
from services.runtime.errors import Retryable
from services.runtime.spans import Span
from services.vault.age import generate_identity

ROLES = (
    "drafter", "keeper", "head", "deputy", "reviewer", "security-head", "operator", "inspector", "office-head",
    "supervisor", "admin",
)  # fmt: skip
EVERYONE = frozenset(ROLES)
# The deputy is a subject of the case (T8), and administrators see none; the others have no part in it.
SEE = frozenset({"drafter", "keeper", "head", "reviewer", "security-head", "operator", "supervisor"})
APPLICANT = frozenset({"drafter", "head"})
KEEPER = frozenset({"keeper"})
ADMINISTRATOR = frozenset({"admin"})
STORAGE = frozenset({"operator", "supervisor"})
CONSENTER = frozenset({"security-head"})  # of the department that another, joint application names
NONE: frozenset[str] = frozenset()
SHA = "0" * 64
LATER = NOON + timedelta(days=3)
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
SIGNED = {"formSha256": SHA, "password": PASSWORD}
TIMES = [SPAN["start"], SPAN["end"]]
COVERAGE = {
    **{"asked": TIMES, "covered": [TIMES], "gaps": [], "lost": [], "parts": [], "sources": [], "codecs": ["h264"]},
    **{"firstFrame": TIMES[0], "lastFrame": TIMES[1], "zero": TIMES[0], "leftOut": [], "problems": []},
    **{"share": 1, "leadInMs": 0, "tailMs": 0, "packets": 1, "droppedPackets": 0, "driftMs": 0, "fingerprint": ""},
}


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
    "GET /api/directory": Rule(EVERYONE),
    "GET /api/cameras": Rule(EVERYONE),
    "GET /api/coverage": Rule(EVERYONE, query="?cameraId=camera&start=2031-03-04T10:00:00Z&end=2031-03-04T11:00:00Z"),
    "GET /api/agreements": Rule(EVERYONE),
    "POST /api/agreements": Rule(EVERYONE, body={"version": "none", "password": PASSWORD}),
    "GET /api/notices": Rule(EVERYONE),
    "GET /api/notices/unread": Rule(EVERYONE),
    "POST /api/notices/read": Rule(EVERYONE),
    "POST /api/notices/{notice_id}/read": Rule(frozenset({"drafter"})),
    "GET /api/deliveries": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/deliveries/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/deliveries/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"channel": "mail"}),
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
    "GET /api/cases/{application_id}": Rule(SEE),
    "GET /api/cases/{application_id}/steps": Rule(SEE),
    "GET /api/cases/{application_id}/integrity": Rule(SEE),
    "POST /api/cases/{application_id}/integrity": Rule(SEE),
    "GET /api/models/{process_id}": Rule(EVERYONE),
    "GET /api/documents/{number}": Rule(SEE),
    "GET /api/documents/{number}/print": Rule(SEE),
    "GET /api/reviews": Rule(EVERYONE),
    "GET /api/reviews/conflicts": Rule(EVERYONE),
    "GET /api/reviews/{review_id}": Rule(SEE),
    "GET /api/reviews/{review_id}/coverage": Rule(SEE),
    "GET /api/reviews/{review_id}/return": Rule(NONE),  # the review is a release; test_return_inspection_pages
    "GET /api/storage": Rule(STORAGE, EVERYONE - STORAGE),
    "POST /api/storage/recorders/{recorder_id}/measure": Rule(frozenset({"operator"}), EVERYONE - {"operator"}),
    "POST /api/reviews/{review_id}/claim": Rule(frozenset({"operator"}), SEE - {"operator"}),
    "POST /api/reviews/{review_id}/put-back": Rule(SEE),
    "POST /api/reviews/{review_id}/decide": Rule(
        frozenset({"operator"}), SEE - {"operator"}, body={"outcome": "approved", **SIGNED}
    ),
    "POST /api/reviews/{review_id}/confirm": Rule(SEE, body={"agrees": True, **SIGNED}),  # nothing is to be confirmed
    "GET /api/reviews/{review_id}/items/{item_id}/picture": Rule(frozenset({"operator"}), SEE - {"operator"}),
    "GET /api/consents": Rule(EVERYONE),
    "GET /api/consents/{consent_id}": Rule(CONSENTER),
    "POST /api/consents/{consent_id}/consent": Rule(CONSENTER, body=SIGNED),
    "POST /api/consents/{consent_id}/refuse": Rule(CONSENTER, body={"reason": "no", **SIGNED}),
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
    "POST /api/hand-overs/{hand_over_id}/return": Rule(
        KEEPER, body={"returnTo": "security", "noOtherCopies": False, "password": PASSWORD}
    ),
    "POST /api/copies/{copy_id}/viewings": Rule(KEEPER, body={"purposeConfirmed": False}),
    "GET /api/copies/{copy_id}/content": Rule(KEEPER, query="?viewing={viewing_id}", headers={"Range": "bytes=9999-"}),
    "GET /api/copies/{copy_id}/playlist.m3u8": Rule(KEEPER, query="?viewing={viewing_id}"),
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
    "POST /api/account/second-factor/remove": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/recovery-codes": Rule(EVERYONE, body={"password": PASSWORD}),
    "POST /api/account/sessions/end-others": Rule(EVERYONE),
    "POST /api/account/sessions/{session_id}/end": Rule(NONE),  # of somebody else; one's own in test_own_account
    "GET /api/people": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"login": "?", "name": "x", "departmentId": "works"}
    ),
    "GET /api/people/{person_id}": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "PUT /api/people/{person_id}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"name": "x", "departmentId": "security"}
    ),
    "POST /api/people/{person_id}/activate": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/deactivate": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/initial-password": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/reset-second-factor": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/unlock": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/people/{person_id}/posts": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"kind": "member", "departmentId": "works"}
    ),
    "POST /api/posts/{post_id}/end": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={}),
    "GET /api/people/{person_id}/absences": Rule(ADMINISTRATOR | {"security-head"}),
    "POST /api/people/{person_id}/absences": Rule(
        ADMINISTRATOR | {"security-head"}, body={"since": "2031-03-05T00:00:00Z", "until": "2031-03-06T00:00:00Z"}
    ),
    "POST /api/absences/{absence_id}/end": Rule(ADMINISTRATOR | {"security-head"}),
    "GET /api/departments": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /api/departments": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"nameZh": "x", "nameEn": "x", "kind": "legal"}
    ),
    "PUT /api/departments/{department_id}": Rule(
        ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"nameZh": "x", "nameEn": "x", "kind": "administration"}
    ),
    "POST /api/sign-in/code": Rule(NONE),  # the steps of a half session, which can do nothing else:
    "POST /api/sign-in/password": Rule(NONE),  # test_sign_in_steps shows them
    "POST /api/sign-in/enrolment": Rule(NONE),
    "POST /api/sign-in/enrolment/confirm": Rule(NONE),
    "POST /api/sign-in": Rule(NONE),  # before there is a session; test_session_api shows it
    "POST /api/sign-out": Rule(EVERYONE),
}
# The pages, group by group; what is in GROUPS has a rule for each of its routes.
GROUPS = ("case", "apply", "custody", "notices", "sources")
PAGES = {
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
    "GET /apply": Rule(EVERYONE),
    "POST /apply": Rule(APPLICANT, body={"applicationId": "{application_id}", "version": "0"}),
    "POST /apply/save": Rule(APPLICANT, body={"applicationId": "{application_id}", "version": "0"}),
    "GET /apply/cameras": Rule(EVERYONE),
    "GET /apply/coverage": Rule(EVERYONE, query="?application={application_id}"),
    "GET /applications": Rule(EVERYONE),
    "GET /applications.csv": Rule(EVERYONE),
    "GET /applications/{application_id}/edit": Rule(APPLICANT),
    "GET /applications/{application_id}/summary": Rule(APPLICANT),
    "POST /applications/{application_id}/submit": Rule(APPLICANT),
    "POST /applications/{application_id}/delete": Rule(APPLICANT),
    "GET /applications/{application_id}/withdraw": Rule(APPLICANT),
    "POST /applications/{application_id}/withdraw": Rule(APPLICANT, body={"reason": "x"}),
    "GET /hand-overs": Rule(EVERYONE),
    "GET /hand-overs.csv": Rule(EVERYONE),
    "GET /hand-overs/{hand_over_id}": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/accept": Rule(KEEPER, body={"conditionsVersion": "none", **SIGNED}),
    "POST /hand-overs/{hand_over_id}/decline": Rule(KEEPER, body={"reason": "no", **SIGNED}),
    "GET /hand-overs/{hand_over_id}/report-loss": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/report-loss": Rule(KEEPER, body={"kind": "lost"}),
    "GET /hand-overs/{hand_over_id}/return": Rule(KEEPER),
    "POST /hand-overs/{hand_over_id}/return": Rule(KEEPER, body={"returnTo": "security", "password": PASSWORD}),
    "GET /hand-overs/{hand_over_id}/custody-log": Rule(SEE),
    "GET /hand-overs/{hand_over_id}/custody-log.csv": Rule(SEE),
    "GET /copies/{copy_id}/watch": Rule(KEEPER),
    "POST /copies/{copy_id}/watch": Rule(KEEPER, body={"purposeConfirmed": "true"}),
    "GET /copies/{copy_id}/download": Rule(KEEPER),
    "POST /copies/{copy_id}/download": Rule(KEEPER, body={"recipient": generate_identity()[1], "medium": "disk 1"}),
    "GET /notices": Rule(EVERYONE),
    "POST /notices/read": Rule(EVERYONE),
    "POST /notices/{notice_id}/read": Rule(frozenset({"drafter"})),
    "GET /admin/notices": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
    "POST /admin/notices/test": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR, body={"channel": "mail"}),
    "POST /admin/notices/{delivery_id}/retry": Rule(ADMINISTRATOR, EVERYONE - ADMINISTRATOR),
}
# They end what the other routes need.
LAST = ("POST /api/hand-overs/{hand_over_id}/report-loss", "POST /api/sign-out")
WITHOUT_SESSION = {
    "POST /api/sign-in/code",
    "POST /api/sign-in/password",
    "POST /api/sign-in/enrolment",
    "POST /api/sign-in/enrolment/confirm",
    "POST /api/sign-in",
}


class Camera:
    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]

    async def snapshot(self, _channel: str, _at: object) -> bytes:
        return b"\xff\xd8"

    async def probe(self) -> RecorderFacts:
        return RecorderFacts("", "", "", False, {}, None, "", None, "UTC")


class Away:
    """A store that is away: whoever gets as far as it was let through."""

    def __getattr__(self, name: str) -> Any:
        if name == "unwrapper":
            return lambda _copy_id: None
        raise Retryable("away")


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'register.db'}")
    yield desk
    desk.close()


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    recorder = Camera()
    portal = Portal(desk, recorders=lambda _kind, _configuration: recorder, store=Away(), loan_keys=Away())
    portal.app.state.dependencies["vault_recipients"] = lambda: [generate_identity()[1]]
    async with portal as opened:
        yield opened


@pytest.fixture
def ids(desk: ReviewDesk) -> dict[str, str]:
    """A case that the deputy is a subject of: approved, its release open, and a copy of it lent on paper."""
    application_id = desk.submitted(subject_ids=("deputy",))
    desk.approved(application_id)
    filed = desk.run(filing.file, application_id, filing.Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download")
    release = desk.opened(application_id, "storage-release")
    item_id, copy_id, hand_over_id = desk.run(_lend, application_id)
    desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    proof = Proof(desk.form_sha256(release), PASSWORD)
    version = desk.rules.policy_version
    desk.run(hand_overs.accept, hand_over_id, conditions_version=version, proof=proof, by="keeper")
    sitting = desk.run(viewings.open_viewing, copy_id, purpose_confirmed=True, address="x", by="keeper")
    recipient = generate_identity()[1]
    download = desk.run(viewings.ask_download, copy_id, recipient=recipient, medium="d", address="x", by="keeper")
    joint = desk.run(submissions.draft, replace(APPLICATION, joint_department_ids=("security",)), by="drafter")
    desk.run(submissions.submit, joint.id, by="drafter")
    upload = desk.run(uploads.announce, Facts("meeting", "例会", "", "会议室", "王芳", "", "UTC"), None, by="drafter")
    return {
        "consent_id": desk.the(Consent).id,
        "upload_id": upload.id,
        "application_id": application_id,
        "review_id": release,
        "recorder_id": "recorder",
        "item_id": item_id,
        "copy_id": copy_id,
        "hand_over_id": hand_over_id,
        "viewing_id": sitting.viewing_id,
        "download_id": download.id,
        "number": filed.form_number,
        "notice_id": desk.all(Notice, person_id="drafter")[0].id,
        "session_id": "somebody-elses",
        "process_id": "review",
        "person_id": "reviewer2",
        "department_id": "office",
        "post_id": desk.the(Post, person_id="reviewer2").id,
        "absence_id": desk.run(absences.enter, "reviewer2", since=NOON, until=LATER, by="reviewer2").id,
        "delivery_id": desk.run(_post),
    }


def _post(unit: Unit) -> str:
    """A delivery that has failed."""
    notices.tell(unit, "drafter", "application-incomplete", application_id=None, channels=("mail",))
    delivery = unit.session.scalars(select(Delivery)).one()
    delivery.given_up_at, delivery.last_error = unit.now, "unreachable"
    return delivery.id


def _lend(unit: Unit, application_id: str) -> tuple[str, str, str]:
    from services.register.submissions import item_ids  # noqa: PLC0415

    [item_id] = item_ids(unit, application_id)
    sealed = {
        "versionId": "v1",
        "size": 1,
        "plainSize": 5000,
        "sha256Plain": "a" * 64,
        "sha256Cipher": "b" * 64,
        "outcome": "complete",
        "coverage": COVERAGE,
        "fragments": [],
    }
    for purpose in ("master", "copy"):
        attempt = attempts.begin(unit, purpose, application_id=application_id, item_id=item_id, job_key=1)  # type: ignore[arg-type]  # of the two
        unit.session.flush()
        where = {**sealed, "bucket": attempt.bucket, "key": attempt.key}
        if purpose == "master":
            masters.keep(unit, attempt.id, where, taken_from="recorder")
            number = documents.next_number(unit, "retrieval-record")
            documents.write(unit, "retrieval-record", number, {}, application_id=application_id, item_id=item_id)
        else:
            copies.keep(unit, attempt.id, where)
        unit.session.flush()
    offer = hand_overs.offer(unit, application_id, 5)
    return item_id, attempt.subject_id, offer.hand_over_id


def routes(portal: Portal) -> list[str]:
    paths = portal.app.openapi()["paths"]
    return sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)


async def ask(browser: httpx.AsyncClient, route: str, ids: Mapping[str, str], **headers: str) -> httpx.Response:
    rule, (method, path) = RULES[route], route.split(" ")
    address = (path + rule.query).format(**ids)
    return await browser.request(method, address, json=rule.body, headers={**rule.headers, **headers})


@pytest.mark.requirement("R2", "R52", "R55", "R57")
async def test_each_route_is_for_those_whom_its_rule_names_and_nobody_else(portal: Portal, ids: dict[str, str]) -> None:
    assert routes(portal) == sorted(RULES), (
        "write a rule for each new route, and take out those of routes that are gone"
    )
    browsers = {role: await portal.signed_in(role) for role in ROLES}

    wrong = []
    for route in sorted(RULES, key=lambda route: LAST.index(route) + 1 if route in LAST else 0):
        if route in WITHOUT_SESSION:
            continue
        rule = RULES[route]
        for role, browser in browsers.items():
            answer = await ask(browser, route, ids)
            expected = "may" if role in rule.may else "refused" if role in rule.refused else "finds nothing"
            got = {403: "refused", 404: "finds nothing"}.get(answer.status_code, "may")
            if answer.status_code in {401, 500} or got != expected:
                wrong.append((route, role, expected, answer.status_code, answer.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.requirement("R52")
async def test_nothing_is_there_without_a_session_and_nothing_is_done_without_its_token(
    portal: Portal, ids: dict[str, str]
) -> None:
    stranger, keeper = portal.anonymous(), await portal.signed_in("keeper")

    for route in RULES:
        if route in WITHOUT_SESSION:
            continue
        assert (await ask(stranger, route, ids)).status_code == 401, route
        if not route.startswith("GET"):
            for token in ("", SHA):
                answer = await ask(keeper, route, ids, **{"X-CSRF-Token": token})
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), route


def page_routes() -> list[str]:
    """The routes of the groups of pages that are in GROUPS."""
    places = tuple(f"services.portal.pages.{group}." for group in GROUPS)
    found = [route for router in pages.routers() for route in flat(router)]
    ours = [route for route in found if route.endpoint.__module__.startswith(places)]
    return sorted(f"{method} {route.path}" for route in ours for method in route.methods)


def flat(router: APIRouter) -> Iterator[APIRoute]:
    """The routes of a router and of those that it has taken in."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            yield from flat(inner)


async def open_page(browser: httpx.AsyncClient, route: str, ids: Mapping[str, str], **headers: str) -> httpx.Response:
    rule, (method, path) = PAGES[route], route.split(" ")
    body = {name: value.format(**ids) if isinstance(value, str) else value for name, value in (rule.body or {}).items()}
    return await browser.request(method, (path + rule.query).format(**ids), data=body, headers=headers)


@pytest.mark.requirement("R2", "R52", "R55", "R57")
async def test_each_page_is_for_those_whom_its_rule_names_and_nobody_else(portal: Portal, ids: dict[str, str]) -> None:
    assert page_routes() == sorted(PAGES), "write a rule for each new page, and take out those that are gone"
    browsers = {role: await portal.signed_in(role) for role in ROLES}

    wrong = []
    for route, rule in PAGES.items():
        for role, browser in browsers.items():
            answer = await open_page(browser, route, ids)
            expected = "may" if role in rule.may else "refused" if role in rule.refused else "finds nothing"
            got = {404: "finds nothing"}.get(answer.status_code, "may")
            got = "refused" if answer.status_code == 403 and role not in rule.may else got
            # whoever has no part in it may be told first that the form is not filled in: that tells of nothing
            hollow = expected == "finds nothing" and answer.status_code == 422
            if answer.status_code in {401, 500} or (got != expected and not hollow):
                wrong.append((route, role, expected, answer.status_code, answer.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.requirement("R52")
async def test_no_page_opens_without_a_session_or_acts_without_its_token(portal: Portal, ids: dict[str, str]) -> None:
    stranger, keeper = portal.anonymous(), await portal.signed_in("keeper")

    for route in PAGES:
        answer = await open_page(stranger, route, ids)
        assert answer.status_code == 303, route
        assert answer.headers["location"].startswith("/sign-in"), route
        if not route.startswith("GET"):
            for token in ("", SHA):
                answer = await open_page(keeper, route, ids, **{"X-CSRF-Token": token})
                assert answer.status_code == 403, route
                assert "页面已过期" in answer.text or "out of date" in answer.text, route


@pytest.mark.requirement("R2", "R55")
async def test_lists_hold_only_what_the_person_may_see(portal: Portal, ids: dict[str, str]) -> None:
    for role in ROLES:
        browser = await portal.signed_in(role)
        applications = (await browser.get("/api/applications")).json()
        reviews = (await browser.get("/api/reviews")).json()
        hand_overs_ = (await browser.get("/api/hand-overs")).json()

        assert bool(applications) == (role in SEE), role
        assert bool(reviews) == (role == "operator"), role
        assert bool(hand_overs_) == (role == "keeper"), role


@pytest.mark.requirement("R52")
async def test_no_answer_tells_where_anything_lies_in_the_vault(portal: Portal, ids: dict[str, str]) -> None:
    case = (await (await portal.signed_in("reviewer")).get(f"/api/cases/{ids['application_id']}")).text
    loan = (await (await portal.signed_in("keeper")).get(f"/api/hand-overs/{ids['hand_over_id']}")).text

    for text in (case, loan):
        assert not any(word in text for word in ("copies/", "masters/", '"bucket"', '"key"', "versionId", "AGE-"))


@pytest.mark.requirement("R24", "R61")
async def test_a_head_whom_the_case_concerns_neither_reads_it_nor_acts_for_the_department(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted(subject_ids=("head",))
    review_id = desk.opened(application_id, "preliminary")
    head, deputy = await portal.signed_in("head"), await portal.signed_in("deputy")

    for path in (f"/api/cases/{application_id}", f"/api/reviews/{review_id}"):
        assert (await head.get(path)).status_code == 404
        assert (await deputy.get(path)).status_code == 200
    withdrawn = await head.post(f"/api/applications/{application_id}/withdraw", json={})
    assert withdrawn.status_code == 404
    assert (await head.get("/api/applications")).json() == []
    assert (await head.get("/api/reviews")).json() == []
