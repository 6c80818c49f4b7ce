"""The API keeps its own description: whatever is sent, no answer is a failure and none is undocumented."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amount
import photographs
import pytest
import schemathesis
from access_rules import CALENDAR, ROLES, RULES, SIGNED, Rule
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inspected_engine import with_one_stuck
from lent_case import Lens, besides, lend
from portal_client import MODELS, portal_over
from review_desk import NOON, PASSWORD, REAL, Box, ReviewDesk
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from services.app.web import routers_of
from services.domain.custody.integrity_checks import Verifier
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.vault.age import generate_identity
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.opening import open_store
from services.web.identity import CSRF_HEADER

EXAMPLES = amount.examples(sample=4, full=12)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROOTS = "/srv"
ADDRESS = "https://footage.example"
NOBODY = Rule(frozenset())
QUESTIONS = ("camera-confirmed", "clock-offset-stated", "span-right")
# Bodies that are done, where those of the access rules are refused at the end, so that the matrix leaves all in place.
DONE: dict[str, dict[str, Any]] = {
    "POST /api/reviews/{review_id}/decide": {
        "outcome": "approved", "answers": dict.fromkeys(QUESTIONS, True), "reason": "理由充分", **SIGNED,
    },
    "POST /api/hand-overs/{hand_over_id}/return": {
        "returnTo": "security", "noOtherCopies": True, "password": PASSWORD,
        "downloads": [{"downloadId": "", "fate": "destroyed", "note": "粉碎"}],
    },
    "POST /api/copies/{copy_id}/viewings": {"purposeConfirmed": True},
    "POST /api/people": {"login": "new.person", "name": "新人", "departmentId": "works"},
    "POST /api/account/password": {"password": PASSWORD, "newPassword": "another one that is long"},
    "POST /api/admin/calendar": {**CALENDAR, "dryRun": True},
    "POST /api/admin/recorders": {"name": "New", "site": "S", "configuration": {"root": ROOTS}},
    "PUT /api/admin/recorders/{recorder_id}": {"name": "New", "site": "S", "configuration": {"root": ROOTS}},
}  # fmt: skip


@schemathesis.serializer("text/csv")
def as_csv(_context: Any, value: Any) -> Any:
    return str(value).encode("utf-8", "replace")


@dataclass(frozen=True)
class Container:
    """An organisation with a case at every stage; ``known`` are identifiers, ``signed_in`` is each role's session."""

    app: FastAPI
    database: Path
    known: Mapping[str, str]
    fields: Mapping[str, str]
    signed_in: Mapping[str, Mapping[str, Any]]

    def body(self, route: str) -> Any:
        """An ordinary body; None where the route takes none."""
        body = DONE.get(route, RULES.get(route, NOBODY).body)
        return None if body is None else filled(dict(body), self.fields)

    def query(self, route: str) -> dict[str, str]:
        """An ordinary query."""
        told = RULES.get(route, NOBODY).query.format(**self.known).lstrip("?")
        return dict(part.split("=") for part in told.split("&") if part)

    def session(self, route: str) -> Mapping[str, Any]:
        """Of somebody who may call the route, so that not every call ends at the door."""
        may = RULES.get(route, NOBODY).may
        return self.signed_in[next((role for role in ROLES if role in may), ROLES[0])]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    folder = tmp_path_factory.mktemp("installation")
    database = folder / "database.sqlite3"
    desk = ReviewDesk(f"sqlite:///{database}")
    engine, keys = with_one_stuck()
    known = {**lend(desk), **besides(desk), **keys}
    fields = {
        **{camel(name): value for name, value in known.items()},
        "custodianId": "keeper",
        "password": PASSWORD,
        "formSha256": desk.form_sha256(known["review_id"]),
        "conditionsVersion": desk.rules.policy_version,
        "recipient": generate_identity()[1],
    }
    lens, store = Lens(), open_store(FolderStore(folder / "store", "test"))
    store.ensure()
    app = portal_over(
        {
            "database": desk.database,
            "settings": Settings.load(data_dir=folder, portal={"public_url": ADDRESS}, recorders={"roots": ROOTS}),
            "store": store,
            "loan_keys": LoanKeys(folder / "loans"),
            "vault_recipients": lambda: [generate_identity()[1]],
            "log_keys": tuple,
            "trusted_signers": tuple,
            "recorders": lambda _kind, _configuration: lens,
            "models": MODELS,
            "doctor": nothing_wrong,
            "engine": engine,
            "turn_clock": lambda by: NOON + by,
        }
    )
    signed_in = {role: sign_in(app, role) for role in ROLES}
    known["attachment_id"] = attach(app, signed_in["reviewer"], known["application_id"])
    desk.close()
    return Container(app, database, known, fields, signed_in)


async def nothing_wrong() -> list[Any]:
    return []


def sign_in(app: FastAPI, login: str) -> dict[str, Any]:
    client = TestClient(app, base_url=ADDRESS)
    me = client.post("/api/login", json={"login": login, "password": PASSWORD}).json()
    return {"headers": {CSRF_HEADER: me["csrfToken"]}, "cookies": dict(client.cookies)}


def attach(app: FastAPI, session: Mapping[str, Any], application_id: str) -> str:
    """A file that is in the store, as one that was laid out on paper is not."""
    client = TestClient(app, base_url=ADDRESS, cookies=session["cookies"])
    address = f"/api/applications/{application_id}/attachments?kind=identity-card&name=card.jpg"
    answer = client.post(address, content=photographs.jpeg(60, 40), headers=session["headers"])
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.fixture
def fresh(container: Container, tmp_path: Path) -> Iterator[Container]:
    """The organisation as it was, whatever the calls before have done."""
    shutil.copy(container.database, tmp_path / "database.sqlite3")
    database = open_database(
        f"sqlite:///{tmp_path / 'database.sqlite3'}",
        FixedClock(NOON),
        Rules(max_use_days=30),
        secrets=Box(),
        real=FixedClock(REAL),
    )
    dependencies = container.app.state.dependencies
    dependencies["database"] = database
    container.app.state.verifier = Verifier(
        database, dependencies["store"]
    )  # it keeps the register that it was made with
    yield container
    database.close()


@pytest.fixture(scope="module")
def described(container: Container) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", container.app)


# Each process collects this, and the description itself takes it a second of the processor.
CALLS = sorted(
    (route.path_format, method)
    for router in routers_of("api")
    for route in router.routes
    if isinstance(route, APIRoute) and route.include_in_schema
    for method in route.methods
)


def filled(body: Any, fields: Mapping[str, str]) -> Any:
    """The body with what is known in the place of identifiers, passwords and hashes."""
    if isinstance(body, dict):
        return {
            name: fields[name] if name in fields and isinstance(value, str) else filled(value, fields)
            for name, value in body.items()
        }
    return [filled(part, fields) for part in body] if isinstance(body, list) else body


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), CALLS, ids=[f"{method} {path}" for path, method in CALLS])
def test_every_answer_is_one_that_the_description_has(path: str, method: str, described: Any, fresh: Container) -> None:
    route, operation = f"{method} {path}", described[path][method]
    anything = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @given(case=anything, ordinary=st.sampled_from([True, True, True, False]), place=st.integers(0, 99))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    def keeps_the_description(case: Any, ordinary: bool, place: int) -> None:
        if ordinary:
            case.path_parameters = {name: fresh.known.get(name, value) for name, value in case.path_parameters.items()}
            case.body = but_for_one(fresh.body(route), case.body, place)
            case.query = but_for_one(fresh.query(route), case.query, place)
        case.call_and_validate(checks=CHECKS, **fresh.session(route))

    keeps_the_description()


def but_for_one(ordinary: dict[str, Any] | None, anything: Any, place: int) -> Any:
    """What is ordinary, but for one field that may be anything: most calls are to come as far as the books."""
    if not ordinary or not isinstance(anything, dict) or not anything:
        return anything
    name = sorted(anything)[place % len(anything)]
    return {**ordinary, name: anything[name]}


@pytest.mark.parametrize(("path", "method"), CALLS, ids=[f"{method} {path}" for path, method in CALLS])
def test_an_ordinary_call_is_answered_as_described(path: str, method: str, described: Any, fresh: Container) -> None:
    route = f"{method} {path}"
    names = {name: value for name, value in fresh.known.items() if f"{{{name}}}" in path}
    body = fresh.body(route)
    more = {} if body is None else {"body": body, "media_type": "application/json"}

    case = described[path][method].Case(path_parameters=names, query=fresh.query(route), **more)

    case.call_and_validate(checks=CHECKS, **fresh.session(route))


def test_the_description_is_for_readers(described: Any) -> None:
    raw = described.raw_schema
    assert {(path, method.upper()) for path, methods in raw["paths"].items() for method in methods} == set(CALLS)
    assert raw["openapi"].startswith("3.")
    bare = [
        f"{method} {path}"
        for path, methods in raw["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]
    assert bare == []
