"""Labels of a BPMN diagram, laid out anew for names that are longer than those it was drawn with.

A label keeps the side of its element that it was drawn on, and grows away from it. bpmn-js breaks a name at blanks, and
within a word only where the label is narrower than the word.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lxml import etree

BPMNDI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
DC = "{http://www.omg.org/spec/DD/20100524/DC}"
DI = "{http://www.omg.org/spec/DD/20100524/DI}"

LINE_LENGTH = 15  # characters
FLOW_LINE_LENGTH = 10
# Of the 11 pixels' font in which bpmn-js writes labels outside their shapes.
CHARACTER_WIDTH = 6.2
LINE_HEIGHT = 13.2
MARGIN = 4.0
# How far, at most, a shape's label is moved up or down so that it lies over no other shape.
STEPS = (0, 6, 12, 18, 24, 30, 36)
# How far, if that does not do, beside it: notes lie above and below the shapes.
ASIDE = (0, 12, -12, 24, -24, 36, -36, 48, -48)


@dataclass(frozen=True)
class Box:
    """A rectangle in the diagram's coordinates."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def overlaps(self, other: "Box") -> bool:
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def fit_labels(root: etree._Element) -> None:
    """Give each label outside its shape the bounds that its element's name needs."""
    names = {node.get("id"): node.get("name") for node in root.iter() if node.get("name")}
    for plane in root.iter(BPMNDI + "BPMNPlane"):
        shapes = [_box(bounds) for bounds in plane.iterfind(f"{BPMNDI}BPMNShape/{DC}Bounds")]
        for drawn in plane:
            bounds, own = drawn.find(f"{BPMNDI}BPMNLabel/{DC}Bounds"), drawn.find(DC + "Bounds")
            name = names.get(drawn.get("bpmnElement"))
            if bounds is None or name is None:
                continue
            label = _box(bounds)
            if own is None:
                fitted = _grown(label, _lines(name, FLOW_LINE_LENGTH), _nearest(drawn, label))
            else:
                fitted = _clear(_grown(label, _lines(name, LINE_LENGTH), _box(own)), _box(own), shapes)
            for side in ("x", "y", "width", "height"):
                bounds.set(side, f"{getattr(fitted, side):.0f}")


def _lines(name: str, length: int) -> list[str]:
    return textwrap.wrap(name, length, break_long_words=False) or [name]


def _grown(label: Box, lines: Sequence[str], element: Box) -> Box:
    """Return the label with room for the lines, on the side of its element where it is."""
    width = max(map(len, lines)) * CHARACTER_WIDTH + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT
    x, y = label.middle[0] - width / 2, label.middle[1] - height / 2
    across, along = label.middle[0] - element.middle[0], label.middle[1] - element.middle[1]
    if abs(across) > element.width / 2:
        x = label.x if across > 0 else label.right - width
    if abs(along) > element.height / 2:
        y = label.y if along > 0 else label.bottom - height
    return Box(x, y, width, height)


def _clear(label: Box, element: Box, shapes: Sequence[Box]) -> Box:
    """Return the label moved away from its element until it lies over no shape; where it is if that takes too far."""
    away = 1 if label.middle[1] > element.middle[1] else -1
    places = [replace(label, x=label.x + aside, y=label.y + away * step) for aside in ASIDE for step in STEPS]
    free = (place for place in places if not any(place.overlaps(shape) for shape in shapes))
    return next(free, label)


def _nearest(drawn: etree._Element, label: Box) -> Box:
    """Return the part of a flow that is nearest to its label."""
    points = [(float(point.get("x", 0)), float(point.get("y", 0))) for point in drawn.iterfind(DI + "waypoint")]
    parts = [
        Box(min(x, next_x), min(y, next_y), abs(x - next_x), abs(y - next_y))
        for (x, y), (next_x, next_y) in pairwise(points)
    ]
    return min(parts, key=lambda part: _distance(part, label.middle), default=label)


def _distance(part: Box, point: tuple[float, float]) -> float:
    across = max(part.x - point[0], 0, point[0] - part.right)
    along = max(part.y - point[1], 0, point[1] - part.bottom)
    return across**2 + along**2


def _box(bounds: etree._Element) -> Box:
    x, y, width, height = (float(bounds.get(side, 0)) for side in ("x", "y", "width", "height"))
    return Box(x, y, width, height)
