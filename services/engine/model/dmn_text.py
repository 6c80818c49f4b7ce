"""The FEEL in a DMN file: names with blanks, types of its own, and what goes beyond Camunda's grammar."""

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
NOTHING = compile_expression("null")
_Compiled = TypeVar("_Compiled", Expression, UnaryTests)


class DmnText:
    """Compiles the expressions of one file; what is wrong becomes a sentence in `problems`.

    A file that says it is made for Camunda 8 is held to Camunda's FEEL, since it is to deploy there, too. Files of
    other tools may use what DMN has beyond it.
    """

    def __init__(self, root: etree._Element, prefix: str, problems: list[str]) -> None:
        self._prefix = prefix
        self._problems = problems
        self.for_camunda = root.get(_PLATFORM, "").startswith("Camunda Cloud")
        self._spaced_names = _names_to_quote(root, prefix)
        self._types = dict(_item_types(root, prefix))

    def expression(self, element: etree._Element, where: str) -> Expression:
        """What a literal expression says; an empty one is a problem."""
        self._check_language(element, where)
        text = self._text(element)
        if not text:
            self._problems.append(f"{where}: the expression must not be empty; write null for no value.")
            return NOTHING
        try:
            return self._checked(compile_expression(text), where)
        except FeelSyntaxError as error:
            self._problems.append(f"{where}: {error}")
            return NOTHING

    def tests(self, element: etree._Element, where: str) -> UnaryTests:
        self._check_language(element, where)
        try:
            return self._checked(compile_unary_tests(self._text(element)), where)
        except FeelSyntaxError as error:
            self._problems.append(f"{where}, entry '{element.get('id', '')}': {error}")
            return compile_unary_tests("-")

    def _checked(self, compiled: _Compiled, where: str) -> _Compiled:
        for extension in compiled.extensions if self.for_camunda else ():
            self._problems.append(f"{where}: '{compiled.text}' uses {extension}, which Camunda's FEEL does not have.")
        return compiled

    def _check_language(self, element: etree._Element, where: str) -> None:
        language = element.get("expressionLanguage", "feel")
        if language.lower() not in _FEEL_LANGUAGES:
            self._problems.append(f"{where}: the expression language '{language}' is not supported; use FEEL.")

    def _text(self, element: etree._Element) -> str:
        text = (element.findtext(self._prefix + "text") or "").strip()
        for name in self._spaced_names:
            text = re.sub(rf"(?<![^(,.\s]){re.escape(name)}(?![^(),.\s])", lambda found: f"`{found[0]}`", text)
        for name, kind in self._types.items():
            text = re.sub(rf"\binstance\s+of\s+`?{re.escape(name)}`?(?![\w.])", f"instance of {kind}", text)
        return text


def _names_to_quote(root: etree._Element, prefix: str) -> list[str]:
    """The names of variables that hold blanks or hyphens; expressions may write them without backticks."""
    found = {
        element.get("name", "")
        for kind in ("variable", "itemDefinition", "formalParameter")
        for element in root.iter(prefix + kind)
    }
    return sorted((name for name in found if " " in name or "-" in name), key=len, reverse=True)


def _item_types(root: etree._Element, prefix: str) -> Iterator[tuple[str, str]]:
    """The file's item definitions by name, written as FEEL writes such a type."""
    for item in root.iterchildren(prefix + "itemDefinition"):
        kind = _item_type(item, prefix)
        if item.get("name") and kind:
            yield item.get("name", ""), kind


def _item_type(item: etree._Element, prefix: str) -> str:
    """Empty for a type that another definition of the file gives, and for none."""
    parts = [(part.get("name", ""), _item_type(part, prefix)) for part in item.iterchildren(prefix + "itemComponent")]
    kind = item.findtext(prefix + "typeRef", "").strip().removeprefix("feel:")
    if parts:
        kind = "context<" + ", ".join(f"{name}: {part}" for name, part in parts if part) + ">"
    return f"list<{kind}>" if kind and item.get("isCollection") == "true" else kind
