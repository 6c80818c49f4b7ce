"""The portal's API as a signed-in person uses it."""

from typing import Any, Self

import httpx
from built_portal import portal_over
from review_desk import PASSWORD, ReviewDesk

from services.app.container import models
from services.domain.process.model_library import ModelLibrary
from services.runtime.models import read
from services.runtime.settings import Settings

MODELS = ModelLibrary(read(path for path in models() if path.suffix == ".bpmn"))


class Portal:
    """Clients of one portal, each with cookies and a CSRF token of its own."""

    def __init__(self, desk: ReviewDesk, **dependencies: object) -> None:
        settings = Settings.load(portal={"public_url": "https://footage.example"})
        given = {"database": desk.database, "settings": settings, "models": MODELS}
        self.app = portal_over({**given, "log_keys": tuple, "trusted_signers": tuple, **dependencies})
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
