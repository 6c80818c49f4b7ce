"""Context functions."""

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.values import Function, Value, entries_of


def _variable(context: dict[str, Value], key: str) -> Value:
    value = context.get(key)
    return None if isinstance(value, Function) else value


@builtin("get value", "context: context", "key: any")
@builtin("get value", "m: context", "key: any")
def get_value(context: dict[str, Value], key: Value) -> Value:
    """Return the entry of a key, or of a path of keys."""
    if isinstance(key, list):
        return get_value_of_path(context, key)
    return _variable(context, key) if isinstance(key, str) else None


@builtin("get value", "context: context", "keys: list")
def get_value_of_path(context: dict[str, Value], keys: list[Value]) -> Value:
    value: Value = context
    for key in keys:
        value = _variable(value, key) if isinstance(value, dict) and isinstance(key, str) else None
    return value if keys else None


@builtin("get entries", "context: context")
@builtin("get entries", "m: context")
def get_entries(context: dict[str, Value]) -> Value:
    return [{"key": key, "value": value} for key, value in entries_of(context).items()]


@builtin("context put", "context: context", "keys: list", "value: any")
@builtin("context put", "context: context", "key: any", "value: any")
@builtin("put", "context: context", "key: any", "value: any")
def context_put(context: dict[str, Value], key: Value, value: Value) -> Value:
    """Return the context with one changed entry, by key or path; what is on the path and no context is replaced."""
    keys = key if isinstance(key, list) else [key]
    names = [name for name in keys if isinstance(name, str)]
    return _put_path(context, names, value) if keys and len(names) == len(keys) else None


def _put_path(context: dict[str, Value], keys: list[str], value: Value) -> dict[str, Value]:
    first, *rest = keys
    if rest:
        inner = context.get(first)
        value = _put_path(inner if isinstance(inner, dict) else {}, rest, value)
    return {**entries_of(context), first: value}


@builtin("context merge", "contexts: list", variadic=True)
@builtin("put all", "contexts: list", variadic=True)
def context_merge(contexts: list[Value]) -> Value:
    merged: dict[str, Value] = {}
    for context in contexts:
        if not isinstance(context, dict):
            return None
        merged.update(entries_of(context))
    return merged


@builtin("context", "entries: list")
def context_of(entries: list[Value]) -> Value:
    """Build a context from contexts with `key` and `value`.

    Null for other entries.
    """
    result: dict[str, Value] = {}
    for entry in entries:
        key = entry.get("key") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or "value" not in entry or not isinstance(key, str):
            return None
        result[key] = entry["value"]
    return result
