"""Kinds of values that several parts of the settings have."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.runtime import stations, working_hours

Port = Annotated[int, Field(ge=0, le=65535)]
LONGEST = timedelta(days=36_500)  # sums with it stay inside the calendar
Duration = Annotated[timedelta, Field(gt=timedelta(), le=LONGEST)]
Lead = Annotated[timedelta, Field(ge=timedelta(), le=LONGEST)]
Days = Annotated[int, Field(ge=1, le=LONGEST.days)]
LARGEST_TEXT = 1_000_000  # bytes of a text that people read on one page


def _has_text(file: Path) -> Path:
    """Read the file as a page will; raises ValueError with the cause."""
    try:
        if file.stat().st_size > LARGEST_TEXT:
            raise ValueError(f"it is larger than {LARGEST_TEXT} bytes")
        if not file.read_bytes().decode().strip():
            raise ValueError("it is empty")
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    return file


TextFile = Annotated[Path, AfterValidator(_has_text)]
WorkingHours = Annotated[str, AfterValidator(working_hours.normalise)]
Stations = Annotated[str, AfterValidator(stations.normalise)]


class Part(BaseModel):
    """One part of ``Settings``; every field that is no part itself has a description."""

    model_config = ConfigDict(frozen=True)
