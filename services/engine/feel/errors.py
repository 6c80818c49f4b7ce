"""What can go wrong with an expression: it does not parse, or its evaluation fails."""


class FeelSyntaxError(Exception):
    """The text is not an expression.

    Attributes: `text` the whole expression, `position` the offset in characters from 0, `what` a clause that says
    what was expected and what stands there.
    """

    def __init__(self, text: str, position: int, what: str) -> None:
        self.text = text
        self.position = position
        self.what = what
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        super().__init__(f"The expression '{text}' cannot be read: {what} (line {line}, column {column}).")


class FeelEvaluationError(Exception):
    """The evaluation fails as a whole, where Camunda raises an incident instead of giving null (`assert`)."""


class CallFailed(FeelEvaluationError):
    """A function that is not known, or that the arguments do not fit, where such a call is not answered with null."""
