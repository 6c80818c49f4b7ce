"""The portal's application: the pages, the JSON API beside them, errors and security headers."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from copy import copy
from types import ModuleType

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services import domain
from services.domain.accounts.identity import AccountIdentity
from services.domain.accounts.signatures import http as signature_http
from services.domain.supervision.refused_access import note_refusal
from services.runtime.settings import Settings
from services.web import errors as web_errors
from services.web import refusal_pages
from services.web.middleware import RequestLimits, SecurityHeaders
from services.web.observation import RequestObserver
from services.web.refused_access import RefusedAccess


class Portal(FastAPI):
    """The application, observed from outside all middleware: also what answers an error that nothing handles."""

    def build_middleware_stack(self) -> ASGIApp:
        return RequestObserver(super().build_middleware_stack())


def create_app(dependencies: Mapping[str, object], routers: Sequence[APIRouter] = ()) -> FastAPI:
    """Build the application with all pages, the API and ``routers``.

    ``dependencies``: the objects that ``web.dependencies`` gives to routes, by name.
    """
    # The interactive pages of FastAPI load scripts from other hosts, so only the description itself is served.
    # Its own traces are taken, with what ``services.runtime.tracing`` says of them; its logs would quote errors.
    # No redirect to another spelling of a path: it would be built from the Host header that a caller sends.
    app = Portal(
        title="Footage Desk",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )
    app.state.dependencies = dict(dependencies)
    app.state.identity = AccountIdentity()
    web_errors.install(app, refusal_pages.page)
    refusal_pages.install(app)
    signature_http.install(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(RefusedAccess, note=note_refusal)
    given = dependencies.get("settings")
    settings = given if isinstance(given, Settings) else None
    app.add_middleware(SecurityHeaders, https=settings is not None and settings.portal.url.startswith("https://"))
    if settings is not None and settings.portal.trusted_proxies:
        # Failed logins are counted by address: only a known proxy may say where a call comes from.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.portal.trusted_proxies)
    # Each router has its whole paths, so its routes are added as they are: `include_router` would build each of them
    # once more at the first request, and look through router after router at every one.
    for router in (*routers_of("api"), *routers):
        app.router.routes.extend(router.routes)
    for router in routers_of("pages"):
        app.router.routes.extend(_undescribed(route) for route in router.routes)
    app.mount("/static", StaticFiles(packages=[("services.web", "static")]))
    return app


def _undescribed(route: BaseRoute) -> BaseRoute:
    """The same route, left out of the API's description."""
    route = copy(route)
    if isinstance(route, APIRoute):
        route.include_in_schema = False
    return route


def routers_of(kind: str) -> list[APIRouter]:
    """Return the routers of ``api`` or ``pages``, a module or a package, of each capability and of this package.

    No module includes the router of another, which would register it twice.
    """
    packages = [
        f"{domain.__name__}.{package.name}" for package in pkgutil.iter_modules(domain.__path__) if package.ispkg
    ]
    modules = [module for package in (*packages, __package__ or "") for module in _modules(package, kind)]
    return [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]


def _modules(package: str, kind: str) -> list[ModuleType]:
    if importlib.util.find_spec(f"{package}.{kind}") is None:
        return []
    root = importlib.import_module(f"{package}.{kind}")
    inner = [module.name for module in pkgutil.iter_modules(getattr(root, "__path__", []))]
    return [root, *(importlib.import_module(f"{root.__name__}.{name}") for name in inner)]
