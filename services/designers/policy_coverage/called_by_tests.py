"""Functions of the product that nothing but tests calls: what they show is not done by anything that runs."""

import ast
from collections.abc import Iterable, Iterator

from services.designers.policy_coverage.marked_tests import MarkedTest
from services.designers.policy_coverage.source import Function, Module, Source

# Called by something that is no module of ours: a framework by its decorator, the job runner, a start by its name.
ROUTES = {"get", "post", "put", "patch", "delete", "head", "api_route", "route", "websocket", "middleware"}
COMMANDS = {"command", "callback"}
HOOKS = {"exception_handler", "listens_for", "hookimpl", "fixture", "register", "compiles", "validates"}
STARTED = {"main", "upgrade", "downgrade"}
WORKERS = "services.workers."


def find_test_only(source: Source, tests: Iterable[MarkedTest]) -> Iterator[tuple[str, MarkedTest]]:
    """Find each function that a marked test calls, itself or through its file's helpers, and the product does not."""
    used = source.used_names()
    unused = {
        name
        for module in source.modules.values()
        for function in module.functions()
        if (name := f"{module.name}.{function.name}") not in used and not _is_entry_point(module, function)
    }
    files: dict[int, Module] = {}
    for test in tests:
        if id(test.module) not in files:
            files[id(test.module)] = Module("", test.module)
        names = _used_by(files[id(test.module)], test.function.name)
        for name in sorted({source.defining_name(name) for name in names} & unused):
            yield name, test


def _is_entry_point(module: Module, function: Function) -> bool:
    decorators = {_last_name(decorator) for decorator in function.decorator_list}
    return bool(
        decorators & (ROUTES | COMMANDS | HOOKS)
        or function.name in STARTED
        or function.name.startswith("pytest_")
        or (module.name.startswith(WORKERS) and function.name == "handle")
    )


def _last_name(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _used_by(file: Module, test: str) -> set[str]:
    """Return the dotted names that a test uses, together with the helpers, fixtures and tables of its file."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = {test}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        statement = file.defined[name]
        found.update(file.used_in(statement))
        # Fixtures are asked for by the names of parameters.
        near = {name.partition(".")[0] for name in statement.names} | statement.parameters
        waiting |= (near & file.defined.keys()) - seen
    return found
