"""The names of files: shown and sent to browsers, never used as a path."""

import unicodedata

from services.domain.attachments.schemas import EXTENSIONS, LONGEST_NAME
from services.runtime.errors import Refused

# Control characters, format characters such as those that turn the direction, surrogates, private and unassigned ones.
UNPRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def check(name: str) -> str:
    """Return the name as it is kept; Refused for a path, control characters and names that are too long."""
    kept = unicodedata.normalize("NFC", name).strip()
    hidden = any(unicodedata.category(letter) in UNPRINTABLE for letter in kept)
    if not kept or len(kept) > LONGEST_NAME or hidden or not set("/\\").isdisjoint(kept) or not kept.strip("."):
        raise Refused(
            "attachment-name",
            "Not saved: a file name has 1 to {longest} characters, no slashes and no control characters. Rename the "
            "file and add it again.",
            status=422,
            field="name",
            longest=LONGEST_NAME,
        )
    return kept


def with_extension(name: str, media_type: str) -> str:
    """Return the name with the extension of its content: a program of the reader's goes by it."""
    endings = EXTENSIONS[media_type]
    return name if name.lower().endswith(endings) else f"{name}{endings[0]}"
