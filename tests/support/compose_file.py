"""deploy/compose.yaml as compose reads it: variables filled in as its specification says."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from services.runtime.places import DEPLOY

COMPOSE = DEPLOY / "compose.yaml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<else>[^}]*))?\}")


def offered() -> dict[str, str]:
    """The variables of deploy/.env.example."""
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def demanded() -> set[str]:
    """The variables without which the file cannot be used: its secrets."""
    found = VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))
    return {one["name"] for one in found if one["how"] == ":?"}


def services(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services by name; KeyError for a variable that must be there and is not."""
    named: dict[str, dict[str, Any]] = filled(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), given)["services"]
    return named


def filled(part: Any, given: Mapping[str, str]) -> Any:
    """A part of the file with its variables filled in."""
    if isinstance(part, dict):
        return {name: filled(value, given) for name, value in part.items()}
    if isinstance(part, list):
        return [filled(value, given) for value in part]
    return VARIABLE.sub(lambda found: _value(found, given), part) if isinstance(part, str) else part


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    value = given.get(found["name"], "")
    if not value and found["how"] == ":?":
        raise KeyError(f"{found['name']}: {found['else']}")
    return value or (found["else"] or "")
