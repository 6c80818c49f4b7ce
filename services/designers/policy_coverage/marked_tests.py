"""The tests that carry the marker ``requirement``, read from their source without importing them."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from services.designers.policy_coverage.marks import Mark, WrongMark, read_mark
from services.designers.policy_coverage.policy_page import Row

MARKER = "mark.requirement("
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class MarkedTest:
    """A test function with its marks; ``module`` is the whole file that it stands in."""

    id: str  # tests/unit/…/test_file.py::test_function
    marks: tuple[Mark, ...]
    function: Function
    module: ast.Module


def read_tests(root: Path, rows: Mapping[str, Row]) -> list[MarkedTest]:
    """Read the marked tests of the checkout at ``root``, in the order of their files; raises WrongMark."""
    found: list[MarkedTest] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if MARKER in text:
            found += _of_module(path.relative_to(root).as_posix(), text, rows)
    return found


def _of_module(name: str, text: str, rows: Mapping[str, Row]) -> Iterator[MarkedTest]:
    module, read = ast.parse(text, name), set[ast.Call]()

    def marks_in(node: ast.expr) -> list[Mark]:
        calls = [call for call in ast.walk(node) if _is_mark(call)]
        read.update(calls)
        return [mark for call in calls for mark in _marks(name, call, rows)]

    of_all = [mark for value in _module_marks(module) for mark in marks_in(value)]
    for node in module.body:
        if isinstance(node, Function) and node.name.startswith("test_"):
            marks = of_all + [mark for decorator in node.decorator_list for mark in marks_in(decorator)]
            if marks:
                yield MarkedTest(f"{name}::{node.name}", _joined(marks), node, module)
    # To walk all of every file takes a second; texts that speak of the marker are few.
    for call in ast.walk(module) if text.count(MARKER) != len(read) else ():
        if _is_mark(call) and call not in read:
            raise WrongMark(f"{name}:{call.lineno}: the marker belongs on a test function, or into pytestmark")


def _module_marks(module: ast.Module) -> Iterator[ast.expr]:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets):
            yield node.value


def _is_mark(node: ast.AST) -> TypeGuard[ast.Call]:
    match node:
        case ast.Call(func=ast.Attribute(attr="requirement", value=ast.Attribute(attr="mark"))):
            return True
    return False


def _marks(name: str, call: ast.Call, rows: Mapping[str, Row]) -> list[Mark]:
    place = f"{name}:{call.lineno}: @pytest.mark.requirement"
    try:
        numbers = [ast.literal_eval(number) for number in call.args]
        options = {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
    except ValueError:
        raise WrongMark(f"{place}: it is read without running it; write its numbers there as texts") from None
    try:
        return read_mark(numbers, options, rows)
    except WrongMark as error:
        raise WrongMark(f"{place}: {error}") from None


def _joined(marks: list[Mark]) -> tuple[Mark, ...]:
    """Leave of several marks for one requirement the one that says most."""
    kept: dict[str, Mark] = {}
    for mark in marks:
        known = kept.get(mark.number)
        if known is None or mark.says_more_than(known):
            kept[mark.number] = mark
    return tuple(sorted(kept.values(), key=lambda mark: int(mark.number[1:])))
