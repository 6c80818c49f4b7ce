"""Moments in SQL, as seconds since a fixed one: to add to them, subtract and sort on either database."""

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

DAY_SECONDS = 86_400


class seconds_of(GenericFunction[float]):
    """Of a column of moments, exact to a tenth of a millisecond; NULL of NULL."""

    type = Double()
    inherit_cache = True


@compiles(seconds_of)
def _of_postgres(element: seconds_of, compiler: Any, **named: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **named)}) AS DOUBLE PRECISION)"


@compiles(seconds_of, "sqlite")
def _of_sqlite(element: seconds_of, compiler: Any, **named: Any) -> str:
    return f"(julianday({compiler.process(element.clauses, **named)}) * {DAY_SECONDS})"
