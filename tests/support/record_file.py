"""A file of records that an exporter of an engine writes: one JSON object a line, with Zeebe's names."""

import json
from pathlib import Path
from typing import Any, BinaryIO

from services.engine.state.records import Record


class RecordFile:
    """Follows the file from where it ends now."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file: BinaryIO = path.open("rb")
        end = self._file.seek(0, 2)
        self._file.seek(max(0, end - 1))
        self._is_in_a_line = self._file.read(1) not in {b"", b"\n"}  # it may be written to right now
        self._rest = b""

    def close(self) -> None:
        self._file.close()

    def read(self) -> list[Record]:
        """The new events, in the order in which they happened."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        if lines and self._is_in_a_line:
            del lines[0]
            self._is_in_a_line = False
        told = [json.loads(line) for line in lines if line.strip()]
        return [_record(one) for one in told if one["recordType"] == "EVENT"]


def _record(told: dict[str, Any]) -> Record:
    return Record(told["position"], told["timestamp"], told["key"], told["valueType"], told["intent"], told["value"])
