"""A process that helps to recompute the audit trail: ``python -m services.keeping.trail_process``.

The first line on its standard input is the database's address, each other one a task; it answers each with a line.
"""

import json
import sys

from services.keeping.books import snapshot
from services.keeping.trail_parts import Task, recompute_part

if __name__ == "__main__":
    with snapshot(json.loads(sys.stdin.readline())) as books:
        for line in sys.stdin:
            sys.stdout.write(recompute_part(books, Task(**json.loads(line))).to_json() + "\n")
            sys.stdout.flush()
