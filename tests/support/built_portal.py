"""The portal's application over other objects, with routes that are built once in a process."""

import copy
from collections.abc import Mapping
from functools import cache

from fastapi import FastAPI
from starlette.datastructures import State

from services.app.web import create_app
from services.runtime.settings import Settings


@cache
def built() -> FastAPI:
    """The application with its routes and its middleware, over nothing."""
    app = create_app({})
    app.middleware_stack = app.build_middleware_stack()
    return app


def portal_over(dependencies: Mapping[str, object]) -> FastAPI:
    """The portal's application over these objects; build it with ``create_app`` where settings add middleware.

    To build 303 routes takes 0.5 s of the processor, so that all share one application's; an application's own are
    only its dependencies and what else hangs on its state.
    """
    settings = dependencies.get("settings")
    if isinstance(settings, Settings) and settings.portal.trusted_proxies:
        return create_app(dependencies)
    app = copy.copy(built())
    app.state = State({"identity": app.state.identity, "dependencies": dict(dependencies)})
    return app
