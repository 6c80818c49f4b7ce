"""The parameters that every list of the API takes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.database.listing import LONGEST_TEXT, Listing
from services.web.schemas import LAST_OFFSET, Body, no_control

Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(no_control)]


class ListQuestion(Body):
    """``text`` is looked for; a list names the columns by which it sorts in its own ``sort``, the usual one first."""

    text: Text = ""
    order: Literal["asc", "desc"] = "asc"
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=LAST_OFFSET)] = 0

    def listing(self) -> Listing:
        return Listing(self.text, getattr(self, "sort", ""), self.order == "desc", self.limit, self.offset)
