"""Context functions."""

from services.engine.feel.builtins.registry import builtin, flat_list
from services.engine.feel.values import Value


@builtin("get value", "context: context", "key: any")
def get_value(context: dict[str, Value], key: Value) -> Value:
    """Return the entry of a key, or of a path of keys."""
    if isinstance(key, list):
        value: Value = context
        for step in key:
            value = value.get(step) if isinstance(value, dict) and isinstance(step, str) else None
        return value if key else None
    return context.get(key) if isinstance(key, str) else None


@builtin("get entries", "context: context")
@builtin("get entries", "m: context")
def get_entries(context: dict[str, Value]) -> Value:
    return [{"key": key, "value": value} for key, value in context.items()]


@builtin("context put", "context: context", "key: any", "value: any")
@builtin("context put", "context: context", "keys: any", "value: any")
@builtin("put", "context: context", "key: any", "value: any")
def context_put(context: dict[str, Value], key: Value, value: Value) -> Value:
    """Return the context with one changed entry, by key or path."""
    return _put_path(context, key if isinstance(key, list) else [key], value)


def _put_path(context: dict[str, Value], keys: list[Value], value: Value) -> Value:
    if not keys or not isinstance(keys[0], str):
        return None
    first, rest = keys[0], keys[1:]
    if not rest:
        return {**context, first: value}
    inner = context.get(first)
    if inner is not None and not isinstance(inner, dict):
        return None
    changed = _put_path(inner or {}, rest, value)
    return None if changed is None else {**context, first: changed}


@builtin("context merge", "contexts: context", variadic=True)
@builtin("put all", "contexts: context", variadic=True)
@builtin("context merge", "contexts: list")
@builtin("put all", "contexts: list")
def context_merge(*contexts: Value) -> Value:
    merged: dict[str, Value] = {}
    for context in flat_list(contexts):
        if not isinstance(context, dict):
            return None
        merged.update(context)
    return merged


@builtin("context", "entries: list")
def context_of(entries: list[Value]) -> Value:
    """Build a context from contexts with `key` and `value`.

    Null for other entries.
    """
    result: dict[str, Value] = {}
    for entry in entries:
        if not isinstance(entry, dict) or "value" not in entry:
            return None
        key = entry.get("key")
        if not isinstance(key, str):
            return None
        result[key] = entry["value"]
    return result
