"""Build ``verify.html`` from its modules: one file, with the same bytes from the same release on every machine.

The modules are joined as they are, so that a reader finds each in the page; nothing is compiled or shortened. The page
forbids itself every address and every script and style but its own, whose hashes it names.
"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from services.verifier.titles import FINGERPRINTS, TITLES

FOLDER = Path(__file__).parent
FIRST = PurePosixPath("source/page.js")
POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
_IMPORT = re.compile(r'^import (?:\{(?P<names>[^}]*)\}|\* as (?P<whole>\w+)) from "(?P<path>\.[^"]*)";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?P<what>(?:async )?(?:function\*?|class|const|let) (?P<name>\w+))|^export \{(?P<list>[^}]*)\};$",
    re.MULTILINE,
)


@cache
def build() -> bytes:
    """Return the page; it needs a browser of 2022 or newer, and nothing of ours."""
    script = _script()
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    policy = POLICY.format(script=_hash(script), style=_hash(style))
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    for name, text in {"policy": policy, "style": style, "licences": _licences(), "script": script}.items():
        page = page.replace(f"{{{{ {name} }}}}", text)
    return page.encode()


@cache
def sha256() -> str:
    """Return the SHA-256 of this release's page, which portal and documents print."""
    return hashlib.sha256(build()).hexdigest()


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _licences() -> str:
    """Return the licences of the enclosed libraries; their packages' text is plain."""
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted((FOLDER / "vendor").glob("*.licence.txt"))]
    return "\n\n".join(texts).replace("&", "&amp;").replace("<", "&lt;")


def _script() -> str:
    """Join the modules, each in a scope of its own, behind the words that the page shows."""
    order: dict[PurePosixPath, str] = {}
    _add(FIRST, order, ())
    known = {"checks": TITLES, "keys": FINGERPRINTS, **_read("words.json")}
    # What a check finds is English in both verifiers; of each sentence, and of what one names, there is a form in
    # Chinese, {n} being any text.
    said = {"words": known, "sentences": _read("sentences.json"), "parts": _read("parts.json")}
    constants = [f"const {name} = {_json(value)};" for name, value in said.items()]
    return "\n".join(['"use strict";', *constants, *order.values()])


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return read


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _add(path: PurePosixPath, order: dict[PurePosixPath, str], above: tuple[PurePosixPath, ...]) -> None:
    """Add a module behind those that it imports; raises ValueError for a circle."""
    if path in above:
        raise ValueError(f"{path} imports itself by way of {above[-1]}")
    if path in order:
        return
    text = (FOLDER / path).read_text(encoding="utf-8")
    imports = list(_IMPORT.finditer(text))
    for match in imports:
        _add(_target(path, match["path"]), order, (*above, path))
    exported = _exported(text)
    lines = [_bound(match, _variable(_target(path, match["path"]))) for match in imports]
    body = _EXPORT.sub(lambda match: match["what"] or "", _IMPORT.sub("", text)).strip()
    order[path] = (
        f"// {path}\nconst {_variable(path)} = (() => {{\n{''.join(lines)}{body}\n"
        f"return {{ {', '.join(exported)} }};\n}})();\n"
    )


def _target(path: PurePosixPath, relative: str) -> PurePosixPath:
    parts: list[str] = []
    for part in (path.parent / relative).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _variable(path: PurePosixPath) -> str:
    return re.sub(r"\W", "_", str(path.with_suffix("")))


def _bound(match: re.Match[str], variable: str) -> str:
    if match["whole"]:
        return f"const {match['whole']} = {variable};\n"
    names = [name.strip().replace(" as ", ": ") for name in match["names"].split(",") if name.strip()]
    return f"const {{ {', '.join(names)} }} = {variable};\n"


def _exported(text: str) -> list[str]:
    names = []
    for match in _EXPORT.finditer(text):
        listed = match["list"].split(",") if match["list"] else [match["name"]]
        names += [name.strip() for name in listed if name.strip()]
    return names
