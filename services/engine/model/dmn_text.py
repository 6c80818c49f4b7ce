"""Compile FEEL of DMN files; their texts are never changed."""

import re

from lxml import etree

from services.engine.feel import (
    Expression,
    FeelSyntaxError,
    UnaryTests,
    compile_expression,
    compile_unary_tests,
    unreadable,
    unreadable_tests,
)
from services.engine.model.platform import platform_of

_FEEL_LANGUAGES = (
    "feel",
    "http://www.omg.org/spec/feel/20140401",
    "http://www.omg.org/spec/dmn/20180521/feel/",
    "https://www.omg.org/spec/dmn/20191111/feel/",
    "https://www.omg.org/spec/dmn/20211108/feel/",
    "https://www.omg.org/spec/dmn/20230324/feel/",
)
NULL_EXPRESSION = compile_expression("null")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`', re.DOTALL)


class DmnText:
    """Compiles the expressions of one file; errors become texts in `problems`."""

    def __init__(self, root: etree._Element, prefix: str, problems: list[str]) -> None:
        self._prefix = prefix
        self._problems = problems
        self._platform = platform_of(root)
        self._spaced_names = _names_with_blanks(root, prefix)

    def expression(self, element: etree._Element, location: str) -> Expression:
        """Compile a literal expression; an empty one is a problem."""
        self._check_language(element, location)
        text = self._text(element)
        if not text:
            self._problems.append(f"{location}: the expression must not be empty; write null for no value.")
            return NULL_EXPRESSION
        try:
            compiled = compile_expression(text)
        except FeelSyntaxError as error:
            self._refuse(text, location, error)
            return unreadable(text, error)
        self._check(compiled, location)
        return compiled

    def tests(self, element: etree._Element, location: str) -> UnaryTests:
        self._check_language(element, location)
        text = self._text(element)
        try:
            compiled = compile_unary_tests(text)
        except FeelSyntaxError as error:
            self._refuse(text, f"{location}, entry '{element.get('id', '')}'", error)
            return unreadable_tests(text, error)
        self._check(compiled, location)
        return compiled

    def _refuse(self, text: str, location: str, error: FeelSyntaxError) -> None:
        if not self._check_names(text, location):
            self._problems.append(f"{location}: {error}")

    def _check(self, compiled: Expression | UnaryTests, location: str) -> None:
        self._check_names(compiled.text, location)
        for problem in self._platform.problems(compiled):
            self._problems.append(f"{location}: in '{compiled.text}' {problem}.")

    def _check_names(self, text: str, location: str) -> bool:
        """Report names with blanks or hyphens that stand without backticks; return whether there is one."""
        bare = _QUOTED.sub(lambda match: " " * len(match[0]), text)
        found = [name for name in self._spaced_names if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", bare)]
        for name in found:
            self._problems.append(
                f"{location}: in '{text}' the name '{name}' has a blank or a hyphen, and Camunda's FEEL reads it in"
                f" backticks only: `{name}`."
            )
        return bool(found)

    def _check_language(self, element: etree._Element, location: str) -> None:
        language = element.get("expressionLanguage", "feel")
        if language.lower() not in _FEEL_LANGUAGES:
            self._problems.append(f"{location}: the expression language '{language}' is not supported; use FEEL.")

    def _text(self, element: etree._Element) -> str:
        return (element.findtext(self._prefix + "text") or "").strip()


def _names_with_blanks(root: etree._Element, prefix: str) -> list[str]:
    """List the file's variables and parameters whose names have blanks or hyphens."""
    names = {
        element.get("name", "") for kind in ("variable", "formalParameter") for element in root.iter(prefix + kind)
    }
    return sorted(name for name in names if " " in name or "-" in name)
