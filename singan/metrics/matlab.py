"""Matrices from MATLAB's files of version 5 to 7, every size checked before it is believed.

The format is described in MathWorks' "MAT-File Format": a header of 128 bytes, then elements of a type, a length and
data, which may be compressed. What is read is real matrices of doubles; all else is passed over.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from singan.errors import CheckpointError

MAX_BYTES = 10**6  # of a file, and of each element that is decompressed
HEADER = 128
DOUBLES, MATRIX, COMPRESSED = 9, 14, 15  # types of elements
DOUBLE_CLASS, COMPLEX = 6, 0x800  # in the flags of a matrix


def read_matrices(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The matrices of doubles in a .mat file, float64, by name. Raises `CheckpointError`."""
    where = Path(path)
    try:
        if where.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{where} has {where.stat().st_size} bytes; the limit is {MAX_BYTES}.")
        data = where.read_bytes()
        order = {b"IM": "<", b"MI": ">"}[data[126:128]]
        return dict(_matrices(data[HEADER:], order))
    except OSError as error:
        raise CheckpointError(f"{where} cannot be read ({error.strerror}); check the path.") from None
    except (KeyError, ValueError, IndexError, RecursionError, struct.error, zlib.error):
        raise CheckpointError(f"{where} is no .mat file of version 5 to 7, or is damaged; download it again.") from None


def _matrices(data: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    for kind, content in _elements(data, order):
        if kind == COMPRESSED:
            yield from _matrices(_inflated(content), order)
        elif kind == MATRIX:
            parts = list(_elements(content, order))
            flags = struct.unpack(order + "I", parts[0][1][:4])[0]
            sizes = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
            if flags & 0xFF == DOUBLE_CLASS and not flags & COMPLEX and len(sizes) == 2 and parts[3][0] == DOUBLES:
                values = np.frombuffer(parts[3][1], order + "f8")
                yield parts[2][1].decode("ascii"), values.reshape(sizes, order="F").astype(np.float64)


def _inflated(content: bytes) -> bytes:
    machine = zlib.decompressobj()
    data = machine.decompress(content, MAX_BYTES)
    if not machine.eof:
        raise ValueError("more than a million bytes, or not all there")
    return data


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from(order + "II", data, at)
        start, step = at + 8, 8 + length + (-length % 8 if kind != COMPRESSED else 0)
        if kind >> 16:  # up to four bytes, in the place of the length
            kind, length, start, step = kind & 0xFFFF, kind >> 16, at + 4, 8
            if length > 4:
                raise ValueError("a short element that is long")
        if start + length > len(data):
            raise ValueError("an element beyond the end")
        yield kind, data[start : start + length]
        at += step
