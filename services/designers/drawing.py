"""Draw on the diagram: a path with the numbers of its steps, or any other marks; one SVG for each plane."""

from collections.abc import Iterator, Mapping
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
class _Shape:
    element_id: str
    kind: str
    name: str
    box: Box


@dataclass(frozen=True)
class Mark:
    """How an element is drawn: its colour, a few characters at its corner, and what is said of it on the pointer."""

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
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(model.xml(language), parser)
    nodes = {node.get("id", ""): node for node in root.iter() if isinstance(node.tag, str)}
    for plane in root.iter(BPMNDI + "BPMNPlane"):
        shapes = [_shape(drawn, nodes) for drawn in plane.iterfind(BPMNDI + "BPMNShape")]
        if any(shape.element_id in marks for shape in shapes):
            lines = [_points(edge) for edge in plane.iterfind(BPMNDI + "BPMNEdge")]
            yield plane.get("bpmnElement", ""), _svg(shapes, lines, marks)


def _shape(drawn: etree._Element, nodes: Mapping[str, etree._Element]) -> _Shape:
    element_id = drawn.get("bpmnElement", "")
    node = nodes.get(element_id)
    bounds = drawn.find(DC + "Bounds")
    sides = [0.0] * 4 if bounds is None else [float(bounds.get(side, 0)) for side in ("x", "y", "width", "height")]
    kind = "" if node is None else str(node.tag).removeprefix(BPMN)
    return _Shape(element_id, kind, "" if node is None else node.get("name") or "", Box(*sides))


def _points(edge: etree._Element) -> list[tuple[float, float]]:
    return [(float(point.get("x", 0)), float(point.get("y", 0))) for point in edge.iterfind(DI + "waypoint")]


def _svg(shapes: list[_Shape], lines: list[list[tuple[float, float]]], marks: Mapping[str, Mark]) -> str:
    xs = [x for shape in shapes for x in (shape.box.x, shape.box.right)]
    ys = [y for shape in shapes for y in (shape.box.y, shape.box.bottom)]
    left, top = min(xs) - MARGIN, min(ys) - MARGIN
    width, height = max(xs) - left + MARGIN, max(ys) - top + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:g} {top:g} {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" font-size="{_FONT}">',
        '<defs><marker id="end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{_LINE}"/></marker></defs>',
    ]
    for points in lines:
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_LINE}" marker-end="url(#end)"/>')
    for shape in sorted(shapes, key=lambda shape: shape.kind == "boundaryEvent"):
        parts += _drawn(shape, marks.get(shape.element_id))
    return "\n".join([*parts, "</svg>\n"])


def _drawn(shape: _Shape, mark: Mark | None) -> Iterator[str]:
    fill = _PLAIN if mark is None else mark.fill
    style = f'fill="{fill}" stroke="{_LINE}" stroke-width="{3 if shape.kind == "endEvent" else 1.5}"'
    box = shape.box
    x, y = box.middle
    if shape.kind.endswith("Event"):
        yield f'<circle cx="{x:g}" cy="{y:g}" r="{box.width / 2:g}" {style}/>'
    elif shape.kind.endswith("Gateway"):
        corners = ((x, box.y), (box.right, y), (x, box.bottom), (box.x, y))
        yield f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}" {style}/>'
    else:
        yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" {style}/>'
    is_inside = not shape.kind.endswith(("Event", "Gateway"))
    for line, text in enumerate(_lines(shape.name)):
        at = (y - 4 if is_inside else box.bottom + 12) + line * (_FONT + 2)
        yield f'<text x="{x:g}" y="{at:g}" text-anchor="middle">{escape(text)}</text>'
    if mark is not None:
        radius = max(_RADIUS, _BADGE_WIDTH * len(mark.badge))
        yield f"<g><title>{escape(mark.title)}</title>" if mark.title else "<g>"
        yield f'<ellipse cx="{box.x:g}" cy="{box.y:g}" rx="{radius:g}" ry="{_RADIUS}" fill="#b35c00"/>'
        badge = escape(mark.badge)
        yield f'<text x="{box.x:g}" y="{box.y + 4:g}" text-anchor="middle" fill="#ffffff">{badge}</text></g>'


def _lines(name: str) -> list[str]:
    """Break a name: at blanks, or every few characters where it has none."""
    if " " not in name and not name.isascii():
        return [name[start : start + _LABEL_LENGTH] for start in range(0, len(name), _LABEL_LENGTH)]
    lines = [""]
    for word in name.split():
        if len(lines[-1]) + len(word) > 2 * _LABEL_LENGTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
