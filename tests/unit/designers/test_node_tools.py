"""The tools on Node: what is missing is said in a sentence with what to do."""

from pathlib import Path

import pytest

from services.designers import node_tools
from services.runtime.errors import Fatal


def command(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{says}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tools that are installed, and a Node of the right age that runs none of them."""
    tools = tmp_path / "tools"
    (tools / "node_modules").mkdir(parents=True)
    for name in ("lint", "render"):
        (tools / f"{name}.mjs").touch()
    command(tmp_path / "bin", "node", 'test "$1" = --version && echo v20.1.0 || exit 3')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tools


def test_the_exit_code_is_the_tool_s_own(tools: Path) -> None:
    assert node_tools.run("lint", tools=tools) == 3


def test_a_tool_that_ends_without_an_answer_is_told(tools: Path) -> None:
    with pytest.raises(Fatal, match=r"could not run the tool lint .* it ended without an answer"):
        node_tools.read("lint", tools=tools)


def test_a_place_without_tools_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="run this in a checkout of Footage Desk; an image has no tools"):
        node_tools.run("lint", tools=tmp_path)


def test_node_that_is_missing_or_too_old_is_told(tools: Path, tmp_path: Path) -> None:
    command(tmp_path / "bin", "node", "echo v18.2.0")
    with pytest.raises(Fatal, match=r"Node is v18\.2\.0 \| install Node 20 or newer"):
        node_tools.run("lint", tools=tools)
    (tmp_path / "bin" / "node").unlink()
    with pytest.raises(Fatal, match=r"there is no Node \| install Node 20 or newer: sudo apt-get install nodejs npm"):
        node_tools.run("lint", tools=tools)


def test_packages_that_are_not_installed_are_told(tools: Path) -> None:
    (tools / "node_modules").rmdir()
    with pytest.raises(Fatal, match=r"the packages of the tools are not installed \| run npm ci in"):
        node_tools.run("lint", tools=tools)


def test_drawing_needs_a_chromium(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fatal, match=r"there is no Chromium to draw with \| install it"):
        node_tools.run("render", tools=tools)
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nothing"))
    with pytest.raises(Fatal, match=r"CHROMIUM names .*, which does not exist \| correct the variable"):
        node_tools.run("render", tools=tools)
    command(tmp_path / "bin", "chromium", "exit 0")
    monkeypatch.delenv("CHROMIUM")
    assert node_tools.run("render", tools=tools) == 3
