"""Files that say the same thing twice say the same thing."""

import importlib.util
import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import singan
from singan.cli import main

ROOT = Path(__file__).parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(name: str) -> list[str]:
    lines = (line.strip() for line in read(name).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def space():
    """tools/space.py, which is a program and not part of the package."""
    spec = importlib.util.spec_from_file_location("space", ROOT / "tools" / "space.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_front_matter_is_space_yaml(space):
    assert space.front_matter(read("README.md"))[0] == read("Space.yaml"), "run: python tools/space.py"


def test_space_settings_are_those_that_a_space_knows():
    settings = yaml.safe_load(read("Space.yaml"))
    known = """title emoji colorFrom colorTo sdk sdk_version python_version app_file short_description
        suggested_hardware models preload_from_hub hf_oauth hf_oauth_scopes tags license thumbnail"""
    assert set(settings) <= set(known.split())
    assert settings["sdk"] == "gradio"
    assert (ROOT / settings["app_file"]).is_file()
    assert len(settings["short_description"]) <= 60
    assert settings["license"] == "mit"
    gradio = next(Requirement(line) for line in requirements("requirements.txt") if line.startswith("gradio"))
    assert gradio.specifier.contains(settings["sdk_version"])


@pytest.mark.parametrize("readme", ["# Title\n\ntext\n", "---\nold: 1\n---\n\n# Title\n\ntext\n"])
def test_front_matter_is_replaced_and_the_text_kept(space, readme):
    changed = space.with_front_matter(readme, "title: New\n")
    assert changed == "---\ntitle: New\n---\n\n# Title\n\ntext\n"
    assert space.with_front_matter(changed, "title: New\n") == changed
    assert space.front_matter(changed) == ("title: New\n", "\n# Title\n\ntext\n")


def test_folder_of_a_space_has_all_it_needs_its_thumbnail_and_its_models(space, tmp_path):
    space.make_space("ann/photos", ["ann/lake", "bob/waves"], tmp_path / "space")
    settings = yaml.safe_load(space.front_matter((tmp_path / "space" / "README.md").read_text(encoding="utf-8"))[0])
    assert settings.items() >= yaml.safe_load(read("Space.yaml")).items()
    assert settings["models"] == ["ann/lake", "bob/waves"]
    address = "https://huggingface.co/spaces/ann/photos/resolve/main/"
    assert settings["thumbnail"].startswith(address)
    assert (tmp_path / "space" / settings["thumbnail"].removeprefix(address)).is_file()
    assert {path.name for path in (tmp_path / "space").iterdir()} >= {"app.py", "singan", "pretrained", "examples"}
    assert not list((tmp_path / "space").rglob("__pycache__"))
    with pytest.raises(FileExistsError):
        space.make_space("ann/photos", [], tmp_path / "space")
    with pytest.raises(ValueError, match="not of the form"):
        space.make_space("photos", [], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_front_matter_without_an_end_is_refused(space):
    with pytest.raises(ValueError, match="no second --- line ends its front matter"):
        space.front_matter("---\ntitle: New\n")


def test_version_is_the_newest_in_the_changelog():
    newest = re.search(r"^## \[(\d[^\]]*)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert newest and newest[1] == singan.__version__


def test_installed_package_has_the_version_and_the_requirements():
    reinstall = "run: pip install -e . --no-deps"
    assert metadata.version("singan") == singan.__version__, reinstall
    installed = {Requirement(line) for line in metadata.requires("singan") or [] if "extra ==" not in line}
    assert installed == {Requirement(line) for line in requirements("requirements.txt")}, reinstall


def test_installation_gives_the_command_singan():
    commands = {
        point.name: point.load() for point in metadata.entry_points(group="console_scripts", module="singan.cli")
    }
    assert commands == {"singan": main}


def test_every_requirement_has_a_lower_and_an_upper_bound():
    for line in requirements("requirements.txt"):
        operators = {specifier.operator for specifier in Requirement(line).specifier}
        assert ">=" in operators and operators & {"<", "<="}, line


def test_what_extras_bring_is_bounded_and_the_tested_version_is_within():
    extras = re.search(r"^\[project\.optional-dependencies\]\n((?:\w.*\n)+)", read("pyproject.toml"), re.MULTILINE)
    pinned = {r.name: r.specifier for r in map(Requirement, requirements("requirements-dev.txt")[2:])}
    lines = re.findall(r'"([^"]+)"', extras[1])
    assert lines
    for extra in map(Requirement, lines):
        assert {specifier.operator for specifier in extra.specifier} == {">=", "<"}
        (pin,) = pinned[extra.name]
        assert extra.specifier.contains(pin.version)


def test_torch_takes_a_cpu_build_and_leaves_zero_gpu_its_own():
    torch = next(Requirement(line) for line in requirements("requirements.txt") if line.startswith("torch"))
    assert [torch.specifier.contains(v) for v in ("2.8.0", "2.11.0", "2.13.0+cpu", "2.13.1", "2.7.1")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_tools_are_pinned_and_the_package_installed_with_them():
    lines = requirements("requirements-dev.txt")
    assert lines[:2] == ["-r requirements.txt", "-e ."]
    assert [line for line in lines[2:] if not re.fullmatch(r"[a-z-]+==[\d.]+", line)] == []
    assert {"pytest", "ruff", "mypy", "playwright"} <= {line.split("==")[0] for line in lines[2:]}


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r requirements.txt && python app.py",
        "pip install -r requirements-dev.txt && python -m pytest",
    ],
)
def test_readme_gives_the_two_commands_on_lines_of_their_own(command):
    assert command in read("README.md").splitlines()


def test_paths_named_in_contributing_exist():
    rows = re.findall(r"^\| (`[^|]+) \|", read("CONTRIBUTING.md").partition("## Where things are")[2], re.MULTILINE)
    named = [path for row in rows for path in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_ci_runs_the_test_command_of_the_readme():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "pip install -r requirements-dev.txt && python -m pytest" in read(".ci/run")


def test_readme_code_uses_names_that_exist():
    blocks = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        for name in re.findall(r"\bsingan\.(\w+)", block):
            assert name in singan.__all__


def test_every_package_is_installed():
    listed = re.search(r"^packages = \[(.*?)\]", read("pyproject.toml"), re.MULTILINE | re.DOTALL)
    packages = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "singan").rglob("__init__.py")}
    assert set(re.findall(r'"([^"]+)"', listed[1])) == packages | {"singan.pretrained", "singan.examples"}
