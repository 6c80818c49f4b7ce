"""Checks of many edits that walk a process again only where an edit has changed what it needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.designers.policy_check import check
from services.designers.policy_check.root_processes import Root
from services.designers.policy_check.verdicts import Walked

_KEPT = 12  # walks: of the shipped processes, which are walked first


@contextmanager
def keeping_walks() -> Iterator[None]:
    """Keep whole walks, by the files that they went through; the folders have to have the same stages and rules."""
    walk_anew = check._Check._walk
    kept: dict[Any, Walked] = {}

    def walk(self: Any, root: Root | None, seconds: float, until: str | None) -> Walked:
        files = self._files.resources if root is None else root.resources
        of = (None if root is None else root.process_id, tuple((file.name, file.content) for file in files))
        if of in kept:
            return kept[of]
        walked = walk_anew(self, root, seconds, until)
        if walked.walk.is_complete and len(kept) < _KEPT:
            kept[of] = walked
        return walked

    check._Check._walk = walk  # type: ignore[method-assign]
    try:
        yield
    finally:
        check._Check._walk = walk_anew  # type: ignore[method-assign]
