"""The tools for BPMN files that run on Node, in ``deploy/bpmn``: lint, format, render, element templates."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from services.runtime.errors import Fatal
from services.runtime.places import DEPLOY

Tool = Literal["lint", "format", "render", "templates"]

TOOLS = DEPLOY / "bpmn"
OLDEST_NODE = 20
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def run(tool: Tool, *arguments: str | Path, tools: Path = TOOLS) -> int:
    """Run one tool with this process's output; return its exit code. Fatal if something that it needs is missing."""
    command = _command(tool, arguments, tools)
    return subprocess.run(command, check=False, cwd=Path.cwd()).returncode  # noqa: S603 - our own tool, no shell


def read(tool: Tool, *arguments: str | Path, tools: Path = TOOLS) -> list[Mapping[str, Any]]:
    """Run one tool and return the list that it prints as JSON. Fatal if something is missing, or the tool fails."""
    command = _command(tool, arguments, tools)
    done = subprocess.run(  # noqa: S603 - our own tool, no shell
        command, check=False, cwd=Path.cwd(), stdout=subprocess.PIPE, text=True
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if done.returncode or not isinstance(found, list):
        raise _missing(tool, "it ended without an answer", "correct what it says above, or report it")
    return found


def _command(tool: Tool, arguments: Sequence[str | Path], tools: Path) -> Sequence[str]:
    node = _node(tool, tools)
    if tool == "render":
        _require_chromium()
    return (node, str(tools / f"{tool}.mjs"), *map(str, arguments))


def _node(tool: Tool, tools: Path) -> str:
    if not (tools / f"{tool}.mjs").exists():
        raise _missing(tool, f"{tools} is missing", "run this in a checkout of Footage Desk; an image has no tools")
    node = shutil.which("node")
    if node is None:
        raise _missing(
            tool, "there is no Node", f"install Node {OLDEST_NODE} or newer: sudo apt-get install nodejs npm"
        )
    command = (node, "--version")
    output = subprocess.run(command, check=False, capture_output=True, text=True).stdout  # noqa: S603 - no shell
    version = re.match(r"v(\d+)\.", output)
    if version is None or int(version[1]) < OLDEST_NODE:
        raise _missing(
            tool, f"Node is {output.strip() or 'of unknown version'}", f"install Node {OLDEST_NODE} or newer"
        )
    if not (tools / "node_modules").is_dir():
        raise _missing(tool, "the packages of the tools are not installed", f"run npm ci in {tools}")
    return node


def _require_chromium() -> None:
    named = os.environ.get("CHROMIUM")
    if named and not Path(named).exists():
        raise _missing("render", f"CHROMIUM names {named}, which does not exist", "correct the variable")
    if not named and not any(map(shutil.which, CHROMIUMS)):
        raise _missing(
            "render",
            "there is no Chromium to draw with",
            "install it: sudo apt-get install chromium, or name one in the variable CHROMIUM",
        )


def _missing(tool: Tool, cause: str, remedy: str) -> Fatal:
    return Fatal(f"could not run the tool {tool} | {TOOLS.name} | {cause} | {remedy}")
