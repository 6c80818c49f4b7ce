"""The portal's application: the pages, the JSON API beside them, errors and security headers."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services import domain
from services.domain.accounts.identity import AccountIdentity
from services.domain.accounts.signatures import http as signature_http
from services.runtime.settings import Settings
from services.web import errors as web_errors
from services.web import refusal_pages
from services.web.middleware import RequestLimits, SecurityHeaders


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
    app.state.identity = AccountIdentity()
    web_errors.install(app, refusal_pages.page)
    refusal_pages.install(app)
    signature_http.install(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(SecurityHeaders)
    settings = dependencies.get("settings")
    if isinstance(settings, Settings) and settings.portal.trusted_proxies:
        # Sign-ins are counted by address: without a proxy that we know, nobody else says where a call comes from.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.portal.trusted_proxies)
    for router in (*routers_of("api"), *routers):
        app.include_router(router)
    for router in routers_of("pages"):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(packages=[("services.web", "static")]))
    return app


def routers_of(kind: str) -> list[APIRouter]:
    """Return the routers of ``api`` or ``pages``, a module or a package, of each capability and of this package.

    Every module with a ``router`` is found here and nowhere else: one that another included would be registered twice.
    """
    packages = [f"{domain.__name__}.{found.name}" for found in pkgutil.iter_modules(domain.__path__) if found.ispkg]
    modules = [module for package in (*packages, __package__ or "") for module in _modules(package, kind)]
    return [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]


def _modules(package: str, kind: str) -> list[ModuleType]:
    if importlib.util.find_spec(f"{package}.{kind}") is None:
        return []
    found = importlib.import_module(f"{package}.{kind}")
    inner = [one.name for one in pkgutil.iter_modules(getattr(found, "__path__", []))]
    return [found, *(importlib.import_module(f"{found.__name__}.{name}") for name in inner)]
