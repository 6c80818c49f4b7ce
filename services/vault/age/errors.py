"""What can be wrong with an age file, as sentences; the classes follow the outcomes of the official test vectors."""


class AgeError(Exception):
    """An age file or key cannot be used; the text says which and why."""


class KeyInvalid(AgeError):
    """A recipient or identity is not a valid key."""


class NotARecipient(AgeError):
    """The file is sound as far as can be seen, but was not encrypted to this key."""


class Corrupt(AgeError):
    """The file is not what was written: changed, reordered, or never an age file. Nothing of it may be trusted."""


class HeaderInvalid(Corrupt):
    """The header breaks the format."""


class MacMismatch(Corrupt):
    """The header was changed after it was written."""


class Truncated(Corrupt):
    """What is there authenticates, but the end is missing."""
