"""What the doctor finds, and what it says is wrong."""

import importlib.metadata
import json
import sys
from types import SimpleNamespace

import nbformat
import pytest
import torch
from click.testing import CliRunner

from gancourse import doctor
from gancourse.batch import lessons
from gancourse.cli import main


@pytest.fixture
def quick(monkeypatch):
    """Spare the measurement of the machine's speed."""
    monkeypatch.setattr(doctor, "measure_speed", lambda device: 10.0)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A course of one lesson, whose smoke preset took 20 s on a machine of speed 30."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["gancourse"] = {
        "seconds": {"smoke": 20, "laptop": 300},
        "speed": {"smoke": 30},
    }
    nbformat.write(notebook, tmp_path / "01_tiny.ipynb")
    monkeypatch.setattr(lessons, "folder", lambda: tmp_path)


def test_this_machine_is_found_fit_for_the_course(quick):
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "PROBLEM" not in result.stdout


def test_the_findings_can_be_read_by_programs(quick):
    result = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert found["problems"] == []
    assert found["devices"][-1]["name"] == "cpu"
    assert found["speed"] == 10.0
    torch = next(package for package in found["packages"] if package["name"] == "torch")
    assert torch["ok"]
    assert torch["found"]


@pytest.mark.parametrize("need", ["nonesuch>=3", "click>=999"])
def test_a_package_that_is_missing_or_old_fails_with_the_command_that_mends_it(
    quick, monkeypatch, need
):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [need])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert f'pip install "{need}"' in result.stdout


def test_a_package_that_only_some_need_may_be_missing(quick, monkeypatch):
    needs = ["nonesuch>=3; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "only for dev" in result.stdout


def test_a_missing_kernel_is_a_problem(quick, monkeypatch):
    monkeypatch.setattr(doctor, "find_kernel", lambda: False)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "pip install ipykernel" in result.stdout


def test_a_pytorch_that_cannot_be_imported_leaves_no_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert doctor.find_devices() == []


def test_the_recorded_seconds_are_scaled_to_this_machines_speed(recorded):
    assert doctor.estimates(15.0) == [
        {"lesson": "01_tiny", "preset": "smoke", "recorded": 20, "seconds": 40.0},
        {"lesson": "01_tiny", "preset": "laptop", "recorded": 300, "seconds": None},
        {"lesson": "01_tiny", "preset": "paper", "recorded": None, "seconds": None},
    ]


def test_what_was_not_recorded_is_called_unknown(recorded, quick):
    result = CliRunner().invoke(main, ["doctor"])
    (line,) = [line for line in result.stdout.splitlines() if "01_tiny" in line]
    assert all(part in line for part in ("smoke 60 s", "laptop 300 s", "paper unknown"))


def test_the_speed_is_in_steps_per_second_and_leaves_out_the_slow_first_steps(monkeypatch):
    clock, steps = [0.0], []

    def step(optimizer):
        steps.append(optimizer)
        clock[0] += 100.0 if len(steps) <= 5 else 0.25

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    monkeypatch.setattr(doctor, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert doctor.measure_speed("cpu", seconds=3.0) == 4.0


def test_the_disk_of_a_folder_that_is_not_there_yet_is_its_parents(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: SimpleNamespace(free=place))
    assert doctor.disk_free(tmp_path / "not" / "yet") == tmp_path
