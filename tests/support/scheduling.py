"""How the tests of a run are given out to its workers."""

import re

from xdist.scheduler import LoadFileScheduling

# Files whose tests need each other in parts only, by what of a parameter's id names the part.
_DIVIDED = {
    "test_kill_points_matters.py": re.compile(r"\[(?P<part>.+?)(-seed-.*)?\]"),
    "test_policy_mutants.py": re.compile(r"\[(?P<part>.).*\]"),
}


class ByFileOrPart(LoadFileScheduling):
    """Gives a worker a file at a time, of some files a part: no worker is left alone with an hour at the end."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        divided = _DIVIDED.get(file.rpartition("/")[2])
        part = divided.search(nodeid) if divided else None
        return f"{file} {part['part']}" if part else file
