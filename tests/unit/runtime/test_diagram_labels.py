"""The English diagram: every name in English, in a label that breaks no word and hides no shape."""

import re

import pytest
from lxml import etree
from portal_client import MODELS

from services.runtime.diagram_labels import BPMNDI, CHARACTER_WIDTH, DC, Box

HAN = re.compile("[\u4e00-\u9fff]")


def box(bounds: etree._Element) -> Box:
    return Box(*(float(bounds.get(side, "")) for side in ("x", "y", "width", "height")))


def labels(root: etree._Element) -> dict[str, Box]:
    """The bounds of all labels outside their shapes, by element."""
    return {
        str(drawn.get("bpmnElement")): box(bounds)
        for drawn in root.iter(BPMNDI + "BPMNShape", BPMNDI + "BPMNEdge")
        if (bounds := drawn.find(f"{BPMNDI}BPMNLabel/{DC}Bounds")) is not None
    }


@pytest.mark.parametrize("process_id", sorted(MODELS))
def test_names_are_english_and_no_label_breaks_a_word(process_id: str) -> None:
    root = etree.fromstring(MODELS[process_id].xml("en"))
    names = {str(node.get("id")): str(node.get("name")) for node in root.iter() if node.get("name")}

    drawn = {one.get("bpmnElement") for one in root.iter(BPMNDI + "BPMNShape", BPMNDI + "BPMNEdge")}
    assert {id_: name for id_, name in names.items() if id_ in drawn and HAN.search(name)} == {}
    narrow = {
        names[id_]: label
        for id_, label in labels(root).items()
        if id_ in names and label.width < CHARACTER_WIDTH * max(map(len, names[id_].split()))
    }
    assert narrow == {}


@pytest.mark.parametrize("process_id", sorted(MODELS))
def test_no_label_of_a_shape_lies_over_another_shape(process_id: str) -> None:
    root = etree.fromstring(MODELS[process_id].xml("en"))
    over = []
    for plane in root.iter(BPMNDI + "BPMNPlane"):
        shapes = {str(one.get("bpmnElement")): box(one.find(DC + "Bounds")) for one in plane.iter(BPMNDI + "BPMNShape")}
        over += [
            (id_, other)
            for id_, label in labels(plane).items()
            for other, shape in shapes.items()
            if id_ in shapes and label.overlaps(shape)
        ]
    assert over == []


@pytest.mark.parametrize("process_id", sorted(MODELS))
def test_in_chinese_the_model_is_drawn_as_it_was_made(process_id: str) -> None:
    assert MODELS[process_id].xml("zh") == MODELS[process_id].content
