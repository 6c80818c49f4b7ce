"""Each detail that the code writes into the audit trail has a name in every language (the page of an event)."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from services.domain.supervision.event_fields import CODES, FIELDS
from services.runtime.places import SERVICES

APART = {"demo", "bench"}  # they write what the product writes, and what it does not know for a measurement
RECORD = {"record", "trail.record", "audit_trail.record"}
PLACE = "application_id"  # a column of the row, and no detail
SIGNATURE = ("statement_sha256", "method", "signed_at", "signature_sha256")

# What a call passes on with two stars and cannot be read off it: the keys by the words of the code.
PASSED_ON: dict[str, tuple[str, ...]] = {
    "signed.event_fields": SIGNATURE,
    "json.loads(ordered.entry)['detail']": (),  # of an event that this code has written before
    "app/deployments.py:more": ("set", "why", "requested_by", "confirmed_by"),
    "domain/accounts/login.py:detail": ("issuer",),
    "domain/attachments/service.py:kind": ("matter",),
    "domain/change_requests/service.py:detail": ("reason",),
    "domain/custody/naming.py:told": ("application_id",),
    "domain/custody/use_period.py:moments": ("due_at", "before", "usual_grace_seconds"),
    "domain/deployments/service.py:_summary(result)": ("result", "rules", "rules_sha256", "states"),
    "domain/deployments/versions.py:_detail(definition)": ("version", "key"),
    "domain/deployments/versions.py:_detail(row)": ("version", "key"),
    "domain/documents/service.py:named": ("key", "payload_sha256", "period"),
    "domain/documents/service.py:asdict(hashes)": ("pdf_sha256", "payload_sha256"),
    "domain/matters/kinds/disposal.py:counts": ("due", "kept", "held"),
    "domain/reviews/service.py:detail": ("stage", "round", "outcome", "form", "lowered", "stands_in_for", "matter"),
    "domain/reviews/tasks.py:_waiting(unsigned)": ("without_agreement",),
    "domain/reviews/tasks.py:claimed": ("claimed_by",),
    "domain/storage/devices.py:{name: value for name, value in told.items() if value}": (
        *("number", "kind", "make", "model", "site_id", "recorder_id", "serial", "capacity", "redundancy", "store"),
        "retired_because",
    ),
    "domain/storage/sites.py:_told(body)": ("name", "address", "uses", "area"),
    "evidence/package.py:asked": ("package", "asked_by"),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Called = tuple[str, ast.Call, Function | None]


def test_each_detail_of_an_event_has_a_name() -> None:
    found = details()

    assert {where: keys - set(FIELDS) for where, keys in found.keys.items() if keys - set(FIELDS)} == {}
    assert found.unread == set(), "say in PASSED_ON which keys these pass on"


def test_no_name_is_left_of_a_detail_that_is_gone() -> None:
    found = details()

    written = set().union(*found.keys.values())
    nested = {"application", "id", "cameras", "begin"}  # inside other details
    assert set(FIELDS) - written - nested == set()
    assert set(CODES) <= set(FIELDS)
    assert set(PASSED_ON) - found.passed_on == set()


@cache
def details() -> "Details":
    found = Details()
    found.read()
    return found


class Details:
    """The keys by the file that writes them; what could not be read."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = {}
        self.unread: set[str] = set()
        self.passed_on: set[str] = set()
        self._texts: Mapping[Path, str] = {
            file: file.read_text(encoding="utf-8")
            for file in sorted(SERVICES.rglob("*.py"))
            if file.relative_to(SERVICES).parts[0] not in APART
        }
        self._parsed: dict[Path, list[Called]] = {}
        self._wrappers: set[tuple[Path, str]] = set()

    def read(self) -> None:
        for file in self._with("record("):
            for called, call, function in self._calls_in(file):
                if called in RECORD:
                    self._keywords(call, file, function, {PLACE})
        known = set[tuple[Path, str]]()
        while waiting := self._wrappers - known:
            known |= waiting
            for file, name in waiting:
                own = _parameters(self._texts[file], name)
                for other in {file, *self._with(f"{file.stem}.{name}(")}:
                    for called, call, function in self._calls_in(other):
                        if _is_call_of(called, name, here=other == file, module=file.stem):
                            self._keywords(call, other, function, own)

    def _with(self, text: str) -> list[Path]:
        """List the files that have the text: parsing all of them takes half a minute on a busy machine."""
        return [file for file, source in self._texts.items() if text in source]

    def _calls_in(self, file: Path) -> list[Called]:
        if file not in self._parsed:
            calls = _calls(ast.parse(self._texts[file]), None)
            self._parsed[file] = [(ast.unparse(call.func), call, function) for call, function in calls]
        return self._parsed[file]

    def _keywords(self, call: ast.Call, file: Path, function: Function | None, own: set[str]) -> None:
        for keyword in call.keywords:
            if keyword.arg is None:
                self._expand(keyword.value, file, function)
            elif keyword.arg not in own:
                self._note(file, keyword.arg)

    def _expand(self, value: ast.expr, file: Path, function: Function | None) -> None:
        if isinstance(value, ast.Dict):
            for key, inner in zip(value.keys, value.values, strict=True):
                if key is None:
                    self._expand(inner, file, function)
                elif isinstance(key, ast.Constant):
                    self._note(file, str(key.value))
                else:
                    self._pass_on(file, key)
        elif isinstance(value, ast.IfExp):
            self._expand(value.body, file, function)
            self._expand(value.orelse, file, function)
        elif isinstance(value, ast.BoolOp):
            for one in value.values:
                self._expand(one, file, function)
        elif function is not None and function.args.kwarg and ast.unparse(value) == function.args.kwarg.arg:
            self._wrappers.add((file, function.name))
        else:
            self._pass_on(file, value)

    def _pass_on(self, file: Path, value: ast.expr) -> None:
        text, where = ast.unparse(value), file.relative_to(SERVICES).as_posix()
        name = text if text in PASSED_ON else f"{where}:{text}"
        if name not in PASSED_ON:
            self.unread.add(name)
            return
        self.passed_on.add(name)
        for key in PASSED_ON[name]:
            self._note(file, key)

    def _note(self, file: Path, key: str) -> None:
        self.keys.setdefault(file.relative_to(SERVICES).as_posix(), set()).add(key)


def _calls(node: ast.AST, function: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child, function
        yield from _calls(child, child if isinstance(child, Function) else function)


def _parameters(source: str, name: str) -> set[str]:
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Function) and node.name == name]
    return {argument.arg for one in functions for argument in (*one.args.args, *one.args.kwonlyargs)} | {PLACE}


def _is_call_of(called: str, name: str, *, here: bool, module: str) -> bool:
    if here:
        return called in (name, f"self.{name}")
    return not name.startswith("_") and called == f"{module}.{name}"
