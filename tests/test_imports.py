"""The import graph, read from the source without running it, and what importing the package does."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Data flows image -> pyramid -> networks -> model -> training -> tasks -> app; imports point back that way.
# A module may import modules of lower rank only; those of `singan.batch`, `singan.ui`, `singan.cli` and `singan.tasks`
# also one another. In a package whose modules have ranks of their own, those count.
RANK = {
    "singan": 0,
    "singan.version": 0,
    "singan.errors": 1,
    "singan.checks": 2,
    "singan.device": 2,
    "singan.files": 2,
    "singan.limits": 2,
    "singan.serving": 2.1,
    "singan.config": 3,
    "singan.image": 3,
    "singan.networks": 3,
    "singan.torchfile": 3,
    "singan.metrics": 3.5,
    "singan.patches": 3,
    "singan.patches.search": 3.1,
    "singan.patches.atlas": 3.15,
    "singan.patches.vote": 3.2,
    "singan.patches.field": 3.3,
    "singan.pyramid": 4,
    "singan.warp": 4.1,
    "singan.scale": 4,
    "singan.sampling": 5,
    "singan.variation": 4,
    "singan.patches.belief": 3.1,
    "singan.patches.rearrange": 4.2,
    "singan.patches.light": 3.25,
    "singan.patches.quilt": 3.1,
    "singan.patches.composition": 4.1,
    "singan.patches.shiftmap": 4.2,
    "singan.patches.offsets": 4.3,
    "singan.patches.stitch": 4.4,
    "singan.patches.mixture": 4.2,
    "singan.storage": 5,
    "singan.storage.description": 5.1,
    "singan.storage.checkpoint": 5.2,
    "singan.storage.card": 5.3,
    "singan.storage.hub": 5.4,
    "singan.model": 6,
    "singan.convert": 7,
    "singan.training": 7,
    "singan.training.graph": 7.1,
    "singan.training.losses": 7.1,
    "singan.training.state": 7.1,
    "singan.training.events": 7.2,
    "singan.training.step": 7.2,
    "singan.training.published": 7.3,
    "singan.training.start": 7.4,
    "singan.training.resume": 7.5,
    "singan.training.progress": 7.3,
    "singan.training.retrain": 7.5,
    "singan.training.loop": 7.6,
    "singan.tasks": 8,
    "singan.study": 8.5,
    "singan.batch": 9,
    "singan.ui": 9,
    "singan.cli": 9.5,
    "singan.__main__": 10,
    "app": 10,
}


def source_files() -> dict[str, Path]:
    """Module name -> file, for app.py and everything in singan/."""
    files = {"app": ROOT / "app.py"} if (ROOT / "app.py").exists() else {}
    for path in sorted((ROOT / "singan").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


@functools.cache
def imported_names(module: str, path: Path) -> set[str]:
    """Every dotted name imported anywhere in the file, `if TYPE_CHECKING:` included: who needs a name to be read needs
    it."""

    def walk(node: ast.AST):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return set(walk(ast.parse(path.read_text(encoding="utf-8"))))


def import_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """Module -> the modules of this project that it imports."""
    graph = {}
    for module, path in files.items():
        targets = set()
        for name in imported_names(module, path):
            while name and name not in files:  # `singan.errors.ImageError` is an import of `singan.errors`
                name = name.rpartition(".")[0]
            if name:
                targets.add(name)
        graph[module] = targets - {module}
    return graph


FILES = source_files()
GRAPH = import_graph(FILES)


def reachable(start: str) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        new = GRAPH[todo.pop()] - found
        found |= new
        todo += new
    return found


def layer(module: str) -> str:
    return ".".join(module.split(".")[:2])


def rank(module: str) -> float:
    return RANK.get(module, RANK[layer(module)])


def third_party(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported_names(module, FILES[module])}


def test_graph_reader_sees_every_form_of_import(tmp_path):
    (tmp_path / "b.py").write_text(
        "import p.one\nfrom p import two\nfrom . import three\nfrom .four import x\n"
        "def f():\n    from ..p.five import y\n"
        "if TYPE_CHECKING:\n    import p.six\nelse:\n    import p.seven\n"
    )
    expected = {"p.one", "p.two", "p.a.three", "p.a.four.x", "p.p.five.y", "p.six", "p.seven"}
    assert imported_names("p.a.b", tmp_path / "b.py") == expected


def test_imports_are_acyclic():
    circles = sorted(module for module in GRAPH if module in reachable(module))
    assert circles == []


def test_every_module_has_a_rank():
    assert sorted({layer(module) for module in FILES} - set(RANK)) == []
    for package in ("singan.patches.", "singan.storage.", "singan.training."):
        assert {module for module in FILES if module.startswith(package)} <= set(RANK)


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_point_one_way(module):
    wrong = {
        target
        for target in GRAPH[module]
        if rank(target) >= rank(module) and (layer(target) != layer(module) or {target, module} <= set(RANK))
    }
    assert wrong == set(), f"{module} may not import {wrong}"


def test_model_knows_nothing_of_training():
    assert reachable("singan.model").isdisjoint({module for module in FILES if layer(module) == "singan.training"})


def test_nothing_in_singan_imports_the_app():
    assert [module for module in GRAPH if "app" in GRAPH[module]] == []


def test_only_the_app_imports_the_user_interface():
    users = {module for module in GRAPH if any(layer(target) == "singan.ui" for target in GRAPH[module])}
    assert {module if layer(module) == "singan.cli" else layer(module) for module in users} <= {
        "app", "singan.ui", "singan.cli.app",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("gradio", {"singan.ui", "app"}),
        ("spaces", {"singan.ui", "singan.serving"}),
        ("typer", {"singan.cli"}),
        ("rich", {"singan.cli", "singan.training"}),
        ("huggingface_hub", {"singan.storage", "singan.model"}),
        ("imageio", {"singan.tasks"}),
        ("ray", {"singan.batch"}),
        ("pickle", set()),
        ("pickletools", {"singan.torchfile"}),  # which reads pickles, and runs nothing
    ],
)
def test_library_is_imported_only_where_it_belongs(library, homes):
    assert {layer(module) for module in FILES if library in third_party(module)} <= homes


def test_no_module_has_a_name_that_breaks_gradio():
    """A file mcp.py or spaces.py beside app.py is imported by gradio in place of the real package."""
    assert {path.name for path in ROOT.glob("*.py")}.isdisjoint({"mcp.py", "spaces.py"})


def run(code: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_importing_the_package_does_not_import_heavy_libraries(tmp_path):
    heavy = "{'torch', 'gradio', 'numpy', 'PIL', 'huggingface_hub'}"
    assert run(f"import sys, singan; print(sorted({heavy} & set(sys.modules)))", tmp_path) == "[]\n"


def test_command_line_does_not_import_heavy_libraries(tmp_path):
    code = "import sys, singan.cli; print(sorted({'torch', 'gradio', 'numpy', 'PIL'} & set(sys.modules)))"
    assert run(code, tmp_path) == "[]\n"


def test_training_does_not_import_the_compiler(tmp_path):
    """Which the methods of an optimiser would: it takes a second and 70 MB."""
    code = """
import sys, singan
from PIL import Image
from singan.training.loop import iter_train
config = singan.TrainConfig(steps=2, width=4, critic_width=4, pool_size=2, candidates=2)
photo = Image.linear_gradient("L").convert("RGB")
events = iter_train(photo, config, checkpoint_dir="run")
while next(events).kind != "step":
    pass
events.close()
singan.train(photo, config, checkpoint_dir="run", resume=True)
print("torch._dynamo" in sys.modules)
"""
    assert run(code, tmp_path) == "False\n"


def test_every_public_name_is_there(tmp_path):
    """Also by `import *`, and dir() knows them before they are loaded."""
    code = """
import singan
listed = dir(singan)
missing = [name for name in singan.__all__ if name not in listed or getattr(singan, name) is None]
from singan import *
print(missing, SinGAN is singan.model.SinGAN, "gradio" in __import__("sys").modules)
"""
    assert run(code, tmp_path) == "[] True False\n"


def test_unknown_name_is_an_attribute_error():
    import singan

    with pytest.raises(AttributeError, match="module 'singan' has no attribute 'nonsense'"):
        _ = singan.nonsense


def test_importing_every_module_has_no_side_effects(tmp_path):
    """Neither files nor output, and no change to what a process shares: random state, threads, warnings..."""
    modules = sorted(name for name in FILES if layer(name) not in ("app", "singan.ui", "singan.__main__"))
    code = f"""
import importlib, logging, os, random, signal, sys, threading, warnings
import numpy, rich, torch, typer
import huggingface_hub, safetensors.torch
from PIL import Image, ImageFile

def state():
    return (
        dict(os.environ), os.getcwd(), random.getstate(), str(numpy.random.get_state()),
        torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(),
        torch.is_grad_enabled(), torch.backends.mkldnn.enabled, torch.are_deterministic_algorithms_enabled(),
        threading.active_count(), list(warnings.filters), list(logging.getLogger().handlers),
        signal.getsignal(signal.SIGINT), sys.excepthook,
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES,
    )

before = state()
for name in {modules}:
    importlib.import_module(name)
after = state()
print([(old, new) for old, new in zip(before, after) if old != new])
"""
    assert run(code, tmp_path) == "[]\n"
    assert list(tmp_path.iterdir()) == []
