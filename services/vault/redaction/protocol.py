"""What these processes are given before their source: the length of the job, and the job as JSON; and their reports."""

import json
import struct
from collections.abc import Callable
from typing import BinaryIO

HEAD = struct.Struct(">I")
LARGEST_JOB = 4 << 20


def lines_to(report: BinaryIO) -> Callable[[dict[str, object]], None]:
    """Return what writes each object as a line."""

    def emit(line: dict[str, object]) -> None:
        report.write(json.dumps(line).encode() + b"\n")
        report.flush()

    return emit
