"""A person in front of the portal of a custody desk: signed in, reading, posting."""

import httpx
from custody_desk import PASSWORD, Desk
from portal_client import portal_over

from services.runtime.settings import Settings


class Browser:
    """A person at the API and at the pages."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @classmethod
    async def of(cls, desk: Desk, login: str, **dependencies: object) -> "Browser":
        app = portal_over({**desk.worker, "settings": Settings(data_dir=desk.root), **dependencies})
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk")
        answer = await client.post("/api/login", json={"login": login, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
        return cls(client)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, **body: object) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def send(self, path: str, **fields: object) -> httpx.Response:
        """Send a page's form."""
        return await self.client.post(path, data=fields)
