"""Footage Desk: an organisation's rules for retrieving video recordings, run as BPMN."""

import sys

# httpx loads a command line of its own where that can be: 5 MiB and 45 ms of each process, for what nobody calls here.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # which says that there is none
