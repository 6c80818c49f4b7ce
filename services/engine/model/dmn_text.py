"""Compile FEEL of DMN files, with spaced names and item definitions."""

import re
from collections.abc import Iterator
from typing import TypeVar

from lxml import etree

from services.engine.feel import Expression, FeelSyntaxError, UnaryTests, compile_expression, compile_unary_tests

_FEEL_LANGUAGES = (
    "feel",
    "http://www.omg.org/spec/feel/20140401",
    "http://www.omg.org/spec/dmn/20180521/feel/",
    "https://www.omg.org/spec/dmn/20191111/feel/",
    "https://www.omg.org/spec/dmn/20211108/feel/",
    "https://www.omg.org/spec/dmn/20230324/feel/",
)
_PLATFORM = "{http://camunda.org/schema/modeler/1.0}executionPlatform"
NULL_EXPRESSION = compile_expression("null")
_Compiled = TypeVar("_Compiled", Expression, UnaryTests)


class DmnText:
    """Compiles the expressions of one file; errors become texts in `problems`.

    A file made for Camunda 8 may only use Camunda's FEEL, because it must deploy there as well. Files of other tools
    may use all of DMN's.
    """

    def __init__(self, root: etree._Element, prefix: str, problems: list[str]) -> None:
        self._prefix = prefix
        self._problems = problems
        self.for_camunda = root.get(_PLATFORM, "").startswith("Camunda Cloud")
        self._spaced_names = _names_with_blanks(root, prefix)
        self._types = dict(_item_types(root, prefix))

    def expression(self, element: etree._Element, location: str) -> Expression:
        """Compile a literal expression; an empty one is a problem."""
        self._check_language(element, location)
        text = self._text(element)
        if not text:
            self._problems.append(f"{location}: the expression must not be empty; write null for no value.")
            return NULL_EXPRESSION
        try:
            return self._check_extensions(compile_expression(text), location)
        except FeelSyntaxError as error:
            self._problems.append(f"{location}: {error}")
            return NULL_EXPRESSION

    def tests(self, element: etree._Element, location: str) -> UnaryTests:
        self._check_language(element, location)
        try:
            return self._check_extensions(compile_unary_tests(self._text(element)), location)
        except FeelSyntaxError as error:
            self._problems.append(f"{location}, entry '{element.get('id', '')}': {error}")
            return compile_unary_tests("-")

    def _check_extensions(self, compiled: _Compiled, location: str) -> _Compiled:
        for extension in compiled.extensions if self.for_camunda else ():
            self._problems.append(
                f"{location}: '{compiled.text}' uses {extension}, which Camunda's FEEL does not have."
            )
        return compiled

    def _check_language(self, element: etree._Element, location: str) -> None:
        language = element.get("expressionLanguage", "feel")
        if language.lower() not in _FEEL_LANGUAGES:
            self._problems.append(f"{location}: the expression language '{language}' is not supported; use FEEL.")

    def _text(self, element: etree._Element) -> str:
        text = (element.findtext(self._prefix + "text") or "").strip()
        for name in self._spaced_names:
            text = re.sub(rf"(?<![^(,.\s]){re.escape(name)}(?![^(),.\s])", lambda match: f"`{match[0]}`", text)
        for name, kind in self._types.items():
            text = re.sub(rf"\binstance\s+of\s+`?{re.escape(name)}`?(?![\w.])", f"instance of {kind}", text)
        return text


def _names_with_blanks(root: etree._Element, prefix: str) -> list[str]:
    """List names with blanks or hyphens, which need backticks, the longest first."""
    names = {
        element.get("name", "")
        for kind in ("variable", "itemDefinition", "formalParameter")
        for element in root.iter(prefix + kind)
    }
    return sorted((name for name in names if " " in name or "-" in name), key=len, reverse=True)


def _item_types(root: etree._Element, prefix: str) -> Iterator[tuple[str, str]]:
    """List the file's item definitions by name, as FEEL types."""
    for item in root.iterchildren(prefix + "itemDefinition"):
        kind = _item_type(item, prefix)
        if item.get("name") and kind:
            yield item.get("name", ""), kind


def _item_type(item: etree._Element, prefix: str) -> str:
    """Return the FEEL type of an item definition.

    Empty if it has none.
    """
    parts = [(part.get("name", ""), _item_type(part, prefix)) for part in item.iterchildren(prefix + "itemComponent")]
    kind = item.findtext(prefix + "typeRef", "").strip().removeprefix("feel:")
    if parts:
        kind = "context<" + ", ".join(f"{name}: {part}" for name, part in parts if part) + ">"
    return f"list<{kind}>" if kind and item.get("isCollection") == "true" else kind
