"""What the doctor says of a machine, and its exit status: 1 only if the course cannot run."""

import importlib.metadata
import json
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gancourse import doctor
from gancourse.cli import main
from gancourse.doctor import machine
from gancourse.doctor.speed import Speed


def consult(*options):
    """Return the exit status of ``gancourse doctor`` and what it printed; no error may escape."""
    result = CliRunner().invoke(main, ["doctor", *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout


def test_this_machine_is_found_fit_for_the_course(monkeypatch):
    monkeypatch.setattr(doctor, "measure_speed", lambda device: Speed(10.0, 1.0))
    status, text = consult()
    assert status == 0, text
    assert "PROBLEM" not in text


def test_the_findings_can_be_read_by_programs(quick):
    status, text = consult("--json")
    found = json.loads(text)
    assert (status, found["problems"]) == (0, [])
    assert found["devices"][-1]["name"] == "cpu"
    assert (found["speed"], found["share"]) == (10.0, 1.0)
    torch = next(package for package in found["packages"] if package["name"] == "torch")
    assert torch["ok"]
    assert torch["found"]


@pytest.mark.parametrize("need", ["nonesuch>=3", "click>=999"])
def test_a_package_that_is_missing_or_old_fails_with_the_command_that_mends_it(
    quick, monkeypatch, need
):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [need])
    status, text = consult()
    assert status == 1
    assert f'pip install "{need}"' in text


def test_a_package_that_cannot_be_imported_fails_with_its_error(quick, monkeypatch):
    monkeypatch.setattr(machine, "import_error", {"numpy": "ImportError: no libblas"}.get)
    status, text = consult()
    assert status == 1
    assert "cannot be imported: ImportError: no libblas" in text
    assert 'pip install --force-reinstall "numpy' in text


def test_a_package_that_only_some_need_may_be_missing(quick, monkeypatch):
    needs = ["nonesuch>=3; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    status, text = consult()
    assert status == 0
    assert "only for dev" in text


def test_a_course_that_is_not_installed_is_a_problem(quick, monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    status, text = consult()
    assert status == 1
    assert "pip install -e ." in text


def test_a_missing_kernel_is_a_problem(quick, monkeypatch):
    monkeypatch.setattr(machine, "find_kernel", lambda: False)
    status, text = consult()
    assert status == 1
    assert "pip install ipykernel" in text


def test_a_device_that_fails_is_a_problem_and_nothing_is_estimated(quick, monkeypatch, recorded):
    def measure(device):
        raise RuntimeError("CUDA error:\nout of memory")

    monkeypatch.setattr(doctor, "measure_speed", measure)
    status, text = consult()
    assert status == 1
    assert "RuntimeError: CUDA error: out of memory" in text
    assert "smoke 20 s where it was recorded" in text


def test_what_was_not_recorded_is_called_unknown(recorded, quick):
    status, text = consult()
    (line,) = [line for line in text.splitlines() if "01_tiny" in line]
    assert status == 0
    assert all(part in line for part in ("smoke 60 s", "laptop 300 s", "paper unknown"))


def test_a_busy_machine_is_said_to_be_busy(recorded, quick, monkeypatch):
    assert "machine is busy" not in consult()[1]
    monkeypatch.setattr(doctor, "measure_speed", lambda device: Speed(10.0, 0.25))
    status, text = consult()
    assert status == 0
    assert "smoke 60 s" in text
    assert "machine is busy" in text
    assert "4.0 times" in text


def test_missing_and_broken_lessons_are_problems(quick, course):
    assert consult()[0] == 1
    (course / "01_tiny.ipynb").write_text("{")
    status, text = consult()
    assert status == 1
    assert "01_tiny.ipynb" in text


def test_the_cache_is_asked_about_where_downloads_are_kept(quick, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GANCOURSE_CACHE", "~/elsewhere")
    found = json.loads(consult("--json")[1])
    assert str(tmp_path / "elsewhere") in found["disk_free"]


@pytest.mark.parametrize("cache", ["file", "file/below", "~nobody-has-this-name/cache"])
def test_a_cache_that_cannot_be_made_is_noted(quick, monkeypatch, tmp_path, cache):
    (tmp_path / "file").touch()
    cache = cache if cache.startswith("~") else str(tmp_path / cache)
    monkeypatch.setenv("GANCOURSE_CACHE", cache)
    status, text = consult()
    assert status == 0
    assert "note: the cache of downloads (GANCOURSE_CACHE): " in text


def test_lessons_that_cannot_be_saved_and_a_full_disk_are_noted(quick, monkeypatch, recorded):
    monkeypatch.setattr(machine.os, "access", lambda place, mode: str(place) != str(recorded))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: SimpleNamespace(free=2**20))
    status, text = consult()
    assert status == 0
    assert f"note: the lessons: you may not write to {recorded}" in text
    assert "only 0.0 GiB free" in text


@pytest.mark.skipif(sys.platform == "win32", reason="there, a folder in use cannot be removed")
def test_a_current_folder_that_was_removed_is_a_problem(quick, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = doctor.examine()
    assert "the current folder: FileNotFoundError" in found["problems"][0]["what"]
    assert found["speed"] == 10.0


def test_a_path_with_control_characters_is_escaped(quick, monkeypatch, tmp_path):
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "a\n\x1b[31m\udcff"))
    _, text = consult()
    assert r"\x1b[31m\udcff" in text
    assert "\x1b" not in text
