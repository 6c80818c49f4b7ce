"""The error of this package."""


class Invalid(ValueError):
    """The input is not what it claims to be; the text is a sentence that says why."""
