"""Source by its names: what a module defines and imports, and what each statement at its top uses."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Statement:
    """One statement at the top of a module; ``names`` are dotted as they are written, ``parameters`` those of defs."""

    node: ast.stmt
    names: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)


class Module:
    """One module: its dotted name, its statements, and what its imports bind, by their local names."""

    def __init__(self, name: str, tree: ast.Module, *, is_package: bool = False) -> None:
        self.name = name
        self.imports: dict[str, str] = {}
        self._is_package = is_package
        self.statements = [self._read(node) for node in tree.body]
        self.defined = {name: statement for statement in self.statements for name in _bound_by(statement.node)}

    def functions(self) -> Iterator[Function]:
        """Return the functions at the top of the module."""
        return (statement.node for statement in self.statements if isinstance(statement.node, Function))

    def used_in(self, statement: Statement) -> Iterator[str]:
        """Return the dotted names that it uses: what is imported by its origin, the module's own by the module."""
        for name in statement.names:
            first, dot, rest = name.partition(".")
            yield (self.imports.get(first) or f"{self.name}.{first}") + dot + rest

    def _read(self, node: ast.stmt) -> Statement:
        statement = Statement(node)
        for part in ast.walk(node):
            match part:
                case ast.Name(ctx=ast.Load()):
                    statement.names.add(part.id)
                case ast.Attribute():
                    statement.names.update(filter(None, [_chain(part)]))
                case ast.arg():
                    statement.parameters.add(part.arg)
                case ast.Import():
                    for alias in part.names:
                        top = alias.name.partition(".")[0]
                        self.imports[alias.asname or top] = alias.name if alias.asname else top
                case ast.ImportFrom():
                    for alias in part.names:
                        self.imports[alias.asname or alias.name] = f"{self._origin(part)}.{alias.name}"
        return statement

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        return ".".join([*parts[: len(parts) - node.level + self._is_package], *filter(None, [node.module])])


class Source:
    """All modules of the package ``services`` of a checkout; migrations call nothing but what they bring."""

    def __init__(self, root: Path) -> None:
        self.modules: dict[str, Module] = {}
        for path in sorted((root / "services").rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-2] == "versions":
                continue
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
            self.modules[name] = Module(name, tree, is_package=is_package)

    def defining_name(self, dotted: str) -> str:
        """Return where what is called ``dotted`` is defined: packages give names of their modules on."""
        for _ in range(10):  # more steps than any name takes; a circle of imports would have no end
            module, name, rest = self._split(dotted)
            if module is None or name in module.defined or name not in module.imports:
                return dotted
            dotted = ".".join(filter(None, (module.imports[name], rest)))
        return dotted

    def used_names(self) -> set[str]:
        """Return the dotted names that the product itself uses; a function's use of itself is none."""
        found: set[str] = set()
        for module in self.modules.values():
            for statement in module.statements:
                own = {f"{module.name}.{name}" for name in _bound_by(statement.node)}
                found.update(name for name in module.used_in(statement) if name not in own)
        return {self.defining_name(name) for name in found}

    def _split(self, dotted: str) -> tuple[Module | None, str, str]:
        """Split into the module, the name in it, and what follows."""
        parts = dotted.split(".")
        for length in range(len(parts) - 1, 0, -1):
            module = self.modules.get(".".join(parts[:length]))
            if module is not None:
                return module, parts[length], ".".join(parts[length + 1 :])
        return None, dotted, ""


def _bound_by(node: ast.stmt) -> list[str]:
    """Return the names that a statement binds by a definition or an assignment."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _chain(node: ast.Attribute) -> str | None:
    """Return ``a.b.c`` of an attribute whose first part is a name."""
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    return ".".join([value.id, *reversed(parts)]) if isinstance(value, ast.Name) else None
