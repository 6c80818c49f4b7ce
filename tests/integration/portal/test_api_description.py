"""The API keeps its own description: whatever is sent, no answer is a failure and none is undocumented."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from review_desk import PASSWORD, ReviewDesk
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from services.bootstrap import models
from services.portal.api.session import CSRF_HEADER
from services.portal.app import create_app
from services.recorders.registry import open_recorder
from services.register.applications import Item
from services.register.people import Person
from services.register.unit import Unit
from services.runtime.clock import SystemClock
from services.runtime.models import read as read_models
from services.runtime.settings import Settings
from services.vault.folder import FolderStore
from services.vault.keys import LoanKeys

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ADDRESS = "https://footage.example"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path_factory.mktemp('described') / 'register.db'}")
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def known(desk: ReviewDesk) -> dict[str, str]:
    """Identifiers that are there, so that not every call ends with 404."""
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    [item] = desk.all(Item, application_id=application_id)
    return {
        "application_id": application_id,
        "review_id": review_id,
        "item_id": item.id,
        "camera_id": "camera",
        "recorder_id": "recorder",
        "person_id": "keeper",
        "process_id": "review",
    }


@pytest.fixture(scope="module")
def app(desk: ReviewDesk, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("house")
    return create_app(
        {
            "register": desk.register,
            "settings": Settings(data_dir=folder, public_url=ADDRESS),
            "store": FolderStore(folder / "store", SystemClock()),
            "loan_keys": LoanKeys(folder / "loans"),
            "recorders": open_recorder,
            "models": read_models(path for path in models() if path.suffix == ".bpmn"),
        }
    )


@pytest.fixture
def signed_in(app: FastAPI, desk: ReviewDesk) -> dict[str, Any]:
    """Headers and cookies of the person whose turn the review is; fresh, as wrong passwords end a session."""
    desk.run(unlock)
    client = TestClient(app, base_url=ADDRESS)
    me = client.post("/api/sign-in", json={"login": "head", "password": PASSWORD}).json()
    return {"headers": {CSRF_HEADER: me["csrfToken"]}, "cookies": dict(client.cookies)}


def unlock(unit: Unit) -> None:
    person = unit.session.get_one(Person, "head")
    person.failed_sign_ins, person.locked_until = 0, None


@pytest.fixture(scope="module")
def described(app: FastAPI, known: dict[str, str]) -> Any:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)

    @schema.hook
    def map_path_parameters(_context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        return {name: known.get(name, value) for name, value in parameters.items()} if parameters else parameters

    return schema


# They end the session or the account that every other call needs.
APART = {"/api/sign-out", "/api/sign-in", "/api/account/password", "/api/account/sessions/{session_id}/end"}
CALLS = sorted(
    (path, method)
    for path, methods in create_app({}).openapi()["paths"].items()
    for method in methods
    if path not in APART
)


@pytest.mark.parametrize(("path", "method"), CALLS, ids=[f"{method.upper()} {path}" for path, method in CALLS])
def test_every_answer_is_one_that_the_description_has(
    path: str, method: str, described: Any, signed_in: dict[str, Any]
) -> None:
    operation = described[path][method.upper()]
    anything = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @given(case=anything)
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def keeps_the_description(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, **signed_in)

    keeps_the_description()


def test_the_description_is_for_readers(described: Any) -> None:
    raw = described.raw_schema
    assert raw["openapi"].startswith("3.")
    bare = [
        f"{method} {path}"
        for path, methods in raw["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]
    assert bare == []
