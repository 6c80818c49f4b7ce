"""What is freed stays with the process: the system does not clear pages anew for each piece of footage."""

import platform
import subprocess
import sys

import pytest

PIECES = 200
PAGES = (1 << 20) // 4096  # of a piece
COUNT = f"""
import resource
from services.runtime.heap import keep_freed
keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def pieces(count):
    for _ in range(count):
        b"".join((b"x" * (1 << 19), b"y" * (1 << 19)))
pieces(3)
before = faults()
pieces({PIECES})
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library does as it does")
def test_pieces_that_come_and_go_lie_where_others_lay() -> None:
    told = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert int(told.stdout) < PIECES * PAGES // 20
