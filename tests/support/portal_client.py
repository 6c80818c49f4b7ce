"""The portal's API as a signed-in person uses it."""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

import httpx
from fastapi import FastAPI
from review_desk import PASSWORD, ReviewDesk
from starlette.datastructures import State

from services.app.container import models
from services.app.web import create_app
from services.runtime.models import read
from services.runtime.settings import Settings

MODELS = read(path for path in models() if path.suffix == ".bpmn")


@cache
def _built() -> FastAPI:
    """The application with its routes and its middleware, over nothing."""
    app = create_app({})
    app.middleware_stack = app.build_middleware_stack()
    return app


def portal_over(dependencies: Mapping[str, object]) -> FastAPI:
    """The portal's application over these objects; build it with ``create_app`` where settings add middleware.

    To build 303 routes takes 0.5 s of the processor, so that all tests share one application's; an application's own
    are only its dependencies and what else hangs on its state.
    """
    settings = dependencies.get("settings")
    if isinstance(settings, Settings) and settings.portal.trusted_proxies:
        return create_app(dependencies)
    app = copy.copy(_built())
    app.state = State({"identity": app.state.identity, "dependencies": dict(dependencies)})
    return app


class Portal:
    """Clients of one portal, each with cookies and a CSRF token of its own."""

    def __init__(self, desk: ReviewDesk, **dependencies: object) -> None:
        settings = Settings.load(portal={"public_url": "https://footage.example"})
        self.app = portal_over({"database": desk.database, "settings": settings, "models": MODELS, **dependencies})
        self._clients: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.aclose()

    def anonymous(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="https://footage.example")
        self._clients.append(client)
        return client

    async def signed_in(self, login: str) -> httpx.AsyncClient:
        client = self.anonymous()
        answer = await client.post("/api/login", json={"login": login, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
        return client


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, which has to speak both languages."""
    body: dict[str, Any] = answer.json()
    assert body["zh"]
    assert body["en"]
    return answer.status_code, body["code"], body["field"]
