"""Whatever people write is shown as text: on every page, in every part of one, in every table and document.

The organisation is one in which every column that people can fill is hostile; a new one is hostile by itself.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import httpx
import pytest
from amount import examples
from every_route import Route, every_route
from hostile_organisation import DRAFT, HOSTILE, HostileOrganisation, hostile
from portal_client import Portal
from review_desk import PASSWORD
from structlog.testing import capture_logs

from services.web.csv import FORMULA

ROLES = {
    "drafter": "zh", "keeper": "en", "head": "en", "reviewer": "zh", "security-head": "en", "operator": "zh",
    "inspector": "en", "manager": "zh", "supervisor": "en", "admin": "zh",
}  # fmt: skip
PLACE = re.compile(r"§([a-z_.:-]+)§")
WHOLE = (HOSTILE, json.dumps(HOSTILE)[1:-1])
ADDRESSES = {"href", "src", "action", "formaction", "poster", "data", "hx-get", "hx-post", "xlink:href", "srcset"}
CODE = {"script", "style", "iframe", "object", "embed", "base", "meta"}
SAFE_NAME = re.compile(r"(inline|attachment(; filename=\"[A-Za-z0-9.-]+\"(; filename\*=UTF-8''[A-Za-z0-9.%_-]+)?)?)")


@dataclass
class Form:
    """A form of a page: where it goes, and its fields by name with their kind and value."""

    action: str
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The same for the same form of another thing."""
        return re.sub(r"/[0-9a-f-]{36}", "/*", self.action) + " " + " ".join(sorted(self.fields))


class Page(HTMLParser):
    """What a browser would make of it: ``wrong`` names each element and attribute that no template of ours has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.ways: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.words.extend(given.values())
        if tag in CODE and not self._is_ours(tag, given):
            self.wrong.append(f"<{tag} {given}>")
        for name, value in given.items():
            if name.startswith(("on", "hx-on")) or name == "srcdoc" or "js:" in (value if name == "hx-vals" else ""):
                self.wrong.append(f"{name}={value}")
            if name in ("href", "hx-get", "src") and value.startswith("/"):
                self.ways.append(value)
            if name in ADDRESSES and not re.match(r"(/(?!/)|#|\?|data:image/|$)", value):
                self.wrong.append(f"{name}={value}")

        self._gather(tag, given)

    def _gather(self, tag: str, given: dict[str, str]) -> None:
        if tag == "form":
            self._form = Form(given.get("action", "")) if given.get("method") == "post" else None
            self.forms += [self._form] if self._form else []
        elif self._form is not None and given.get("formaction"):
            self.forms.append(Form(given["formaction"], self._form.fields))
        elif self._form is not None and given.get("name") and "disabled" not in given:
            kind = given.get("type", "text") if tag == "input" else tag
            self._form.fields.setdefault(given["name"], (kind, given.get("value", "")))
            self._select = given["name"] if tag == "select" else ""
        elif self._form is not None and tag == "option" and self._select and given.get("value"):
            kept = self._form.fields[self._select][1]
            self._form.fields[self._select] = (
                "select",
                given["value"] if "selected" in given else kept or given["value"],
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _is_ours(self, tag: str, given: dict[str, str]) -> bool:
        if tag == "meta":
            return given.get("http-equiv") is None
        return tag == "script" and re.fullmatch(r"/static/[\w./-]+(\?[\w=]+)?", given.get("src", "")) is not None

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def places(self) -> set[str]:
        """The places whose hostile text is shown; each must be whole, to the letter or as JSON shows it."""
        found = set()
        for word in self.words:
            for match in PLACE.finditer(word):
                found.add(match[1])
                if not word[: match.start()].endswith(WHOLE):
                    self.wrong.append(word)
        return found


def look(answer: httpx.Response) -> tuple[Page, set[str], list[str]]:
    """The answer as a page, the places that it shows, and what is wrong with it."""
    page = Page("")
    kind = answer.headers.get("content-type", "").partition(";")[0]
    wrong = []
    disposition = answer.headers.get("content-disposition", "inline")
    if not SAFE_NAME.fullmatch(disposition):
        wrong.append(disposition)
    if kind in ("text/html", "image/svg+xml") and not disposition.startswith("attachment"):
        page = Page(answer.text)
        places = page.places()
        return page, places, wrong + page.wrong
    if kind == "text/csv":
        rows = [cell for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))) for cell in row]
        wrong += [cell for cell in rows if cell.startswith(FORMULA)]
        return page, {match[1] for cell in rows for match in PLACE.finditer(cell)}, wrong
    if kind == "application/pdf" and not disposition.startswith("attachment"):
        wrong.append("a PDF that a browser opens within the portal")
    if answer.headers.get("x-content-type-options") != "nosniff" or kind not in (
        "", "application/json", "application/pdf", "application/xml", "image/jpeg", "image/webp",
        "video/mp4", "text/html", "application/vnd.apple.mpegurl", "application/octet-stream",
    ):  # fmt: skip
        wrong.append(f"{kind} is nothing that a browser leaves alone")
    return page, set(), wrong


@pytest.fixture
def container(tmp_path: Path) -> Iterator[HostileOrganisation]:
    container = HostileOrganisation(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield container
    container.close()


@pytest.fixture
async def portal(container: HostileOrganisation) -> AsyncIterator[Portal]:
    async with container.portal() as portal:
        yield portal


async def browsers_of(portal: Portal) -> dict[str, httpx.AsyncClient]:
    browsers = {}
    for role, language in ROLES.items():
        client = await portal.signed_in(role)
        client.cookies.set("footage_desk_language", language)
        browsers[role] = client
    return browsers


LAST = ("/logout", "/account/password")  # they end what the other forms need
THOROUGH = ("drafter", "supervisor", "admin")  # they try every page, the others those that they are led to
# Their readers are the process, the drafter, the search, and the sheet; pages show a reply by the signed facts.
SHOWN_TO_NOBODY = {"outbox.settled_because", "consents.reason", "case_texts.text", "hearings.reply"}
# Forms that a page shows only in a state which this organisation is not in, or before there is a session.
NOT_REACHED = {
    "/login", "/login/code", "/login/password", "/login/enrolment", "/account/absences/{absence_id}/end",
    "/account/absences/{absence_id}/confirm", "/admin/people/{person_id}/absences/{absence_id}/confirm",
    "/account/second-factor/set-up", "/account/second-factor/remove", "/account/second-factor/recovery-codes",
    "/account/sessions/{session_id}/end", "/account/sessions/end-others", "/account/mails", "/admin/notices/test",
    "/admin/people/{person_id}/absences/{absence_id}/end", "/admin/cameras/{camera_id}/picture/remove", "/apply/save",
    "/reviews/{review_id}/confirm", "/reviews/{review_id}/unclaim", "/reviews/{review_id}/reassign", "/inbox/reassign",
    "/account/agreement", "/hand-overs/{hand_over_id}/accept", "/hand-overs/{hand_over_id}/decline",
    "/account/passkeys/{passkey_id}/rename", "/account/passkeys/{passkey_id}/remove",
    "/requests/{change_id}/{act}",
    "/admin/engine/incidents/{incident_key}/retry", "/admin/engine/jobs/{job_key}/retries",
    "/matters/{matter_id}/referral", "/matters/{matter_id}/reply", "/matters/{matter_id}/settlement",
    "/matters/violations/{violation_id}/start", "/disclosures/{matter_id}/files/{copy_id}",
    "/disclosures/{matter_id}/receipt", "/applications/{application_id}/outsiders", "/outsiders/{outsider_id}/remove",
    "/applications/{application_id}/original-letter", "/derivatives/{derivative_id}/watch",
    "/storage/disposals/{matter_id}/items/{disposal_item_id}",
    "/admin/recorders/{recorder_id}/listed/register",  # the recorder lists none: test_camera_places
    # there is no group, no inspection, no finding, and nobody of these whom the work order is asked of:
    # tests/unit/domain/supervision, storage and work_orders
    "/supervision/group/{group_id}/{act}", "/supervision-groups/{group_id}/attachments", "/supervision/inspections",
    "/supervision/inspections/{inspection_id}/signature", "/supervision/cases/{inspected_case_id}",
    "/storage/reconciliations/damages/{damage_id}", "/storage/reconciliations/findings/{finding_id}",
    "/work-orders/{work_order_id}/done", "/work-orders/{work_order_id}/verify",
    "/work-orders/{work_order_id}/cancel", "/work-orders/{work_order_id}/attachments",
    "/work-orders/{work_order_id}/downloads", "/copies/{copy_id}/beside/{other_id}",  # each loan has one copy here
    # no mail server and no app is set, and no directory:
    "/admin/notices/mail/test", "/admin/notices/mail/end", "/admin/notices/app/test", "/admin/notices/app/end",
    "/admin/directory", "/admin/directory/test", "/admin/directory/check",  # tests/unit/domain/staffing
    "/admin/directory/link",
    "/admin/notices/robots/{robot_id}/test", "/admin/notices/robots/{robot_id}/end",
    "/cases/{application_id}/custodian",  # no copies wait for somebody: tests/unit/domain/custody
    "/due-dates/address/withdraw",  # of who has an address: tests/unit/domain/cases/test_due_dates.py
    "/holds/{legal_hold_id}/ask-lift",  # of a hold that Legal has confirmed: tests/unit/domain/holds
    # there is nobody who leads Legal: tests/unit/domain/applicable_rules
    "/applicable-rules/{rule_id}",
    # it has no footage in clear and is not made: tests/integration/evidence/test_packages_of_the_portal.py
    "/packages/{package_id}/approval", "/packages/{package_id}/fetches",
    "/admin/calendar",  # in the answer to /admin/calendar/check: test_working_calendar_pages.py
}  # fmt: skip
# addresses of one route that one role opens: links on pages lead to the same page of many things
MOST = examples(sample=3, full=400)


@dataclass
class Walk:
    """One person going through the portal by its links, from every page that has a plain address."""

    role: str
    browser: httpx.AsyncClient
    routes: Sequence[Route]
    first: Sequence[str]  # of their routes, of which links may lead to other kinds alone
    shown: set[str] = field(default_factory=set)
    opened: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    forms: dict[str, Form] = field(default_factory=dict)

    async def go(self) -> None:
        ways, known = ["/"], set[str]()
        if self.role in THOROUGH:
            ways += [route.path for route in self.routes if not route.parameters]
        for address in self.first:
            ways += await self._ways_from(address, known)
        while ways:
            ways += await self._ways_from(ways.pop(), known)

    async def _ways_from(self, address: str, known: set[str]) -> list[str]:
        """Open an address, unless it is known or enough of its route are; return where its links lead."""
        route = self._route_of(address)
        if route is None or (address in known) or self.opened[route.path] >= MOST:
            return []
        known.add(address)
        self.opened[route.path] += 1
        return [way.partition("#")[0] for way in (await self.open(address)).ways]

    async def send(self, form: Form, words: Mapping[str, str]) -> None:
        """Send a form, and look at what it answers or leads to."""
        answer = await self.browser.post(form.action, data=dict(words), follow_redirects=True)
        self.take(form.action, answer)

    async def open(self, address: str) -> Page:
        page = self.take(address, await self.browser.get(address))
        for form in page.forms:
            form.action = form.action or address
            self.forms.setdefault(form.name, form)
        return page

    def take(self, address: str, answer: httpx.Response) -> Page:
        page, places, faults = look(answer)
        self.shown |= places
        self.wrong += [(self.role, address, fault) for fault in faults]
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append((self.role, address, str(answer.status_code)))
        return page

    async def write(self, seen: set[str]) -> None:
        """Fill in every form that was seen: first wrong from end to end, then with hostile words where words go."""
        forms = [form for name, form in self.forms.items() if name not in seen]
        seen |= set(self.forms)
        for form in forms:
            token = {"csrf_token": self.browser.headers["X-CSRF-Token"]}
            await self.send(form, {**dict.fromkeys(form.fields, hostile("form")), **token})
        for form in sorted(forms, key=lambda form: form.action in LAST):
            await self.send(form, {name: filled_in(name, *told) for name, told in form.fields.items()})

    def _route_of(self, address: str) -> Route | None:
        path = address.partition("?")[0]
        return next((route for route in self.routes if route.pattern.fullmatch(path)), None)


def filled_in(name: str, kind: str, value: str) -> str:
    """A field as a hostile person fills it in who wants the form to be taken."""
    if kind == "password":
        return PASSWORD
    return hostile("form") if kind in ("text", "search", "textarea") else value


def to_read() -> list[Route]:
    """Plain paths first, so that /new is not taken for the name of something."""
    return sorted((route for route in every_route() if route.method == "GET"), key=lambda route: len(route.parameters))


@pytest.mark.slow
@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.timeout(900)  # it walks every page as everybody
async def test_nothing_that_anybody_wrote_becomes_markup_or_a_formula_anywhere(
    container: HostileOrganisation, portal: Portal
) -> None:
    opened, shown, wrong, walks = Counter[str](), set[str](), list[tuple[str, str, str]](), list[Walk]()
    sent, names, known = set[str](), set[str](), container.known()
    loan = f"/hand-overs/{container.lent}"
    first = [f"/applications/{DRAFT}/edit", f"/cases/{container.questioned}", loan, f"{loan}/custody-log"]
    with capture_logs():
        for role, browser in (await browsers_of(portal)).items():
            walks.append(Walk(role, browser, to_read(), first))
            await walks[-1].go()
        for walk in walks:
            opened += walk.opened
        for route in [route for route in to_read() if not opened[route.path]]:
            for walk in walks:  # what no link leads to: parts of pages, and what programs read
                for address in islice(route.addresses(known), 2 if route.for_programs else 6):
                    await walk.open(address)
        for walk in walks:
            await walk.write(names)
            shown |= walk.shown
            wrong += walk.wrong
            sent |= {form.action for form in walk.forms.values()}
    assert not wrong, "\n".join(map(str, wrong[:20]))
    assert container.written - shown <= SHOWN_TO_NOBODY
    acts = [route for route in every_route() if route.method == "POST" and not route.for_programs]
    unwritten = {route.path for route in acts if not any(route.pattern.fullmatch(action) for action in sent)}
    assert unwritten <= NOT_REACHED, unwritten - NOT_REACHED
