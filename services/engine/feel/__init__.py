"""Compile and evaluate FEEL, DMN's expression language, in Camunda's dialect.

Numbers are decimals of 34 digits. Only this package parses expressions:

    compile_expression("count(items[price > 10]) = 2").evaluate({"items": [...]})
"""

from services.engine.feel.api import (
    Expression,
    UnaryTests,
    compile_expression,
    compile_unary_tests,
    names,
    unreadable,
    unreadable_tests,
)
from services.engine.feel.convert import from_json, to_json
from services.engine.feel.errors import FeelEvaluationError, FeelSyntaxError

__all__ = [
    "Expression",
    "FeelEvaluationError",
    "FeelSyntaxError",
    "UnaryTests",
    "compile_expression",
    "compile_unary_tests",
    "from_json",
    "names",
    "to_json",
    "unreadable",
    "unreadable_tests",
]
