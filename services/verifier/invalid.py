"""The one error of this room."""


class Invalid(ValueError):
    """What was given is not what it claims to be; the text is a sentence that says what of it is wrong."""
