"""Read a YAML file with the line of each mapping and key, so that a sentence can name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, which takes a tenth of the time, where it is built in


class UnreadableFile(Exception):
    """A file of the check that cannot be read: the text names file and line, and says what to correct.

    ``line`` is 0 where it is the file or folder as a whole.
    """

    def __init__(self, path: Path, line: int, sentence: str) -> None:
        super().__init__(f"{path}, line {line}: {sentence}" if line else f"{path}: {sentence}")
        self.path = path
        self.line = line


@dataclass(frozen=True)
class Entry:
    """A mapping of the file with its line and those of its keys, from 1."""

    values: Mapping[str, Any]
    line: int
    lines: Mapping[str, int]


def value_of(text: str) -> Any:
    """Return the value that a text is in YAML; raises yaml.YAMLError."""
    return LOADER(text).get_single_data()


def read(path: Path) -> Entry:
    """Read a file whose top level is a mapping; raises UnreadableFile."""
    try:
        text = path.read_text(encoding="utf-8")
        loader = LOADER(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UnreadableFile(path, 1, "it has to begin with keys, such as rules:")
        return Entry(loader.construct_document(node), 1, _lines(node))
    except OSError as error:
        raise UnreadableFile(path, 1, f"the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, 1, "the file is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise UnreadableFile(path, line, f"no YAML: {error.problem or error.context}") from error


def entries(path: Path, key: str) -> list[Entry]:
    """Read the list of mappings under a key of a readable file; raises UnreadableFile."""
    text = path.read_text(encoding="utf-8")
    loader = LOADER(text)
    node = loader.get_single_node()
    listed = next((value for name, value in node.value if name.value == key), None)
    if not isinstance(listed, yaml.SequenceNode):
        line = 1 if listed is None else listed.start_mark.line + 1
        raise UnreadableFile(path, line, f"{key}: has to be a list")
    found = []
    for item in listed.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.MappingNode):
            raise UnreadableFile(path, line, f"each of {key} has keys, such as id:")
        found.append(Entry(loader.construct_mapping(item, deep=True), line, _lines(item)))
    return found


def _lines(node: yaml.MappingNode) -> dict[str, int]:
    return {name.value: name.start_mark.line + 1 for name, _ in node.value}
