"""A machine on which confined processes lack a wall: their interpreter runs where the kernel knows no Landlock."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.runtime import confined

# Its first call has the same number on every machine; the filter outlives the exec.
_SCRIPT = """#!{python}
import errno, os, sys, pyseccomp
filters = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
filters.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 444)
filters.load()
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@contextmanager
def without_landlock(folder: Path) -> Iterator[None]:
    """Start every process of Python inside the block without it."""
    program = folder / "python-without-landlock"
    program.write_text(_SCRIPT.format(python=sys.executable))
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(program))
        confined.forget_walls()
        yield
    confined.forget_walls()
