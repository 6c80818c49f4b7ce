"""What all request and answer bodies share: camelCase outside, snake_case inside, nothing unknown let through."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Moment = AwareDatetime
Line = Annotated[str, Field(min_length=1, max_length=200)]
Paragraph = Annotated[str, Field(max_length=4000)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]


class Body(BaseModel):
    """A request's body; a field that is not known is refused, so that a typing error is seen."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", str_strip_whitespace=True
    )


class Answer(BaseModel):
    """An answer's body; may be read from a row of a book."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, serialize_by_alias=True
    )


class Done(Answer):
    """The act is done; ``at`` is the register's moment."""

    at: datetime
