"""The models as files: what Zeebe's schema wants, what Modeler would save, what the pictures show."""

import hashlib
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import bpmn_models as bpmn
import pytest
from bpmn_models import PICTURES, PROCESS_FILES, ROOT

from services.designers import stage_notes
from services.domain.stages.catalogue import STAGES

TOOLS = ROOT / "deploy" / "bpmn"
SCREEN = 1700
ORDER = ("documentation", "extensionElements", "incoming", "outgoing")
NOTE = (stage_notes.WIDTH, stage_notes.HEIGHT)
SIZES = {"Note": NOTE, "Task": (100, 80), "Call": (100, 80), "Phase": (100, 80), "Event": (36, 36), "Gateway": (50, 50)}

Box = tuple[float, float, float, float]

every_process = pytest.mark.parametrize("path", PROCESS_FILES, ids=lambda path: path.name)


def box(shape: Any) -> Box:
    (bounds,) = bpmn.find(shape, "dc:Bounds")
    x, y, width, height = (float(bounds.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, width, height


def apart(a: Box, b: Box) -> bool:
    return a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]


def run(script: str, *arguments: str) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.fail("The models are checked with Node 20 or newer: install nodejs and npm, then run the tests again.")
    if not (TOOLS / "node_modules").exists():
        subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=TOOLS, check=True)
    done = subprocess.run([node, script, *arguments], cwd=TOOLS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_models_lint_clean_for_every_camunda_that_is_supported() -> None:
    run("lint.mjs")


def test_the_models_are_formatted_as_modeler_writes_them() -> None:
    run("format.mjs", "--check")


def test_the_lock_of_the_tools_names_no_registry() -> None:
    assert '"resolved"' not in (TOOLS / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*PROCESS_FILES, *bpmn.DECISION_FILES], ids=lambda path: path.name)
def test_a_model_says_the_lowest_camunda_it_runs_on(path: Path) -> None:
    root = bpmn.tree(path)
    assert root.get(f"{{{bpmn.NS['modeler']}}}executionPlatform") == "Camunda Cloud"
    assert root.get(f"{{{bpmn.NS['modeler']}}}executionPlatformVersion") == "8.6.0"


@every_process
def test_who_decides_and_in_what_time_stands_beside_each_review(path: Path) -> None:
    assert stage_notes.annotate(path.read_bytes(), STAGES) == path.read_bytes(), "footage-desk bpmn annotate"


@every_process
def test_children_stand_in_the_order_of_the_schema(path: Path) -> None:
    flow_elements = {*bpmn.NODES, "sequenceFlow"}

    def rank(child: Any) -> int:
        kind = bpmn.local(child)
        if kind in ORDER:
            return ORDER.index(kind)
        return len(ORDER) + (2 if kind in ("textAnnotation", "association") else kind in flow_elements)

    root = bpmn.tree(path)
    for element in bpmn.elements(root, *bpmn.NODES, "process"):
        ranks = [rank(child) for child in element]
        assert ranks == sorted(ranks), element.get("id")
    kinds = [bpmn.local(child) for child in root]
    assert "BPMNDiagram" not in kinds[: kinds.index("BPMNDiagram")]
    assert set(kinds[kinds.index("BPMNDiagram") :]) == {"BPMNDiagram"}


@every_process
def test_every_element_is_drawn_on_the_plane_of_its_phase(path: Path) -> None:
    root = bpmn.tree(path)
    for scope in bpmn.elements(root, "process", "subProcess"):
        (plane,) = bpmn.find(root, f'.//bpmndi:BPMNPlane[@bpmnElement="{scope.get("id")}"]')
        inside = [child for child in scope if bpmn.local(child) in (*bpmn.NODES, "textAnnotation")]
        flows = bpmn.find(scope, "bpmn:sequenceFlow | bpmn:association")
        shapes = [shape.get("bpmnElement") for shape in bpmn.find(plane, "bpmndi:BPMNShape")]
        edges = [edge.get("bpmnElement") for edge in bpmn.find(plane, "bpmndi:BPMNEdge")]
        assert sorted(shapes) == sorted(node.get("id") for node in inside)
        assert sorted(edges) == sorted(flow.get("id") for flow in flows)
    for phase in bpmn.elements(root, "subProcess"):
        (shape,) = bpmn.find(root, f'.//bpmndi:BPMNShape[@bpmnElement="{phase.get("id")}"]')
        assert shape.get("isExpanded") == "false"


@every_process
def test_shapes_have_the_usual_sizes_and_lie_apart(path: Path) -> None:
    root = bpmn.tree(path)
    boundary = {event.get("id") for event in bpmn.elements(root, "boundaryEvent")}
    for plane in bpmn.find(root, ".//bpmndi:BPMNPlane"):
        boxes = {shape.get("bpmnElement"): box(shape) for shape in bpmn.find(plane, "bpmndi:BPMNShape")}
        assert {name: b[2:] for name, b in boxes.items() if b[2:] != SIZES[name.split("_")[0]]} == {}
        free = [item for item in boxes.items() if item[0] not in boundary]
        assert [(one[0], two[0]) for one, two in combinations(free, 2) if not apart(one[1], two[1])] == []


@every_process
def test_labels_lie_apart_from_shapes_and_from_each_other(path: Path) -> None:
    for plane in bpmn.find(bpmn.tree(path), ".//bpmndi:BPMNPlane"):
        shapes = [(shape.get("id"), box(shape)) for shape in bpmn.find(plane, "bpmndi:BPMNShape")]
        labels = [
            (bpmn.local(label.getparent()) and label.getparent().get("id"), box(label))
            for label in bpmn.find(plane, ".//bpmndi:BPMNLabel")
        ]
        assert [(one[0], two[0]) for one, two in combinations(labels, 2) if not apart(one[1], two[1])] == []
        assert [(one[0], two[0]) for one in labels for two in shapes if not apart(one[1], two[1])] == []


@every_process
def test_flows_run_in_right_angles(path: Path) -> None:
    for edge in bpmn.find(bpmn.tree(path), ".//bpmndi:BPMNEdge"):
        points = [(point.get("x"), point.get("y")) for point in bpmn.find(edge, "di:waypoint")]
        assert all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise(points)), edge.get("id")


@every_process
def test_flows_do_not_cross(path: Path) -> None:
    for plane in bpmn.find(bpmn.tree(path), ".//bpmndi:BPMNPlane"):
        segments = [
            (edge.get("id"), *a, *b)
            for edge in bpmn.find(plane, "bpmndi:BPMNEdge")
            for a, b in pairwise(
                [(float(point.get("x")), float(point.get("y"))) for point in bpmn.find(edge, "di:waypoint")]
            )
        ]
        flat = [(name, min(x, u), max(x, u), y) for name, x, y, u, v in segments if y == v]
        steep = [(name, x, min(y, v), max(y, v)) for name, x, y, u, v in segments if x == u]
        assert [
            (one, two)
            for one, left, right, y in flat
            for two, x, top, low in steep
            if left < x < right and top < y < low
        ] == []


def test_the_overview_fits_one_screen_and_its_happy_path_is_straight() -> None:
    root = bpmn.process("video-retrieval")
    (plane,) = bpmn.find(root, './/bpmndi:BPMNPlane[@bpmnElement="video-retrieval"]')
    boxes = {shape.get("bpmnElement"): box(shape) for shape in bpmn.find(plane, "bpmndi:BPMNShape")}
    xs = [float(x) for x in bpmn.find(plane, ".//di:waypoint/@x")] + [b[0] + b[2] for b in boxes.values()]
    assert max(xs) - min(xs) <= SCREEN
    happy = ("Event_Submitted", "Task_OpenCase", "Phase_BeforeHandOver", "Phase_Custody", "Phase_Return")
    path = [boxes[name] for name in (*happy, "Event_FootageReArchived")]
    assert len({b[1] + b[3] / 2 for b in path}) == 1
    assert [b[0] for b in path] == sorted(b[0] for b in path)


@every_process
def test_the_pictures_are_made_from_this_very_file(path: Path) -> None:
    stamp = f"made from {path.name} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    name = {"video-retrieval": "process"}.get(path.stem, path.stem)
    phases = [phase.get("id").removeprefix("Phase_") for phase in bpmn.elements(bpmn.tree(path), "subProcess")]
    pictures = [name, *(f"{name}-{re.sub('(?<=[a-z])(?=[A-Z])', '-', phase).lower()}" for phase in phases)]
    stale = [picture for picture in pictures if stamp not in (PICTURES / f"{picture}.svg").read_text(encoding="utf-8")]
    assert stale == [], 'Draw them anew: "npm run render" in deploy/bpmn.'


@every_process
def test_flows_do_not_run_through_labels_or_through_what_they_do_not_touch(path: Path) -> None:
    root = bpmn.tree(path)
    ends = {
        flow.get("id"): {flow.get("sourceRef"), flow.get("targetRef")}
        for flow in bpmn.elements(root, "sequenceFlow", "association")
    }
    hosts = {event.get("id"): event.get("attachedToRef") for event in bpmn.elements(root, "boundaryEvent")}
    for plane in bpmn.find(root, ".//bpmndi:BPMNPlane"):
        shapes = [(shape.get("bpmnElement"), box(shape)) for shape in bpmn.find(plane, "bpmndi:BPMNShape")]
        labels = [("label", box(label)) for label in bpmn.find(plane, ".//bpmndi:BPMNLabel")]
        for edge in bpmn.find(plane, "bpmndi:BPMNEdge"):
            flow = edge.get("bpmnElement")
            own = ends[flow] | {hosts.get(end) for end in ends[flow]}
            points = [(float(p.get("x")), float(p.get("y"))) for p in bpmn.find(edge, "di:waypoint")]
            lines = [(min(x, u), min(y, v), abs(u - x), abs(v - y)) for (x, y), (u, v) in pairwise(points)]
            touched = [
                name for name, b in shapes + labels if name not in own and not all(apart(b, line) for line in lines)
            ]
            assert touched == [], flow
