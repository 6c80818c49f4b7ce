"""The portal's application: the pages, the JSON API beside them, errors and security headers."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.portal import api, pages
from services.portal.api import errors, signing
from services.portal.middleware import Bounds, SecurityHeaders
from services.portal.pages import refusals
from services.runtime.settings import Settings


def create_app(dependencies: Mapping[str, object], routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over these objects (``api.dependencies`` names them), with all pages, the API and ``routers``."""
    # The interactive pages of FastAPI load scripts from other hosts, so only the description itself is served.
    # An address has one spelling: a redirect to another one would be written from the Host header that a caller sends.
    app = FastAPI(
        title="Footage Desk",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.dependencies = dict(dependencies)
    errors.install(app, refusals.page)
    refusals.install(app)
    signing.install(app)
    app.add_middleware(Bounds)
    app.add_middleware(SecurityHeaders)
    settings = dependencies.get("settings")
    if isinstance(settings, Settings) and settings.trusted_proxies:
        # Sign-ins are counted by address: without a proxy that we know, nobody else says where a call comes from.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    for router in (*api.routers(), *routers):
        app.include_router(router)
    for router in pages.routers():
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(packages=[("services.portal", "static")]))
    return app
