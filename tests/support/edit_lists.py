"""Lists of edits of the models, each with what is expected of the policy check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Apply = Callable[[Path], None]


@dataclass(frozen=True)
class Edit:
    """``found_by`` is the rule that finds it; empty for a harmless edit."""

    name: str
    apply: Apply
    found_by: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass
class Edits:
    """Edits in the order in which they are written; each is a function, decorated with what it does.

    ``refused`` are those that lint refuses, and the check cannot walk.
    """

    breaking: list[Edit] = field(default_factory=list)
    refused: list[Edit] = field(default_factory=list)
    harmless: list[Edit] = field(default_factory=list)

    def breaks(self, rule: str) -> Callable[[Apply], Apply]:
        """Return the decorator of an edit that breaks this rule of the policy."""
        return _keep(self.breaking, rule)

    def is_refused_by(self, lint_rule: str) -> Callable[[Apply], Apply]:
        """Return the decorator of an edit that this rule of lint refuses."""
        return _keep(self.refused, lint_rule)

    def does_no_harm(self, edit: Apply) -> Apply:
        return _keep(self.harmless)(edit)


def _keep(edits: list[Edit], found_by: str = "") -> Callable[[Apply], Apply]:
    def kept(edit: Apply) -> Apply:
        edits.append(Edit(edit.__name__, edit, found_by))
        return edit

    return kept
