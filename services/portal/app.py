"""The portal's application: the JSON API with its errors and security headers; pages are added as routers."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.portal import api
from services.portal.api import errors, session

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(dependencies: Mapping[str, object], routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over these objects (``api.dependencies`` names them), with the API's routers and ``routers``."""
    # The interactive pages of FastAPI load scripts from other hosts, so only the description itself is served.
    app = FastAPI(title="Footage Desk", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.state.dependencies = dict(dependencies)
    errors.install(app, session.count_wrong_password)
    app.add_middleware(SecurityHeaders)
    for router in (*api.routers(), *routers):
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("services.portal", "static")]))
    return app


class SecurityHeaders:
    """Sets what every answer carries. Plain ASGI, so that footage streams through it untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)
