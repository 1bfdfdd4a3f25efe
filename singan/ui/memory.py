"""What is freed goes back to the system."""

from __future__ import annotations

import ctypes
import threading
import time

M_ARENA_MAX = -8  # in malloc.h of glibc
TRIM_SECONDS = 10.0  # between two looks at what was freed amid what is in use; one takes some milliseconds
_trimming = threading.Lock()  # taken for good by the thread that does it


def share_heap() -> bool:
    """Let all threads allocate from one heap, where that can be told (glibc): each call is computed in another thread,
    and of its own heap a thread keeps what it has freed, some hundred megabytes in all. Call it before there are many
    threads; says whether it was done."""
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (OSError, AttributeError, TypeError):  # another libc, or none to be found by this name
        return False


def keep_trimmed() -> None:
    """Give what was freed back to the system every now and then, as long as this process runs, where that can be done
    (glibc). By itself only the end of the heap is given back."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return
    if not _trimming.acquire(blocking=False):
        return

    def work() -> None:
        while True:
            time.sleep(TRIM_SECONDS)
            trim(0)

    threading.Thread(target=work, name="trimming the heap", daemon=True).start()
