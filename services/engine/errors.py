"""What the engine refuses, and the troubles that become incidents."""

from enum import StrEnum


class RejectionType(StrEnum):
    """Why a command is refused; named as the gRPC status that the gateway answers with."""

    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_STATE = "FAILED_PRECONDITION"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    EXHAUSTED = "RESOURCE_EXHAUSTED"
    INTERNAL = "INTERNAL"


class Rejection(Exception):
    """A command the engine refuses; nothing of it was done. The message is the sentence the client reads."""

    def __init__(self, reason: RejectionType, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class InvalidModel(Exception):
    """A file that cannot be deployed; each problem is a sentence that names the element id."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ErrorType(StrEnum):
    """The kinds of incident, as Zeebe names them."""

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
    """A step that cannot be taken; it becomes an incident at the element and is tried again when that is resolved."""

    def __init__(self, error_type: ErrorType, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type


class DataFileError(Exception):
    """The engine's file cannot be used; the message is what is the matter and, behind a semicolon, what to do."""


class DataDirectoryInUse(DataFileError):
    """Another process has the engine's file open."""


class UnusableDataFile(DataFileError):
    """The engine's file is damaged, or a newer version wrote it. It is left as it is."""
