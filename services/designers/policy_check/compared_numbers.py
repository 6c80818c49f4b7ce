"""The numbers that the models compare a variable with, so that a walk tries values on both sides of each.

An edit may draw a line where there was none before: ``usePeriodDays >= 5``. Of the values that the world gives, all
could lie on one side of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lxml import etree

from services.engine.processing.deployments import Resource

Number = int | float
_NUMBER = r"-?\d+(?:\.\d+)?"
_SIGN = r"(?:<=|>=|!=|<|>|=)"
_AFTER = re.compile(rf"\b(?P<name>[A-Za-z_]\w*)\s*{_SIGN}\s*(?P<number>{_NUMBER})(?![\w.])")
_BEFORE = re.compile(rf"(?<![\w.])(?P<number>{_NUMBER})\s*{_SIGN}\s*(?P<name>[A-Za-z_]\w*)\b")
_RANGE = re.compile(
    rf"\b(?P<name>[A-Za-z_]\w*)\s+(?:between\s+(?P<low>{_NUMBER})\s+and|in\s*[\[(\]]\s*(?P<from>{_NUMBER})\s*\.\.)"
    rf"\s*(?P<high>{_NUMBER})"
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_ALONE = re.compile(r"^=?\s*(?P<name>[A-Za-z_]\w*)\s*$")
_SMALL = 0.001  # the step of a share


def compared_numbers(resources: Iterable[Resource]) -> Mapping[str, frozenset[Number]]:
    """Return the numbers that each variable is compared with, in conditions, mappings and decision tables.

    A variable that is handed on by another name is compared where that one is.
    """
    found: dict[str, set[Number]] = defaultdict(set)
    other_names: dict[str, set[str]] = defaultdict(set)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    for resource in resources:
        root = etree.fromstring(resource.content, parser)
        for node in root.iter():
            if not isinstance(node.tag, str):
                continue
            for text in (node.text or "", *map(str, node.attrib.values())):
                for name, number in _in_expression(_TEXT.sub(" ", text)):
                    found[name].add(number)
            handed = _ALONE.match(node.get("source", ""))
            if handed is not None and node.get("target"):
                other_names[handed["name"]].add(str(node.get("target")))
        for name, number in _in_tables(root):
            found[name].add(number)
    return {name: frozenset(_of_all(name, found, other_names)) for name in {*found, *other_names}}


def between(numbers: Iterable[Number], given: Sequence[Number], lowest: Number, highest: Number) -> list[Number]:
    """Return what has to be tried besides the ``given`` values, so that each side of each number has one.

    A variable of whole numbers moves by one, a share by a thousandth; none leaves its range.
    """
    constants = sorted(set(numbers))
    step = _step((*given, *constants), lowest, highest)

    def sides(value: Number) -> tuple[int, ...]:
        return tuple((value > constant) - (value < constant) for constant in constants)

    seen = {sides(value) for value in given}
    added: list[Number] = []
    for constant in constants:
        for value in (constant, constant - step, constant + step):
            if lowest <= value <= highest and sides(value) not in seen:
                seen.add(sides(value))
                added.append(value)
    return added


def beside_ends(given: Sequence[Number], lowest: Number, highest: Number) -> list[Number]:
    """Return the numbers one step from the ends of a range: almost nothing, and almost all."""
    step = _step(given, lowest, highest)
    return [value for value in (lowest + step, highest - step) if lowest < value < highest]


def _step(numbers: Iterable[Number], lowest: Number, highest: Number) -> Number:
    whole = all(isinstance(value, int) for value in (*numbers, lowest, highest)) and highest - lowest > 1
    return 1 if whole else _SMALL


def _in_expression(text: str) -> Iterator[tuple[str, Number]]:
    for pattern in (_AFTER, _BEFORE):
        for match in pattern.finditer(text):
            yield match["name"], _number(match["number"])
    for match in _RANGE.finditer(text):
        yield match["name"], _number(match["low"] or match["from"])
        yield match["name"], _number(match["high"])


def _in_tables(root: etree._Element) -> Iterator[tuple[str, Number]]:
    for table in root.iterfind(".//{*}decisionTable"):
        columns = [
            _ALONE.match(column.findtext("{*}inputExpression/{*}text") or "") for column in table.iterfind("{*}input")
        ]
        for rule in table.iterfind("{*}rule"):
            for column, entry in zip(columns, rule.iterfind("{*}inputEntry"), strict=False):
                if column is not None:
                    text = _TEXT.sub(" ", entry.findtext("{*}text") or "")
                    yield from ((column["name"], _number(number)) for number in re.findall(_NUMBER, text))


def _of_all(
    name: str, found: Mapping[str, set[Number]], other_names: Mapping[str, set[str]], seen: frozenset[str] = frozenset()
) -> set[Number]:
    numbers = set(found.get(name, ()))
    for other in other_names.get(name, set()) - seen - {name}:
        numbers |= _of_all(other, found, other_names, seen | {name})
    return numbers


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)
