"""Built-in functions that Camunda documents, one module for each group."""

from services.engine.feel.builtins import (  # noqa: F401 - importing a group registers its functions
    booleans,
    contexts,
    conversion,
    lists,
    numbers,
    ranges,
    statistics,
    strings,
    temporal,
)
from services.engine.feel.builtins.registry import BUILTIN_NAMES, call_builtin, find_builtin

__all__ = ["BUILTIN_NAMES", "call_builtin", "find_builtin"]
