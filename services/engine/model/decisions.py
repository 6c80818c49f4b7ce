"""Decision models: immutable objects that refer to each other by id."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.engine.feel import Expression, UnaryTests


class HitPolicy(StrEnum):
    UNIQUE = "UNIQUE"
    FIRST = "FIRST"
    ANY = "ANY"
    PRIORITY = "PRIORITY"
    RULE_ORDER = "RULE ORDER"
    OUTPUT_ORDER = "OUTPUT ORDER"
    COLLECT = "COLLECT"


class Aggregation(StrEnum):
    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    COUNT = "COUNT"


@dataclass(frozen=True, slots=True)
class Input:
    id: str
    label: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Output:
    """`values` are the texts of the allowed values in order of priority."""

    id: str
    name: str
    label: str
    values: tuple[str, ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    tests: tuple[UnaryTests, ...]
    outputs: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DecisionTable:
    hit_policy: HitPolicy
    aggregation: Aggregation | None
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class BoxedContext:
    """Named entries, each seeing those before it; `result` replaces the context."""

    entries: tuple[tuple[str, "Logic"], ...]
    result: "Logic | None" = None


@dataclass(frozen=True, slots=True)
class BoxedList:
    items: tuple["Logic", ...]


@dataclass(frozen=True, slots=True)
class BoxedRelation:
    """A list of contexts with the same keys."""

    rows: tuple[tuple[tuple[str, "Logic"], ...], ...]


@dataclass(frozen=True, slots=True)
class BoxedFunction:
    """`params` are names and declared types ("" = none).

    Without body it returns null.
    """

    params: tuple[tuple[str, str], ...]
    body: "Logic | None"


@dataclass(frozen=True, slots=True)
class BoxedInvocation:
    """A call of the business knowledge model named `knowledge`."""

    knowledge: str
    bindings: tuple[tuple[str, "Logic"], ...]


Logic = DecisionTable | Expression | BoxedContext | BoxedList | BoxedRelation | BoxedFunction | BoxedInvocation


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A business knowledge model: a function that decisions call by name."""

    id: str
    name: str
    function: BoxedFunction
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """`result_name` is the variable of its result in decisions that require it."""

    id: str
    name: str
    result_name: str
    result_type: str
    version_tag: str
    required: tuple[str, ...]
    knowledge: tuple[str, ...]
    logic: Logic


@dataclass(frozen=True, slots=True)
class DecisionRequirements:
    """A DMN file: decisions and business knowledge models by id."""

    id: str
    name: str
    namespace: str
    decisions: Mapping[str, Decision]
    knowledge: Mapping[str, Knowledge]
