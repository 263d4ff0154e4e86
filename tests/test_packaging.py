"""pyproject.toml is the one source of dependencies; everything else agrees with it."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "playwright-python": "playwright"}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def bounds(lines):
    found = [Requirement(line) for line in lines]
    return {need.name: need.specifier for need in found}


def conda_lines():
    """The dependencies of environment.yml with their comments."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    lines = text.partition("dependencies:")[2]
    return re.findall(r"^  - ([\w.<>=-]+)(?: +(.*))?$", lines, re.MULTILINE)


def test_requirements_txt_holds_the_runtime_dependencies_and_the_course_itself(project):
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines.pop() == "-e ."
    assert bounds(lines) == bounds(project["dependencies"])


def test_environment_yml_holds_the_runtime_and_development_dependencies(project):
    named = {}
    for line, _ in conda_lines():
        name, bound = re.match(r"([\w.-]+)(.*)", line).groups()
        named[CONDA_NAMES.get(name, name)] = SpecifierSet(bound)
    assert named.pop("python") == SpecifierSet(project["requires-python"])
    assert named.pop("pip") == SpecifierSet()
    assert named == bounds(project["dependencies"] + project["optional-dependencies"]["dev"])


def test_each_line_of_environment_yml_gives_its_reason():
    assert [line for line, comment in conda_lines() if not re.match(r"# \w+", comment)] == []


def test_every_dependency_has_a_lower_bound(project):
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        loose = [name for name, bound in bounds(group).items() if not str(bound).startswith(">=")]
        assert loose == []


def test_python_versions_agree(project):
    lowest = project["requires-python"].removeprefix(">=")
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    assert f'target-version = "py{lowest.replace(".", "")}"' in config
    assert f'python: ["{lowest}",' in workflow
    assert f'python-version: "{lowest}"' in workflow
    assert f"UV_PYTHON={lowest} " in (ROOT / "Makefile").read_text(encoding="utf-8")


def imported(path):
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.fixture(scope="module")
def distributions():
    """The installed distributions that a top-level package can come from.

    ``importlib.metadata.packages_distributions`` finds wheels without a top_level.txt only from
    Python 3.11 on.
    """
    found = defaultdict(set)
    for distribution in importlib.metadata.distributions():
        for top in {file.parts[0] for file in distribution.files or ()}:
            found[top.removesuffix(".py")].add(distribution.name.lower())
    return found


def test_whatever_the_package_imports_is_declared(project, distributions):
    needed = project["dependencies"] + project["optional-dependencies"]["cluster"]
    declared = {name.lower() for name in bounds(needed)}
    modules = {name for path in (ROOT / "gancourse").rglob("*.py") for name in imported(path)}
    others = modules - set(sys.stdlib_module_names) - {"gancourse"}
    assert {"torch", "click"} <= others
    assert {name for name in others if not distributions.get(name, set()) & declared} == set()


def test_whatever_is_declared_is_used(project, distributions):
    """By an import, or for a program that a command of the course starts."""
    programs = {"jupyterlab"}
    files = [*(ROOT / "gancourse").rglob("*.py"), *(ROOT / "tools").glob("*.py")]
    modules = {name for path in files for name in imported(path)}
    used = set().union(*(distributions.get(name, ()) for name in modules)) | programs
    assert {name.lower() for name in bounds(project["dependencies"])} - used == set()


def test_a_wheel_carries_the_package_the_data_and_the_lessons(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gancourse/cli.py", "gancourse/batch/report.css"} <= names
    for folder in ("data", "notebooks"):
        shipped = {path.name for path in (ROOT / folder).glob("*") if path.is_file()}
        inside = {Path(name).name for name in names if f"gancourse/_shipped/{folder}/" in name}
        assert shipped <= inside, folder
    assert not [name for name in names if name.startswith(("data/", "notebooks/", "tests/"))]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_alone_names_every_target():
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    result = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True)
    assert re.findall(r"^  make ([\w-]+) +\w", result.stdout, re.MULTILINE) == targets.split()
