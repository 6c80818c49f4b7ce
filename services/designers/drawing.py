"""Draw on the diagram: a path with the numbers of its steps, or any other marks; one SVG for each plane."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lxml import etree

from services.runtime.diagram_labels import BPMNDI, DC, DI, Box
from services.runtime.models import BPMN, Model

MARGIN = 30
_PASSED, _LAST, _LINE, _PLAIN = "#ffe9c7", "#ffc9c9", "#333333", "#ffffff"
_RADIUS = 10
_BADGE_WIDTH = 4  # half of a character
_FONT = 11
_LABEL_LENGTH = 8  # characters of a line, which are Chinese


@dataclass(frozen=True)
class Shape:
    """A drawn element. ``label`` is where a name outside of it stands; ``event`` is its definition, such as timer."""

    element_id: str
    kind: str
    name: str
    box: Box
    label: Box | None = None
    event: str = ""
    interrupts: bool = True
    repeats: bool = False


@dataclass(frozen=True)
class Line:
    """A drawn flow or association: the points that it runs through."""

    element_id: str
    kind: str
    name: str
    points: Sequence[tuple[float, float]]
    label: Box | None = None


@dataclass(frozen=True)
class Plane:
    """One drawing of a model: the process, or a phase; ``element_id`` is what it is the inside of."""

    element_id: str
    shapes: Sequence[Shape]
    lines: Sequence[Line]

    @property
    def bounds(self) -> Box:
        """What is drawn, with a margin; its names may need more below."""
        corners = [(x, y) for shape in self.shapes for x, y in _corners(shape)]
        corners += [point for line in self.lines for point in line.points]
        xs, ys = [x for x, _ in corners] or [0.0], [y for _, y in corners] or [0.0]
        left, top = min(xs) - MARGIN, min(ys) - MARGIN
        return Box(left, top, max(xs) - left + MARGIN, max(ys) - top + 2 * MARGIN)


@dataclass(frozen=True)
class Mark:
    """How an element is drawn: its colour, a few characters at its corner, and ``title``, shown on the pointer."""

    fill: str
    badge: str
    title: str = ""


def draw(model: Model, language: str, numbers: Mapping[str, list[int]], last: int) -> Iterator[tuple[str, str]]:
    """Yield the planes that the path passes: the element whose plane it is, and the SVG.

    ``numbers`` are the steps in which each element was entered, ``last`` is the last of the path.
    """
    marks = {
        element_id: Mark(_LAST if last in steps else _PASSED, ", ".join(map(str, dict.fromkeys(steps))))
        for element_id, steps in numbers.items()
    }
    yield from draw_marks(model, language, marks)


def draw_marks(model: Model, language: str, marks: Mapping[str, Mark]) -> Iterator[tuple[str, str]]:
    """Yield the planes that have a marked element: the element whose plane it is, and the SVG."""
    for plane in planes(model, language):
        if any(shape.element_id in marks for shape in plane.shapes):
            yield plane.element_id, _svg(plane, marks)


def planes(model: Model, language: str) -> Iterator[Plane]:
    """Yield the drawings of a model with names in this language, the outermost first."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(model.xml(language), parser)
    nodes = {node.get("id", ""): node for node in root.iter() if isinstance(node.tag, str)}
    for plane in root.iter(BPMNDI + "BPMNPlane"):
        shapes = [_shape(drawn, nodes) for drawn in plane.iterfind(BPMNDI + "BPMNShape")]
        lines = [_line(drawn, nodes) for drawn in plane.iterfind(BPMNDI + "BPMNEdge")]
        yield Plane(plane.get("bpmnElement", ""), shapes, lines)


def _shape(drawn: etree._Element, nodes: Mapping[str, etree._Element]) -> Shape:
    element_id = drawn.get("bpmnElement", "")
    node = nodes.get(element_id)
    box = _box(drawn.find(DC + "Bounds")) or Box(0, 0, 0, 0)
    label = _box(drawn.find(f"{BPMNDI}BPMNLabel/{DC}Bounds"))
    if node is None:
        return Shape(element_id, "", "", box, label)
    definitions = (str(child.tag).removeprefix(BPMN) for child in node)
    event = next((tag.removesuffix("EventDefinition") for tag in definitions if tag.endswith("EventDefinition")), "")
    return Shape(
        element_id,
        str(node.tag).removeprefix(BPMN),
        node.get("name") or node.findtext(BPMN + "text") or "",
        box,
        label,
        event,
        interrupts="false" not in (node.get("cancelActivity"), node.get("isInterrupting")),
        repeats=node.find(BPMN + "multiInstanceLoopCharacteristics") is not None,
    )


def _line(drawn: etree._Element, nodes: Mapping[str, etree._Element]) -> Line:
    element_id = drawn.get("bpmnElement", "")
    node = nodes.get(element_id)
    points = [(float(point.get("x", 0)), float(point.get("y", 0))) for point in drawn.iterfind(DI + "waypoint")]
    kind, name = ("", "") if node is None else (str(node.tag).removeprefix(BPMN), node.get("name") or "")
    return Line(element_id, kind, name, points, _box(drawn.find(f"{BPMNDI}BPMNLabel/{DC}Bounds")))


def _box(bounds: etree._Element | None) -> Box | None:
    if bounds is None:
        return None
    return Box(*(float(bounds.get(side, 0)) for side in ("x", "y", "width", "height")))


def _corners(shape: Shape) -> Iterator[tuple[float, float]]:
    for box in (shape.box, shape.label):
        if box is not None:
            yield box.x, box.y
            yield box.right, box.bottom


def _svg(plane: Plane, marks: Mapping[str, Mark]) -> str:
    bounds = plane.bounds
    left, top, width, height = bounds.x, bounds.y, bounds.width, bounds.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:g} {top:g} {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" font-size="{_FONT}">',
        '<defs><marker id="end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{_LINE}"/></marker></defs>',
    ]
    for line in plane.lines:
        path = " ".join(f"{x:g},{y:g}" for x, y in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_LINE}" marker-end="url(#end)"/>')
    for shape in sorted(plane.shapes, key=lambda shape: shape.kind == "boundaryEvent"):
        parts += _drawn(shape, marks.get(shape.element_id))
    return "\n".join([*parts, "</svg>\n"])


def _drawn(shape: Shape, mark: Mark | None) -> Iterator[str]:
    fill = _PLAIN if mark is None else mark.fill
    style = f'fill="{fill}" stroke="{_LINE}" stroke-width="{3 if shape.kind == "endEvent" else 1.5}"'
    box = shape.box
    x, y = box.middle
    if shape.kind == "textAnnotation":
        yield from _drawn_note(shape)
        return
    if shape.kind.endswith("Event"):
        yield f'<circle cx="{x:g}" cy="{y:g}" r="{box.width / 2:g}" {style}/>'
    elif shape.kind.endswith("Gateway"):
        corners = ((x, box.y), (box.right, y), (x, box.bottom), (box.x, y))
        yield f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}" {style}/>'
    else:
        yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" {style}/>'
    is_outside = shape.kind.endswith(("Event", "Gateway"))
    for line, text in enumerate(wrap(shape.name)):
        at = (box.bottom + 12 if is_outside else y - 4) + line * (_FONT + 2)
        yield f'<text x="{x:g}" y="{at:g}" text-anchor="middle">{escape(text)}</text>'
    if mark is not None:
        radius = max(_RADIUS, _BADGE_WIDTH * len(mark.badge))
        yield f"<g><title>{escape(mark.title)}</title>" if mark.title else "<g>"
        yield f'<ellipse cx="{box.x:g}" cy="{box.y:g}" rx="{radius:g}" ry="{_RADIUS}" fill="#b35c00"/>'
        badge = escape(mark.badge)
        yield f'<text x="{box.x:g}" y="{box.y + 4:g}" text-anchor="middle" fill="#ffffff">{badge}</text></g>'


def _drawn_note(shape: Shape) -> Iterator[str]:
    """A bracket, and the text beside it."""
    box = shape.box
    corners = ((box.x + _RADIUS, box.y), (box.x, box.y), (box.x, box.bottom), (box.x + _RADIUS, box.bottom))
    yield f'<polyline points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}" fill="none" stroke="{_LINE}"/>'
    lines = [line for part in shape.name.splitlines() for line in wrap(part)]
    for number, text in enumerate(lines, 1):
        yield f'<text x="{box.x + 6:g}" y="{box.y + number * (_FONT + 2):g}">{escape(text)}</text>'


def wrap(name: str) -> list[str]:
    """Break a name: at blanks, or every few characters where it is Chinese; a word of letters stays whole."""
    if name.isascii() and " " not in name:
        return [name] if name else []
    if " " not in name:
        return [name[start : start + _LABEL_LENGTH] for start in range(0, len(name), _LABEL_LENGTH)]
    lines = [""]
    for word in name.split():
        if len(lines[-1]) + len(word) > 2 * _LABEL_LENGTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
