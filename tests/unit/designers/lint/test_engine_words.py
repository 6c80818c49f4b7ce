"""The engine's clauses in Chinese: each is one that the engine says, and the rest stays as it is."""

import ast
import re

from services.designers.lint import engine_words
from services.runtime.places import SERVICES


def said_by_the_engine() -> set[str]:
    """The texts of the engine's checks, each value as {}."""
    found = set()
    for path in (SERVICES / "engine" / "model").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_each_clause_is_one_of_the_engine() -> None:
    said = {text.rpartition("': ")[2].removeprefix("{}: ").removesuffix(".") for text in said_by_the_engine()}
    said |= {text.removesuffix(".") for text in said_by_the_engine()}
    # what an expression may not use is said in two parts
    said.add("in the {} '{}' the function '{}' is of Camunda {} and later, and {}")

    clauses = {re.sub(r"{\w+}", "{}", message.msgid) for message in engine_words.CLAUSES}

    assert {clause for clause in clauses if not any(text.endswith(clause) for text in said)} == set()


def test_a_clause_is_told_in_chinese_with_its_values() -> None:
    told = engine_words.told("the condition '= a b' is not valid FEEL: an operator is missing.")

    assert told.en == "the condition '= a b' is not valid FEEL: an operator is missing"
    assert told.zh == "condition“= a b”不是有效的 FEEL：an operator is missing"
    assert engine_words.told("something new.").zh == "something new"
