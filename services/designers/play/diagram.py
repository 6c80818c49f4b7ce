"""Draw a diagram into a page: one SVG of a plane, marked by classes, with links into phases and called processes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from services.designers.drawing import Line, Plane, Shape, wrap
from services.runtime.diagram_labels import Box

_LINE_HEIGHT = 13
_FLOWS = ("sequenceFlow", "")
# What an event is of, drawn into a square of 20 around its middle.
_EVENT_SIGNS = {
    "timer": "M0 -9a9 9 0 1 0 0 18a9 9 0 0 0 0 -18z M0 -6v6l4 3",
    "message": "M-8 -5.5h16v11h-16z M-8 -5.5l8 6l8 -6",
    "error": "M-6 7l3 -12l5 6l4 -8l-3 13l-5 -7z",
    "signal": "M0 -8l8 13h-16z",
    "escalation": "M0 -8l6 15l-6 -6l-6 6z",
    "compensate": "M-9 0l8 -6v12z M-1 0l8 -6v12z",
    "link": "M-8 -3h8v-4l8 7l-8 7v-4h-8z",
    "conditional": "M-6 -8h12v16h-12z M-4 -4h8 M-4 0h8 M-4 4h8",
    "terminate": "M0 -8a8 8 0 1 0 0 16a8 8 0 0 0 0 -16z",
}
_FILLED = frozenset({"terminate"})
_GATEWAY_SIGNS = {
    "exclusiveGateway": "M-7 -7l14 14 M7 -7l-14 14",
    "parallelGateway": "M0 -10v20 M-10 0h20",
    "inclusiveGateway": "M0 -9a9 9 0 1 0 0 18a9 9 0 0 0 0 -18z",
    "eventBasedGateway": "M0 -11a11 11 0 1 0 0 22a11 11 0 0 0 0 -22z M0 -6l6 4.5l-2.3 7h-7.4l-2.3 -7z",
}
# In the corner of a task, in a square of 14.
_TASK_SIGNS = {
    "serviceTask": "M7 4.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0 -5z M7 1v3 M7 10v3 M1 7h3 M10 7h3 "
    "M2.8 2.8l2 2 M9.2 9.2l2 2 M11.2 2.8l-2 2 M4.8 9.2l-2 2",
    "receiveTask": "M1 2.5h12v9h-12z M1 2.5l6 5l6 -5",
    "sendTask": "M1 2.5h12v9h-12z M1 2.5l6 5l6 -5",
    "userTask": "M7 1.5a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 0 0 0 -5.4z M2 13c0 -7 10 -7 10 0z",
    "businessRuleTask": "M1 2h12v10h-12z M1 5h12 M5 5v7 M1 8.5h12",
    "scriptTask": "M3 1.5h8l-1.5 3l1.5 4l-1.5 4h-8l1.5 -4l-1.5 -4z M4 5h4 M4.5 8h4",
}


@dataclass(frozen=True)
class Mark:
    """How an element or flow is drawn; ``count`` is shown beside it, ``said`` when it is pointed at."""

    kind: str
    count: int = 0
    said: str = ""


def draw(plane: Plane, marks: Mapping[str, Mark], links: Mapping[str, str]) -> Markup:
    """Return the plane as SVG. ``links`` are the addresses that elements lead to, such as the inside of a phase."""
    bounds = plane.bounds
    parts = [
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" class="bpmn" viewBox="{} {} {} {}" width="{}" height="{}">'
            '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" '
            'markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>'
        ).format(*map(_number, (bounds.x, bounds.y, bounds.width, bounds.height, bounds.width, bounds.height)))
    ]
    for line in plane.lines:
        parts += _line(line, marks.get(line.element_id))
    # a boundary event lies over its task, and the name of a flow over everything
    for shape in sorted(plane.shapes, key=lambda shape: shape.kind == "boundaryEvent"):
        parts += _shape(shape, marks.get(shape.element_id), links.get(shape.element_id))
    for line in plane.lines:
        parts += _text(line.name, line.label or _beside(line))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _number(value: float) -> str:
    return f"{value:g}"


def _line(line: Line, mark: Mark | None) -> Iterator[Markup]:
    kind = "flow" if line.kind in _FLOWS else "beside"
    points = " ".join(f"{x:g},{y:g}" for x, y in line.points)
    yield Markup('<g class="{} {}" data-id="{}">').format(kind, mark.kind if mark else "", line.element_id)
    if mark is not None and mark.said:
        yield Markup("<title>{}</title>").format(mark.said)
    yield Markup('<polyline points="{}"{}/>').format(
        points, Markup(' marker-end="url(#arrow)"') if kind == "flow" else ""
    )
    yield Markup("</g>")


def _beside(line: Line) -> Box:
    """Return where the name of a flow stands that has no place of its own: over its middle."""
    points = line.points or [(0.0, 0.0)]
    x, y = points[len(points) // 2]
    return Box(x - 20, y - 18, 40, 14)


def _shape(shape: Shape, mark: Mark | None, link: str | None) -> Iterator[Markup]:
    if link is not None:
        yield Markup('<a href="{}">').format(link)
    yield Markup('<g class="{} {}" data-id="{}">').format(shape.kind, mark.kind if mark else "", shape.element_id)
    said = mark.said if mark is not None and mark.said else shape.name
    if said:
        yield Markup("<title>{}</title>").format(said)
    if shape.kind.endswith("Event"):
        yield from _event(shape)
    elif shape.kind.endswith("Gateway"):
        yield from _gateway(shape)
    else:
        yield from _activity(shape, is_open=link is not None)
    if mark is not None and mark.count:
        yield from _count(shape.box, mark.count)
    yield Markup("</g>")
    if link is not None:
        yield Markup("</a>")


def _event(shape: Shape) -> Iterator[Markup]:
    x, y = shape.box.middle
    radius = shape.box.width / 2
    dashed = Markup(' class="dashed"') if not shape.interrupts else ""
    yield Markup('<circle class="body" cx="{}" cy="{}" r="{}"/>').format(*map(_number, (x, y, radius)))
    if shape.kind in ("boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent"):
        yield Markup('<circle cx="{}" cy="{}" r="{}"{}/>').format(*map(_number, (x, y, radius - 3)), dashed)
    if shape.event in _EVENT_SIGNS:
        yield _sign(_EVENT_SIGNS[shape.event], x, y, radius / 18, is_filled=shape.event in _FILLED)
    yield from _text(shape.name, shape.label or _below(shape.box))


def _gateway(shape: Shape) -> Iterator[Markup]:
    box = shape.box
    x, y = box.middle
    corners = " ".join(f"{a:g},{b:g}" for a, b in ((x, box.y), (box.right, y), (x, box.bottom), (box.x, y)))
    yield Markup('<polygon class="body" points="{}"/>').format(corners)
    if shape.kind in _GATEWAY_SIGNS:
        yield _sign(_GATEWAY_SIGNS[shape.kind], x, y, box.width / 50)
    yield from _text(shape.name, shape.label or _below(box))


def _activity(shape: Shape, *, is_open: bool) -> Iterator[Markup]:
    box = shape.box
    yield Markup('<rect class="body" x="{}" y="{}" width="{}" height="{}" rx="9"/>').format(
        *map(_number, (box.x, box.y, box.width, box.height))
    )
    if shape.kind in _TASK_SIGNS:
        yield _sign(_TASK_SIGNS[shape.kind], box.x + 5, box.y + 5, 1)
    if is_open:
        yield Markup('<path class="opens" d="M{} {}h14v14h-14z m3 7h8 m-4 -4v8"/>').format(
            *map(_number, (box.middle[0] - 7, box.bottom - 17))
        )
    if shape.repeats:
        yield _sign("M-4 -5v10 M0 -5v10 M4 -5v10", box.middle[0] + (16 if is_open else 0), box.bottom - 10, 1)
    yield from _text(shape.name, box)


def _sign(path: str, x: float, y: float, scale: float, *, is_filled: bool = False) -> Markup:
    return Markup('<path class="sign{}" transform="translate({} {}) scale({})" d="{}"/>').format(
        " filled" if is_filled else "", *map(_number, (x, y, scale)), path
    )


def _below(box: Box) -> Box:
    return Box(box.x - 20, box.bottom + 4, box.width + 40, 2 * _LINE_HEIGHT)


def _text(name: str, box: Box) -> Iterator[Markup]:
    lines = wrap(name)
    x, y = box.middle
    first = y - (len(lines) - 1) * _LINE_HEIGHT / 2 + 4
    for number, text in enumerate(lines):
        yield Markup('<text x="{}" y="{}">{}</text>').format(_number(x), _number(first + number * _LINE_HEIGHT), text)


def _count(box: Box, count: int) -> Iterator[Markup]:
    yield Markup('<circle class="count" cx="{}" cy="{}" r="11"/>').format(_number(box.x), _number(box.y))
    yield Markup('<text class="count" x="{}" y="{}">{}</text>').format(_number(box.x), _number(box.y + 4), count)
