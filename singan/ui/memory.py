"""What is freed goes back to the system."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8  # in malloc.h of glibc


def share_heap() -> bool:
    """Let all threads allocate from one heap, where that can be told (glibc): each call is computed in another thread,
    and of its own heap a thread keeps what it has freed, some hundred megabytes in all. Call it before there are many
    threads; says whether it was done."""
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (OSError, AttributeError, TypeError):  # another libc, or none to be found by this name
        return False
