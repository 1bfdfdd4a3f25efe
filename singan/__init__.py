"""SinGAN: learn one photograph, sample new ones from it.

    import singan
    model = singan.train("photo.jpg")
    model.sample(4)[0].save("sample.png")

The public names stand in `__init__.pyi`, and are loaded when first used: `import singan` and `singan --help` do not
wait for PyTorch.
"""

import ast
from importlib import import_module
from pathlib import Path

_HOME = {  # public name -> the module that it is in
    name.name: node.module
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    if isinstance(node, ast.ImportFrom) and node.module
    for name in node.names
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'singan' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
