"""The recipe of a redacted copy: which parts of the picture are hidden, from when to when, and how (R6, R58, T5).

Times are milliseconds after the first picture of the footage, in the time that its pictures are shown at; a picture
belongs to a box whose start and end it lies between, both included. Boxes are in pixels of the picture as it is shown,
rotated where its metadata say so, and of the size that ``picture`` states.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from services.runtime.translations import Message

LONGEST_MS = 14 * 24 * 3600 * 1000
MOST_REGIONS = 1000
MOST_KEYFRAMES = 5000  # of all boxes together
SMALLEST = 8  # pixels of a side: below, nothing is hidden that matters

Milliseconds = Annotated[int, Field(ge=0, le=LONGEST_MS)]
Side = Annotated[int, Field(ge=SMALLEST, le=16384)]
Place = Annotated[int, Field(ge=0, le=16384)]


class RecipeInvalid(ValueError):
    """The recipe cannot be used; ``message`` says what to do."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.en)
        self.message = message


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True)


class Picture(Shape):
    """The size of the picture as it is shown, in pixels."""

    width: Side
    height: Side


class Keyframe(Shape):
    """Where a box is at a moment; between two keyframes it moves in a straight line."""

    at: Milliseconds
    x: Place
    y: Place
    width: Side
    height: Side


class Region(Shape):
    """A box from ``start`` to ``end``; before its first and after its last keyframe it stands still.

    ``proposed``: the number of the box of the detection that it was made from, from 0 on; None: it was drawn by hand.
    """

    start: Milliseconds
    end: Milliseconds
    proposed: Annotated[int, Field(ge=0, lt=MOST_REGIONS)] | None = None
    keyframes: Annotated[tuple[Keyframe, ...], Field(min_length=1, max_length=MOST_KEYFRAMES)]


class Recipe(Shape):
    """``blur-these`` hides what is under the boxes, ``keep-one`` all that is not.

    ``solid`` fills with black, of which nothing can be recovered. ``pixelate`` leaves the averages of cells that are a
    quarter of the box at least, or of the whole picture's short side at ``keep-one`` an eighth: it hides from the eye,
    and a part of what is under it can be worked out. ``detection``: the detection whose proposals it began with.
    """

    version: Literal[1] = 1
    mode: Literal["blur-these", "keep-one"]
    style: Literal["solid", "pixelate"] = "solid"
    sound: bool = False
    picture: Picture
    detection: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    regions: Annotated[tuple[Region, ...], Field(max_length=MOST_REGIONS)]

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        if not self.regions:
            raise RecipeInvalid(
                Message("There is no box yet: draw one around what is to be hidden, or around the person to keep.")
            )
        proposed = [region.proposed for region in self.regions if region.proposed is not None]
        if len(proposed) != len(set(proposed)) or (proposed and self.detection is None):
            raise RecipeInvalid(
                Message("The proposals do not match the footage: open the footage, and draw the boxes there again.")
            )
        if sum(len(region.keyframes) for region in self.regions) > MOST_KEYFRAMES:
            raise RecipeInvalid(
                Message("There are more than {most} positions: leave some of them out.", most=MOST_KEYFRAMES)
            )
        for number, region in enumerate(self.regions, start=1):
            self._check_region(number, region)
        return self

    def _check_region(self, number: int, region: Region) -> None:
        if region.end < region.start:
            raise RecipeInvalid(Message("Box {number} ends before it starts: set its end again.", number=number))
        moments = [keyframe.at for keyframe in region.keyframes]
        if moments != sorted(set(moments)):
            raise RecipeInvalid(
                Message("Box {number} has two positions at one moment: remove one of them.", number=number)
            )
        if moments[0] < region.start or moments[-1] > region.end:
            raise RecipeInvalid(
                Message("Box {number} has a position outside its time: set its start or end again.", number=number)
            )
        for keyframe in region.keyframes:
            right, bottom = keyframe.x + keyframe.width, keyframe.y + keyframe.height
            if right > self.picture.width or bottom > self.picture.height:
                raise RecipeInvalid(
                    Message("Box {number} reaches beyond the image: draw it inside the image.", number=number)
                )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, the same for the same recipe."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def read(data: object) -> Recipe:
    """Read a recipe from JSON values; raises RecipeInvalid."""
    if not isinstance(data, Mapping):
        raise RecipeInvalid(Message("The recipe is missing: open the footage, and draw the boxes there."))
    try:
        return Recipe.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, RecipeInvalid):
            raise cause from None
        raise RecipeInvalid(
            Message(
                "The recipe is not valid at “{place}”: open the footage, and draw the boxes there again.",
                place=_place(first["loc"]),
            )
        ) from None


def _place(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location)) or "recipe"
