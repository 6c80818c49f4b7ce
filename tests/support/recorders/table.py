"""The table of docs/recorders.md: what recorders answer wrongly, and what we answer; made from the marks of the tests.

Written by ``make recorder-docs``; a test finds what has drifted.
"""

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from recorders.behaviours import EVERYWHERE, Behaviour
from services.runtime.places import ROOT

DOCUMENT = ROOT / "docs" / "recorders.md"
BEGIN, END = "<!-- begin: make recorder-docs -->", "<!-- end -->"


@dataclass(frozen=True)
class Row:
    """What becomes of one wrong answer of one kind; ``shown_by`` is the test, None where it cannot happen."""

    kind: str
    behaviour: Behaviour
    zh: str
    en: str
    shown_by: str | None


def rows() -> list[Row]:
    """What the marks of all tests say; raises ValueError where one is not made of literals."""
    found: list[Row] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "recorder_answer" not in text and "cannot_happen" not in text:
            continue
        for node in ast.parse(text, str(path)).body:
            tests = node.body if isinstance(node, ast.ClassDef) else [node]
            for test in tests:
                name = getattr(test, "name", None)
                calls = [call for call in ast.walk(test) if isinstance(call, ast.Call)]
                found += [_row(call, path, name) for call in calls if _is(call, "recorder_answer", "cannot_happen")]
    return found


def _is(call: ast.Call, *names: str) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] in names


def _row(call: ast.Call, path: Path, test: str | None) -> Row:
    where = f"{path.relative_to(ROOT)}:{call.lineno}"
    try:
        kind, behaviour, zh, en = call.args
        word = Behaviour[ast.unparse(behaviour).removeprefix("Behaviour.")]
        texts = [ast.literal_eval(one) for one in (kind, zh, en)]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where}: give kind, Behaviour.X, Chinese and English as literals") from error
    return Row(texts[0], word, texts[1], texts[2], None if _is(call, "cannot_happen") else test)


def lacking(found: list[Row]) -> list[str]:
    """Kind and behaviour that every kind has to speak of, and this one does not."""
    said = {(row.kind, row.behaviour) for row in found}
    kinds = sorted({row.kind for row in found})
    return [f"{kind}: {one.name}" for kind in kinds for one in EVERYWHERE if (kind, one) not in said]


def table(found: list[Row]) -> str:
    """The part of the document between its marks: a table for each kind, in the order of the behaviours."""
    by_kind: dict[str, dict[Behaviour, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        by_kind[row.kind][row.behaviour].append(row)
    lines = [BEGIN]
    for kind in sorted(by_kind):
        lines += ["", f"### `{kind}`", "", "| it answers | we answer | 它的回答 | 我们的回答 |", "|---|---|---|---|"]
        for behaviour in Behaviour:
            told = by_kind[kind].get(behaviour, [])
            if told:
                en = " ".join(dict.fromkeys(_english(row) for row in told))
                zh = "".join(dict.fromkeys(_chinese(row) for row in told))
                lines.append(f"| {behaviour.value[1]} | {en} | {behaviour.value[0]} | {zh} |")
    return "\n".join([*lines, "", END])


def _english(row: Row) -> str:
    return row.en if row.shown_by else f"Cannot happen: {row.en}"


def _chinese(row: Row) -> str:
    return row.zh if row.shown_by else f"不会发生：{row.zh}"


def document() -> str:
    """The document as it should be."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{DOCUMENT.name} has lost its marks {BEGIN} and {END}")
    return before + table(rows()) + after


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    for one in lacking(rows()):
        sys.stderr.write(f"nothing is said of {one}\n")
