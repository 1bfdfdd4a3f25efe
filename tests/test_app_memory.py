"""The memory of a server whose calls are computed in many threads."""

import subprocess
import sys

import pytest

THREADS = """
import re, sys, threading
from pathlib import Path
from singan.ui.memory import share_heap
if sys.argv[1] == "shared" and not share_heap():
    sys.exit(7)
gates = [threading.Barrier(9) for _ in range(2)]

def compute():
    kept = [bytearray(100_000) for _ in range(200)]
    gates[0].wait()  # all threads have some at once, so that none takes another one's heap
    del kept[:-1]
    gates[1].wait()

threads = [threading.Thread(target=compute) for _ in range(8)]
for thread in threads:
    thread.start()
for gate in gates:
    gate.wait()
for thread in threads:
    thread.join()
print(Path("/proc/self/maps").read_text().count("\\n"))
"""


def maps(how):
    done = subprocess.run([sys.executable, "-c", THREADS, how], capture_output=True, text=True)
    if done.returncode == 7:
        pytest.skip("this libc has one heap, or does not tell")
    return int(done.stdout)


def test_threads_share_one_heap():
    """Each heap of a thread is two lines in the list of what is mapped."""
    assert maps("own") - maps("shared") >= 8
