"""Write one stage of a case without all that leads there; what a case allows is tested in `unit/workers`."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from services.domain.process import permissions


def _nothing(*_arguments: object) -> None:
    return None


@contextmanager
def anything_goes() -> Iterator[None]:
    """Let builders open any review, offer any copy and escalate at once."""
    names = ("require_stage", "require_filed", "require_released", "require_accepted", "require_due")
    with patch.multiple(permissions, **dict.fromkeys(names, _nothing)):
        yield
