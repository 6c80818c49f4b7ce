"""Kinds of values that several parts of the settings have."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.runtime import working_hours

Port = Annotated[int, Field(ge=0, le=65535)]
LONGEST = timedelta(days=36_500)  # sums with it stay inside the calendar
Duration = Annotated[timedelta, Field(gt=timedelta(), le=LONGEST)]
Lead = Annotated[timedelta, Field(ge=timedelta(), le=LONGEST)]
Days = Annotated[int, Field(ge=1, le=LONGEST.days)]
WorkingHours = Annotated[str, AfterValidator(working_hours.normalise)]


class Part(BaseModel):
    """One part of ``Settings``; every field that is no part itself has a description."""

    model_config = ConfigDict(frozen=True)
