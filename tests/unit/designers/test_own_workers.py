"""``workers.json``: what an organisation's own workers read and give; what cannot be read has a line."""

import json
from pathlib import Path

import pytest

from services.designers import own_workers
from services.runtime.errors import Fatal

WHOLE = {
    "zh": "核对译文",
    "en": "Check the translation.",
    "inputs": ["applicationId"],
    "optionalInputs": ["language"],
    "outputs": {"translated": [True, False], "pages": [0, 1, None], "quality": ["good"]},
    "errors": ["NOT_TRANSLATABLE"],
    "checksRegister": True,
}


def written(folder: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps({"workers": content}, indent=1, ensure_ascii=False)
    (folder / own_workers.NAME).write_text(text, encoding="utf-8")
    return folder


def test_a_declared_worker_has_its_variables_and_every_way_to_end(tmp_path: Path) -> None:
    worker = own_workers.read(written(tmp_path, {"check-translation": WHOLE}))["check-translation"]

    assert (worker.inputs, worker.variables) == (("applicationId",), ("applicationId", "language"))
    assert (worker.errors, worker.checks_register) == (("NOT_TRANSLATABLE",), True)
    outcomes = list(worker.outcomes())
    assert len(outcomes) == 6
    assert outcomes[0] == {"translated": True, "pages": 0, "quality": "good"}
    assert outcomes[-1] == {"translated": False, "pages": None, "quality": "good"}


def test_a_worker_that_gives_nothing_has_one_way_to_end(tmp_path: Path) -> None:
    worker = own_workers.read(written(tmp_path, {"count": {"zh": "统计", "en": "Count."}}))["count"]

    assert list(worker.outcomes()) == [{}]


def test_a_folder_may_do_without(tmp_path: Path) -> None:
    assert own_workers.read(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"workers": {', "line 1: no JSON"),
        ('{"workers": {\n"a": {"zh": "统计"}}}', "line 2, workers.a.en: is missing"),
        ({"a": {**WHOLE, "en": "译"}}, "line 5, workers.a.en: has to be English"),
        ({"a": {**WHOLE, "zh": "x"}}, "line 4, workers.a.zh: has no Chinese"),
        ({"a": {**WHOLE, "input": []}}, "workers.a.input: is no key that is known here"),
        ({"a": {**WHOLE, "inputs": ["two words"]}}, "line 7, workers.a.inputs.0: is made of letters, digits and"),
        ({"a": {**WHOLE, "outputs": {"x": []}}}, "workers.a.outputs.x: tuple should have at least 1 item"),
        ({"a": {**WHOLE, "outputs": {"x": {}}}}, "workers.a.outputs.x: is a list in brackets"),
        ({"a": {**WHOLE, "optionalInputs": ["applicationId"]}}, "applicationId is among the inputs already"),
        ({"open-case": WHOLE}, "line 3, workers.open-case: is a worker of the product: leave it out"),
        ('{"workers": {"a": 1, "a": 2}}', "the key a is twice in one object"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, content: object, sentence: str) -> None:
    with pytest.raises(Fatal) as refused:
        own_workers.read(written(tmp_path, content), frozenset({"open-case"}))

    assert str(tmp_path / "workers.json") in str(refused.value)
    assert sentence in str(refused.value)
    assert "correct the file; docs/designers.md describes each key" in str(refused.value)
