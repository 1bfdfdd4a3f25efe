"""Tensors from files of `torch.save` without unpickling: no class is looked up, no code of the file is run.

A pickle is a program for a stack machine. This is that machine with nothing to call but what makes a tensor, a
dictionary or a set; an object of any other class becomes a `Record` of its attributes, and any other call is refused.
Reads the zip format and the older one of PyTorch up to 1.5, in which the published SinGAN models are. (The format
is described in the source of torch/serialization.py, the machine in that of Python's pickletools.)
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch

from singan.errors import CheckpointError, one_line

MAX_BYTES = 4 * 10**8  # of a file
MAX_STEPS = 10**6  # of the machine; a pyramid of the published code takes some 10,000
MAX_ELEMENTS = 3 * 10**7  # of all tensors together
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class Name:
    """A class or function that the file names, as text."""

    module: str
    name: str


@dataclass
class Record:
    """An object of a class that is not looked up: its attributes."""

    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stored:
    """A tensor whose elements are elsewhere in the file."""

    key: str
    dtype: torch.dtype
    offset: int = 0
    size: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()

    def read(self, data: bytearray) -> torch.Tensor:
        """The tensor from its storage. Raises ValueError if it does not lie within it."""
        numbers = (self.offset, *self.size, *self.stride)
        if not len(self.size) == len(self.stride) <= 8 or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("a tensor of impossible shape")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if 0 in self.size or last >= len(data) // self.dtype.itemsize:
            raise ValueError("a tensor that is larger than what is stored of it")
        flat = torch.frombuffer(data, dtype=self.dtype, count=len(data) // self.dtype.itemsize)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def read(path: Path, only: Container[str] | None = None) -> Any:
    """What `torch.save` wrote: lists, dictionaries, numbers, text, tensors, and `Record` for all other objects; of a
    dictionary, no more than these keys if `only` some are wanted.

    Raises `CheckpointError` if the file is missing, damaged, or calls for anything else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} has {path.stat().st_size} bytes; the limit is {MAX_BYTES:.0g}.")
        data = path.read_bytes()
        value, storages = _read_zip(data) if data.startswith(b"PK") else _read_legacy(data)
        if only is not None:
            value = {key: one for key, one in _as(dict, value).items() if key in only}
        return Resolver(storages).resolve(value, depth=24)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} is refused: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error) as error:
        raise CheckpointError(f"{path} is not a file of torch.save ({one_line(error)}).") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}).") from None


def _read_zip(data: bytes) -> tuple[Any, Callable[[str], bytes]]:
    """A value and its storages, one member each."""
    archive = zipfile.ZipFile(BytesIO(data))
    members = {info.filename.partition("/")[2]: info for info in archive.infolist()}

    def member(name: str) -> bytes:
        info = members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data):
            raise ValueError("a compressed member, which torch.save does not write")
        return archive.read(info)

    return _run(BytesIO(member("data.pkl"))), lambda key: member(f"data/{key}")


def _read_legacy(data: bytes) -> tuple[Any, Callable[[str], bytes]]:
    """Five pickles (magic number, version, facts on the system, value, keys), then each storage in order of keys."""
    stream, stored, found = BytesIO(data), dict[str, torch.dtype](), dict[str, bytes]()
    if _run(stream) != LEGACY_MAGIC:
        raise ValueError("no magic number")
    _run(stream)
    _run(stream)
    value = _run(stream, stored)
    for key in _run(stream):
        count = struct.unpack("<q", stream.read(8))[0]
        size = count * stored[key].itemsize
        if not 0 <= size <= len(data):
            raise ValueError("a storage larger than the file")
        found[key] = stream.read(size)
    return value, found.__getitem__


@dataclass
class _Machine:
    """Runs one pickle; `stored` collects the types of the storages it names."""

    stored: dict[str, torch.dtype]
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def popped(self) -> list[Any]:
        """All above the last mark."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def do(self, name: str, argument: Any) -> None:
        """One step."""
        stack = self.stack
        if name == "MARK":
            self.marks.append(len(stack))
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name]())
        elif name in LITERALS:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "TUPLE":
            stack.append(tuple(self.popped()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("APPEND", "APPENDS"):
            values = [stack.pop()] if name == "APPEND" else self.popped()
            _as(list, stack[-1]).extend(values)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _as(dict, stack[-1])[_as(str, key)] = value
        elif name == "SETITEMS":
            values = self.popped()
            keys = [_as(str, key) for key in values[::2]]  # hashing a deep tuple would overflow the stack
            _as(dict, stack[-1]).update(zip(keys, values[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(Name(*argument.split(" ", 1)))
        elif name == "NEWOBJ":
            stack.pop()
            _as(Name, stack.pop())
            stack.append(Record())
        elif name == "BUILD":
            state = _as(dict, stack.pop())
            if not isinstance(stack[-1], dict):  # a state dict has versions for attributes, which nobody needs
                _as(Record, stack[-1]).attributes.update(state)
        elif name == "REDUCE":
            arguments, called = stack.pop(), _as(Name, stack.pop())
            stack.append(_call(called, arguments))
        elif name == "BINPERSID":
            stack.append(_persistent(stack.pop(), self.stored))
        elif name != "PROTO":
            raise CheckpointError(f"it holds the opcode {name}, which no model needs.")


def _run(stream: IO[bytes], stored: dict[str, torch.dtype] | None = None) -> Any:
    """Run one pickle and return what it leaves; `stored` collects the types of the storages it names."""
    machine = _Machine({} if stored is None else stored)
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if step > MAX_STEPS:
            raise CheckpointError("it has more steps than any model.")
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.do(opcode.name, argument)
    raise ValueError("it ends too early")


CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"}


def _call(called: Name, arguments: Any) -> Any:
    """The few calls that there are."""
    name = f"{called.module}.{called.name}"
    if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        storage, offset, size, stride = arguments[:4]
        return Stored(_as(Stored, storage).key, storage.dtype, offset, tuple(size), tuple(stride))
    if name == "torch._utils._rebuild_parameter":
        return _as(Stored, arguments[0])
    if name == "torch.Size":
        return tuple(arguments[0])
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name in ("builtins.set", "__builtin__.set") and not arguments[0]:
        return []
    if name == "torch.nn.backends.thnn._get_thnn_function_backend":  # every module had one, up to PyTorch 1.3
        return None
    raise CheckpointError(f"it calls {name:.100}, which no model needs; a file that does may harm: do not use it.")


def _persistent(value: Any, stored: dict[str, torch.dtype]) -> Any:
    """What torch.save keeps outside the pickle: storages, and in the older format the source of classes."""
    if value[0] == "module":
        return _as(Name, value[1])
    if value[0] != "storage":
        raise ValueError("something else than a storage is kept outside")
    key, dtype = _as(str, value[2]), DTYPES[_as(Name, value[1]).name]
    stored[key] = dtype
    return Stored(key, dtype)


class Resolver:
    """Puts the tensors of a file in their places, and counts, since few bytes can stand for very much."""

    def __init__(self, storages: Callable[[str], bytes]) -> None:
        self.storages = storages
        self.read: dict[str, bytearray] = {}
        self.steps, self.elements = 0, 0

    def resolve(self, value: Any, depth: int) -> Any:
        """`value` with its tensors read; tuples as lists."""
        self.steps += 1
        if depth == 0 or self.steps > MAX_STEPS:
            raise ValueError("it is too large or nested too deeply")
        if isinstance(value, Stored):
            self.elements += math.prod(value.size)
            if self.elements > MAX_ELEMENTS:
                raise ValueError(f"its tensors have over {MAX_ELEMENTS:.0g} elements")
            if value.key not in self.read:
                self.read[value.key] = bytearray(self.storages(value.key))
            return value.read(self.read[value.key])
        if isinstance(value, (list, tuple)):
            return [self.resolve(one, depth - 1) for one in value]
        if isinstance(value, dict):
            return {key: self.resolve(one, depth - 1) for key, one in value.items()}
        if isinstance(value, Record):
            return Record(self.resolve(value.attributes, depth - 1))
        return value


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} stands where a {kind.__name__} belongs")
    return value
