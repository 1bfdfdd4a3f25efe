"""The memory of a server whose calls are computed in many threads."""

import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parent.parent / "singan" / "ui" / "memory.py"
ALONE = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("memory", sys.argv[1])  # without gradio and all that
memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory)
"""
THREADS = """
import threading
if sys.argv[2] == "shared" and not memory.share_heap():
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

FREED = """
import re, time

def resident():
    return int(re.findall(r"VmRSS:\\s*(\\d+)", Path("/proc/self/status").read_text())[0]) // 1024

if not memory.share_heap():
    raise SystemExit(7)
blocks = [bytearray(100_000) for _ in range(2000)]
kept, full = blocks[::20], resident()
del blocks
memory.TRIM_SECONDS = 0.1
memory.keep_trimmed()
time.sleep(1)
print(full - resident())
"""


def run(code, *arguments):
    done = subprocess.run([sys.executable, "-c", ALONE + code, FILE, *arguments], capture_output=True, text=True)
    if done.returncode == 7:
        pytest.skip("this libc has one heap, or does not tell")
    return int(done.stdout)


def test_what_is_freed_amid_what_is_in_use_goes_back_to_the_system():
    assert run(FREED) > 150  # MB of 200


def test_threads_share_one_heap():
    """Each heap of a thread is two lines in the list of what is mapped."""
    assert run(THREADS, "own") - run(THREADS, "shared") >= 8
