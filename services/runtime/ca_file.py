"""The type of a setting that names a PEM file with certificates to trust."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _has_certificates(file: Path) -> Path:
    """Load the file as a client will; raises ValueError with the cause.

    Call it for a given file only: without one, OpenSSL loads the system's store, which takes 25 ms each time.
    """
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # also SSLError: empty, or no PEM
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    return file


CaFile = Annotated[Path, AfterValidator(_has_certificates)]
