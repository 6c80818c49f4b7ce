"""FEEL, the expression language of DMN, in the dialect that Camunda documents (numbers are decimals of 34 digits).

Nothing else in the engine knows how an expression works:

    compile_expression("count(items[price > 10]) = 2").evaluate({"items": [...]})
"""

from services.engine.feel.api import Expression, UnaryTests, compile_expression, compile_unary_tests, names
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
]
