"""Every route of API and pages for every post, in one's own, another department's and a case of conflict.

Who finds nothing, who is refused, who may go on: a new route needs a rule.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import amount
import httpx
import pytest
from access_rules import EVERYONE, LAST, ROLES, RULES, SEE, SHA, WITHOUT_SESSION, Rule
from every_route import every_route
from inspected_engine import InspectedEngine, with_one_stuck
from lent_case import Away, Lens, Parts, besides, lend
from page_rules import LAST_PAGES, PAGES, PAGES_WITHOUT_SESSION
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.domain.supervision import refused_access
from services.vault.age import generate_identity

OF_THE_WORKS = frozenset({"drafter", "keeper", "head", "deputy"})
# What belongs to a case or to who drafted it; the other parameters name what is nobody's own.
OF_A_CASE = (
    "application_id", "review_id", "item_id", "copy_id", "hand_over_id", "viewing_id", "download_id", "number",
    "consent_id", "upload_id", "attachment_id", "notice_id", "question_id", "matter_id",
)  # fmt: skip
# Drafted and kept by a manager: the works have no part in it.
ANOTHERS = Parts("manager", "manager", (), "board-head")
# It concerns everybody but those who apply; others decide, the office's head signs.
CONFLICT = Parts(
    subject_ids=("head", "deputy", "reviewer", "security-head", "operator", "inspector", "manager", "supervisor"),
    preliminary="board-head",
    reviewer="reviewer2",
    signer="office-head",
    manager="manager2",
)


def as_it_is(roles: frozenset[str]) -> frozenset[str]:
    return roles


def anothers(roles: frozenset[str]) -> frozenset[str]:
    """The manager is all that the people of the works are in their own case."""
    return roles - OF_THE_WORKS | ({"manager"} if roles & OF_THE_WORKS else set())


def conflicting(roles: frozenset[str]) -> frozenset[str]:
    """Whom the case concerns finds nothing of it; who signed sees it as those do who supervise."""
    return roles - set(CONFLICT.subject_ids) | ({"office-head"} if "supervisor" in roles else set())


CASES = [
    pytest.param(Parts(), as_it_is, id="own"),
    pytest.param(ANOTHERS, anothers, id="another department's"),
    pytest.param(CONFLICT, conflicting, id="conflicting"),
]
Change = Callable[[frozenset[str]], frozenset[str]]


@pytest.fixture
def engine() -> tuple[InspectedEngine, dict[str, str]]:
    """With one case that has stopped, and the keys in it."""
    return with_one_stuck()


@pytest.fixture
async def portal(desk: ReviewDesk, engine: tuple[InspectedEngine, dict[str, str]]) -> AsyncIterator[Portal]:
    lens = Lens()
    portal = Portal(desk, recorders=lambda _kind, _configuration: lens, store=Away(), loan_keys=Away())
    portal.app.state.dependencies |= {"vault_recipients": lambda: [generate_identity()[1]], "doctor": nothing_wrong}
    portal.app.state.dependencies |= {"engine": engine[0]}
    async with portal as opened:
        yield opened


async def nothing_wrong() -> list[Any]:
    return []


@pytest.fixture
def ids(desk: ReviewDesk, engine: tuple[InspectedEngine, dict[str, str]]) -> dict[str, str]:
    return {**lend(desk), **besides(desk), **engine[1]}


def of_a_case(route: str, rule: Rule) -> bool:
    """Whether it is somebody's own; what is everybody's, or refused to all, tells of no case."""
    if EVERYONE in (rule.may, rule.refused):
        return False
    return any(f"{{{name}}}" in f"{route}{rule.query}{rule.body}" for name in OF_A_CASE)


def asked(rules: Mapping[str, Rule], last: Iterable[str], parts: Parts) -> list[tuple[str, Rule]]:
    """The routes in an order that leaves to each what it needs; of a case of others, those that name it."""
    order = list(last)
    chosen = [(route, rule) for route, rule in rules.items() if parts == Parts() or of_a_case(route, rule)]
    return sorted(chosen, key=lambda one: order.index(one[0]) + 1 if one[0] in order else 0)


def expected_of(role: str, rule: Rule, change: Change) -> str:
    if role in change(rule.may):
        return "may"
    return "refused" if role in change(rule.refused) else "finds nothing"


def askers(route: str, rule: Rule, change: Change, number: int) -> list[str]:
    """Return who asks for the route with this number: everybody, or a sample that holds each role in its turn.

    In the sample everybody does the acts of the own case, and those that everybody may. In the other cases those ask
    for whom it is another than the own. Of the rest ask two of each that are expected the same; of what is read of
    the own case every other person as well.
    """
    if amount.all_of_it():
        return list(ROLES)
    acts = not route.startswith("GET")
    for_all = EVERYONE in (rule.may, rule.refused)  # one act begins what another ends
    of_own = change is as_it_is and of_a_case(route, rule)
    if acts and (for_all or of_own):
        return list(ROLES)
    asking, alike = set(ROLES[number % 2 :: 2] if of_own else ()), dict[str, list[str]]()
    for role in ROLES:
        expected = expected_of(role, rule, change)
        alike.setdefault(expected, []).append(role)
        if expected != expected_of(role, rule, as_it_is):
            asking.add(role)
    for roles in alike.values():
        asking |= {roles[(number + place) % len(roles)] for place in (0, len(roles) // 2)}
    return [role for role in ROLES if role in asking]


def named(value: Any, ids: Mapping[str, str]) -> Any:
    """What is filled in, with the identifier where it is one."""
    return value.format(**ids) if isinstance(value, str) else value


async def ask(browser: httpx.AsyncClient, route: str, ids: Mapping[str, str], **headers: str) -> httpx.Response:
    rule, (method, path) = RULES[route], route.split(" ")
    address = (path + rule.query).format(**ids)
    body = None if rule.body is None else {name: named(value, ids) for name, value in rule.body.items()}
    return await browser.request(method, address, json=body, headers={**rule.headers, **headers})


async def open_page(browser: httpx.AsyncClient, route: str, ids: Mapping[str, str], **headers: str) -> httpx.Response:
    rule, (method, path) = PAGES[route], route.split(" ")
    body = {name: named(value, ids) for name, value in (rule.body or {}).items()}
    return await browser.request(method, (path + rule.query).format(**ids), data=body, headers=headers)


def test_every_route_has_its_rule() -> None:
    routes = every_route()
    calls = {route.name for route in routes if route.for_programs}
    shown = {route.name for route in routes if not route.for_programs}

    told = "write a rule for each new route, and take out those of routes that are gone"
    assert calls == RULES.keys() | WITHOUT_SESSION, told
    assert shown == PAGES.keys() | PAGES_WITHOUT_SESSION, told


@pytest.mark.slow
@pytest.mark.requirement("R2", "R24", "R52", "R55", "R57", "R62", refuses=True)
@pytest.mark.parametrize(("parts", "change"), CASES)
async def test_each_route_is_for_those_whom_its_rule_names_and_nobody_else(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]], parts: Parts, change: Change
) -> None:
    ids = {**lend(desk, parts), **besides(desk), **engine[1]}
    browsers = {role: await portal.signed_in(role) for role in ROLES}

    wrong = []
    for number, (route, rule) in enumerate(asked(RULES, LAST, parts)):
        for role in askers(route, rule, change, number):
            browser = browsers[role]
            answer = await ask(browser, route, ids)
            expected = expected_of(role, rule, change)
            got = {403: "refused", 404: "finds nothing"}.get(answer.status_code, "may")
            if answer.status_code in {401, 500} or got != expected:
                wrong.append((route, role, expected, answer.status_code, answer.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.slow
@pytest.mark.requirement("R2", "R24", "R52", "R55", "R57", "R62", refuses=True)
@pytest.mark.parametrize(("parts", "change"), CASES)
async def test_each_page_is_for_those_whom_its_rule_names_and_nobody_else(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]], parts: Parts, change: Change
) -> None:
    ids = {**lend(desk, parts), **besides(desk), **engine[1]}
    browsers = {role: await portal.signed_in(role) for role in ROLES}

    wrong = []
    for number, (route, rule) in enumerate(asked(PAGES, LAST_PAGES, parts)):
        for role in askers(route, rule, change, number):
            browser = browsers[role]
            answer = await open_page(browser, route, ids)
            expected = expected_of(role, rule, change)
            got = {404: "finds nothing"}.get(answer.status_code, "may")
            got = "refused" if answer.status_code == 403 and expected != "may" else got
            # whoever has no part in it may be told first that the form is not filled in: that tells of nothing
            hollow = expected == "finds nothing" and answer.status_code == 422
            if answer.status_code in {401, 500} or (got != expected and not hollow):
                wrong.append((route, role, expected, answer.status_code, answer.text[:120]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.requirement("R52", refuses=True)
async def test_nothing_is_there_without_a_session_and_nothing_is_done_without_its_token(
    portal: Portal, ids: dict[str, str]
) -> None:
    stranger, keeper = portal.anonymous(), await portal.signed_in("keeper")

    for route in RULES:
        assert (await ask(stranger, route, ids)).status_code == 401, route
        if not route.startswith("GET"):
            for token in ("", SHA):
                answer = await ask(keeper, route, ids, **{"X-CSRF-Token": token})
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), route


@pytest.mark.requirement("R52", refuses=True)
async def test_no_page_opens_without_a_session_or_acts_without_its_token(portal: Portal, ids: dict[str, str]) -> None:
    stranger, keeper = portal.anonymous(), await portal.signed_in("keeper")

    for route in PAGES:
        answer = await open_page(stranger, route, ids)
        assert answer.status_code == 303, route
        assert answer.headers["location"].startswith("/login"), route
        if not route.startswith("GET"):
            for token in ("", SHA):
                answer = await open_page(keeper, route, ids, **{"X-CSRF-Token": token})
                assert answer.status_code == 403, route
                assert "安全令牌" in answer.text or "页面已过期" in answer.text, route


# A GET that writes, what, and why. All others read in a unit that waits for no writer (``Database.read``).
WRITTEN_BY_GET = {
    # each sending is counted before it begins
    "GET /api/downloads/{download_id}/content": "start_download",
    # each row of small pictures is counted before it is made, as a read of the viewing
    "GET /api/copies/{copy_id}/thumbnails": "record",
    # who reads a case's variables is in its trail before they are given
    "GET /api/admin/engine/instances/{instance_key}/variables": "_record_variables_read",
    "GET /admin/engine/instances/{instance_key}/variables": "_record_variables_read",
}


@pytest.mark.slow
@pytest.mark.requirement("R52")
async def test_who_only_reads_waits_for_no_writer(
    desk: ReviewDesk, portal: Portal, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[str, set[str]] = {}
    route, run = "", desk.database.run

    async def record(actor: Any, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if act is not refused_access.note:  # after the answer, of what was refused
            written.setdefault(route, set()).add(act.__qualname__)
        return await run(actor, act, *arguments, **named)

    browsers = {role: await portal.signed_in(role) for role in ROLES}
    monkeypatch.setattr(desk.database, "run", record)
    answered, broken = 0, []
    for rules, open_one in ((RULES, ask), (PAGES, open_page)):
        for route, rule in rules.items():
            for role in sorted(rule.may)[:1] if route.startswith("GET ") else ():
                answer = await open_one(browsers[role], route, ids)
                broken += [route] * (answer.status_code == 500)  # what reads locks no row
                answered += answer.status_code < 400
    assert broken == []
    assert answered > 100
    assert {route: ", ".join(sorted(acts)) for route, acts in written.items()} == WRITTEN_BY_GET


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


@pytest.mark.slow
@pytest.mark.requirement("R62", refuses=True)
async def test_no_list_and_no_page_names_a_case_to_whom_it_concerns(
    desk: ReviewDesk, portal: Portal, engine: tuple[InspectedEngine, dict[str, str]]
) -> None:
    """Nor a matter or document of it, whatever post would show them the list."""
    ids = {**lend(desk, CONFLICT), **besides(desk), **engine[1]}
    case = desk.the(Application, id=ids["application_id"])
    hung = [*desk.all(Matter, application_id=case.id), *desk.all(Document, application_id=case.id)]
    names = {case.id, str(case.number), case.reason, *(one.number for one in hung)}
    found = []
    for role in (*CONFLICT.subject_ids, "operator2"):
        browser = await portal.signed_in(role)
        for rules, open_one in ((RULES, ask), (PAGES, open_page)):
            for route in rules:
                if route.startswith("GET ") and "{" not in route:
                    answer = await open_one(browser, route, ids)
                    if any(name in answer.text for name in names):
                        found.append((role, route))
    assert [(role, route) for role, route in found if role != "operator2"] == []
    assert ("operator2", "GET /api/storage") in found


@pytest.mark.requirement("R52")
async def test_no_answer_tells_where_anything_lies_in_the_vault(portal: Portal, ids: dict[str, str]) -> None:
    case = (await (await portal.signed_in("reviewer")).get(f"/api/cases/{ids['application_id']}")).text
    loan = (await (await portal.signed_in("keeper")).get(f"/api/hand-overs/{ids['hand_over_id']}")).text

    for text in (case, loan):
        assert not any(word in text for word in ("copies/", "masters/", '"bucket"', '"key"', "versionId", "AGE-"))


@pytest.mark.requirement("R24", "R61", refuses=True)
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
