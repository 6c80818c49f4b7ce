"""The mappings of an element as one FEEL context, so that each sees the ones before it, as in Zeebe."""

from collections.abc import Sequence

from services.engine.model.expression import Expression

_Context = dict[str, "str | _Context"]


def mapping_context(mappings: Sequence[tuple[str, Expression]], *, merging: bool) -> str:
    """An expression for (target, source) pairs; ``a.b`` and ``a.c`` become one entry ``a``, in the place of the first.

    With ``merging`` a nested target goes into what its variable holds already; what is no context then fails.
    """
    context: _Context = {}
    for target, source in mappings:
        *path, name = target.split(".")
        inner = context
        for step in path:
            found = inner.get(step)
            if not isinstance(found, dict):
                found = inner[step] = {}
            inner = found
        inner[name] = _source(source)
    return "=" + _written(context, (), merging=merging)


def _source(source: Expression) -> str:
    """Plain text is text, also where it looks like a number."""
    if source.compiled is not None:
        return source.compiled.text
    escaped = source.text.replace('"', '\\"')
    return f'"{escaped}"'


def _written(context: _Context, path: tuple[str, ...], *, merging: bool) -> str:
    entries = []
    for name, value in context.items():
        if isinstance(value, str):
            entries.append(f"{name}: {value}")
            continue
        inside = _written(value, (*path, name), merging=merging)
        there = ".".join(f"`{step}`" for step in (*path, name))
        entries.append(
            f"{name}: context merge(if {there} = null then {{}} else {there}, {inside})"
            if merging
            else f"{name}: {inside}"
        )
    return "{" + ", ".join(entries) + "}"
