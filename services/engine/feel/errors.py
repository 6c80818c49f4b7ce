"""Errors of parsing and of evaluation."""


class FeelSyntaxError(Exception):
    """The text is not an expression.

    Attributes: `text` the whole expression, `position` the offset in characters from 0, `problem` a clause that
    says what was expected and what was found.
    """

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text = text
        self.position = position
        self.problem = problem
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        super().__init__(f"The expression '{text}' cannot be read: {problem} (line {line}, column {column}).")


class FeelEvaluationError(Exception):
    """The evaluation fails as a whole, which Camunda makes an incident."""


class PartError(FeelEvaluationError):
    """A part has no value, such as a range from 1 to "a".

    Operators, calls and filters around it take null in its place; alone, or in a list or context, it fails the whole.
    """


class NoInputError(FeelEvaluationError):
    """`?` stands where no unary test gives it a value."""
