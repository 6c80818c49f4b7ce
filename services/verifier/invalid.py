"""The error of this package."""

from collections.abc import Callable


class Invalid(ValueError):
    """The input is not what it claims to be; the text is a sentence that says why."""


def failing(sentence: str) -> Callable[[], None]:
    """Return a check that fails with this sentence."""

    def fail() -> None:
        raise Invalid(sentence)

    return fail
