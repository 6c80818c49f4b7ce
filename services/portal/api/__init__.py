"""The JSON API. Every module here that has a ``router`` is part of it."""

import importlib
import pkgutil

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of this package's modules, by module name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]
