"""What people see: one folder for each group of pages. Every folder here whose ``routes`` has a ``router`` is part."""

import importlib
import pkgutil

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of the page groups, by folder name."""
    groups = (found.name for found in pkgutil.iter_modules(__path__) if found.ispkg)
    modules = (importlib.import_module(f"{__name__}.{group}.routes") for group in groups)
    return [module.router for module in modules if isinstance(getattr(module, "router", None), APIRouter)]
