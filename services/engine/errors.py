"""Rejections of commands, failures that become incidents, and unusable data files."""

from enum import StrEnum


class RejectionType(StrEnum):
    """Why a command is rejected."""

    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_STATE = "FAILED_PRECONDITION"
    EXHAUSTED = "EXHAUSTED"
    """The process goes on without an end."""
    INTERNAL = "INTERNAL"

    @property
    def status(self) -> str:
        """Return the gRPC status of the response.

        RESOURCE_EXHAUSTED says that the engine is busy: clients repeat such a call, and the loop runs again.
        """
        return (RejectionType.INVALID_STATE if self is RejectionType.EXHAUSTED else self).value


class Rejection(Exception):
    """A rejected command, which changed nothing; the client reads the message."""

    def __init__(self, reason: RejectionType, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class InvalidModel(Exception):
    """A file that cannot be deployed; each problem names the element id."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ErrorType(StrEnum):
    """The error types of incidents, as Zeebe names them."""

    IO_MAPPING = "IO_MAPPING_ERROR"
    EXTRACT_VALUE = "EXTRACT_VALUE_ERROR"
    CONDITION = "CONDITION_ERROR"
    JOB_NO_RETRIES = "JOB_NO_RETRIES"
    UNHANDLED_ERROR_EVENT = "UNHANDLED_ERROR_EVENT"
    CALLED_ELEMENT = "CALLED_ELEMENT_ERROR"
    CALLED_DECISION = "CALLED_DECISION_ERROR"
    DECISION_EVALUATION = "DECISION_EVALUATION_ERROR"
    MESSAGE_SIZE_EXCEEDED = "MESSAGE_SIZE_EXCEEDED"


class Failure(Exception):
    """A step that fails; it becomes an incident of the element.

    The step is repeated when the incident is resolved.
    """

    def __init__(self, error_type: ErrorType, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type


class GatewayError(Exception):
    """The gateway cannot listen as it is set, or would be open to others.

    The message is "cause; what to do".
    """


class DataFileError(Exception):
    """The engine's file cannot be used.

    The message is "cause; what to do".
    """


class DataDirectoryInUse(DataFileError):
    """Another process has the engine's file open."""


class UnusableDataFile(DataFileError):
    """The engine's file is damaged, or in the format of another version."""
