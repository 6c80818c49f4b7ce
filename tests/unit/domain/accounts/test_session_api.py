"""Sessions over HTTP: cookie, CSRF token, errors in one shape, headers."""

from typing import Any

import pytest
from fastapi import APIRouter
from portal_client import Portal, problem
from review_desk import PASSWORD, ReviewDesk

from services.app.web import create_app
from services.runtime.errors import Fatal, Retryable


@pytest.mark.requirement("R52")
async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(portal: Portal) -> None:
    answer = await portal.anonymous().post("/api/login", json={"login": "head", "password": PASSWORD})

    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "secure"} <= attributes
    assert answer.json()["posts"] == [{"kind": "head", "departmentId": "works"}]


async def test_nobody_acts_without_signing_in(portal: Portal) -> None:
    client = portal.anonymous()

    for path in ("/api/me", "/api/reviews", "/api/notices", "/api/directory", "/api/cameras"):
        assert problem(await client.get(path)) == (401, "logged-out", None)
    assert problem(await client.post("/api/reviews/x/claim")) == (401, "logged-out", None)


async def test_an_act_needs_the_csrf_token_and_reading_does_not(portal: Portal) -> None:
    client = await portal.signed_in("head")
    token = client.headers.pop("X-CSRF-Token")

    assert (await client.get("/api/me")).json()["csrfToken"] == token
    assert problem(await client.post("/api/logout")) == (403, "csrf", None)
    client.headers["X-CSRF-Token"] = token[::-1]
    assert problem(await client.post("/api/logout")) == (403, "csrf", None)
    client.headers["X-CSRF-Token"] = token
    assert (await client.post("/api/logout")).status_code == 204
    assert problem(await client.get("/api/me")) == (401, "logged-out", None)


async def test_a_stolen_token_is_worthless_after_signing_out(portal: Portal) -> None:
    client = await portal.signed_in("head")
    stolen = dict(client.cookies)
    await client.post("/api/logout")

    thief = portal.anonymous()
    thief.cookies.update(stolen)

    assert problem(await thief.get("/api/me")) == (401, "logged-out", None)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"login": "head"}, "missing", "password"),
        ({"login": "", "password": "x"}, "string-too-short", "login"),
        ({"login": "x" * 201, "password": "x"}, "string-too-long", "login"),
        ({"login": "head", "password": "x", "role": "admin"}, "extra-forbidden", "role"),
        ({"login": 7, "password": "x"}, "string-type", "login"),
    ],
)
async def test_a_wrong_field_is_named_in_both_languages(
    portal: Portal, body: dict[str, Any], code: str, field: str
) -> None:
    assert problem(await portal.anonymous().post("/api/login", json=body)) == (422, code, field)


async def test_what_is_no_json_is_said_to_be_none(portal: Portal) -> None:
    answer = await portal.anonymous().post("/api/login", content=b"{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "json-invalid"


async def test_an_unknown_address_and_a_wrong_method_answer_in_the_same_shape(portal: Portal) -> None:
    client = portal.anonymous()

    assert problem(await client.get("/api/nothing")) == (404, "not-found", None)
    assert problem(await client.get("/api/login")) == (405, "http", None)


async def test_every_answer_carries_the_security_headers(portal: Portal) -> None:
    answer = await portal.anonymous().get("/api/nothing")

    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Retryable("the store at 10.0.0.1 is away"), 503, "try-again"),
        (Fatal("secret detail"), 500, "broken"),
        (RuntimeError("secret detail"), 500, "broken"),
    ],
)
async def test_a_failure_tells_what_to_do_and_no_detail(
    desk: ReviewDesk, error: Exception, status: int, code: str
) -> None:
    router = APIRouter()

    @router.get("/api/failing")
    def fail() -> None:
        raise error

    async with Portal(desk) as portal:
        portal.app = create_app({"database": desk.database}, [router])
        answer = await portal.anonymous().get("/api/failing")

    assert problem(answer) == (status, code, None)
    assert str(error) not in answer.text


async def test_the_description_lists_every_routes_refusals(portal: Portal) -> None:
    description = (await portal.anonymous().get("/api/openapi.json")).json()

    without = [
        f"{method} {path}"
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if path.startswith(("/api/reviews", "/api/notices", "/api/directory", "/api/cameras", "/api/sign", "/api/me"))
        and not {"401", "422", "503"} <= set(operation["responses"])
    ]
    assert without == []
    assert "Problem" in description["components"]["schemas"]
